"""The annotations by which a Service opts in: what each may say, and what they ask for together.

They are the shortest way to say what a TrafficShift says at length, so each of them becomes a field of its spec and is
held against the same model.  What cannot be followed is told with its value and what is allowed, all of it at once; a
key of this group that does not exist is most likely a typing error, and is told as well.

Descriptions here are read by users through the reference page.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshshift.api.convert import spec_from_wire
from meshshift.api.durations import parse_duration
from meshshift.api.errors import InvalidSpec, show
from meshshift.api.percentages import parse_percent
from meshshift.api.wire import OBJECT_NAME
from meshshift.core.enrolment.wish import BadAnnotation, Wish, Wishes
from meshshift.core.mesh.documents import member

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX = "meshshift.io/"
OFF = "off"
IN_PLACE = "in-place"
STRATEGIES = {"canary": "canary", "red-black": "redBlack", "rolling": "rolling"}
_LABEL_VALUE = "[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?"
_HOST = r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_GATEWAY = r"([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-.a-z0-9]*[a-z0-9])?"


def _chosen(text: str) -> str:
    if text not in {*STRATEGIES, OFF}:
        raise ValueError
    return text


def _weights(text: str) -> list[int]:
    if not re.fullmatch(r"[0-9]{1,3}(\s*,\s*[0-9]{1,3})*", text, re.ASCII):
        raise ValueError
    weights = [int(each) for each in text.split(",")]
    if weights != sorted(set(weights)) or not 1 <= weights[0] <= weights[-1] <= 100:
        raise ValueError
    return weights


def _duration(text: str) -> str:
    parse_duration(text)
    return text


def _rate(text: str) -> float:
    rate = parse_percent(text if text.endswith("%") else f"{text}%")
    if not 0 < rate < 100:
        raise ValueError
    return rate


def _latency(text: str) -> dict[str, Any]:
    threshold, at, objective = text.partition("@")
    return {"threshold": _duration(threshold)} | ({"objective": _rate(objective)} if at else {})


def _matching(pattern: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if len(text) > 253 or not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError
        return text

    return parse


def _listed(pattern: str) -> Callable[[str], tuple[str, ...]]:
    one = _matching(pattern)
    return lambda text: tuple(dict.fromkeys(one(each.strip()) for each in text.split(",")))


def _in_place(text: str) -> bool:
    if text != IN_PLACE:
        raise ValueError
    return True


def _truth(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError
    return text == "true"


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation: its name behind `meshshift.io/`, what it may say, what that means, and how it is read."""

    name: str
    allowed: str
    example: str
    meaning: str
    parse: Callable[[str], Any]


ANNOTATIONS = (
    Annotation(
        "strategy",
        "write canary, red-black, rolling or off",
        "canary",
        "Opts the Service in, and says how new versions are shifted in. `off` is as if it were not there.",
        _chosen,
    ),
    Annotation(
        "policy",
        "write the name of a ShiftPolicy of this namespace",
        "careful",
        "A ShiftPolicy for what the annotations leave out; they win over it. Its strategy counts if it is of the kind "
        "that `strategy` says, and neither `steps` nor `step-duration` is there.",
        _matching(OBJECT_NAME[1:-1]),
    ),
    Annotation(
        "steps",
        'write ascending whole percent from 1 to 100, such as "5,25,50"',
        "5,25,50",
        "The weights of strategy `canary`; 100 follows by itself.",
        _weights,
    ),
    Annotation(
        "step-duration",
        "write a duration such as 30s, 2m or 1h",
        "2m",
        "The least time at each weight: `minStepDuration` of `canary`, `every` of `rolling`.",
        _duration,
    ),
    Annotation(
        "success-rate",
        'write percent above 0 and below 100, such as "99.5"',
        "99.5",
        "An absolute objective for the success rate, beside the comparison with the version that serves.",
        _rate,
    ),
    Annotation(
        "latency",
        'write a duration, or one with percent of the requests, such as "500ms@99"',
        "500ms@99",
        "An absolute objective for the latency: so many percent of the requests within the duration.",
        _latency,
    ),
    Annotation(
        "stable",
        "write the version that serves, as its pods' version label has it",
        "v1",
        "Who serves, where that cannot be seen: several versions share the traffic when the Service opts in. It then "
        "gets all of it. Once the mesh says who serves, this says nothing any more.",
        _matching(_LABEL_VALUE),
    ),
    Annotation(
        "hosts",
        'write host names, such as "reviews.example.com,*.reviews.example.com"',
        "reviews.example.com",
        "Names for callers from outside, beside the Service's own, for the VirtualService that is created. Needs "
        "`gateways`. A VirtualService that is there is taken with its own.",
        _listed(_HOST),
    ),
    Annotation(
        "gateways",
        'write names of Gateways, such as "bookinfo,istio-system/public"',
        "istio-system/public",
        "The Gateways at which `hosts` are served, beside the mesh.",
        _listed(_GATEWAY),
    ),
    Annotation(
        "workload",
        f"write {IN_PLACE}, or leave it out",
        IN_PLACE,
        "`in-place`: one Deployment stands behind the Service and gets new templates (`kubectl set image`). Each is "
        "tried out on a copy before the Deployment rolls it out; meanwhile the Deployment is paused.",
        _in_place,
    ),
    Annotation(
        "paused",
        "write true or false",
        "true",
        "Nothing new is begun, and a shift under way is held where it is; it may still go back.",
        _truth,
    ),
)
_BY_NAME = {each.name: each for each in ANNOTATIONS}


