"""How the canary is judged, as users write it: the `analysis` of a TrafficShift.

Every number here is one of the promises of the decision engine, with the design's default; what they mean for a run is
said where they are used, in `meshshift.core.indicator`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictFloat, StrictInt, StrictStr

from meshshift.api.durations import parse_duration
from meshshift.api.percentages import Confidence, Rate, Tolerance  # noqa: TC001 -- pydantic reads annotations at run time
from meshshift.api.wire import Duration, IndicatorName, PositivePercent, Rule, WireModel
from meshshift.core.checks import DEFAULT_FAILURE_LIMIT
from meshshift.core.spec import Method, OnInconclusive
from meshshift.core.template import KNOWN, PATTERN, is_sound

MAX_INDICATORS = 8
MAX_QUERY_LENGTH = 2048
MAX_FAILURE_LIMIT = 100


def _in_cel(pattern: str) -> str:
    """A regular expression inside the quotes of a CEL string."""
    return pattern.replace("\\", "\\\\")


class SuccessRateModel(WireModel):
    """Failed requests, compared with the stable subset's in the same seconds."""

    objective: Rate | None = Field(
        None,
        description="Percent of requests that must succeed, as a number (99.5) or a string (99.5%): "
        "an absolute objective beside the comparison with stable; the bound with method Threshold.",
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


class QueryModel(WireModel):
    """One number of your own, held against bounds at every interval."""

    promql: StrictStr = Field(
        min_length=1,
        max_length=MAX_QUERY_LENGTH,
        description="PromQL that gives one number. Variables, to be put between quotes: "
        f"{KNOWN}. No result, NaN and infinities are no data; several series are an error. Both hold the shift, "
        "neither passes nor fails.",
    )
    min: StrictFloat | None = Field(None, description="The least value that passes; one of min and max is needed.")
    max: StrictFloat | None = Field(None, description="The greatest value that passes; one of min and max is needed.")

    RULES = (
        Rule(
            "a query needs min, max or both; add e.g. max: 0.2",
            lambda query: query.min is not None or query.max is not None,
            cel="has(self.min) || has(self.max)",
            about=("min", "max"),
        ),
        Rule(
            "min must not be above max; lower min or raise max",
            lambda query: query.min is None or query.max is None or query.min <= query.max,
            cel="!(has(self.min) && has(self.max)) || double(self.min) <= double(self.max)",
            at="min",
            about=("min", "max"),
        ),
        Rule(
            f"promql has a variable that does not exist; use {KNOWN}",
            lambda query: is_sound(query.promql),
            cel=f"self.promql.matches('{_in_cel(PATTERN)}')",
            at="promql",
        ),
    )


def _is_one_kind(indicator: IndicatorModel) -> bool:
    return [indicator.success_rate, indicator.latency, indicator.query].count(None) == 2


FailureLimit = Annotated[StrictInt, Field(ge=1, le=MAX_FAILURE_LIMIT)]


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
    query: QueryModel | None = Field(
        None, description="Judge by a query of your own against bounds, beside the comparison with stable."
    )
    failure_limit: FailureLimit | None = Field(
        None,
        description="With this failed check of the run the canary has failed, whatever passed in between; "
        f"default {DEFAULT_FAILURE_LIMIT}. For a query, and for every indicator with method Threshold.",
    )

    RULES = (
        Rule(
            "each indicator takes exactly one of successRate, latency and query; "
            "write e.g. {name: errors, successRate: {}}",
            _is_one_kind,
            cel="(has(self.successRate) ? 1 : 0) + (has(self.latency) ? 1 : 0) + (has(self.query) ? 1 : 0) == 1",
            about=("successRate", "latency", "query"),
        ),
        Rule(
            "a query has no share of the error allowance; remove share",
            lambda indicator: indicator.query is None or indicator.share is None,
            cel="!(has(self.query) && has(self.share))",
            at="share",
            about=("share", "query"),
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
    shares = [indicator.share for indicator in analysis.indicators if indicator.query is None]
    total = sum(share for share in shares if share is not None)
    return total < 100 if None in shares else total == 100 or not shares


def _is_compared(analysis: AnalysisModel) -> bool:
    return analysis.method is Method.THRESHOLD or any(each.query is None for each in analysis.indicators)


def _has_bounds(analysis: AnalysisModel) -> bool:
    measures = [each.success_rate or each.latency for each in analysis.indicators]
    return analysis.method is Method.SEQUENTIAL or all(each is None or each.objective is not None for each in measures)


def _limits_count(analysis: AnalysisModel) -> bool:
    limited = [each for each in analysis.indicators if each.failure_limit is not None]
    return analysis.method is Method.THRESHOLD or all(each.query is not None for each in limited)


class AnalysisModel(WireModel):
    """How the canary is judged against the stable subset.

    A rule in CEL speaks only of what is written: what is not may come from a ShiftPolicy (ADR 10).
    """

    method: Method = Field(
        Method.SEQUENTIAL,
        description="Sequential: evidence against stable accumulates and may be looked at at any time. Threshold: each "
        "interval is held against the objectives alone, and failures are counted.",
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
            cel="!has(self.interval) || duration(self.interval) >= duration('1s')",
            at="interval",
        ),
        Rule(
            "harmBudget must be above 0; write e.g. 0.5",
            lambda analysis: analysis.harm_budget > 0,
            cel="!has(self.harmBudget) || double(self.harmBudget) > 0.0",
            at="harmBudget",
        ),
        Rule(
            "stepTimeout must be at least the interval; raise stepTimeout",
            lambda analysis: parse_duration(analysis.step_timeout) >= parse_duration(analysis.interval),
            cel="!has(self.stepTimeout) || !has(self.interval) || "
            "duration(self.stepTimeout) >= duration(self.interval)",
            at="stepTimeout",
            about=("stepTimeout", "interval"),
        ),
        Rule(
            "names of indicators must be unique; rename one",
            lambda analysis: len({each.name for each in analysis.indicators}) == len(analysis.indicators),
            cel="!has(self.indicators) || self.indicators.all(a, self.indicators.exists_one(b, a.name == b.name))",
            at="indicators",
        ),
        Rule(
            "shares must sum to 100, or to less if an indicator without a share is to take the rest; correct them",
            _shares_fit,
            cel=f"!has(self.indicators) || [{_SUM_OF_SHARES}].all(total, "
            "self.indicators.exists(i, !has(i.query) && !has(i.share)) ? "
            "total < 100 : total == 100 || self.indicators.all(i, has(i.query)))",
            at="indicators",
        ),
        Rule(
            "method Sequential compares with stable and needs a successRate or latency beside queries; "
            "add {name: success-rate, successRate: {}}, or write method: Threshold",
            _is_compared,
            cel="!has(self.method) || !has(self.indicators) || self.method == 'Threshold' || "
            "self.indicators.exists(i, !has(i.query))",
            at="indicators",
            about=("indicators", "method"),
        ),
        Rule(
            "method Threshold needs an objective for each successRate and latency; "
            "write e.g. successRate: {objective: 99.5} and latency: {threshold: 500ms, objective: 99}",
            _has_bounds,
            cel=None,
            at="indicators",
            about=("indicators", "method"),
        ),
        Rule(
            "failureLimit goes with a query or with method Threshold; remove it, or write method: Threshold",
            _limits_count,
            cel="!has(self.method) || !has(self.indicators) || self.method == 'Threshold' || "
            "self.indicators.all(i, has(i.query) || !has(i.failureLimit))",
            at="indicators",
            about=("indicators", "method"),
        ),
    )
