"""Who wrote an object last, as far as `metadata.managedFields` tells.

The API server keeps one entry for each field manager with the time of its latest change (Kubernetes API concepts,
"Field management").  A tool that applies manifests shows up under its own name (`argocd-controller`, `kubectl`, …),
which is what somebody needs to know whose weights were found in place of the run's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.core.mesh.documents import member, text

if TYPE_CHECKING:
    from collections.abc import Iterable

MANAGER = "meshshift"
"""The field manager of every write of this controller."""
_LONGEST = 128


def last_writers(documents: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """For each document the manager, ours aside, that changed its spec last; each name once, none that is unknown."""
    names = (_last_writer(document) for document in documents)
    return tuple(dict.fromkeys(name[:_LONGEST] for name in names if name))


def _last_writer(document: dict[str, Any]) -> str:
    fields = member(document, "metadata", "managedFields")
    entries = [entry for entry in fields if _writes_spec(entry)] if isinstance(fields, list) else []
    newest = max(entries, key=lambda entry: text(member(entry, "time")), default=None)
    return text(member(newest, "manager"))


def _writes_spec(entry: object) -> bool:
    others = text(member(entry, "manager")) != MANAGER
    return others and isinstance(member(entry, "fieldsV1", "f:spec"), dict)
