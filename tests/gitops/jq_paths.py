"""The few jq path expressions that the page shows, as Argo CD uses them: `del(<expression>)`.

Argo CD evaluates them with gojq.  What is not in this small grammar is refused, so that nobody takes a wrong answer for
jq's: fields, `[]`, `?`, and `select((.field // "") | startswith("text"))` behind a pipe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

Path = tuple[str | int, ...]
_STEP = re.compile(r"\.(?P<field>[A-Za-z_]\w*)|(?P<each>\[\](?P<maybe>\?)?)|\.(?=\[)|\s*\|\s*(?P<select>select\(.*\))")
_SELECT = re.compile(r'select\(\(\.(?P<field>\w+) // ""\) \| startswith\("(?P<prefix>[^"]*)"\)\)')


class JqError(ValueError):
    """The expression fails on this document, or is not in the grammar."""


def deleted(expression: str, document: dict[str, Any]) -> dict[str, Any]:
    """The document without what the expression names; raises JqError."""
    changed = deepcopy(document)
    for path in sorted(paths(expression, document), key=_order, reverse=True):
        parent: Any = changed
        for step in path[:-1]:
            parent = parent.get(step) if isinstance(parent, dict) else parent[step]
            if parent is None:
                break
        if isinstance(parent, dict):
            parent.pop(path[-1], None)
        elif isinstance(parent, list):
            del parent[int(path[-1])]
    return changed


def paths(expression: str, document: dict[str, Any]) -> list[Path]:
    """Every path that the expression names in the document; raises JqError."""
    found: list[tuple[Path, Any]] = [((), document)]
    at = 0
    while at < len(expression):
        step = _STEP.match(expression, at)
        if step is None:
            raise JqError(f"not understood: {expression[at:]!r} in {expression!r}")
        found = [each for path, value in found for each in _taken(step, path, value)]
        at = step.end()
    return [path for path, _ in found]


def _taken(step: re.Match[str], path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if step["field"]:
        if value is not None and not isinstance(value, dict):
            raise JqError(f"cannot index {type(value).__name__} with {step['field']!r}")
        yield (*path, step["field"]), (value or {}).get(step["field"])
    elif step["each"]:
        if not isinstance(value, list):
            if not step["maybe"]:
                raise JqError(f"cannot iterate over {type(value).__name__}")
            return
        yield from (((*path, index), item) for index, item in enumerate(value))
    elif step["select"]:
        condition = _SELECT.fullmatch(step["select"])
        if condition is None:
            raise JqError(f"not understood: {step['select']}")
        if str(value.get(condition["field"]) or "").startswith(condition["prefix"]):
            yield path, value
    else:
        yield path, value


def _order(path: Path) -> tuple[tuple[int, str | int], ...]:
    return tuple((isinstance(step, int), step) for step in path)
