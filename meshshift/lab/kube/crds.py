"""From a CustomResourceDefinition to the kinds it serves, and the status that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.lab.kube.columns import custom
from meshshift.lab.kube.definitions import REF_PREFIX, definition_name
from meshshift.lab.kube.documents import at, name_of
from meshshift.lab.kube.kinds import Kind, Scale
from meshshift.lab.kube.schema import defaults_of

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Bucket, Registry


def bucket_of(document: Document) -> Bucket:
    """Return where a definition's objects are stored."""
    return document["spec"]["group"], document["spec"]["names"]["plural"]


def served_kinds(document: Document) -> list[Kind]:
    """Return the kind of every served version of a definition."""
    return [_kind(document, version) for version in document["spec"]["versions"] if version.get("served")]


def _kind(document: Document, version: Document) -> Kind:
    spec = document["spec"]
    names = spec["names"]
    schema = _whole_schema(at(version, "schema", "openAPIV3Schema"))
    subresources = version.get("subresources") or {}
    return Kind(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        singular=names.get("singular", ""),
        list_kind=names.get("listKind", ""),
        schema=schema,
        namespaced=spec.get("scope") == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        custom=True,
        status="status" in subresources,
        scale=_scale(subresources.get("scale")),
        generation=True,
        columns=custom(version.get("additionalPrinterColumns") or []),
        definition=".".join([*reversed(spec["group"].split(".")), version["name"], names["kind"]]),
        defaulting=defaults_of(schema),
        selectable=tuple(one["jsonPath"] for one in version.get("selectableFields") or ()),
    )


def _scale(entry: Document | None) -> Scale | None:
    if not entry:
        return None
    return Scale(entry["specReplicasPath"], entry["statusReplicasPath"], entry.get("labelSelectorPath", ""))


def _whole_schema(schema: Document) -> Document:
    """Add what every object has to a definition's schema: apiVersion, kind and metadata."""
    declared = schema.get("properties", {})
    envelope: Document = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"$ref": REF_PREFIX + definition_name("V1ObjectMeta")},
    }
    return {**schema, "properties": {**declared, **envelope}}


def status_of(document: Document, registry: Registry, now: str) -> Document:
    """Return the status of a definition once its names are looked at.

    Another definition that already has the plural or the kind in the same group keeps it: then the new one's names are
    not accepted, and it is not established.
    """
    spec = document["spec"]
    taken = [
        one
        for one in registry
        if one.group == spec["group"] and one.plural != spec["names"]["plural"] and one.kind == spec["names"]["kind"]
    ]
    before: list[Any] = at(document, "status", "storedVersions") or []
    storage = next(version["name"] for version in spec["versions"] if version.get("storage"))
    accepted = ("True", "NoConflicts", "no conflicts found")
    established = ("True", "InitialNamesAccepted", "the initial names have been accepted")
    if taken:
        accepted = ("False", "KindConflict", f'"{spec["names"]["kind"]}" is already in use')
        established = ("False", "NotAccepted", "not all names are accepted")
    return {
        "acceptedNames": {} if taken else spec["names"],
        "storedVersions": before if storage in before else [*before, storage],
        "conditions": [
            _condition(document, "NamesAccepted", accepted, now),
            _condition(document, "Established", established, now),
        ],
    }


def _condition(document: Document, wanted: str, verdict: tuple[str, str, str], now: str) -> Document:
    status, reason, message = verdict
    before = next((one for one in at(document, "status", "conditions") or () if one["type"] == wanted), None)
    since = before["lastTransitionTime"] if before and before["status"] == status else now
    return {"type": wanted, "status": status, "reason": reason, "message": message, "lastTransitionTime": since}


def is_established(document: Document) -> bool:
    """Tell whether a definition's kinds are served."""
    conditions = at(document, "status", "conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def name_of_bucket(bucket: Bucket) -> str:
    """Return the name of the definition that a resource comes from."""
    group, plural = bucket
    return f"{plural}.{group}"


def same_schema(old: Document | None, new: Document) -> bool:
    """Tell whether two states of a definition serve the same kinds."""
    return old is not None and old["spec"] == new["spec"] and name_of(old) == name_of(new)
