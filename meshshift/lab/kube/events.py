"""One store of Events under two APIs: `v1` and `events.k8s.io/v1` differ in field names only.

Source: k8s.io/kubernetes/pkg/apis/events/v1/conversion.go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Kind

# events.k8s.io/v1 name: v1 name
RENAMED = {
    "regarding": "involvedObject",
    "note": "message",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
    "reportingController": "reportingComponent",
}
BACK = {core: modern for modern, core in RENAMED.items()}


def to_core(document: Document) -> Document:
    """Turn an `events.k8s.io/v1` Event into its stored form, a `v1` Event."""
    return {RENAMED.get(key, key): value for key, value in document.items()} | {"apiVersion": "v1"}


def to_modern(document: Document) -> Document:
    """Turn a stored Event into an `events.k8s.io/v1` one."""
    return {BACK.get(key, key): value for key, value in document.items()}


def sharing_storage(modern: Kind, core: Kind) -> Kind:
    """Return the `events.k8s.io/v1` kind, keeping its objects among the `v1` ones."""
    return replace(modern, storage=core.bucket, read=to_modern, write=to_core, columns=core.columns)
