"""Kubernetes' rules for structural schemas, checked independently of the generator.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/validation.go, and the documentation of validation rules on
their cost: what a rule walks over must be bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]

KEYWORDS = {
    *("type", "format", "description", "default", "enum", "pattern", "nullable"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
    *("required", "properties", "additionalProperties", "items"),
    *("x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string", "x-kubernetes-validations"),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"),
}
RULE_KEYWORDS = {"rule", "message", "messageExpression", "reason", "fieldPath", "optionalOldSelf"}


def problems(schema: Schema, path: str = "", *, bounded: bool = False) -> Iterator[str]:
    """What is wrong; `bounded` asks for limits on everything that a CEL rule could walk over."""
    yield from _shape(schema, path)
    yield from _rules(schema, path)
    if bounded:
        yield from _unbounded(schema, path)
    for name, child in schema.get("properties", {}).items():
        yield from problems(child, f"{path}.{name}", bounded=bounded)
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from problems(schema[key], f"{path}.{key}", bounded=bounded)


def _shape(schema: Schema, path: str) -> Iterator[str]:
    unknown = schema.keys() - KEYWORDS
    if unknown:
        yield f"{path}: unknown keywords {sorted(unknown)}"
    if "type" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        yield f"{path}: no type"
    if "properties" in schema and "additionalProperties" in schema:
        yield f"{path}: properties and additionalProperties exclude each other"
    if schema.get("type") == "array" and "items" not in schema:
        yield f"{path}: an array without items"
    missing = set(schema.get("required", ())) - schema.get("properties", {}).keys()
    if missing:
        yield f"{path}: required but not declared: {sorted(missing)}"


def _rules(schema: Schema, path: str) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        if rule.keys() - RULE_KEYWORDS or not rule.get("message") or "\n" in rule["message"]:
            yield f"{path}: not a rule: {rule}"
        place = rule.get("fieldPath", "").removeprefix(".").split(".")[0]
        if place and place not in schema.get("properties", {}):
            yield f"{path}: fieldPath of an unknown field: {rule}"


def _unbounded(schema: Schema, path: str) -> Iterator[str]:
    limits = {"array": "maxItems", "string": "maxLength"}
    if schema.get("additionalProperties"):
        limits["object"] = "maxProperties"
    limit = limits.get(schema.get("type", ""))
    if limit and limit not in schema and "enum" not in schema and "Not supported" not in schema.get("description", ""):
        yield f"{path}: no {limit}"
