"""What is wrong with a spec, in the user's terms: where, what stands there, and what to write in its place.

Pydantic says what its validators saw; this module says what a person is to do.  Whatever was written, be it a megabyte
of text or a number of ten thousand digits, the sentence stays short enough for a status condition.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from functools import cache, reduce
from typing import TYPE_CHECKING, Any

from meshshift.api.crd import spec_schema
from meshshift.api.durations import DURATION_PATTERN
from meshshift.api.durations import HINT as DURATION_HINT
from meshshift.api.percentages import HINT as PERCENT_HINT
from meshshift.api.percentages import PERCENT_PATTERN
from meshshift.api.wire import PATTERN_HINTS, RULES_BROKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pydantic_core import ErrorDetails

    from meshshift.api.wire import Rule

_LONGEST_VALUE = 80
_LONGEST_KEY = 40
_HINTS = {**PATTERN_HINTS, DURATION_PATTERN: DURATION_HINT, PERCENT_PATTERN: PERCENT_HINT}
_LONGEST_MESSAGE = 960
"""Characters, within the 1024 that the status keeps of a message."""

Location = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class SpecError:
    """One thing that is wrong: the JSON path of the field, its value as text (empty if absent), and the fix.

    `about` are the fields that a broken rule reads.  `source` is the object that the value stands in, empty for the one
    that is spoken of anyway.
    """

    field: str
    value: str
    message: str
    about: tuple[str, ...] = ()
    source: str = ""

    def __str__(self) -> str:
        told = f"{self.field} = {self.value}: {self.message}" if self.value else f"{self.field}: {self.message}"
        return f"{self.source}: {told}" if self.source else told


class InvalidSpec(ValueError):
    """The spec cannot be acted upon; `errors` holds everything that is wrong with it."""

    def __init__(self, errors: Iterable[SpecError]) -> None:
        self.errors = tuple(errors)
        super().__init__(str(self))

    def __str__(self) -> str:
        """As many errors, in full, as fit a status message, at least one; and how many there are besides."""
        told: list[str] = []
        for error in map(str, self.errors):
            if told and len("; ".join([*told, error])) > _LONGEST_MESSAGE:
                break
            told.append(error)
        more = len(self.errors) - len(told)
        return "; ".join([*told, *([f"and {more} more"] if more else [])])


def show(value: object) -> str:
    """A value as JSON, cut to a length that fits a message."""
    match value:
        case str():
            text = json.dumps(value[:_LONGEST_VALUE], ensure_ascii=not value[:_LONGEST_VALUE].isprintable())
            return text if len(value) <= _LONGEST_VALUE else f"{text} (cut from {len(value)} characters)"
        case bool() | None:
            return json.dumps(value)
        case int() if abs(value) >= 10**30:
            return "a number of more than 30 digits"
        case int():
            return str(value)
        case float():
            return f"{value:.15g}"
        case dict():
            return _compact(value) if len(value) <= 8 else f"an object of {len(value)} fields"
        case list() | tuple():
            return f"a list of {len(value)}"
    return f"a {type(value).__name__}"


def _compact(value: dict[Any, Any]) -> str:
    """A small flat object in full, any other by its keys."""
    flat = all(isinstance(each, str | int | float) or each is None for each in value.values())
    pairs = (f"{_key(key)}: {show(each)}" if flat else _key(key) for key, each in value.items())
    text = ", ".join(pairs)
    return "{" + (text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…") + "}"


def _key(key: object) -> str:
    text = key if isinstance(key, str) else show(key)
    return text if re.fullmatch(r"[A-Za-z0-9_]{1,40}", text, re.ASCII) else show(text[:_LONGEST_KEY])


def path_of(location: Location) -> str:
    """A JSON path below `spec`: `spec.strategy.canary.steps[1].setWeight`."""
    path = "spec"
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            key = _key(part)
            path += f".{key}" if key == part else f"[{key}]"
    return path


@cache
def _schema() -> dict[str, Any]:
    return spec_schema()


def _node(location: Location) -> dict[str, Any]:
    """The schema of the field at that place; empty if there is none."""
    node = _schema()
    for part in location:
        children = node.get("items") if isinstance(part, int) else node.get("properties", {}).get(part)
        node = children or node.get("additionalProperties") or {}
    return node


def _hint(location: Location) -> str:
    """What may be written there."""
    node = _node(location)
    if "enum" in node:
        return f"write {' or '.join(map(str, node['enum']))}"
    if node.get("pattern") in _HINTS:
        return _HINTS[node["pattern"]]
    if "maximum" in node:
        kind = "a whole number" if node.get("type") == "integer" else "a number"
        return f"write {kind} from {node['minimum']} to {node['maximum']}"
    return {
        "string": "write text",
        "boolean": "write true or false",
        "number": "write a number",
        "array": "write a list",
        "object": f"write an object with {', '.join(node.get('properties', {'key': None}))}",
    }.get(node.get("type", ""), "see the reference")


def _not_allowed(fault: ErrorDetails) -> str:
    return f"not allowed here; {_hint(fault['loc'])}"


def _unknown_field(fault: ErrorDetails) -> str:
    *parent, name = fault["loc"]
    known = list(_node(tuple(parent)).get("properties", {}))
    close = difflib.get_close_matches(str(name)[:_LONGEST_KEY], known, n=1)
    advice = f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"
    return f"no such field; remove it ({advice})"


def _out_of_range(fault: ErrorDetails) -> str:
    location = fault["loc"]
    node = _node(location)
    context = fault.get("ctx", {})
    if "lt" in context:
        return f"must be below {context['lt']:g}; write e.g. 99.9"
    if "gt" in context:
        return f"must be above {context['gt']:g}; write e.g. 99"
    return f"out of range; write a number from {node['minimum']} to {node['maximum']}"


def _wrong_size(fault: ErrorDetails) -> str:
    context = fault["ctx"]
    unit = "characters" if isinstance(fault["input"], str) else "entries"
    if "min_length" in context:
        return f"too few {unit}; at least {context['min_length']} is needed, or leave the field out"
    return f"too many {unit}; leave at most {context['max_length']}"


def _reason(fault: ErrorDetails) -> str:
    return str(fault["ctx"]["reason"])


_MESSAGES: dict[str, Callable[[ErrorDetails], str]] = {
    "missing": lambda fault: f"missing; add it: {_node(fault['loc']).get('description', 'it is required')}",
    "extra_forbidden": _unknown_field,
    "percent": _reason,
    "duration": _reason,
    "greater_than": _out_of_range,
    "greater_than_equal": _out_of_range,
    "less_than": _out_of_range,
    "less_than_equal": _out_of_range,
    "string_too_short": _wrong_size,
    "string_too_long": _wrong_size,
    "too_short": _wrong_size,
    "too_long": _wrong_size,
    "invalid_key": lambda _: "a field's name must be text; put it in quotes",
}


def _key_error(fault: ErrorDetails, location: Location) -> SpecError:
    pattern = fault.get("ctx", {}).get("pattern", "")
    return SpecError(
        path_of(location[:-2]), show(location[-2]), f"not a valid key; {_HINTS.get(pattern, 'shorten it')}"
    )


def spec_errors(faults: Iterable[ErrorDetails]) -> tuple[SpecError, ...]:
    """Everything a failed validation found, in the user's terms and in the order of the fields."""
    return tuple(each for fault in faults if not _spurious(fault) for each in _translate(fault))


