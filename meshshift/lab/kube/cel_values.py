"""Turning JSON values into CEL values as the API server does, guided by the schema.

The schema decides what a number, a timestamp or a duration is, and which map keys are properties (whose names are
escaped: `namespace` becomes `__namespace__`) and which are data. Also here: the string and list functions that
Kubernetes adds to CEL's standard library, for those that rules commonly use.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from celpy import celtypes

from meshshift.lab.kube.definitions import resolve
from meshshift.lab.kube.formats import GO_DURATION

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.lab.kube.documents import Document

RESERVED = {
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let",
    "loop", "package", "namespace", "return", "var", "void", "while",
}  # fmt: skip
ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}


def escaped(name: str) -> str:
    """Return a property's name as CEL rules have to write it."""
    if name in RESERVED:
        return f"__{name}__"
    for plain, escape in ESCAPES.items():
        name = name.replace(plain, escape)
    return name


def to_cel(value: Any, schema: Document) -> Any:
    """Convert a JSON value to a CEL value."""
    schema = resolve(schema)
    if isinstance(value, dict):
        return _object(value, schema)
    if isinstance(value, list):
        items = schema.get("items", {})
        return celtypes.ListType([to_cel(item, items) for item in value])
    if isinstance(value, str):
        return _string(value, schema.get("format", ""))
    return _scalar(value, schema)


def _object(value: Document, schema: Document) -> Any:
    declared = schema.get("properties", {})
    extra = schema.get("additionalProperties")
    inner = extra if isinstance(extra, dict) else {}
    return celtypes.MapType(
        {
            celtypes.StringType(escaped(key) if key in declared else key): to_cel(item, declared.get(key, inner))
            for key, item in value.items()
        }
    )


def _string(value: str, wanted: str) -> Any:
    if wanted in {"date-time", "datetime"}:
        return celtypes.TimestampType(value)
    if wanted == "duration" and GO_DURATION.fullmatch(value):
        return celtypes.DurationType(value)
    return celtypes.StringType(value)


def _scalar(value: Any, schema: Document) -> Any:
    if isinstance(value, bool):
        return celtypes.BoolType(value)
    if isinstance(value, int) and schema.get("type") != "number":
        return celtypes.IntType(value)
    if isinstance(value, (int, float)):
        return celtypes.DoubleType(value)
    return None


def _text(function: Callable[[str], str]) -> Callable[[Any], Any]:
    return lambda value: celtypes.StringType(function(str(value)))


def _total(values: Any) -> Any:
    return celtypes.IntType(0) if not values else math.fsum(values) if _has_floats(values) else _int_total(values)


def _has_floats(values: Any) -> bool:
    return any(isinstance(value, float) for value in values)


def _int_total(values: Any) -> Any:
    return celtypes.IntType(sum(int(value) for value in values))


def _is_sorted(values: Any) -> Any:
    return celtypes.BoolType(all(left <= right for left, right in pairwise(values)))


def _split(value: Any, separator: Any) -> Any:
    return celtypes.ListType([celtypes.StringType(part) for part in str(value).split(str(separator))])


def _join(values: Any, separator: Any = "") -> Any:
    return celtypes.StringType(str(separator).join(str(value) for value in values))


def _index_of(value: Any, wanted: Any) -> Any:
    if isinstance(value, str):
        return celtypes.IntType(value.find(str(wanted)))
    return celtypes.IntType(next((index for index, item in enumerate(value) if item == wanted), -1))


def _substring(value: Any, start: Any, end: Any = None) -> Any:
    return celtypes.StringType(str(value)[int(start) : None if end is None else int(end)])


def _find(value: Any, pattern: Any) -> Any:
    found = re.search(str(pattern), str(value))
    return celtypes.StringType(found.group(0) if found else "")


def _find_all(value: Any, pattern: Any) -> Any:
    found = re.finditer(str(pattern), str(value))
    return celtypes.ListType([celtypes.StringType(one.group(0)) for one in found])


def _is_url(value: Any) -> Any:
    parts = urlsplit(str(value))
    return celtypes.BoolType(bool(parts.scheme and (parts.netloc or parts.path.startswith("/"))))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "lowerAscii": _text(str.lower),
    "upperAscii": _text(str.upper),
    "trim": _text(str.strip),
    "split": _split,
    "join": _join,
    "replace": lambda value, old, new: celtypes.StringType(str(value).replace(str(old), str(new))),
    "substring": _substring,
    "charAt": lambda value, index: celtypes.StringType(str(value)[int(index) : int(index) + 1]),
    "indexOf": _index_of,
    "find": _find,
    "findAll": _find_all,
    "isSorted": _is_sorted,
    "sum": _total,
    "min": min,
    "max": max,
    "isURL": _is_url,
}
