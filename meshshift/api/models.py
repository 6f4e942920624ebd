"""The spec of a TrafficShift as users write it: the single source of the CRD, its defaults and the reference page.

Descriptions here are read by users through `kubectl explain` and the reference; limits on lengths and counts are what
keeps the CEL rules within the API server's cost budget.  Nothing here touches the mesh, and nothing reads a cluster: a
model that validates says only that the words make sense.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, StrictBool, StrictFloat

from meshshift.api.analysis import AnalysisModel
from meshshift.api.durations import parse_duration
from meshshift.api.wire import (
    SERVICE_NAME,
    Duration,
    LabelKey,
    LabelValue,
    ObjectName,
    ObjectReference,
    Percent,
    PositivePercent,
    RouteName,
    Rule,
    ServiceName,
    SubsetName,
    WireModel,
)
from meshshift.core.spec import CreatePolicy, OnDelete, OnDrift, OnFailure

MAX_STEPS = 64
DEFAULT_WEIGHTS = (5, 10, 25, 50, 100)


class SubsetModel(WireModel):
    """A subset of the service in the DestinationRule."""

    subset: SubsetName = Field(description="Name of the subset, as in the DestinationRule's subsets[].name.")
    labels: dict[LabelKey, LabelValue] | None = Field(
        None,
        min_length=1,
        max_length=16,
        description="Pod labels of the subset; they allow it to be added to the DestinationRule when it is missing.",
    )


class VirtualServiceModel(WireModel):
    """One VirtualService to manage."""

    name: ObjectReference = Field(description="Name of the VirtualService, or namespace/name.")
    routes: tuple[RouteName, ...] | None = Field(
        None,
        min_length=1,
        max_length=32,
        description="Names of its http routes to manage; default: every route that sends to the stable subset.",
    )


class PauseModel(WireModel):
    """Stay at the present weight."""

    duration: Duration | None = Field(
        None, description="How long to stay; without it the shift waits for a person to promote it."
    )


class StepModel(WireModel):
    """One step: exactly one of its fields."""

    set_weight: Percent | None = Field(
        None, description="Percent of the traffic to give to the canary; taken once the evidence allows it."
    )
    pause: PauseModel | None = Field(None, description="Stay at the present weight; `pause: {}` waits for a person.")

    RULES = (
        Rule(
            "each step takes exactly one of setWeight and pause; write them as two steps",
            lambda step: (step.set_weight is None) != (step.pause is None),
            cel="has(self.setWeight) != has(self.pause)",
            about=("setWeight", "pause"),
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


class StrategyModel(WireModel):
    """How the traffic moves."""

    canary: CanaryModel | None = Field(None, description="Shift in steps; `canary: {}` takes the default steps.")

    RULES = (
        Rule(
            "exactly one strategy is needed; write canary: {} for the default steps",
            lambda strategy: strategy.canary is not None,
            # The later strategies are refused by rules of their own.
            cel="has(self.canary) || has(self.redBlack) || has(self.rolling)",
            about=("canary", "redBlack", "rolling"),
        ),
    )


def _is_service_name(name: str) -> bool:
    return re.fullmatch(SERVICE_NAME[1:-1], name) is not None


def _unlike_labels(spec: SpecModel) -> bool:
    return spec.stable.labels is None or spec.stable.labels != spec.canary.labels


def _min_step_fits(spec: SpecModel) -> bool:
    canary = spec.strategy.canary
    return canary is None or parse_duration(canary.min_step_duration) <= parse_duration(spec.analysis.step_timeout)


def _virtual_services_differ(spec: SpecModel) -> bool:
    names = [each.name for each in spec.virtual_services or ()]
    return len(set(names)) == len(names)


class SpecModel(WireModel):
    """One shift of one Service from its stable to its canary subset."""

    service: ServiceName = Field(description="Name of the Service, in the namespace of this TrafficShift.")
    stable: SubsetModel = Field(description="The subset that the traffic comes from.")
    canary: SubsetModel = Field(description="The subset that the traffic goes to.")
    virtual_services: tuple[VirtualServiceModel, ...] | None = Field(
        None,
        min_length=1,
        max_length=32,
        description="The VirtualServices to manage; default: every one that routes to this service.",
    )
    destination_rule: ObjectName | None = Field(
        None, description="Name of the DestinationRule; default: the one whose host is this service."
    )
    create: CreatePolicy = Field(
        CreatePolicy.NEVER,
        description="IfMissing allows a missing VirtualService or DestinationRule to be created.",
    )
    strategy: StrategyModel = Field(description="How the traffic moves: exactly one strategy.")
    analysis: AnalysisModel = Field(AnalysisModel(), description="How the canary is judged against the stable subset.")
    on_failure: OnFailure = Field(
        OnFailure.ROLLBACK,
        description="On a proven regression or at a failureLimit: Rollback gives stable all the traffic, Pause waits "
        "for a person.",
    )
    on_drift: OnDrift = Field(
        OnDrift.PAUSE,
        description="When somebody else changes the managed weights: Pause waits for a person, Enforce sets them "
        "again, Adopt goes on from there (0 aborts). Three answers within ten minutes end in Pause.",
    )
    on_delete: OnDelete = Field(
        OnDelete.RESTORE,
        description="When the TrafficShift is deleted mid-way: Restore gives stable all the traffic and lets "
        "the object go after ten minutes even if it cannot, Leave touches nothing.",
    )
    paused: StrictBool = Field(False, description="Hold the shift where it is; it may still roll back.")

    RULES = (
        Rule(
            "service takes the name of a Service in the shift's own namespace, in lower-case letters, digits and '-'; "
            "write reviews, not reviews.bookinfo.svc.cluster.local",
            lambda spec: _is_service_name(spec.service),
            cel=f"self.service.matches('{SERVICE_NAME}')",
            at="service",
        ),
        Rule(
            "stable.subset and canary.subset must differ; name the new version's subset in canary.subset",
            lambda spec: spec.stable.subset != spec.canary.subset,
            cel="self.stable.subset != self.canary.subset",
            at="canary.subset",
            about=("stable", "canary"),
        ),
        Rule(
            "stable.labels and canary.labels must differ, or both subsets hold the same pods; "
            "give each a label of its own, such as version",
            _unlike_labels,
            cel="!(has(self.stable.labels) && has(self.canary.labels) && self.stable.labels == self.canary.labels)",
            at="canary.labels",
            about=("stable", "canary"),
        ),
        Rule(
            "virtualServices must not name one VirtualService twice; put all its routes under one entry",
            _virtual_services_differ,
            cel="!has(self.virtualServices) || "
            "self.virtualServices.all(a, self.virtualServices.exists_one(b, a.name == b.name))",
            at="virtualServices",
        ),
        Rule(
            "analysis.stepTimeout must be at least strategy.canary.minStepDuration; raise stepTimeout",
            _min_step_fits,
            cel="!has(self.strategy.canary) || "
            "duration(self.analysis.stepTimeout) >= duration(self.strategy.canary.minStepDuration)",
            at="analysis.stepTimeout",
            about=("analysis", "strategy"),
        ),
    )
