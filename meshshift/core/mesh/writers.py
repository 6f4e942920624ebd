"""Who wrote an object, as far as `metadata.managedFields` tells, and how to be forgotten there.

The API server keeps one entry for each field manager with the time of its latest change (Kubernetes API concepts,
"Field management").  A tool that applies manifests shows up under its own name (`argocd-controller`, `kubectl`, …),
which is what somebody needs to know whose weights were found in place of the run's.

Lists of Istio's CRDs are atomic, so one weight written makes its writer the owner of all routes, and the next
server-side apply by the tool that brought them is a conflict.  While a run is under way that is as it should be; when
it has ended, the entry is dropped, and nobody is in anybody's way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.core.mesh.documents import (
    Patch,
    PatchOperation,
    member,
    operation,
    pointer,
    ref_of,
    resource_version,
    text,
    unmoved,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

MANAGER = "meshshift"
"""The field manager of every write of this controller."""
_MANAGED_BY = "app.kubernetes.io/managed-by"
MADE_BY = {_MANAGED_BY: MANAGER}
"""The label of every object that this controller creates (one of Kubernetes' recommended labels)."""
_LONGEST = 128


def is_made_by_us(document: dict[str, Any]) -> bool:
    """Does it carry the label of what this controller created?"""
    return text(member(document, "metadata", "labels", _MANAGED_BY)) == MANAGER


def last_writers(documents: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """For each document the manager, ours aside, that changed its spec last; each name once, none that is unknown."""
    names = (_last_writer(document) for document in documents)
    return tuple(dict.fromkeys(name[:_LONGEST] for name in names if name))


def give_back(document: dict[str, Any], kind: str) -> Patch | None:
    """The edit that drops our entry, so that nobody owns what we wrote; None where there is no such entry.

    A list that would become empty is replaced by one empty entry: an empty list would leave the old one standing
    (Kubernetes API reference, "Clearing managedFields").
    """
    entries = member(document, "metadata", "managedFields")
    ours = [i for i, entry in enumerate(entries if isinstance(entries, list) else []) if _is_ours(entry)]
    if not ours:
        return None
    path = ("metadata", "managedFields")
    edit: list[PatchOperation] = [operation("replace", pointer(*path), [{}])]
    if len(ours) < len(entries):
        edit = [{"op": "remove", "path": pointer(*path, i)} for i in reversed(ours)]
    return Patch(ref_of(document, kind), (unmoved(resource_version(document)), *edit))


def _is_ours(entry: object) -> bool:
    return text(member(entry, "manager")) == MANAGER and member(entry, "fieldsV1", "f:spec") is not None


def _last_writer(document: dict[str, Any]) -> str:
    fields = member(document, "metadata", "managedFields")
    entries = [entry for entry in fields if _writes_spec(entry)] if isinstance(fields, list) else []
    newest = max(entries, key=lambda entry: text(member(entry, "time")), default=None)
    return text(member(newest, "manager"))


def _writes_spec(entry: object) -> bool:
    others = text(member(entry, "manager")) != MANAGER
    return others and isinstance(member(entry, "fieldsV1", "f:spec"), dict)
