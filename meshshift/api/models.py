"""The spec of a TrafficShift as users write it: the single source of the CRD, its defaults and the reference page.

Descriptions here are read by users through `kubectl explain` and the reference; limits on lengths and counts are what
keeps the CEL rules within the API server's cost budget.  Nothing here touches the mesh, and nothing reads a cluster: a
model that validates says only that the words make sense.
"""

from __future__ import annotations

import re

from pydantic import Field, StrictBool

from meshshift.api.analysis import AnalysisModel
from meshshift.api.durations import parse_duration
from meshshift.api.notifications import MAX_NOTIFICATIONS, NotificationModel
from meshshift.api.scale import ScaleModel  # noqa: TC001 -- pydantic reads annotations at run time
from meshshift.api.stickiness import StickinessModel  # noqa: TC001 -- pydantic reads annotations at run time
from meshshift.api.strategies import StrategyModel  # noqa: TC001 -- pydantic reads annotations at run time
from meshshift.api.wire import (
    SERVICE_NAME,
    LabelKey,
    LabelValue,
    ObjectName,
    ObjectReference,
    RouteName,
    Rule,
    ServiceName,
    SubsetName,
    WireModel,
)
from meshshift.core.spec import CreatePolicy, OnDelete, OnDrift, OnFailure

POLICY_FIELDS = ("strategy", "analysis", "onFailure", "onDrift", "notifications")
"""What a ShiftPolicy may say: everything of a TrafficShift except who is shifted."""
MERGED_FIELDS = ("analysis",)
"""Of these, the objects that are merged field by field."""


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


class PolicyRefModel(WireModel):
    """The ShiftPolicy that says what the shift itself leaves out."""

    name: ObjectName = Field(description="Name of the ShiftPolicy, in the namespace of this TrafficShift.")


class GroupModel(WireModel):
    """Several services as one release."""

    name: ObjectName = Field(description="Name of the group; all its TrafficShifts are in one namespace.")


def _is_service_name(name: str) -> bool:
    return re.fullmatch(SERVICE_NAME[1:-1], name) is not None


def _unlike_labels(spec: SpecModel) -> bool:
    return spec.stable.labels is None or spec.stable.labels != spec.canary.labels


def _baseline_is_another(spec: SpecModel) -> bool:
    return spec.baseline is None or spec.baseline.subset not in {spec.stable.subset, spec.canary.subset}


def _baseline_selects_others(spec: SpecModel) -> bool:
    labels = spec.baseline.labels if spec.baseline else None
    return labels is None or labels not in (spec.stable.labels, spec.canary.labels)


def _baseline_has_traffic(spec: SpecModel) -> bool:
    return spec.baseline is None or spec.strategy is None or spec.strategy.red_black is None


def _baseline_is_drawn_anew(spec: SpecModel) -> bool:
    return spec.baseline is None or spec.stickiness is None


def _leaves_room_for_baseline(spec: SpecModel) -> bool:
    canary = spec.strategy and spec.strategy.canary
    steps = (canary.steps if canary else None) or ()
    return spec.baseline is None or all(step.set_weight != _NO_ROOM for step in steps)


def _min_step_fits(spec: SpecModel) -> bool:
    canary = spec.strategy and spec.strategy.canary
    return not canary or parse_duration(canary.min_step_duration) <= parse_duration(spec.analysis.step_timeout)


def _every_fits(spec: SpecModel) -> bool:
    rolling = spec.strategy and spec.strategy.rolling
    return not rolling or parse_duration(rolling.every) <= parse_duration(spec.analysis.step_timeout)


def _step_indicators_differ(spec: SpecModel) -> bool:
    canary = spec.strategy and spec.strategy.canary
    steps = (canary.steps if canary else None) or ()
    taken = {each.name for each in spec.analysis.indicators}
    for names in ([each.name for each in step.analysis.indicators or ()] for step in steps if step.analysis):
        if len(set(names)) < len(names) or taken & set(names):
            return False
    return True


def _virtual_services_differ(spec: SpecModel) -> bool:
    names = [each.name for each in spec.virtual_services or ()]
    return len(set(names)) == len(names)


_NO_ROOM = 99
"""The one weight beside which stable and baseline cannot both have any."""


