"""How the traffic moves, as users write it: the strategies and their steps.

Descriptions here are read by users through `kubectl explain` and the reference.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictFloat

from meshshift.api.analysis import FailureLimit, QueryModel  # noqa: TC001 -- pydantic reads annotations at run time
from meshshift.api.cohorts import MAX_CONDITIONS, HeaderMatchModel, SetHeaderRouteModel, SetMirrorModel
from meshshift.api.gates import GateModel  # noqa: TC001 -- pydantic reads annotations at run time
from meshshift.api.wire import Duration, IndicatorName, Percent, PositivePercent, Rule, WireModel
from meshshift.core.checks import DEFAULT_FAILURE_LIMIT

MAX_STEPS = 64
DEFAULT_WEIGHTS = (5, 10, 25, 50, 100)


class PauseModel(WireModel):
    """Stay at the present weight."""

    duration: Duration | None = Field(
        None, description="How long to stay; without it the shift waits for a person to promote it."
    )


class StepIndicatorModel(WireModel):
    """A query that is asked during one step."""

    name: IndicatorName = Field(description="A name for people; unlike those of all other indicators.")
    query: QueryModel = Field(description="A query of your own against bounds.")
    failure_limit: FailureLimit | None = Field(
        None, description=f"With this failed check the canary has failed; default {DEFAULT_FAILURE_LIMIT}."
    )


class AnalysisStepModel(WireModel):
    """Judge at the present weight; left once nothing is suspicious and every check has passed."""

    duration: Duration = Field(description="How long at the least.")
    indicators: tuple[StepIndicatorModel, ...] | None = Field(
        None, min_length=1, max_length=4, description="Queries for this step, beside the indicators of the analysis."
    )


_STEP_FIELDS = ("set_weight", "pause", "analysis", "set_header_route", "set_mirror", "gate")


class StepModel(WireModel):
    """One step: exactly one of its fields."""

    set_weight: Percent | None = Field(
        None, description="Percent of the traffic to give to the canary; taken once the evidence allows it."
    )
    pause: PauseModel | None = Field(None, description="Stay at the present weight; `pause: {}` waits for a person.")
    analysis: AnalysisStepModel | None = Field(
        None, description="Judge for a while before the next step, also by queries of this step alone."
    )
    set_header_route: SetHeaderRouteModel | None = Field(
        None, description="Give requests with certain headers or cookies the canary, whatever the weight."
    )
    set_mirror: SetMirrorModel | None = Field(None, description="Send the canary copies of requests.")
    gate: GateModel | None = Field(None, description="Stay until an HTTP receiver says that it may go on.")

    RULES = (
        Rule(
            "each step takes exactly one of setWeight, pause, analysis, setHeaderRoute, setMirror and gate; write them "
            "as steps of their own",
            lambda step: sum(getattr(step, name) is not None for name in _STEP_FIELDS) == 1,
            cel="[has(self.setWeight), has(self.pause), has(self.analysis), has(self.setHeaderRoute), "
            "has(self.setMirror), has(self.gate)].exists_one(each, each)",
            about=("setWeight", "pause", "analysis", "setHeaderRoute", "setMirror", "gate"),
        ),
    )


class RampModel(WireModel):
    """Weights generated from `start` to `max`, by addition or by multiplication."""

    start: PositivePercent = Field(1, description="The first weight, in percent.")
    by: PositivePercent | None = Field(None, description="Percentage points that each step adds (a linear ramp).")
    factor: Annotated[StrictFloat, Field(ge=1, le=100)] | None = Field(
        None, description="What each step multiplies the weight by (an exponential ramp)."
    )
    max: PositivePercent = Field(
        100, description="The last weight of the ramp, in percent; 100 follows it in any case."
    )

    RULES = (
        Rule(
            "a ramp takes exactly one of by and factor; write e.g. {start: 1, factor: 2, max: 50}",
            lambda ramp: (ramp.by is None) != (ramp.factor is None),
            cel="has(self.by) != has(self.factor)",
            about=("by", "factor"),
        ),
        Rule(
            "start must not be above max; lower start or raise max",
            lambda ramp: ramp.start <= ramp.max,
            cel="self.start <= self.max",
            at="start",
            about=("start", "max"),
        ),
        Rule(
            "factor must be above 1; write e.g. 2",
            lambda ramp: ramp.factor is None or ramp.factor > 1,
            cel="!has(self.factor) || double(self.factor) > 1.0",
            at="factor",
        ),
    )


def _weights(steps: tuple[StepModel, ...] | None) -> list[int]:
    return [step.set_weight for step in steps or () if step.set_weight is not None]


class CanaryModel(WireModel):
    """A canary: the weight rises step by step as far as the evidence allows."""

    steps: tuple[StepModel, ...] | None = Field(
        None,
        min_length=1,
        max_length=MAX_STEPS,
        description="Explicit steps. With neither steps nor ramp the weights are "
        f"{', '.join(map(str, DEFAULT_WEIGHTS))}. A last step to 100 is added if it is left out.",
    )
    ramp: RampModel | None = Field(None, description="Generated weights, in place of steps.")
    min_step_duration: Duration = Field("1m", description="The least time a weight is held before the next is taken.")

    RULES = (
        Rule(
            "steps and ramp exclude each other; leave one out",
            lambda canary: canary.steps is None or canary.ramp is None,
            cel="!(has(self.steps) && has(self.ramp))",
            about=("steps", "ramp"),
        ),
        Rule(
            "steps need at least one setWeight; add e.g. {setWeight: 10}",
            lambda canary: canary.steps is None or bool(_weights(canary.steps)),
            cel="!has(self.steps) || self.steps.exists(s, has(s.setWeight))",
            at="steps",
        ),
        Rule(
            "setWeight must not fall from one step to the next; put the steps in ascending order",
            lambda canary: _weights(canary.steps) == sorted(_weights(canary.steps)),
            # Written without isSorted() and sum(), which are Kubernetes' own additions to CEL.
            cel="!has(self.steps) || [self.steps.filter(s, has(s.setWeight)).map(s, s.setWeight)].all(w, "
            f"{list(range(MAX_STEPS - 1))}.all(i, i + 1 >= size(w) || w[i] <= w[i + 1]))",
            at="steps",
        ),
    )


class RollingModel(WireModel):
    """A plain linear shift: every weight is analysed, none waits for a person."""

    every: Duration = Field("1m", description="The least time a weight is held before the next is taken.")
    by: PositivePercent = Field(10, description="Percentage points that each step adds.")


class Promotion(StrEnum):
    """Who decides on the flip."""

    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


class PreviewModel(WireModel):
    """Who meets the new version before everybody does."""

    match: tuple[HeaderMatchModel, ...] = Field(
        min_length=1, max_length=MAX_CONDITIONS, description="Which requests: those that meet one of these."
    )


class AnalysisPeriodModel(WireModel):
    """A time in which the new version is judged before it goes on."""

    duration: Duration = Field(description="How long.")


class RedBlackModel(WireModel):
    """All traffic at once, and back at once: the new version is looked at before, the old one stays at hand after."""

    preview: PreviewModel | None = Field(None, description="Requests that meet the new version before the flip.")
    mirror: SetMirrorModel | None = Field(None, description="Copies of requests that the new version gets before it.")
    pre_promotion: AnalysisPeriodModel | None = Field(
        None, description="How long the preview is judged against stable before the flip."
    )
    promotion: Promotion = Field(
        Promotion.AUTOMATIC, description="Automatic flips once prePromotion has passed, Manual waits for a person."
    )
    post_promotion: AnalysisPeriodModel | None = Field(
        None,
        description="How long the new version is compared with before the flip; what fails more than tolerated flips "
        "back in one write.",
    )

    RULES = (
        Rule(
            "prePromotion judges the preview; add preview, or leave prePromotion out",
            lambda red_black: red_black.pre_promotion is None or red_black.preview is not None,
            cel="!has(self.prePromotion) || has(self.preview)",
            at="prePromotion",
            about=("prePromotion", "preview"),
        ),
    )


class StrategyModel(WireModel):
    """How the traffic moves."""

    canary: CanaryModel | None = Field(None, description="Shift in steps; `canary: {}` takes the default steps.")
    rolling: RollingModel | None = Field(
        None, description="Shift by equal steps; `rolling: {}` takes 10 points at most every minute."
    )

    red_black: RedBlackModel | None = Field(
        None, description="Shift all traffic at once, after a preview; `redBlack: {}` flips as soon as pods are ready."
    )

    RULES = (
        Rule(
            "exactly one strategy is needed; write canary: {} for the default steps",
            lambda strategy: (
                sum(each is not None for each in (strategy.canary, strategy.rolling, strategy.red_black)) == 1
            ),
            cel="[has(self.canary), has(self.redBlack), has(self.rolling)].exists_one(each, each)",
            about=("canary", "redBlack", "rolling"),
        ),
    )
