"""Stored documents as a version of their resource shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshshift.lab.kube.documents import copied
from meshshift.lab.kube.schema import fill_defaults, lacks_defaults

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Kind


def view(kind: Kind, stored: Document) -> Document:
    """Return a stored document in a version's form: its field names, its apiVersion, its defaults.

    Defaults apply on reading too, so an object written before a definition gained a default shows it.
    """
    if kind.read is not None:
        stored = kind.read(stored)
    if kind.defaulting and lacks_defaults(stored, kind.defaulting):
        stored = copied(stored)
        fill_defaults(stored, kind.defaulting)
    if stored.get("apiVersion") == kind.api_version and stored.get("kind") == kind.kind:
        return stored
    return {**stored, "apiVersion": kind.api_version, "kind": kind.kind}
