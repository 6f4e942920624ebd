"""Objects as `meta.k8s.io/v1 Table`s, which is what `kubectl get` asks for, and as their metadata alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Kind

META_V1 = "meta.k8s.io/v1"


def _headers(kind: Kind) -> list[Document]:
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in kind.columns
    ]


def _row(document: Document, kind: Kind, included: str) -> Document:
    row: Document = {"cells": [column.cell(document) for column in kind.columns]}
    if included == "Object":
        row["object"] = document
    elif included != "None":
        row["object"] = partial(document)
    return row


def table(
    documents: Iterable[Document], kind: Kind, list_meta: Document, included: str = "Metadata", headers: bool = True
) -> Document:
    """Return a Table with one row per object.

    Args:
        documents: the objects.
        kind: their kind, for the columns.
        list_meta: metadata of the list, with its resourceVersion.
        included: what each row carries beside the cells: `None`, `Metadata` or `Object`.
        headers: whether to define the columns; a watch does so in its first event only.
    """
    return {
        "kind": "Table",
        "apiVersion": META_V1,
        "metadata": list_meta,
        "columnDefinitions": _headers(kind) if headers else None,
        "rows": [_row(document, kind, included) for document in documents],
    }


def partial(document: Document) -> Document:
    """Return a PartialObjectMetadata: an object without anything but its metadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": META_V1, "metadata": document.get("metadata", {})}


def partial_list(documents: Iterable[Document], list_meta: Document) -> Document:
    """Return a PartialObjectMetadataList."""
    items: list[Any] = [partial(document) for document in documents]
    return {"kind": "PartialObjectMetadataList", "apiVersion": META_V1, "metadata": list_meta, "items": items}
