"""From the `spec` a user wrote to the core's ShiftSpec, or to all the reasons why not.

Nothing that an API server can store makes this raise anything but InvalidSpec: an object may have been written under an
older CRD, or to a server without one.  A spec also has an identity, `spec_hash`, by which the controller tells an edit
from a repetition: what a default would say anyway does not count, so neither writing a default out nor a new version of
meshshift that knows more fields starts a shift anew.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from meshshift.api.cohorts import cohort_of
from meshshift.api.durations import parse_duration
from meshshift.api.errors import InvalidSpec, SpecError
from meshshift.api.gates import gate_of
from meshshift.api.notifications import notification_of
from meshshift.api.reading import read_notifications, read_spec
from meshshift.api.scale import scale_of
from meshshift.api.stickiness import stickiness_of
from meshshift.api.strategies import DEFAULT_WEIGHTS, CanaryModel, Promotion
from meshshift.core.checks import DEFAULT_FAILURE_LIMIT, Check, Query
from meshshift.core.indicator import Indicator, JudgeSettings, Latency, SuccessRate
from meshshift.core.mesh.routes import VirtualServiceSelector
from meshshift.core.spec import (
    Analyse,
    Analysis,
    Method,
    Pause,
    SetHeaderRoute,
    SetMirror,
    SetWeight,
    ShiftSpec,
    Step,
    Strategy,
    Subset,
)
from meshshift.core.steps import FULL, Ramp, complete, expand_ramp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshshift.api.analysis import AnalysisModel, IndicatorModel, QueryModel
    from meshshift.api.models import SubsetModel, VirtualServiceModel
    from meshshift.api.strategies import RampModel, RedBlackModel, StepModel, StrategyModel
    from meshshift.core.notices import Notification

__all__ = [
    "InvalidSpec",
    "SpecError",
    "notifications_from_wire",
    "spec_from_wire",
    "spec_hash",
    "wire_spec_with_defaults",
]

_NO_PART_OF_A_RUN = ("notifications", "policyRef")
"""Who is told, and where the rest was written."""


def spec_from_wire(spec: Mapping[str, Any], *, namespace: str) -> ShiftSpec:
    """The `spec` of a TrafficShift that lives in `namespace`, in base units.

    Raises InvalidSpec, whose `errors` name every faulty field, its value and the fix.
    """
    model = read_spec(spec)
    return ShiftSpec(
        service=model.service,
        stable=_subset(model.stable),
        canary=_subset(model.canary),
        baseline=_subset(model.baseline) if model.baseline else None,
        **_moves(model.strategy),
        analysis=_analysis(model.analysis),
        virtual_services=tuple(_selector(each, namespace) for each in model.virtual_services or ()),
        destination_rule=model.destination_rule,
        create=model.create,
        on_failure=model.on_failure,
        on_drift=model.on_drift,
        on_delete=model.on_delete,
        paused=model.paused,
        group=model.group.name if model.group else None,
        stickiness=stickiness_of(model.stickiness),
        scale=scale_of(model.scale) if model.scale else None,
    )


def notifications_from_wire(spec: object) -> tuple[Notification, ...]:
    """Who a TrafficShift's `spec` wants to be told, whatever else is wrong with it; nobody if that is wrong itself.

    It is read apart from the rest because it is no part of a run: a run whose spec was made invalid is still told of.
    """
    return tuple(map(notification_of, read_notifications(spec)))


def wire_spec_with_defaults(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec as JSON with every default written out and one spelling for each value, to be kept with a run.

    It is a spec itself, with the same hash; who is notified is no part of a run, nor is the name of the policy that a
    part of it was written in.  Raises InvalidSpec.
    """
    wire: dict[str, Any] = _plain(read_spec(spec).model_dump(mode="json", by_alias=True, exclude_none=True))
    for name in _NO_PART_OF_A_RUN:
        wire.pop(name, None)
    canary = wire["strategy"].get("canary")
    if canary is not None and "steps" not in canary and "ramp" not in canary:
        canary["steps"] = _default_steps()
    for indicator in wire["analysis"]["indicators"]:
        if "query" in indicator or wire["analysis"]["method"] == Method.THRESHOLD:
            indicator.setdefault("failureLimit", DEFAULT_FAILURE_LIMIT)
    return wire


