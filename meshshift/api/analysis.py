"""How the canary is judged, as users write it: the `analysis` of a TrafficShift.

Every number here is one of the promises of the decision engine, with the design's default; what they mean for a run is
said where they are used, in `meshshift.core.indicator`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictFloat

from meshshift.api.durations import parse_duration
from meshshift.api.percentages import Confidence, Rate, Tolerance  # noqa: TC001 -- pydantic reads annotations at run time
from meshshift.api.wire import Duration, IndicatorName, PositivePercent, Rule, WireModel
from meshshift.core.spec import OnInconclusive

MAX_INDICATORS = 8


class SuccessRateModel(WireModel):
    """Failed requests, compared with the stable subset's in the same seconds."""

    objective: Rate | None = Field(
        None,
        description="Percent of requests that must succeed, as a number (99.5) or a string (99.5%): "
        "an absolute objective beside the comparison with stable.",
    )


class LatencyModel(WireModel):
    """Slow requests, counted on the boundaries of Istio's histogram and compared with the stable subset's."""

    threshold: Duration | None = Field(
        None, description="A request is slow beyond this; default: boundaries around stable's p90, p95 and p99."
    )
    objective: Rate | None = Field(
        None, description="Percent of requests that must be within the threshold, as a number (99) or a string (99%)."
    )

    RULES = (
        Rule(
            "an objective for latency needs a threshold; add e.g. threshold: 500ms",
            lambda latency: latency.objective is None or latency.threshold is not None,
            cel=None,
            at="objective",
            about=("objective", "threshold"),
        ),
        Rule(
            "the threshold must be longer than 0s; write e.g. 500ms",
            lambda latency: latency.threshold is None or parse_duration(latency.threshold) > 0,
            cel="!has(self.threshold) || duration(self.threshold) > duration('0s')",
            at="threshold",
        ),
    )


class IndicatorModel(WireModel):
    """One thing the canary is judged by."""

    name: IndicatorName = Field(description="A name for people; unique within the shift.")
    share: PositivePercent | None = Field(
        None,
        description="Percent of the error allowance spent on this indicator; indicators without a share divide what is "
        "left in equal parts.",
    )
    success_rate: SuccessRateModel | None = Field(None, description="Judge by failed requests; {} is enough.")
    latency: LatencyModel | None = Field(None, description="Judge by slow requests; {} is enough.")

    RULES = (
        Rule(
            "each indicator takes exactly one of successRate and latency; write e.g. {name: errors, successRate: {}}",
            lambda indicator: (indicator.success_rate is None) != (indicator.latency is None),
            cel="has(self.successRate) != has(self.latency)",
            about=("successRate", "latency"),
        ),
    )


DEFAULT_INDICATORS = (
    IndicatorModel.model_validate({"name": "success-rate", "successRate": {}}),
    IndicatorModel.model_validate({"name": "latency", "latency": {}}),
)
_SUM_OF_SHARES = " + ".join(
    f"(size(self.indicators) > {i} && has(self.indicators[{i}].share) ? self.indicators[{i}].share : 0)"
    for i in range(MAX_INDICATORS)
)


def _shares_fit(analysis: AnalysisModel) -> bool:
    shares = [indicator.share for indicator in analysis.indicators]
    total = sum(share for share in shares if share is not None)
    return total < 100 if None in shares else total == 100


class AnalysisModel(WireModel):
    """How the canary is judged against the stable subset."""

    method: Literal["Sequential"] = Field(
        "Sequential", description="Sequential: evidence accumulates and may be looked at at any time."
    )
    interval: Duration = Field("15s", description="Time between two looks at the telemetry; at least 1s.")
    warmup: Duration = Field(
        "1m", description="After the canary's pods became ready; only catastrophic evidence counts meanwhile."
    )
    confidence: Confidence = Field(
        99,
        description="100 minus the chance, in percent and over the whole shift, of rolling back a canary within "
        "tolerance. A number (99) or a string (99%).",
    )
    promotion_confidence: Confidence = Field(
        95,
        description="100 minus the chance, in percent, of promoting a canary that is beyond the harm budget. "
        "A number (95) or a string (95%).",
    )
    tolerance: Tolerance = Field(
        25,
        description="How much more than stable the canary may fail, in percent of stable's failures, before it counts "
        "as worse. A number (25) or a string (25%).",
    )
    harm_budget: Annotated[StrictFloat, Field(ge=0, le=50)] = Field(
        0.5, description="Extra failures that the whole service may suffer at any weight, in percentage points."
    )
    spare_requests: Annotated[StrictFloat, Field(ge=0, le=1_000_000)] = Field(
        5, description="At low traffic: requests per three intervals that may be risked without proof; 0 is strict."
    )
    step_timeout: Duration = Field("30m", description="How long a step may wait for proof before onInconclusive acts.")
    on_inconclusive: OnInconclusive = Field(
        OnInconclusive.HOLD, description="What happens once stepTimeout has passed without proof in either direction."
    )
    indicators: tuple[IndicatorModel, ...] = Field(
        DEFAULT_INDICATORS,
        min_length=1,
        max_length=MAX_INDICATORS,
        description="What is judged; default: success rate and latency, both against the stable subset.",
    )

    RULES = (
        Rule(
            "the interval must be at least 1s; write e.g. 15s",
            lambda analysis: parse_duration(analysis.interval) >= 1,
            cel="duration(self.interval) >= duration('1s')",
            at="interval",
        ),
        Rule(
            "harmBudget must be above 0; write e.g. 0.5",
            lambda analysis: analysis.harm_budget > 0,
            cel="double(self.harmBudget) > 0.0",
            at="harmBudget",
        ),
        Rule(
            "stepTimeout must be at least the interval; raise stepTimeout",
            lambda analysis: parse_duration(analysis.step_timeout) >= parse_duration(analysis.interval),
            cel="duration(self.stepTimeout) >= duration(self.interval)",
            at="stepTimeout",
            about=("stepTimeout", "interval"),
        ),
        Rule(
            "names of indicators must be unique; rename one",
            lambda analysis: len({each.name for each in analysis.indicators}) == len(analysis.indicators),
            cel="self.indicators.all(a, self.indicators.exists_one(b, a.name == b.name))",
            at="indicators",
        ),
        Rule(
            "shares must sum to 100, or to less if an indicator without a share is to take the rest",
            _shares_fit,
            cel=f"[{_SUM_OF_SHARES}].all(total, self.indicators.exists(i, !has(i.share)) ? total < 100 : total == 100)",
            at="indicators",
        ),
    )
