"""The three patch formats that edit an object: JSON Patch (RFC 6902), merge patch (RFC 7386), strategic merge.

Strategic merge is for built-in kinds alone; it follows the merge keys that `definitions` puts into their schemas.
Server-side apply is a different animal and lives in `apply`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import jsonpatch
import jsonpointer

from meshshift.lab.kube.definitions import resolve
from meshshift.lab.kube.documents import copied
from meshshift.lab.kube.errors import bad_request, unprocessable
from meshshift.lab.kube.fields import field_schema

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)

ORDER = "$setElementOrder/"
DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"
RETAIN = "$retainKeys"
DIRECTIVE = "$patch"


class _Replace(jsonpatch.ReplaceOperation):
    """Replace a key whether it is there or not: RFC 6902 would refuse, the API server's library does not."""

    def apply(self, obj: Any) -> Any:
        """Set the key of a map; entries of a list have to be there."""
        inner, part = self.pointer.to_last(obj)
        if part is None or not isinstance(inner, dict):
            return super().apply(obj)
        inner[part] = self.operation["value"]
        return obj


class _Test(jsonpatch.TestOperation):
    """Compare as the API server's library does: a key that is not there is null, and 1 is neither 1.0 nor true."""

    def apply(self, obj: Any) -> Any:
        """Return the document, or raise JsonPatchTestFailed."""
        inner, part = self.pointer.to_last(obj)
        missing = isinstance(inner, dict) and part is not None and part not in inner
        found = None if missing else self.pointer.resolve(obj)
        if not _identical(found, self.operation.get("value")):
            raise jsonpatch.JsonPatchTestFailed(f"{self.location} is {found!r}")
        return obj


class _JsonPatch(jsonpatch.JsonPatch):
    """RFC 6902 as github.com/evanphx/json-patch v4 has it, which API servers use."""

    operations = MappingProxyType({**jsonpatch.JsonPatch.operations, "replace": _Replace, "test": _Test})


def _identical(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_identical(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_identical, left, right))
    return bool(left == right)


def json_patch(document: Document, operations: Any) -> Document:
    """Apply a JSON Patch to a copy of a document.

    Raises:
        StatusError: 400 for what is no list of objects, 422 for operations that cannot be carried out, whatever the
            reason: a `test` that fails, a path that is not there, an unknown or incomplete operation.
    """
    if not isinstance(operations, list) or not all(isinstance(one, dict) for one in operations):
        raise bad_request("error decoding patch: a JSON patch must be a list of operations")
    try:
        result = _JsonPatch(operations).apply(copied(document), in_place=True)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError) as error:
        raise unprocessable() from error
    if not isinstance(result, dict):
        raise unprocessable()
    return result


def merge_patch(document: Document, patch: Any) -> Document:
    """Apply a merge patch to a copy of a document: null removes, objects merge, anything else replaces."""
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: a merge patch must be a JSON object")
    result = copied(document)
    _merge_into(result, patch)
    assert isinstance(result, dict)  # noqa: S101
    return result


def _merge_into(target: Document, patch: Document) -> None:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict):
            inner = target.get(key)
            if not isinstance(inner, dict):
                inner = target[key] = {}
            _merge_into(inner, value)
        else:
            target[key] = value


def strategic_merge_patch(document: Document, patch: Any, schema: Document) -> Document:
    """Apply a strategic merge patch to a copy of a document."""
    if not isinstance(patch, dict):
        raise bad_request("error decoding patch: a strategic merge patch must be a JSON object")
    return _strategic(copied(document), patch, resolve(schema))


def _strategic(target: Document, patch: Document, schema: Document) -> Document:
    directive = patch.get(DIRECTIVE)
    if directive == "delete":
        return {}
    if directive == "replace":
        target = {}
    for key, value in patch.items():
        if key.startswith(DELETE_PRIMITIVES):
            field = key.removeprefix(DELETE_PRIMITIVES)
            target[field] = [item for item in target.get(field, ()) if item not in value]
        elif not key.startswith("$"):
            _strategic_field(target, key, value, field_schema(schema, key))
    for key, order in patch.items():
        if key.startswith(ORDER):
            field = key.removeprefix(ORDER)
            target[field] = _ordered(target.get(field, []), order, _merge_key(field_schema(schema, field)))
    if RETAIN in patch:
        target = {key: value for key, value in target.items() if key in patch[RETAIN]}
    return target


def _strategic_field(target: Document, key: str, value: Any, schema: Document) -> None:
    if value is None:
        target.pop(key, None)
    elif isinstance(value, dict):
        before = target.get(key)
        merged = _strategic(before if isinstance(before, dict) else {}, value, schema)
        if merged or value.get(DIRECTIVE) != "delete":
            target[key] = merged
        else:
            target.pop(key, None)
    elif isinstance(value, list) and schema.get("x-kubernetes-patch-strategy") == "merge":
        target[key] = _strategic_list(target.get(key) or [], value, schema)
    else:
        target[key] = value


def _merge_key(schema: Document) -> str:
    return str(schema.get("x-kubernetes-patch-merge-key", ""))


def _strategic_list(target: list[Any], patch: list[Any], schema: Document) -> list[Any]:
    key = _merge_key(schema)
    if not key:
        return target + [item for item in patch if item not in target]
    if any(isinstance(item, dict) and item.get(DIRECTIVE) == "replace" for item in patch):
        return [item for item in patch if item.get(DIRECTIVE) != "replace"]
    items = resolve(schema["items"])
    result = list(target)
    for item in patch:
        if key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        place = next((index for index, one in enumerate(result) if one.get(key) == item[key]), None)
        if item.get(DIRECTIVE) == "delete":
            result = [one for one in result if one.get(key) != item[key]]
        elif place is None:
            result.append(_strategic({}, item, items))
        else:
            result[place] = _strategic(result[place], item, items)
    return result


def _ordered(values: list[Any], order: list[Any], key: str) -> list[Any]:
    wanted = [item.get(key) if key else item for item in order]
    named = {wanted.index(name): value for value in values if (name := value.get(key) if key else value) in wanted}
    queue = iter([named[place] for place in sorted(named)])
    return [next(queue) if (value.get(key) if key else value) in wanted else value for value in values]