class SpecModel(WireModel):
    """One shift of one Service from its stable to its canary subset."""

    service: ServiceName = Field(description="Name of the Service, in the namespace of this TrafficShift.")
    stable: SubsetModel = Field(description="The subset that the traffic comes from.")
    canary: SubsetModel = Field(description="The subset that the traffic goes to.")
    baseline: SubsetModel | None = Field(
        None,
        description="Fresh pods of the stable version that get as much traffic as the canary and are compared with it, "
        "so that both are of one age and size; default: the canary is compared with the stable subset.",
    )
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
    policy_ref: PolicyRefModel | None = Field(
        None,
        description="A ShiftPolicy for what is not written here: strategy, analysis (field by field), onFailure, "
        "onDrift and notifications. What is written here wins. A run keeps what it was started with.",
    )
    strategy: StrategyModel | None = Field(
        None, description="How the traffic moves: exactly one strategy. Needed unless the policy has one."
    )
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
    group: GroupModel | None = Field(
        None, description="Shifts of this namespace that share a group advance in step and roll back together."
    )
    stickiness: StickinessModel | None = Field(
        None,
        description="Keep a user on the version that answered first, by a cookie, while the weights decide for all "
        "others; gone when the run ends.",
    )
    scale: ScaleModel | None = Field(
        None, description="Replica care: let the replicas of both versions follow the weights. Off unless it is given."
    )
    paused: StrictBool = Field(False, description="Hold the shift where it is; it may still roll back.")
    notifications: tuple[NotificationModel, ...] | None = Field(
        None,
        min_length=1,
        max_length=MAX_NOTIFICATIONS,
        description="Who is told of the shift's turns. Delivery never delays or fails a shift.",
    )

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
            "strategy is missing; add strategy: {canary: {}}, or in policyRef the name of a ShiftPolicy that has one",
            lambda spec: spec.strategy is not None,
            cel="has(self.strategy) || has(self.policyRef)",
            at="strategy",
        ),
        Rule(
            "baseline.subset must differ from stable.subset and canary.subset; name the subset of fresh stable pods",
            _baseline_is_another,
            cel="!has(self.baseline) || !(self.baseline.subset in [self.stable.subset, self.canary.subset])",
            at="baseline.subset",
            about=("baseline", "stable", "canary"),
        ),
        Rule(
            "baseline.labels must differ from stable.labels and canary.labels, or two subsets hold the same pods; "
            "give its pods a version label of their own, such as v1-baseline",
            _baseline_selects_others,
            cel="!has(self.baseline) || !has(self.baseline.labels) || "
            "((!has(self.stable.labels) || self.stable.labels != self.baseline.labels) && "
            "(!has(self.canary.labels) || self.canary.labels != self.baseline.labels))",
            at="baseline.labels",
            about=("baseline", "stable", "canary"),
        ),
        Rule(
            "baseline cannot go with strategy.redBlack, which moves all traffic at once and leaves a baseline none; "
            "remove baseline, or use strategy.canary",
            _baseline_has_traffic,
            cel="!has(self.baseline) || !has(self.strategy) || !has(self.strategy.redBlack)",
            at="baseline",
            about=("baseline", "strategy"),
        ),
        Rule(
            "baseline cannot go with stickiness, by which users stay on stable or the canary and leave a baseline "
            "the others alone; remove one of the two",
            _baseline_is_drawn_anew,
            cel="!has(self.baseline) || !has(self.stickiness)",
            at="baseline",
            about=("baseline", "stickiness"),
        ),
        Rule(
            "setWeight 99 leaves 1 % for stable and baseline together; use at most 98, or 100",
            _leaves_room_for_baseline,
            cel="!has(self.baseline) || !has(self.strategy) || !has(self.strategy.canary) || "
            "!has(self.strategy.canary.steps) || "
            "self.strategy.canary.steps.all(step, !has(step.setWeight) || step.setWeight != 99)",
            at="strategy.canary.steps",
            about=("baseline", "strategy"),
        ),
        Rule(
            "the indicators of an analysis step need names of their own; rename one",
            _step_indicators_differ,
            cel=None,
            at="strategy.canary.steps",
            about=("strategy", "analysis"),
        ),
        Rule(
            "redBlack moves everybody at once, so nobody can stay on a version; leave stickiness out, or use canary "
            "or rolling",
            lambda spec: not (spec.stickiness and spec.strategy and spec.strategy.red_black),
            cel="!has(self.stickiness) || !has(self.strategy) || !has(self.strategy.redBlack)",
            at="stickiness",
            about=("stickiness", "strategy"),
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
            cel="!has(self.strategy) || !has(self.strategy.canary) || "
            "!has(self.analysis) || !has(self.analysis.stepTimeout) || "
            "duration(self.analysis.stepTimeout) >= duration(self.strategy.canary.minStepDuration)",
            at="analysis.stepTimeout",
            about=("analysis", "strategy"),
        ),
        Rule(
            "analysis.stepTimeout must be at least strategy.rolling.every; raise stepTimeout",
            _every_fits,
            cel="!has(self.strategy) || !has(self.strategy.rolling) || "
            "!has(self.analysis) || !has(self.analysis.stepTimeout) || "
            "duration(self.analysis.stepTimeout) >= duration(self.strategy.rolling.every)",
            at="analysis.stepTimeout",
            about=("analysis", "strategy"),
        ),
    )
