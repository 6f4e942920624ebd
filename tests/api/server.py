"""What an API server does with a TrafficShift: defaults, structure, CEL rules; by other libraries than the product."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import celpy
import jsonschema
from celpy import celtypes
from celpy.adapter import json_to_cel

from meshshift.api.crd import spec_schema

Schema = dict[str, Any]


@cache
def schema() -> Schema:
    return spec_schema()


@cache
def _program(rule: str) -> celpy.Runner:
    environment = celpy.Environment()
    return environment.program(environment.compile(rule))


def with_defaults(value: Any, node: Schema) -> Any:
    """Nulls dropped where they are not allowed and defaults filled in, top down."""
    if isinstance(value, dict) and "properties" in node:
        result = {key: each for key, each in value.items() if each is not None or "default" not in _child(node, key)}
        for name, child in node["properties"].items():
            if name not in result and "default" in child:
                result[name] = copy.deepcopy(child["default"])
        return {key: with_defaults(each, _child(node, key)) for key, each in result.items()}
    if isinstance(value, list):
        return [with_defaults(each, node.get("items", {})) for each in value]
    return value


def _child(node: Schema, name: str) -> Schema:
    child: Schema = node["properties"].get(name, {})
    return child


def _typed(value: Any, node: Schema) -> Any:
    """A value as CEL sees it: unknown and untyped fields are not there, a `number` is always a double."""
    match value:
        case dict():
            children = {key: node.get("properties", {}).get(key, node.get("additionalProperties")) for key in value}
            seen = {key: child for key, child in children.items() if child and "type" in child}
            return celtypes.MapType({celtypes.StringType(key): _typed(value[key], seen[key]) for key in seen})
        case list():
            return celtypes.ListType([_typed(each, node.get("items", {})) for each in value])
        case int() | float() if node.get("type") == "number":
            return celtypes.DoubleType(value)
    return json_to_cel(value)


def broken_rules(value: Any, node: Schema) -> list[str]:
    """Messages of the rules that do not hold, the object's own first."""
    messages = [rule["message"] for rule in node.get("x-kubernetes-validations", ()) if not _holds(rule, value, node)]
    if isinstance(value, dict):
        for name, child in node.get("properties", {}).items():
            messages += broken_rules(value[name], child) if name in value else []
        beside: Any = node.get("additionalProperties")
        for each in value.values() if beside else ():
            messages += broken_rules(each, beside)
    if isinstance(value, list):
        for each in value:
            messages += broken_rules(each, node["items"])
    return messages


def _holds(rule: dict[str, str], value: Any, node: Schema) -> bool:
    return bool(_program(rule["rule"]).evaluate({"self": _typed(value, node)}))


def refusals(spec: Any) -> list[str]:
    """Why the server refuses the spec: the rules' messages, or paths that the structural schema does not take."""
    full = with_defaults(spec, schema())
    structural = jsonschema.Draft202012Validator(schema()).iter_errors(full)
    paths = ["/".join(map(str, error.absolute_path)) for error in structural]
    return paths or broken_rules(full, schema())
