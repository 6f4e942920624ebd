"""Lists: selectors, pages that belong to one version, and the forms a list is answered in."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshshift.lab.kube import errors
from meshshift.lab.kube.requests import number_of
from meshshift.lab.kube.selectors import both, field_selector, label_selector
from meshshift.lab.kube.tables import partial_list, table
from meshshift.lab.kube.views import view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Kind
    from meshshift.lab.kube.requests import Form
    from meshshift.lab.kube.storage import Key
    from meshshift.lab.kube.store import Store


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: the objects, and what the list says of itself."""

    documents: list[Document]
    meta: Document


def selector_of(query: Mapping[str, str], kind: Kind) -> Callable[[Document], bool] | None:
    """Compile a request's selectors; None if they select everything."""
    return both(label_selector(query.get("labelSelector", "")), field_selector(query.get("fieldSelector", ""), kind))


def list_page(store: Store, kind: Kind, namespace: str, query: Mapping[str, str]) -> Page:
    """List what a request asks for.

    Raises:
        StatusError: 400 for bad parameters, 410 for a continue token or version that is too old, 504 for a version that
            lies in the future.
    """
    storage = store.storage
    revision, start = storage.revision, None
    token = query.get("continue")
    if token:
        revision, start = _read_token(token)
    _check_match(query)
    asked = 0 if token else number_of(query, "resourceVersion")
    if asked > storage.revision:
        raise errors.too_large_version(asked, storage.revision)
    if asked and query.get("resourceVersionMatch") == "Exact":
        revision = asked
    as_of_now = revision == storage.revision
    stored = storage.list(kind.bucket, namespace) if as_of_now else _earlier(store, kind, namespace, revision)
    matches = selector_of(query, kind)
    chosen = [(key, one) for key, one in stored if (start is None or key > start) and (matches is None or matches(one))]
    limit = number_of(query, "limit")
    meta: Document = {"resourceVersion": str(revision), **({"continue": ""} if kind.custom else {})}
    if limit and len(chosen) > limit:
        if matches is None:
            meta["remainingItemCount"] = len(chosen) - limit
        chosen = chosen[:limit]
        meta["continue"] = _token(revision, chosen[-1][0])
    return Page([view(kind, one) for _, one in chosen], meta)


def _check_match(query: Mapping[str, str]) -> None:
    if query.get("resourceVersionMatch") and not query.get("resourceVersion"):
        detail = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        forbidden = errors.forbidden_field("resourceVersionMatch", detail)
        raise errors.invalid("ListOptions", "meta.k8s.io", "", [forbidden])


def _earlier(store: Store, kind: Kind, namespace: str, revision: int) -> list[tuple[Key, Document]]:
    try:
        return store.storage.list_as_of(kind.bucket, namespace, revision)
    except errors.StatusError as error:
        raise errors.expired(
            "The provided continue parameter is too old to display a consistent list result. You must start a new list "
            "without the continue parameter."
        ) from error


def _token(revision: int, last: Key) -> str:
    return base64.urlsafe_b64encode(
        json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": last}).encode()
    ).decode()


def _read_token(token: str) -> tuple[int, Key]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token))
        namespace, name = content["start"]
        return int(content["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError) as error:
        raise errors.bad_request(f"continue key is not valid: {error}") from error


def rendered(page: Page, kind: Kind, form: Form, included: str) -> Document:
    """Return a page as the document to answer with."""
    if form == "table":
        return table(page.documents, kind, page.meta, included)
    if form == "partial":
        return partial_list(page.documents, page.meta)
    return {"kind": kind.listed_as, "apiVersion": kind.api_version, "metadata": page.meta, "items": _items(page, kind)}


def _items(page: Page, kind: Kind) -> list[Document]:
    """The items of a built-in kind's list do not repeat kind and apiVersion; those of a custom kind do."""
    if kind.custom:
        return page.documents
    return [
        {key: value for key, value in document.items() if key not in {"kind", "apiVersion"}}
        for document in page.documents
    ]