def has_opted_in(service: Mapping[str, Any]) -> bool:
    """Does the Service carry `meshshift.io/strategy` with anything but `off`?"""
    annotations = member(service, "metadata", "annotations") or {}
    strategy = annotations.get(f"{PREFIX}strategy")
    return isinstance(strategy, str) and strategy.strip() != OFF


def policy_of(service: Mapping[str, Any]) -> str | None:
    """The name of a ShiftPolicy in the annotations of a Service, be it right or wrong."""
    annotations = member(service, "metadata", "annotations") or {}
    return annotations.get(f"{PREFIX}policy")


def wishes_of(service: Mapping[str, Any]) -> Wishes:
    """What the annotations of a Service ask for, or everything that is wrong with them.

    Without `meshshift.io/strategy`, and with `off`, the Service has not opted in, whatever else it says.
    """
    if not has_opted_in(service):
        return Wishes()
    annotations: Mapping[str, Any] = service["metadata"]["annotations"]
    said = {
        key.removeprefix(PREFIX): value if isinstance(value, str) else ""
        for key, value in annotations.items()
        if key.startswith(PREFIX)
    }
    values: dict[str, Any] = {}
    bad: list[BadAnnotation] = []
    for name, text in sorted(said.items()):
        known = _BY_NAME.get(name)
        if known is None:
            bad.append(_bad(name, text, _likely(name)))
            continue
        try:
            values[name] = known.parse(text.strip())
        except ValueError:
            bad.append(_bad(name, text, known.allowed))
    bad = bad or [*_contradictions(values, said)]
    fields = _fields(values) if not bad else {}
    bad = bad or [*_refused(fields)]
    return Wishes(bad=tuple(bad)) if bad else Wishes(_wish(values, fields))


def _wish(values: Mapping[str, Any], fields: Mapping[str, Any]) -> Wish:
    return Wish(
        fields=fields,
        policy=values.get("policy"),
        plain="policy" in values and not values.keys() & {"steps", "step-duration"},
        stable=values.get("stable"),
        hosts=values.get("hosts", ()),
        gateways=values.get("gateways", ()),
        paused=values.get("paused", False),
        in_place=values.get("workload", False),
    )


def _contradictions(values: Mapping[str, Any], said: Mapping[str, str]) -> list[BadAnnotation]:
    """Annotations that are sound alone and cannot be followed together."""
    strategy = values["strategy"]
    found = []
    if "steps" in values and strategy != "canary":
        found.append(_bad("steps", said["steps"], f"strategy {strategy} has none; leave it out, or write canary"))
    if "step-duration" in values and strategy == "red-black":
        found.append(_bad("step-duration", said["step-duration"], "strategy red-black has no steps; leave it out"))
    for one, other in (("hosts", "gateways"), ("gateways", "hosts")):
        if one in values and other not in values:
            found.append(_bad(one, said[one], f"it means nothing without {PREFIX}{other}; write both, or none"))
    return found


def _fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a spec that the annotations decide."""
    fields: dict[str, Any] = {"strategy": _strategy(values)}
    indicators = []
    if "success-rate" in values or "latency" in values:
        success = {"objective": values["success-rate"]} if "success-rate" in values else {}
        indicators.append({"name": "success-rate", "successRate": success})
        indicators.append({"name": "latency", "latency": values.get("latency", {})})
        fields["analysis"] = {"indicators": indicators}
    if "policy" in values:
        fields["policyRef"] = {"name": values["policy"]}
    return fields


def _strategy(values: Mapping[str, Any]) -> dict[str, Any]:
    kind = STRATEGIES[values["strategy"]]
    moves: dict[str, Any] = {}
    if "steps" in values:
        moves["steps"] = [{"setWeight": weight} for weight in values["steps"]]
    if "step-duration" in values:
        moves["every" if kind == "rolling" else "minStepDuration"] = values["step-duration"]
    return {kind: moves}


def _refused(fields: Mapping[str, Any]) -> list[BadAnnotation]:
    """What the model of a TrafficShift has against the spec that the annotations make."""
    arms = {arm: {"subset": arm, "labels": {"version": arm}} for arm in ("stable", "canary")}
    try:
        spec_from_wire({"service": "any", **arms, **fields}, namespace="any")
    except InvalidSpec as error:
        return [BadAnnotation(f"{PREFIX}*", "these make no TrafficShift", str(error))]
    return []


def _likely(name: str) -> str:
    near = difflib.get_close_matches(name, _BY_NAME, 1)
    names = ", ".join(_BY_NAME)
    return f"there is no such annotation; did you mean {PREFIX}{near[0]}?" if near else f"write one of {names}"


def _bad(name: str, text: str, allowed: str) -> BadAnnotation:
    return BadAnnotation(f"{PREFIX}{name[:63]}", show(text), allowed)
