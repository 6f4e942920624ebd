"""The CustomResourceDefinitions, generated from the wire models.

Pydantic's JSON schema is rewritten into what Kubernetes calls structural: every node typed, references inlined, no
types inside junctors, defaults kept.  The default of an object is written out in full, because the API server holds
each default to the rules as it stands, before it fills in the defaults of its fields.  What a ShiftPolicy may say has
its default in words only: one that the server wrote into a TrafficShift would look like a choice of its author, and win
over the policy (ADR 10).
Source: "Specifying a structural schema" and "Validation rules" in the Kubernetes documentation of
CustomResourceDefinitions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.api.models import MERGED_FIELDS, POLICY_FIELDS, SpecModel
from meshshift.api.status import StatusModel

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUP = "meshshift.io"
VERSION = "v1alpha1"
KIND = "TrafficShift"
PLURAL = "trafficshifts"
NAME = f"{PLURAL}.{GROUP}"

Schema = dict[str, Any]

_KEPT = (
    "type",
    "format",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
)
_REWRITTEN = (
    "$defs",
    "additionalProperties",
    "const",
    "default",
    "description",
    "items",
    "patternProperties",
    "properties",
    "propertyNames",
    "title",
)


def described_spec_schema() -> Schema:
    """The structural schema of a TrafficShift's `spec` with every default, as the reference shows them."""
    return _generate(SpecModel.model_json_schema(), "spec")


def spec_schema() -> Schema:
    """The structural schema of a TrafficShift's `spec`, as the API server gets it."""
    schema = described_spec_schema()
    fields = schema["properties"]
    return schema | {"properties": fields | {name: _in_words(fields[name], name) for name in POLICY_FIELDS}}


def _in_words(schema: Schema, name: str) -> Schema:
    """The field with its default said in its description; of an object that is merged, those of its fields."""
    if name in MERGED_FIELDS:
        children = {below: _in_words(child, below) for below, child in schema["properties"].items()}
        schema = schema | {"properties": children}
    if "default" not in schema:
        return schema
    default = schema["default"]
    said = "" if isinstance(default, dict | list) else f" Default: {default}."
    left = {key: value for key, value in schema.items() if key != "default"}
    return left | {"description": left["description"] + said}


def status_schema() -> Schema:
    """The structural schema of `status`; it has no defaults, since the controller writes all of it."""
    return _without_defaults(_generate(StatusModel.model_json_schema(), "status"))


def _generate(document: Schema, path: str) -> Schema:
    return _structural(document, document.get("$defs", {}), path)


def _resolve(node: Schema, definitions: Schema) -> Schema:
    """The node with its reference, or its one alternative to null, in its place; what stands beside it wins."""
    alternatives = [each for each in node.get("anyOf", ()) if each.get("type") != "null"]
    reference = node.get("$ref")
    if reference is not None:
        target = definitions[reference.rsplit("/", 1)[1]]
    elif len(alternatives) == 1:
        target = alternatives[0]
    elif alternatives:
        raise ValueError(f"a structural schema has no alternatives: {node}")
    else:
        return node
    beside = {key: value for key, value in node.items() if key not in {"$ref", "anyOf"}}
    return _resolve(target | beside, definitions)


def _structural(node: Schema, definitions: Schema, path: str) -> Schema:
    node = _resolve(node, definitions)
    lost = node.keys() - {*_KEPT, *_REWRITTEN}
    if lost:
        raise ValueError(f"{path}: the CRD cannot say {sorted(lost)}; say it with keywords that Kubernetes has")
    description = {"description": node["description"]} if "description" in node else {}
    schema: Schema = description | {key: node[key] for key in _KEPT if key in node}
    if "const" in node:
        schema["enum"] = [node["const"]]
    if "default" in node and node["default"] is not None:
        schema["default"] = _bare(node["default"])
    if "properties" in node:
        schema["properties"] = {
            name: _structural(child, definitions, f"{path}.{name}") for name, child in node["properties"].items()
        }
    elif isinstance(node.get("additionalProperties"), dict) or "patternProperties" in node:
        schema["additionalProperties"] = _structural(_map_values(node), definitions, f"{path}{{}}")
    if "items" in node:
        schema["items"] = _structural(node["items"], definitions, f"{path}[]")
    return schema


def _map_values(node: Schema) -> Schema:
    """The schema of a map's values; that of its keys is left to the conversion, Kubernetes has no word for it."""
    values = [*node.get("patternProperties", {}).values(), node.get("additionalProperties")]
    return next(each for each in values if isinstance(each, dict))


def _bare(value: Any) -> Any:
    """A default without the nulls that stand for absent fields, floats without fraction as integers."""
    match value:
        case dict():
            return {key: _bare(each) for key, each in value.items() if each is not None}
        case list():
            return [_bare(each) for each in value]
        case float() if value.is_integer():
            return int(value)
    return value


def _without_defaults(schema: Schema) -> Schema:
    """Drop `default` from every node; a property of that name stays."""
    stripped = {key: value for key, value in schema.items() if key != "default"}
    if "properties" in stripped:
        stripped["properties"] = {name: _without_defaults(child) for name, child in stripped["properties"].items()}
    if "items" in stripped:
        stripped["items"] = _without_defaults(stripped["items"])
    return stripped


def column(name: str, path: str, kind: str = "string", *, wide: bool = False, about: str) -> Schema:
    """A column of `kubectl get`; a wide one is shown with `-o wide` only."""
    entry: Schema = {"name": name, "type": kind, "jsonPath": path, "description": about}
    return entry | ({"priority": 1} if wide else {})


PRINTER_COLUMNS = (
    column("Service", ".spec.service", about="The Service whose traffic moves"),
    column("Strategy", ".status.strategy", wide=True, about="How the traffic moves"),
    column("Phase", ".status.phase", about="Where the shift is"),
    column("Step", ".status.step.progress", about="The step under way, and how many there are"),
    column("Weight", ".status.weights.desired", "integer", about="The canary's share of the traffic in percent"),
    column("Message", ".status.message", about="Why it is there"),
    column("Age", ".metadata.creationTimestamp", "date", about="Since when the TrafficShift exists"),
)


def trafficshift_schema() -> Schema:
    """The structural schema of a whole TrafficShift."""
    return {
        "type": "object",
        "description": "A TrafficShift moves the traffic of one Service from its stable to its canary subset, "
        "as far as the evidence allows.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}"},
            "kind": {"type": "string", "description": KIND},
            "metadata": {"type": "object"},
            "spec": spec_schema(),
            "status": status_schema(),
        },
    }


def custom_resource_definition() -> dict[str, Any]:
    """The manifest of TrafficShift, as `kubectl apply` takes it."""
    return definition(KIND, PLURAL, ("tshift", "ts"), trafficshift_schema(), PRINTER_COLUMNS, {"status": {}})


def definition(
    kind: str,
    plural: str,
    short_names: Sequence[str],
    schema: Schema,
    columns: Sequence[Schema],
    subresources: Schema,
) -> dict[str, Any]:
    """The manifest of a namespaced kind of this group in its one version."""
    version: Schema = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        **({"subresources": subresources} if subresources else {}),
        "additionalPrinterColumns": list(columns),
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}", "labels": {"app.kubernetes.io/part-of": "meshshift"}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": list(short_names),
                "categories": ["meshshift"],
            },
            "versions": [version],
        },
    }