def broken_rules(faults: Iterable[ErrorDetails]) -> Iterator[tuple[Location, Rule, SpecError]]:
    """The rules among what a failed validation found, each with the place of its object."""
    for fault in faults:
        if fault["type"] == RULES_BROKEN:
            written = fault["ctx"]["object"]
            for rule in fault["ctx"]["rules"]:
                below = rule.at.split(".") if rule.at else []
                value = reduce(lambda node, name: (node or {}).get(name), below, written)
                about = tuple(path_of((*fault["loc"], name)) for name in rule.about)
                field, shown = path_of((*fault["loc"], *below)), "" if value is None else show(value)
                yield fault["loc"], rule, SpecError(field, shown, rule.message, about)


def _spurious(fault: ErrorDetails) -> bool:
    """Pydantic counts only the sound items of a list, and then calls it too short."""
    return fault["type"] == "too_short" and len(fault["input"]) >= fault["ctx"]["min_length"]


def _translate(fault: ErrorDetails) -> Iterator[SpecError]:
    location, kind = fault["loc"], fault["type"]
    if kind == RULES_BROKEN:
        yield from (error for _, _, error in broken_rules([fault]))
    elif location and location[-1] == "[key]":
        yield _key_error(fault, location)
    else:
        message = _MESSAGES.get(kind, _not_allowed)(fault)
        yield SpecError(path_of(location), "" if kind == "missing" else show(fault["input"]), message)
