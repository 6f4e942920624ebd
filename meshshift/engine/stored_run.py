"""What a stored run may say: the checks that stand between a checkpoint and the rules.

A status can be edited by whoever may write it, and restored from a backup of anything.  The rules take a run for what
it is: a weight beyond 100 would be divided by, a step that does not exist be looked up, an instant beyond all calendars
be printed.  So every plain field is held to its type and range before a `Run` is made of it; what has a reader of its
own (spec, evidence, checks) is left to that.
"""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from meshshift.core.mesh.documents import shown
from meshshift.core.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_TEXT = 4096
LONGEST_ID = 63
LONGEST_LIST = 16
END_OF_TIME = 253_402_300_799.0
"""The last second of the year 9999, beyond which no calendar of Python or of RFC 3339 goes."""


def parsed(text: str) -> dict[str, Any]:
    """The fields that the text holds, each of the type that a run has there; raises ValueError with field and value."""
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is not the JSON that a controller writes") from None
    if not isinstance(state, dict):
        raise ValueError(f"it is {shown(state)}, not an object")
    for field in fields(Run):
        if field.name in state:
            _hold_to(field.name, str(field.type), state[field.name])
    return state


def hold_together(run: Run) -> Run:
    """The run, if its numbers make sense together; raises ValueError with field and value."""
    if len(run.id) > LONGEST_ID:
        raise ValueError(f"id is {shown(run.id)}: expected at most {LONGEST_ID} characters")
    for name, percent in (("desired", run.desired), ("confirmed", run.confirmed)):
        if percent is not None and not 0 <= percent <= 100:
            raise ValueError(f"{name} is {shown(percent)}: expected a percentage from 0 to 100")
    last = len(run.spec.steps) - 1
    if not -1 <= run.step <= last:
        raise ValueError(f"step is {shown(run.step)}: expected one from -1 to {last}")
    try:
        run.evidence.assess(run.desired / 100, None)
        run.evidence.assess(run.desired / 100, 1.0)
    except ArithmeticError as error:
        raise ValueError(f"evidence cannot be judged ({error})") from error
    return run


def _hold_to(name: str, annotation: str, value: object) -> None:
    kind, _, optional = annotation.partition(" | ")
    if value is None and optional == "None":
        return
    holds, expected = _KINDS.get(kind) or _KINDS.get(kind.partition("[")[0], (_anything, ""))
    if not holds(value):
        raise ValueError(f"{name} is {shown(value)}: expected {expected}")


def _anything(_: object) -> bool:
    return True


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_instant(value: object) -> bool:
    return _is_count(value) and isinstance(value, int | float) and value <= END_OF_TIME


def _is_count(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value >= 0  # type: ignore[arg-type, operator]


def _are_counts(value: object) -> bool:
    return _is_list(value, _is_count)


def _is_list(value: object, holds: Callable[[object], bool]) -> bool:
    return isinstance(value, list) and len(value) <= LONGEST_LIST and all(map(holds, value))


def _is_outcome(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_text, value))


_KINDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "str": (_is_text, f"text of at most {LONGEST_TEXT} characters"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "int": (_is_whole, "a whole number"),
    "float": (_is_instant, "unix seconds"),
    "tuple[float, ...]": (lambda value: _is_list(value, _is_instant), "a list of unix seconds"),
    "tuple[str, ...]": (lambda value: _is_list(value, _is_text), "a list of texts"),
    "tuple": (lambda value: isinstance(value, list), "a list"),
    "Deficit": (_are_counts, "a list of numbers, 0 or more"),
    "Outcome": (_is_outcome, "a reason and a message"),
}
