"""What the server itself writes into an object: identity, generation, the division between spec and status.

Pure functions on documents; `store` calls them in order. Source: k8s.io/apiserver/pkg/registry/rest/{create,update}.go.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from meshshift.lab.kube import errors
from meshshift.lab.kube.documents import at, copied, metadata, put_at
from meshshift.lab.kube.errors import FieldError, forbidden_field, invalid_value

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Kind

SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
SYSTEM_META = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")
EMPTY_IS_ABSENT = ("labels", "annotations", "finalizers", "ownerReferences")


@dataclass(slots=True)
class Options:
    """How a write is to be carried out.

    Attributes:
        manager: the field manager that will own what changes.
        subresource: `status`, `scale` or empty for the object itself.
        dry_run: do everything but store it.
        validation: what to do with unknown fields.
        force: for server-side apply, take over other managers' fields.
        patching: whether the write is a JSON or merge patch, whose strict errors are worded differently.
        warnings: filled with what goes into Warning headers.
    """

    manager: str = "lab"
    subresource: str = ""
    dry_run: bool = False
    validation: Literal["Ignore", "Warn", "Strict"] = "Warn"
    force: bool = False
    patching: bool = False
    warnings: list[str] = field(default_factory=list)


def generated_name(prefix: str) -> str:
    """Return a prefix with five random characters, none of which can spell a word."""
    return prefix[:58] + "".join(random.choices(SUFFIX_LETTERS, k=5))


def prepare_create(document: Document, kind: Kind, now: str) -> None:
    """Give a new object its identity, and take away what clients may not set."""
    meta = metadata(document)
    if meta.get("resourceVersion"):
        raise errors.StatusError(500, "", "resourceVersion should not be set on objects to be created")
    for key in SYSTEM_META:
        meta.pop(key, None)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = generated_name(str(meta["generateName"]))
    meta["uid"] = str(uuid.uuid4())
    meta["creationTimestamp"] = now
    if kind.generation:
        meta["generation"] = 1
    if kind.status:
        document.pop("status", None)
    drop_empty_metadata(meta)


def drop_empty_metadata(meta: Document) -> None:
    """Remove empty labels, annotations and the like, which Go's encoder would not write."""
    for key in EMPTY_IS_ABSENT:
        if key in meta and not meta[key]:
            del meta[key]


def prepare_update(document: Document, live: Document, kind: Kind, subresource: str) -> Document:
    """Return the object that a write to a resource or its subresource asks for, given the live one.

    The status subresource changes nothing but status (and managedFields); the resource itself never changes status.
    """
    if subresource == "status":
        changed = {**live, "metadata": dict(live["metadata"])}
        if "status" in document:
            changed["status"] = document["status"]
        else:
            changed.pop("status", None)
        return changed
    meta = metadata(document)
    for key in SYSTEM_META:
        meta.pop(key, None)
        if key in live["metadata"]:
            meta[key] = live["metadata"][key]
    drop_empty_metadata(meta)
    if kind.status:
        document.pop("status", None)
        if "status" in live:
            document["status"] = copied(live["status"])
    _carry_over_allocated(document, live, kind)
    return document


def _carry_over_allocated(document: Document, live: Document, kind: Kind) -> None:
    """Keep what the server allocated when a full update leaves it out."""
    if kind.kind != "Service" or kind.group:
        return
    if at(document, "spec", "type") in {None, at(live, "spec", "type")}:
        for key in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if not at(document, "spec", key) and at(live, "spec", key):
                put_at(document, ("spec", key), live["spec"][key])


def count_generation(document: Document, live: Document, kind: Kind) -> None:
    """Bump metadata.generation if anything but metadata (and status, where it is separate) changed."""
    if not kind.generation:
        return
    ignored = {"metadata", "apiVersion", "kind"} | ({"status"} if kind.status else set())
    before = {key: value for key, value in live.items() if key not in ignored}
    after = {key: value for key, value in document.items() if key not in ignored}
    metadata(document)["generation"] = live["metadata"].get("generation", 0) + (before != after)


def same_content(document: Document, live: Document) -> bool:
    """Tell whether a write would change nothing, so that it needs no new version."""
    return _comparable(document) == _comparable(live)


def _comparable(document: Document) -> Document:
    meta = {key: value for key, value in document["metadata"].items() if key != "resourceVersion"}
    return {**document, "metadata": meta, "apiVersion": ""}


def check_update(document: Document, live: Document, kind: Kind) -> list[FieldError]:
    """Return what an update may not do: change immutable fields, add finalizers while being deleted."""
    found: list[FieldError] = []
    for path in kind.immutable:
        value = at(document, *path.split("."))
        if value != at(live, *path.split(".")):
            found.append(invalid_value(path, value, "field is immutable"))
    if kind.kind == "Service" and at(live, "spec", "clusterIP") not in {None, "", at(document, "spec", "clusterIP")}:
        value = at(document, "spec", "clusterIPs")
        found.append(invalid_value("spec.clusterIPs[0]", value, "may not change once set"))
    if at(live, "metadata", "deletionTimestamp"):
        before = at(live, "metadata", "finalizers") or []
        added = [one for one in at(document, "metadata", "finalizers") or [] if one not in before]
        if added:
            shown = "[]string{" + ", ".join(f'"{one}"' for one in added) + "}"
            detail = f"no new finalizers can be added if the object is being deleted, found new finalizers {shown}"
            found.append(forbidden_field("metadata.finalizers", detail))
    return found


def check_preconditions(document: Document, live: Document, kind: Kind) -> None:
    """Refuse an update that was based on another version, or on another object of that name.

    Raises:
        StatusError: 409, or 422 where the kind insists on a resourceVersion.
    """
    name = live["metadata"]["name"]
    wanted_uid = at(document, "metadata", "uid")
    actual_uid = live["metadata"]["uid"]
    if wanted_uid and wanted_uid != actual_uid:
        detail = f"Precondition failed: UID in precondition: {wanted_uid}, UID in object meta: {actual_uid}"
        raise errors.conflict(kind.plural, kind.group, name, detail)
    version = at(document, "metadata", "resourceVersion")
    if version and version != live["metadata"]["resourceVersion"]:
        raise errors.conflict(kind.plural, kind.group, name)
    if not version and kind.custom:
        must = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
        raise errors.invalid(kind.kind, kind.group, name, [must])
