"""A ShiftPolicy: what several TrafficShifts have in common, and how a shift and its policy become one spec.

A shift names its policy by `policyRef`; both live in one namespace.  What is written in the shift wins: `analysis`
field by field, everything else whole, for half a list of steps of each object would be nobody's intention.  Defaults
come last, so they must not stand in what is stored: an API server that filled them in would make every default of a
shift look like a choice (ADR 10).

Only the whole is judged.  A policy alone may be incomplete, and a sound policy and a sound shift may contradict each
other; so the merged spec goes through the same reading as any other, and each error says in which of the two objects
its value stands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from meshshift.api.errors import InvalidSpec, SpecError, path_of, show
from meshshift.api.models import MERGED_FIELDS, POLICY_FIELDS
from meshshift.api.reading import read_spec
from meshshift.api.wire import is_object_name

KIND = "ShiftPolicy"

_PLACE = re.compile(r"spec\.(\w+)(?:\.(\w+))?")
_SHIFT = "the TrafficShift"


@dataclass(frozen=True, slots=True)
class Policy:
    """A ShiftPolicy by its name, in the namespace of whoever names it; `spec` is what is written in it."""

    name: str
    spec: Any

    def __str__(self) -> str:
        return f"{KIND} {self.name}"

    @property
    def given(self) -> dict[str, Any]:
        """The fields that it may have and has."""
        return {name: value for name, value in _written(self.spec).items() if name in POLICY_FIELDS}

    @property
    def kept(self) -> Policy:
        """What a run keeps of it: who is told is no part of a run."""
        return Policy(self.name, {name: value for name, value in self.given.items() if name != "notifications"})


def policy_name(spec: object) -> str | None:
    """The name of the policy that a TrafficShift's `spec` refers to; None if it names none that could exist."""
    reference = _written(spec).get("policyRef")
    name = reference.get("name") if isinstance(reference, Mapping) else None
    return str(name) if is_object_name(name) else None


def whose_notifications(spec: object, policy: Policy | None) -> tuple[object, str]:
    """The spec, of the shift or of its policy, whose `notifications` hold, and its object if that is the policy."""
    if policy is None or _written(spec).get("notifications") is not None:
        return spec, ""
    return policy.spec, str(policy)


def with_policy(spec: Any, policy: Policy | None) -> Any:
    """The `spec` of a TrafficShift with what its policy adds, in the form of a TrafficShift's `spec`.

    Raises InvalidSpec, whose errors name the object that each value stands in, unless the whole is valid.
    """
    whole = _merged(spec, policy) if policy is not None and isinstance(spec, Mapping) else spec
    strange = [] if policy is None else _strange(policy)
    try:
        read_spec(whole)
    except InvalidSpec as invalid:
        if policy is None:
            raise
        raise InvalidSpec([*strange, *(_located(each, spec, policy) for each in invalid.errors)]) from None
    if strange:
        raise InvalidSpec(strange)
    return whole


def _merged(spec: Mapping[str, Any], policy: Policy) -> dict[str, Any]:
    own, given = _written(spec), policy.given
    for name in MERGED_FIELDS:
        if isinstance(own.get(name), Mapping) and isinstance(given.get(name), Mapping):
            own[name] = {**_written(given[name]), **_written(own[name])}
    return {**given, **own}


def _written(value: object) -> dict[str, Any]:
    """The fields of an object; null is the same as absent, and what is no object has none."""
    return {key: each for key, each in value.items() if each is not None} if isinstance(value, Mapping) else {}


def _strange(policy: Policy) -> list[SpecError]:
    """What stands in the policy and would not even be looked at in the merged spec."""
    known = ", ".join(POLICY_FIELDS)
    if not isinstance(policy.spec, Mapping):
        return [SpecError("spec", show(policy.spec), f"write an object with {known}", source=str(policy))]
    unknown = [name for name in policy.spec if name not in POLICY_FIELDS][:8]
    found = [
        SpecError(path_of((name,)), show(policy.spec[name]), f"no such field in a policy; remove it (known: {known})")
        for name in unknown
    ]
    for name in MERGED_FIELDS:
        value = policy.given.get(name)
        if value is not None and not isinstance(value, Mapping):
            found.append(SpecError(path_of((name,)), show(value), "write an object with fields of the analysis"))
    return [replace(each, source=str(policy)) for each in found]


def _located(error: SpecError, spec: object, policy: Policy) -> SpecError:
    """The error with the object that its value stands in, and the object that the values beside it stand in."""
    place = _origin(error.field, spec, policy)
    beside = {each: _origin(each, spec, policy) for each in error.about if not error.field.startswith(each)}
    elsewhere = [f"{field} is from {origin}" for field, origin in beside.items() if origin not in {"", place}]
    source = place if place == str(policy) else ""
    return replace(error, message="; ".join([error.message, *elsewhere]), source=source)


def _origin(field: str, spec: object, policy: Policy) -> str:
    """The object that the field is written in; empty if it is a default, or missing."""
    found = _PLACE.match(field)
    top, below = found.groups() if found else ("", None)
    own, given = _written(spec).get(top), policy.given.get(top)
    if top in MERGED_FIELDS and below and (isinstance(own, Mapping) or isinstance(given, Mapping)):
        own, given = _written(own).get(below), _written(given).get(below)
    if own is not None:
        return _SHIFT
    return "" if given is None else str(policy)
