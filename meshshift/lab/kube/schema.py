"""What a structural schema does to an object before anyone judges it: drop nulls, prune unknown fields, fill defaults.

The semantics are those of `k8s.io/apiextensions-apiserver/pkg/apiserver/schema/{pruning,defaulting}`: a field that the
schema does not declare is removed (and named, for strict and warning field validation); a null in a field that is not
nullable counts as absent; a default applies where the field is absent and its parent is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.lab.kube.definitions import resolve
from meshshift.lab.kube.documents import copied

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document

PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
TYPE_META = ("apiVersion", "kind", "metadata")


def child_path(path: str, key: str) -> str:
    """Return the path of a field of the object at `path`."""
    return f"{path}.{key}" if path else key


def property_schema(schema: Document, key: str) -> Document | None:
    """Return the schema of an object's field, declared or additional; None if the field is unknown."""
    declared = schema.get("properties")
    if declared is not None and key in declared:
        found: Document = declared[key]
        return found
    extra = schema.get("additionalProperties")
    if isinstance(extra, dict):
        return extra
    if extra is True:
        return {PRESERVE: True, "additionalProperties": True}
    return None


def prune(value: Any, schema: Document, path: str = "") -> list[str]:
    """Remove, in place, what the schema does not know, and nulls that it does not allow.

    Returns:
        The paths of the removed unknown fields.
    """
    unknown: list[str] = []
    schema = resolve(schema)
    if isinstance(value, dict):
        _prune_object(value, schema, path, unknown)
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            unknown += prune(item, schema["items"], f"{path}[{index}]")
    return unknown


def _prune_object(value: Document, schema: Document, path: str, unknown: list[str]) -> None:
    keeps_all = schema.get(PRESERVE, False)
    embedded = schema.get(EMBEDDED, False)
    for key in list(value):
        inner = property_schema(schema, key)
        if inner is not None:
            if value[key] is None and _null_is_absent(inner):
                del value[key]
            elif isinstance(value[key], (dict, list)):
                unknown += prune(value[key], inner, child_path(path, key))
        elif not keeps_all and not (embedded and key in TYPE_META):
            del value[key]
            unknown.append(child_path(path, key))


def _null_is_absent(schema: Document) -> bool:
    return not schema.get("nullable") and not schema.get(PRESERVE) and "default" not in schema


def defaults_of(schema: Document) -> Document | None:
    """Return the part of a schema that carries defaults, or None: walking it is cheap enough for every read."""
    branch: Document = {}
    if "default" in schema:
        branch["default"] = schema["default"]
        branch["nullable"] = schema.get("nullable", False)
    inner = {key: found for key, item in schema.get("properties", {}).items() if (found := defaults_of(item))}
    if inner:
        branch["properties"] = inner
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict) and (found := defaults_of(schema[key])):
            branch[key] = found
    return branch or None


def _lacks(value: Document, key: str, branch: Document) -> bool:
    return "default" in branch and (key not in value or (value[key] is None and not branch["nullable"]))


def fill_defaults(value: Any, branch: Document) -> None:
    """Fill in, in place, the defaults of a branch made by `defaults_of`."""
    if isinstance(value, dict):
        declared = branch.get("properties", {})
        for key, inner in declared.items():
            if _lacks(value, key, inner):
                value[key] = copied(inner["default"])
            if key in value:
                fill_defaults(value[key], inner)
        if "additionalProperties" in branch:
            for key, item in value.items():
                if key not in declared:
                    fill_defaults(item, branch["additionalProperties"])
    elif isinstance(value, list) and "items" in branch:
        for item in value:
            fill_defaults(item, branch["items"])


def lacks_defaults(value: Any, branch: Document) -> bool:
    """Tell whether `fill_defaults` would change the value."""
    if isinstance(value, dict):
        declared = branch.get("properties", {})
        for key, inner in declared.items():
            if _lacks(value, key, inner) or (key in value and lacks_defaults(value[key], inner)):
                return True
        extra = branch.get("additionalProperties")
        if extra is None:
            return False
        return any(lacks_defaults(item, extra) for key, item in value.items() if key not in declared)
    if isinstance(value, list) and "items" in branch:
        return any(lacks_defaults(item, branch["items"]) for item in value)
    return False
