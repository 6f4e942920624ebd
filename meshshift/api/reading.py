"""Reading a spec strictly, and saying all that is wrong with it at once.

Pydantic asks the rules of an object only once all of its fields are sound, so a typo in one field would hide a broken
rule between two others until the next attempt.  A faulty spec is therefore read a second time with its faulty fields
left out, and of what that reading finds, only rules that read none of them are believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from meshshift.api.errors import InvalidSpec, Location, SpecError, broken_rules, path_of, show, spec_errors
from meshshift.api.models import SpecModel
from meshshift.api.notifications import MAX_NOTIFICATIONS, NotificationModel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

_DEEPEST_RULE = 4
"""A broken rule hides those of the objects around it, so each reading reaches one level further out."""

MOST_ENTRIES = 1_000
MOST_VALUES = 10_000
DEEPEST = 24
"""What is looked at of a spec at all: several times what the largest sound one has."""

_NOTIFICATIONS = TypeAdapter(Annotated[tuple[NotificationModel, ...], Field(max_length=MAX_NOTIFICATIONS)])

_SOUND: dict[str, Any] = {
    "service": "any",
    "stable": {"subset": "stable"},
    "canary": {"subset": "canary"},
}


def read_spec(spec: Mapping[str, Any]) -> SpecModel:
    """The wire model of a TrafficShift's `spec`; raises InvalidSpec with everything that is wrong."""
    if not isinstance(spec, Mapping):
        raise InvalidSpec([SpecError("spec", show(spec), "write an object with service, stable, canary and strategy")])
    written = dict(spec)
    _refuse_bulk(written)
    try:
        return SpecModel.model_validate(written)
    except ValidationError as error:
        faults = error.errors(include_url=False)
    beside = _broken_beside(written, [fault["loc"] for fault in faults])
    raise InvalidSpec(dict.fromkeys([*spec_errors(faults), *beside]))


def read_notifications(spec: object) -> tuple[NotificationModel, ...]:
    """The notifications of a `spec` of which anything may be wrong; none if they are wrong themselves."""
    written = spec.get("notifications") if isinstance(spec, Mapping) else None
    if written is None:
        return ()
    try:
        _refuse_bulk({"notifications": written})
        return _NOTIFICATIONS.validate_python(written)
    except (InvalidSpec, ValidationError):
        return ()


def _refuse_bulk(spec: Mapping[str, Any]) -> None:
    """Every faulty item is described by itself, so a million of them would cost gigabytes before anything is said."""
    waiting: list[tuple[Location, object]] = [((), spec)]
    seen = 0
    while waiting:
        location, value = waiting.pop()
        if not isinstance(value, Mapping | list | tuple):
            continue
        seen += len(value)
        if len(location) > DEEPEST:
            fix = "nested too deeply to be a shift; write only fields of the reference"
            raise InvalidSpec([SpecError(path_of(location[:DEEPEST]), show(value), fix)])
        if len(value) > MOST_ENTRIES or seen > MOST_VALUES:
            raise InvalidSpec([SpecError(path_of(location), show(value), "too many entries; leave at most 64")])
        children = value.items() if isinstance(value, Mapping) else enumerate(value)
        waiting += [((*location, key), child) for key, child in children]


def _broken_beside(spec: dict[str, Any], faulty: list[Location]) -> Iterable[SpecError]:
    """Rules that are broken by fields other than the faulty ones."""
    for _ in range(_DEEPEST_RULE):
        for location in faulty:
            spec = _without(spec, location)
        remaining = {str(fault["loc"][0]) for fault in _faults(spec) if fault["type"] == "missing"}
        spec |= {name: _SOUND[name] for name in remaining & _SOUND.keys()}
        found = list(broken_rules(_faults(spec)))
        for place, rule, error in found:
            read = [(*place, name) for name in rule.about] or [place]
            if not any(location[: len(start)] == start for start in read for location in faulty):
                yield error
        faulty = [*faulty, *(place for place, _, _ in found)]


def _faults(spec: dict[str, Any]) -> list[ErrorDetails]:
    try:
        SpecModel.model_validate(spec)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _without(document: dict[str, Any], location: Location) -> dict[str, Any]:
    """A copy without the field at that place; a faulty item takes its whole list with it."""
    if not location:
        return document
    name, *rest = location
    copy = {key: value for key, value in document.items() if key != name}
    child = document.get(str(name))
    if rest and not isinstance(rest[0], int) and isinstance(child, dict) and rest[0] in child:
        copy[str(name)] = _without(child, tuple(rest))
    return copy