def spec_hash(spec: Mapping[str, Any]) -> str:
    """Identity of the spec, 16 hexadecimal digits.

    `paused`, `notifications`, `policyRef` and what equals a default do not count.

    Raises InvalidSpec.
    """
    wire = _plain(read_spec(spec).model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True))
    for name in ("paused", *_NO_PART_OF_A_RUN):
        wire.pop(name, None)
    canary = wire["strategy"].get("canary", {})
    if canary.get("steps") == _default_steps():
        del canary["steps"]
    for indicator in wire.get("analysis", {}).get("indicators", ()):
        if indicator.get("failureLimit") == DEFAULT_FAILURE_LIMIT:
            del indicator["failureLimit"]
    text = json.dumps(wire, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _default_steps() -> list[dict[str, int]]:
    return [{"setWeight": weight} for weight in DEFAULT_WEIGHTS]


def _plain(value: Any) -> Any:
    """Numbers without a fraction as integers, so that 99 and 99.0 are one spelling."""
    match value:
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case float() if value.is_integer():
            return int(value)
    return value


def _subset(model: SubsetModel) -> Subset:
    return Subset(model.subset, dict(model.labels or {}))


def _selector(model: VirtualServiceModel, namespace: str) -> VirtualServiceSelector:
    before, slash, name = model.name.rpartition("/")
    return VirtualServiceSelector(before if slash else namespace, name, model.routes or ())


def _moves(model: StrategyModel | None) -> dict[str, Any]:
    """The strategy as the fields of a ShiftSpec that it decides."""
    if model is None:
        raise AssertionError("a rule sees to it that there is one")
    if model.rolling is not None:
        steps = complete(expand_ramp(Ramp(start=model.rolling.by, by=model.rolling.by)))
        return {"strategy": Strategy.ROLLING, "steps": steps, "min_step": parse_duration(model.rolling.every)}
    if model.red_black is not None:
        return {"strategy": Strategy.RED_BLACK, "steps": _flip(model.red_black), "min_step": 0.0}
    canary = model.canary or CanaryModel()
    return {
        "strategy": Strategy.CANARY,
        "steps": _steps(canary),
        "min_step": parse_duration(canary.min_step_duration),
    }


PREVIEW = "preview"
"""The cohort that a red/black shift shows the new version to."""


def _flip(model: RedBlackModel) -> tuple[Step, ...]:
    """Red/black as steps: show, judge, ask, flip, clear away, judge again."""
    before: list[Step] = []
    after: list[Step] = []
    if model.preview is not None:
        before.append(SetHeaderRoute(cohort_of(PREVIEW, model.preview.match)))
        after.append(SetHeaderRoute(cohort_of(PREVIEW, None)))
    if model.mirror is not None:
        before.append(SetMirror(model.mirror.percentage))
        after.append(SetMirror(0))
    if model.pre_promotion is not None:
        before.append(Analyse(parse_duration(model.pre_promotion.duration)))
    if model.promotion is Promotion.MANUAL:
        before.append(Pause())
    if model.post_promotion is not None:
        after.append(Analyse(parse_duration(model.post_promotion.duration)))
    return (*before, SetWeight(FULL), *after)


def _steps(canary: CanaryModel) -> tuple[Step, ...]:
    if canary.ramp is not None:
        return complete(expand_ramp(_ramp(canary.ramp)))
    if canary.steps is not None:
        return complete(_step(each) for each in canary.steps)
    return tuple(SetWeight(weight) for weight in DEFAULT_WEIGHTS)


def _ramp(model: RampModel) -> Ramp:
    return Ramp(start=model.start, factor=model.factor, by=model.by, max=model.max)


def _step(model: StepModel) -> Step:
    if model.set_weight is not None:
        return SetWeight(model.set_weight)
    if model.set_header_route is not None:
        return SetHeaderRoute(cohort_of(model.set_header_route.name, model.set_header_route.match))
    if model.set_mirror is not None:
        return SetMirror(model.set_mirror.percentage)
    if model.gate is not None:
        return gate_of(model.gate)
    if model.analysis is not None:
        checks = tuple(
            _query_check(each.name, each.failure_limit, each.query) for each in model.analysis.indicators or ()
        )
        return Analyse(parse_duration(model.analysis.duration), checks)
    duration = model.pause.duration if model.pause else None
    return Pause(None if duration is None else parse_duration(duration))


def _analysis(model: AnalysisModel) -> Analysis:
    return Analysis(
        judge=JudgeSettings(
            false_rollback=_chance_against(model.confidence),
            false_promotion=_chance_against(model.promotion_confidence),
            tolerance=_fraction(model.tolerance),
            harm_budget=_fraction(model.harm_budget),
            spare_requests=float(model.spare_requests),
            interval=parse_duration(model.interval),
        ),
        indicators=_indicators([each for each in model.indicators if each.query is None]),
        warmup=parse_duration(model.warmup),
        step_timeout=parse_duration(model.step_timeout),
        on_inconclusive=model.on_inconclusive,
        method=model.method,
        checks=tuple(_check(each) for each in model.indicators if _is_checked(each, model.method)),
    )


def _fraction(percent: float) -> float:
    """Rounded to 12 digits, which hides what binary fractions do to 99.9 / 100."""
    return round(percent / 100, 12)


def _chance_against(confidence: float) -> float:
    return round(1 - confidence / 100, 12)


def _indicators(models: Sequence[IndicatorModel]) -> tuple[Indicator, ...]:
    """The shares as fractions; indicators without one divide what is left in equal parts."""
    given = sum(each.share for each in models if each.share is not None)
    without = sum(each.share is None for each in models)
    rest = (100 - given) / without if without else 0.0
    return tuple(
        Indicator(each.name, (rest if each.share is None else each.share) / 100, _measure(each)) for each in models
    )


def _is_checked(model: IndicatorModel, method: str) -> bool:
    return model.query is not None or method == Method.THRESHOLD


def _check(model: IndicatorModel) -> Check:
    if model.query is not None:
        return _query_check(model.name, model.failure_limit, model.query)
    return Check(model.name, model.failure_limit or DEFAULT_FAILURE_LIMIT, _measure(model))


def _query_check(name: str, limit: int | None, query: QueryModel) -> Check:
    return Check(name, limit or DEFAULT_FAILURE_LIMIT, Query(query.promql, query.min, query.max))


def _measure(model: IndicatorModel) -> SuccessRate | Latency:
    if model.latency is not None:
        threshold, objective = model.latency.threshold, model.latency.objective
        return Latency(
            threshold=None if threshold is None else parse_duration(threshold),
            objective=None if objective is None else _fraction(objective),
        )
    objective = model.success_rate.objective if model.success_rate else None
    return SuccessRate(objective=None if objective is None else _fraction(objective))
