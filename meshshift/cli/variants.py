"""Settings to try out: a spec with a few fields written differently."""

from __future__ import annotations

import copy
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import yaml

from meshshift.api.convert import InvalidSpec, spec_from_wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshshift.core.spec import ShiftSpec

AS_WRITTEN = "as written"


@dataclass(frozen=True, slots=True)
class Variant:
    """A spec and the assignments that make it differ from the one that was given, as text."""

    label: str
    spec: ShiftSpec


def variants(
    wire: Mapping[str, Any], namespace: str, assignments: Iterable[str], groups: Iterable[str]
) -> tuple[Variant, ...]:
    """The spec with `assignments`, and beside it one more for each of `groups` (assignments separated by spaces).

    Raises ClickException naming the field, its value and the fix.
    """
    listed = tuple(assignments)
    sets = [listed, *((*listed, *shlex.split(group)) for group in groups)]
    return tuple(_variant(wire, namespace, each) for each in sets)


def _variant(wire: Mapping[str, Any], namespace: str, assignments: tuple[str, ...]) -> Variant:
    changed = copy.deepcopy(dict(wire))
    for assignment in assignments:
        _assign(changed, assignment)
    try:
        return Variant(" ".join(assignments) or AS_WRITTEN, spec_from_wire(changed, namespace=namespace))
    except InvalidSpec as error:
        raise click.ClickException(str(error)) from error


def _assign(spec: dict[str, Any], assignment: str) -> None:
    """Write one `path=value` into the spec; the value is read as YAML, numbers in the path count list items from 0."""
    path, equals, text = assignment.partition("=")
    steps = path.split(".")
    if not equals or not all(steps):
        raise click.ClickException(f"{assignment!r} is no assignment; write e.g. analysis.confidence=99.9")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise click.ClickException(f"{path} = {text!r} is not YAML; quote it as in a manifest") from error
    place: Any = spec
    for depth, step in enumerate(steps[:-1]):
        place = _enter(place, step, ".".join(steps[:depth]), path)
    _put(place, steps[-1], value, path)


def _enter(place: Any, step: str, behind: str, path: str) -> Any:
    if isinstance(place, dict):
        return place.setdefault(step, {})
    return place[_index(place, step, behind, path)]


def _put(place: Any, step: str, value: Any, path: str) -> None:
    if isinstance(place, dict):
        place[step] = value
    else:
        place[_index(place, step, path.rpartition(".")[0], path)] = value


def _index(place: Any, step: str, behind: str, path: str) -> int:
    """The place in a list that `step` means."""
    if not isinstance(place, list):
        raise click.ClickException(f"{path}: {behind} is {place!r}, which has no fields; leave out .{step}")
    if not step.isdecimal() or int(step) >= len(place):
        raise click.ClickException(f"{path}: {behind} has {len(place)} items, and {step!r} is none; count them from 0")
    return int(step)
