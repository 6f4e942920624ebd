"""Judging a value by its structural schema, with the API server's sentences.

Follows `k8s.io/kube-openapi/pkg/validation/validate` and the mapping of its results to field errors in apiextensions.
On an update, a value that did not change is not judged again (validation ratcheting, on by default since Kubernetes
1.33), so tightening a schema does not freeze existing objects.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from meshshift.lab.kube.definitions import resolve
from meshshift.lab.kube.documents import json_type
from meshshift.lab.kube.errors import (
    FieldError,
    duplicate,
    invalid_type,
    invalid_value,
    not_supported,
    required,
    too_long,
    too_many,
)
from meshshift.lab.kube.formats import has_format
from meshshift.lab.kube.schema import PRESERVE, child_path, property_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meshshift.lab.kube.documents import Document

INT_OR_STRING = "x-kubernetes-int-or-string"


class Absent:
    """Marks that there is no old value to compare with."""


ABSENT = Absent()


def validate(value: Any, schema: Document, path: str = "", old: Any = ABSENT) -> list[FieldError]:
    """Return everything that is wrong with a value; nothing for one that equals its old self.

    Args:
        value: the JSON value.
        schema: its structural schema.
        path: the field path to name in errors.
        old: the value it replaces, `ABSENT` on creation or where the two cannot be matched up.
    """
    if old is not ABSENT and old == value and type(old) is type(value):
        return []
    schema = resolve(schema)
    if value is None and (schema.get("nullable") or schema.get(PRESERVE)):
        return []
    wrong_type = _type_error(value, schema, path)
    if wrong_type:
        return [wrong_type]
    errors = [error for keyword, check in CHECKS if keyword in schema for error in check(value, schema[keyword], path)]
    if "format" in schema and isinstance(value, str) and not has_format(value, schema["format"]):
        detail = f"{path} in body must be of type {schema['format']}: {_quoted(value)}"
        errors.append(invalid_type(path, value, detail))
    errors += _combined(value, schema, path)
    if isinstance(value, dict):
        errors += _object(value, schema, path, old)
    elif isinstance(value, list):
        errors += _list(value, schema, path, old)
    return errors


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


def _type_error(value: Any, schema: Document, path: str) -> FieldError | None:
    actual = json_type(value)
    if schema.get(INT_OR_STRING):
        return None if actual in {"integer", "string"} else _wrong_type(path, "integer,string", actual)
    wanted = schema.get("type")
    if not wanted or actual == wanted or (wanted == "number" and actual == "integer"):
        return None
    if wanted == "integer" and isinstance(value, float) and value.is_integer():
        return None
    return _wrong_type(path, wanted, actual)


def _wrong_type(path: str, wanted: str, actual: str) -> FieldError:
    return invalid_type(path, actual, f"{path} in body must be of type {wanted}: {_quoted(actual)}")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _enum(value: Any, allowed: list[Any], path: str) -> Iterator[FieldError]:
    if value not in allowed:
        yield not_supported(path, value, allowed)


def _minimum(value: Any, limit: float, path: str) -> Iterator[FieldError]:
    if _is_number(value) and value < limit:
        yield invalid_value(path, value, f"{path} in body should be greater than or equal to {limit}")


def _maximum(value: Any, limit: float, path: str) -> Iterator[FieldError]:
    if _is_number(value) and value > limit:
        yield invalid_value(path, value, f"{path} in body should be less than or equal to {limit}")


def _multiple_of(value: Any, factor: float, path: str) -> Iterator[FieldError]:
    if _is_number(value) and value % factor:
        yield invalid_value(path, value, f"{path} in body should be a multiple of {factor}")


def _pattern(value: Any, pattern: str, path: str) -> Iterator[FieldError]:
    if isinstance(value, str) and not _compiled(pattern).search(value):
        yield invalid_value(path, value, f"{path} in body should match '{pattern}'")


def _min_length(value: Any, limit: int, path: str) -> Iterator[FieldError]:
    if isinstance(value, str) and len(value) < limit:
        yield invalid_value(path, value, f"{path} in body should be at least {limit} chars long")


def _max_length(value: Any, limit: int, path: str) -> Iterator[FieldError]:
    if isinstance(value, str) and len(value) > limit:
        yield too_long(path, limit)


def _min_items(value: Any, limit: int, path: str) -> Iterator[FieldError]:
    if isinstance(value, list) and len(value) < limit:
        yield invalid_value(path, len(value), f"{path} in body should have at least {limit} items")


def _max_items(value: Any, limit: int, path: str) -> Iterator[FieldError]:
    if isinstance(value, list) and len(value) > limit:
        yield too_many(path, len(value), limit)


def _min_properties(value: Any, limit: int, path: str) -> Iterator[FieldError]:
    if isinstance(value, dict) and len(value) < limit:
        yield invalid_value(path, len(value), f"{path} in body should have at least {limit} properties")


def _max_properties(value: Any, limit: int, path: str) -> Iterator[FieldError]:
    if isinstance(value, dict) and len(value) > limit:
        yield too_many(path, len(value), limit)


CHECKS: list[tuple[str, Callable[[Any, Any, str], Iterator[FieldError]]]] = [
    ("enum", _enum),
    ("minimum", _minimum),
    ("maximum", _maximum),
    ("multipleOf", _multiple_of),
    ("pattern", _pattern),
    ("minLength", _min_length),
    ("maxLength", _max_length),
    ("minItems", _min_items),
    ("maxItems", _max_items),
    ("minProperties", _min_properties),
    ("maxProperties", _max_properties),
]


def _combined(value: Any, schema: Document, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    if "allOf" in schema:
        errors += [error for branch in schema["allOf"] for error in validate(value, branch, path)]
    if "anyOf" in schema and not _int_or_string_idiom(schema) and not _matching(value, schema["anyOf"], path):
        errors.append(invalid_value(path, "", f'"{path}" must validate at least one schema (anyOf)'))
    if "oneOf" in schema:
        count = _matching(value, schema["oneOf"], path)
        if count != 1:
            found = "none valid" if count == 0 else f"{count} valid alternatives"
            detail = f'"{path}" must validate one and only one schema (oneOf). Found {found}'
            errors.append(invalid_value(path, "", detail))
    if "not" in schema and not validate(value, schema["not"], path):
        errors.append(invalid_value(path, "", f'"{path}" must not validate the schema (not)'))
    return errors


def _int_or_string_idiom(schema: Document) -> bool:
    return bool(schema.get(INT_OR_STRING))


def _matching(value: Any, branches: list[Document], path: str) -> int:
    return sum(1 for branch in branches if not validate(value, branch, path))


def _object(value: Document, schema: Document, path: str, old: Any) -> list[FieldError]:
    errors = [required(child_path(path, key)) for key in schema.get("required", ()) if key not in value]
    before = old if isinstance(old, dict) else {}
    for key, item in value.items():
        inner = property_schema(schema, key)
        if inner is not None:
            errors += validate(item, inner, child_path(path, key), before.get(key, ABSENT))
    return errors


def _list(value: list[Any], schema: Document, path: str, old: Any) -> list[FieldError]:
    list_type = schema.get("x-kubernetes-list-type")
    keys = list_keys(schema)
    errors: list[FieldError] = []
    if list_type in {"map", "set"}:
        errors += _duplicates(value, keys, path)
    before = {entry_key(item, keys): item for item in old} if keys and isinstance(old, list) else {}
    items = schema.get("items")
    if items is not None:
        for index, item in enumerate(value):
            correlated = before.get(entry_key(item, keys), ABSENT) if keys else ABSENT
            errors += validate(item, items, f"{path}[{index}]", correlated)
    return errors


def list_keys(schema: Document) -> tuple[str, ...]:
    """Return the keys by which the entries of a list of type `map` are told apart; none for other lists."""
    return tuple(schema.get("x-kubernetes-list-map-keys", ())) if schema.get("x-kubernetes-list-type") == "map" else ()


def entry_key(item: Any, keys: tuple[str, ...]) -> str:
    """Return the identity of a list entry: its key fields, or the whole entry, in canonical text."""
    return str([item.get(key) for key in keys]) if keys and isinstance(item, dict) else str(item)


def _duplicates(value: list[Any], keys: tuple[str, ...], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, item in enumerate(value):
        identity = entry_key(item, keys)
        if identity in seen:
            shown = {key: item[key] for key in keys if key in item} if keys and isinstance(item, dict) else item
            errors.append(duplicate(f"{path}[{index}]", shown))
        seen.add(identity)
    return errors
