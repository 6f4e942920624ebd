"""Structural schemas of Kubernetes' own kinds, read off the official client's models.

The client package is generated from Kubernetes' OpenAPI document and carries, for every type, the wire names, the
types, the descriptions and which fields are required. Reading them here gives `kubectl explain`, strict field
validation and strategic merge the real field tables without shipping a copy. What the models leave out, the merge keys
of lists, is the small table `LISTS` (from the `+patchMergeKey` and `+listMapKey` markers in k8s.io/api).
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import kubernetes.client.models as models

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document

REF_PREFIX = "#/components/schemas/"
PREFIX = "io.k8s.api."
_model_of: dict[str, str] = {}
INT_OR_STRING = {"targetPort", "port", "maxSurge", "maxUnavailable", "minAvailable"}

PRIMITIVES: dict[str, Document] = {
    "str": {"type": "string"},
    "int": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "double"},
    "bool": {"type": "boolean"},
    "bytes": {"type": "string", "format": "byte"},
    "bytearray": {"type": "string", "format": "byte"},
    "datetime": {"type": "string", "format": "date-time"},
    "object": {"x-kubernetes-preserve-unknown-fields": True},
}

# (model, wire name): (list type, list-map keys for server-side apply, merge key for strategic merge)
LISTS: dict[tuple[str, str], tuple[str, tuple[str, ...], str]] = {
    ("V1ObjectMeta", "finalizers"): ("set", (), ""),
    ("V1ObjectMeta", "ownerReferences"): ("map", ("uid",), "uid"),
    ("V1PodSpec", "containers"): ("map", ("name",), "name"),
    ("V1PodSpec", "initContainers"): ("map", ("name",), "name"),
    ("V1PodSpec", "ephemeralContainers"): ("map", ("name",), "name"),
    ("V1PodSpec", "volumes"): ("map", ("name",), "name"),
    ("V1PodSpec", "imagePullSecrets"): ("map", ("name",), "name"),
    ("V1PodSpec", "hostAliases"): ("map", ("ip",), "ip"),
    ("V1PodSpec", "readinessGates"): ("atomic", (), ""),
    ("V1PodSpec", "topologySpreadConstraints"): ("map", ("topologyKey", "whenUnsatisfiable"), "topologyKey"),
    ("V1Container", "env"): ("map", ("name",), "name"),
    ("V1Container", "ports"): ("map", ("containerPort", "protocol"), "containerPort"),
    ("V1Container", "volumeMounts"): ("map", ("mountPath",), "mountPath"),
    ("V1Container", "volumeDevices"): ("map", ("devicePath",), "devicePath"),
    ("V1PodStatus", "conditions"): ("map", ("type",), "type"),
    ("V1PodStatus", "podIPs"): ("map", ("ip",), "ip"),
    ("V1ServiceSpec", "ports"): ("map", ("port", "protocol"), "port"),
    ("V1ServiceStatus", "conditions"): ("map", ("type",), "type"),
    ("V1ServiceAccount", "secrets"): ("map", ("name",), "name"),
    ("V1ServiceAccount", "imagePullSecrets"): ("atomic", (), ""),
    ("V1NamespaceStatus", "conditions"): ("map", ("type",), "type"),
    ("V1DeploymentStatus", "conditions"): ("map", ("type",), "type"),
    ("V1ReplicaSetStatus", "conditions"): ("map", ("type",), "type"),
    ("V1StatefulSetStatus", "conditions"): ("map", ("type",), "type"),
    ("V1DaemonSetStatus", "conditions"): ("map", ("type",), "type"),
    ("V1CustomResourceDefinitionStatus", "conditions"): ("map", ("type",), "type"),
}
ATOMIC_MAPS = {"V1LabelSelector", "V1ObjectReference", "V1LocalObjectReference", "V1SecretKeySelector"}


def definition_name(model: str) -> str:
    """Return the component name under which a model's schema is published: `io.k8s.api.v1.Pod` for `V1Pod`."""
    found = re.fullmatch(r"V(\d+(?:alpha\d+|beta\d+)?)([A-Z].*)", model)
    name = f"{PREFIX}v{found[1]}.{found[2]}" if found else f"{PREFIX}{model}"
    _model_of[name] = model
    return name


def _reference(model: str) -> Document:
    return {"$ref": REF_PREFIX + definition_name(model)}


def _type_schema(type_text: str) -> Document:
    if type_text in PRIMITIVES:
        return dict(PRIMITIVES[type_text])
    if found := re.fullmatch(r"(?:List|list)\[(.+)\]", type_text):
        return {"type": "array", "items": _type_schema(found[1])}
    if found := re.fullmatch(r"(?:Dict|dict)[\[(]str, ?(.+)[\])]", type_text):
        return {"type": "object", "additionalProperties": _type_schema(found[1])}
    return _reference(type_text)


def _list_markers(model: str, wire: str) -> Document:
    list_type, keys, merge_key = LISTS.get((model, wire), ("atomic", (), ""))
    markers: Document = {"x-kubernetes-list-type": list_type}
    if keys:
        markers["x-kubernetes-list-map-keys"] = list(keys)
    if list_type != "atomic":
        markers["x-kubernetes-patch-strategy"] = "merge"
    if merge_key:
        markers["x-kubernetes-patch-merge-key"] = merge_key
    return markers


def _property(model: str, wire: str, type_text: str, description: str) -> Document:
    if type_text == "object" and wire in INT_OR_STRING:
        schema: Document = {"x-kubernetes-int-or-string": True}
    else:
        schema = _type_schema(type_text)
    if schema.get("type") == "array":
        schema |= _list_markers(model, wire)
    if description:
        schema["description"] = description
    return schema


@cache
def definition(model: str) -> Document:
    """Return the schema of one client model by its class name.

    References to other models stay references; `resolve` follows them.
    """
    shape: Any = getattr(models, model)
    fields: Any = getattr(shape, "model_fields", {})
    properties: Document = {}
    needed: list[str] = []
    for attribute, type_text in shape.openapi_types.items():
        wire = shape.attribute_map[attribute]
        field = fields.get(attribute)
        properties[wire] = _property(model, wire, type_text, (field.description if field else "") or "")
        if field is not None and field.is_required():
            needed.append(wire)
    schema: Document = {"type": "object", "properties": properties}
    if needed:
        schema["required"] = needed
    if model in ATOMIC_MAPS:
        schema["x-kubernetes-map-type"] = "atomic"
    if model == "V1JSONSchemaProps":
        schema["x-kubernetes-preserve-unknown-fields"] = True
    return schema


def resolve(schema: Document) -> Document:
    """Follow a schema's reference, if it is one."""
    target = schema.get("$ref")
    if target is None:
        return schema
    return definition(_model_of[target.removeprefix(REF_PREFIX)])


def references(schema: Any) -> set[str]:
    """Return the model names that a schema refers to, directly and through others."""
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            target = node.get("$ref")
            if isinstance(target, str) and target.startswith(REF_PREFIX):
                model = _model_of[target.removeprefix(REF_PREFIX)]
                if model not in found:
                    found.add(model)
                    waiting.append(definition(model))
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return found
