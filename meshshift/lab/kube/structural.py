"""Is a CustomResourceDefinition acceptable? Names, versions, and a schema that is structural.

A definition that only this server took would surprise on a real cluster, so the refusals that schema generators run
into are here: a missing `type`, types or defaults inside `anyOf`, a default that its own schema rejects, `uniqueItems`,
a rule that does not parse. Source: k8s.io/apiextensions-apiserver/pkg/apiserver/{schema,validation}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshshift.lab.kube.cel import RuleError, compile_rules
from meshshift.lab.kube.columns import custom
from meshshift.lab.kube.documents import at, copied, name_of
from meshshift.lab.kube.errors import FieldError, forbidden_field, invalid_value, required
from meshshift.lab.kube.schema import PRESERVE, prune
from meshshift.lab.kube.validation import INT_OR_STRING, validate

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document

# Inside allOf, anyOf, oneOf and not, a schema may constrain values but not shape them.
SHAPING = ("type", "default", "description", "title", "nullable", "additionalProperties", PRESERVE, INT_OR_STRING)


def check_definition(document: Document) -> list[FieldError]:
    """Return what is wrong with a CustomResourceDefinition."""
    spec = document.get("spec") or {}
    names = spec.get("names") or {}
    errors: list[FieldError] = []
    expected = f"{names.get('plural')}.{spec.get('group')}"
    if name_of(document) != expected:
        errors.append(invalid_value("metadata.name", name_of(document), 'must be spec.names.plural+"."+spec.group'))
    versions = spec.get("versions") or []
    if sum(1 for version in versions if version.get("storage")) != 1:
        shown = [version.get("name") for version in versions]
        errors.append(invalid_value("spec.versions", shown, "must have exactly one version marked as storage version"))
    for index, version in enumerate(versions):
        errors += _version(version, f"spec.versions[{index}]")
    return errors


def _version(version: Document, path: str) -> list[FieldError]:
    schema = at(version, "schema", "openAPIV3Schema")
    where = f"{path}.schema.openAPIV3Schema"
    if not isinstance(schema, dict):
        return [required(where, "schemas are required")]
    errors: list[FieldError] = []
    if "type" not in schema:
        errors.append(required(f"{where}.type", "must not be empty at the root"))
    elif schema["type"] != "object":
        errors.append(invalid_value(f"{where}.type", schema["type"], "must be object at the root"))
    errors += _structural(schema, where, "specified object fields", root=True)
    try:
        compile_rules(schema)
    except RuleError as error:
        detail = f"compilation failed: {error}"
        errors.append(invalid_value(f"{where}.x-kubernetes-validations", "object", detail))
    try:
        custom(version.get("additionalPrinterColumns") or [])
    except ValueError as error:
        errors.append(invalid_value(f"{path}.additionalPrinterColumns", "object", str(error)))
    return errors


def _structural(schema: Document, path: str, role: str, *, root: bool = False) -> list[FieldError]:
    errors: list[FieldError] = []
    free = schema.get(PRESERVE) or schema.get(INT_OR_STRING)
    if not root and not schema.get("type") and not free:
        errors.append(required(f"{path}.type", f"must not be empty for {role}"))
    if schema.get("uniqueItems"):
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        errors.append(forbidden_field(f"{path}.uniqueItems", detail))
    if "$ref" in schema:
        errors.append(forbidden_field(f"{path}.$ref", "$ref is not supported"))
    if "properties" in schema and schema.get("additionalProperties"):
        detail = "additionalProperties and properties are mutual exclusive"
        errors.append(forbidden_field(f"{path}.additionalProperties", detail))
    errors += _default(schema, path)
    errors += _junctors(schema, path)
    for key, inner in schema.get("properties", {}).items():
        if not (root and key in {"metadata", "apiVersion", "kind"}):
            errors += _structural(inner, f"{path}.properties[{key}]", "specified object fields")
    if isinstance(schema.get("additionalProperties"), dict):
        errors += _structural(schema["additionalProperties"], f"{path}.additionalProperties", "specified object fields")
    if schema.get("type") == "array":
        errors += _items(schema, path)
    return errors


def _items(schema: Document, path: str) -> list[FieldError]:
    items = schema.get("items")
    if not isinstance(items, dict):
        return [required(f"{path}.items", "must be specified")]
    errors = _structural(items, f"{path}.items", "specified array items")
    needed = set(items.get("required", ())) | {
        key for key, inner in items.get("properties", {}).items() if "default" in inner
    }
    for key in schema.get("x-kubernetes-list-map-keys", ()):
        if key not in needed:
            detail = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            )
            errors.append(required(f"{path}.items.properties[{key}].default", detail))
    return errors


def _default(schema: Document, path: str) -> list[FieldError]:
    if "default" not in schema:
        return []
    value = copied(schema["default"])
    unknown = prune(value, schema) if isinstance(value, (dict, list)) else []
    if unknown:
        return [invalid_value(f"{path}.default", schema["default"], "must not have unknown fields")]
    return validate(value, schema, f"{path}.default")


def _junctors(schema: Document, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for junctor in ("allOf", "anyOf", "oneOf"):
        if junctor != "allOf" and schema.get(INT_OR_STRING):
            continue
        for index, branch in enumerate(schema.get(junctor, ())):
            errors += _branch(branch, schema, f"{path}.{junctor}[{index}]")
    if isinstance(schema.get("not"), dict):
        errors += _branch(schema["not"], schema, f"{path}.not")
    return errors


def _branch(branch: Document, outer: Document, path: str) -> list[FieldError]:
    errors = [forbidden_field(f"{path}.{key}", "must be empty to be structural") for key in SHAPING if key in branch]
    declared = outer.get("properties", {})
    for key, inner in branch.get("properties", {}).items():
        if key not in declared:
            errors.append(required(f"{path}.properties[{key}]", "because it is defined in a logical junctor"))
        else:
            errors += _branch(inner, declared[key], f"{path}.properties[{key}]")
    return errors
