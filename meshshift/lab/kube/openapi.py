"""The OpenAPI v3 documents: schemas for `kubectl explain`, and the operations that tell kubectl what a resource takes.

kubectl reads three things here: component schemas marked with their group, version and kind; whether PATCH knows the
`fieldValidation` parameter (else it validates on its side); and whether PATCH takes strategic merge patches (else it
sends merge patches). No more of the paths is written down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.lab.kube.definitions import REF_PREFIX, definition, definition_name, references
from meshshift.lab.kube.patch import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Kind, Registry

GVK = "x-kubernetes-group-version-kind"
INFO: Document = {"title": "Kubernetes", "version": "v1.36.0"}

# `swagger: "2.0"` and an empty info object, in the protobuf encoding that clients ask for.
EMPTY_V2_PROTOBUF = b"\x0a\x032.0\x12\x00"
PROTOBUF_V2 = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"


def patch_types(kind: Kind) -> list[str]:
    """Return the media types that a PATCH of a kind may have."""
    taken = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH]
    return taken if kind.custom else [JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH]


def index(registry: Registry) -> Document:
    """Return the document at `/openapi/v3`: where each group version's document is."""
    paths: dict[str, Document] = {}
    for kind in registry:
        path = _prefix(kind)
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={registry.generation}"}
    return {"paths": paths}


def _prefix(kind: Kind) -> str:
    return f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"


def document(registry: Registry, group: str, version: str) -> Document:
    """Return the OpenAPI v3 document of one group version."""
    kinds = registry.within(group, version)
    schemas: dict[str, Any] = {}
    for kind in kinds:
        for model in references(kind.schema):
            schemas[definition_name(model)] = _published(definition(model))
    for kind in kinds:
        schemas[kind.definition] = {**_published(kind.schema), GVK: [_gvk(kind)]}
    paths = {path: item for kind in kinds for path, item in _paths(kind).items()}
    return {"openapi": "3.0.0", "info": INFO, "paths": paths, "components": {"schemas": schemas}}


def minimal_v2() -> Document:
    """Return the document at `/openapi/v2`, which has no definitions: clients fall back on what they have built in."""
    return {"swagger": "2.0", "info": INFO, "paths": {}, "definitions": {}}


def _gvk(kind: Kind) -> Document:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _published(schema: Any) -> Any:
    """Return a schema as OpenAPI wants it: a reference may not have siblings, so it moves into `allOf`."""
    if isinstance(schema, list):
        return [_published(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str) and schema["$ref"].startswith(REF_PREFIX) and len(schema) > 1:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return {**rest, "allOf": [{"$ref": schema["$ref"]}]}
    return {key: _published(value) for key, value in schema.items()}


def _paths(kind: Kind) -> Document:
    base = f"/{_prefix(kind)}" + ("/namespaces/{namespace}" if kind.namespaced else "") + f"/{kind.plural}"
    body = {"application/json": {"schema": {"$ref": REF_PREFIX + kind.definition}}}
    gvk = {GVK: _gvk(kind)}
    create = {
        "operationId": f"create{kind.group}{kind.version}{kind.kind}",
        "x-kubernetes-action": "post",
        "parameters": _parameters(),
        "requestBody": {"content": body},
        "responses": {"201": {"description": "Created", "content": body}},
        **gvk,
    }
    if "patch" not in kind.verbs:
        return {base: {"post": create}}
    patch = {
        "operationId": f"patch{kind.group}{kind.version}{kind.kind}",
        "x-kubernetes-action": "patch",
        "parameters": [*_parameters(), _query("force", "boolean")],
        "requestBody": {"content": {media: {"schema": {"type": "object"}} for media in patch_types(kind)}},
        "responses": {"200": {"description": "OK", "content": body}},
        **gvk,
    }
    return {base: {"post": create}, f"{base}/{{name}}": {"patch": patch}}


def _parameters() -> list[Document]:
    return [_query("dryRun", "string"), _query("fieldManager", "string"), _query("fieldValidation", "string")]


def _query(name: str, type_name: str) -> Document:
    return {"name": name, "in": "query", "schema": {"type": type_name, "uniqueItems": True}}
