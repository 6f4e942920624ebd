"""What each verb does with a request: parameters in, a store call, a document out. No HTTP beyond that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshshift.lab.kube import errors, reviews
from meshshift.lab.kube.deletion import DeleteOptions
from meshshift.lab.kube.documents import metadata
from meshshift.lab.kube.lists import list_page, rendered
from meshshift.lab.kube.openapi import patch_types
from meshshift.lab.kube.patch import APPLY_PATCH, PATCHES
from meshshift.lab.kube.requests import body_of, delete_options, form_of, write_options
from meshshift.lab.kube.scale import scale_of
from meshshift.lab.kube.tables import partial, table

if TYPE_CHECKING:
    from aiohttp import web

    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Kind
    from meshshift.lab.kube.lifecycle import Options
    from meshshift.lab.kube.requests import Target
    from meshshift.lab.kube.storage import Key
    from meshshift.lab.kube.store import Store

# The real server returns these kinds themselves from a DELETE, and a Status for all others.
RETURNED_WHEN_DELETED = {"Pod", "Service", "ServiceAccount"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back: a document, its HTTP status, and warnings for the headers."""

    document: Document
    code: int = 200
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One request for one kind."""

    store: Store
    kind: Kind
    target: Target
    request: web.Request

    @property
    def key(self) -> Key:
        """Return where the object is stored."""
        return (self.target.namespace if self.kind.namespaced else "", self.target.name)

    async def get(self) -> Answer:
        """Answer a GET of one object."""
        document = self.store.get(self.kind, self.target.name, self.target.namespace)
        if self.target.subresource == "scale" and self.kind.scale:
            return Answer(scale_of(document, self.kind.scale))
        return self._shown(document)

    async def list(self) -> Answer:
        """Answer a GET of a collection."""
        form = form_of(self.request.headers.get("Accept", ""))
        page = list_page(self.store, self.kind, self.target.namespace, self.request.query)
        return Answer(rendered(page, self.kind, form, self.request.query.get("includeObject", "Metadata")))

    async def create(self) -> Answer:
        """Answer a POST to a collection."""
        body = _object(await body_of(self.request))
        if self.kind.verbs == ("create",):
            return Answer(reviews.answer(self.kind, body), 201)
        body.setdefault("apiVersion", self.kind.api_version)
        body.setdefault("kind", self.kind.kind)
        if self.kind.namespaced and not self.target.namespace:
            raise errors.bad_request("an empty namespace may not be set during creation")
        options = self._options()
        document = self.store.writes.create(self.kind, body, self.target.namespace, options)
        return self._shown(document, 201, options)

    async def update(self) -> Answer:
        """Answer a PUT."""
        body = _object(await body_of(self.request))
        options = self._options()
        existed = self.store.storage.get(self.kind.bucket, self.key) is not None
        document = self.store.writes.update(self.kind, self.key, body, options)
        return self._shown(document, 200 if existed else 201, options)

    async def patch(self) -> Answer:
        """Answer a PATCH."""
        accepted = patch_types(self.kind)
        media = self.request.content_type
        if media not in PATCHES:
            raise errors.StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
        if media not in accepted:
            raise errors.unsupported_media_type(accepted)
        options = self._options()
        if media == APPLY_PATCH and not self.request.query.get("fieldManager"):
            missing = errors.required("fieldManager", "is required for apply patch")
            raise errors.invalid("PatchOptions", "meta.k8s.io", "", [missing])
        body = await body_of(self.request)
        document, created = self.store.writes.patch(self.kind, self.key, body, media, options)
        return self._shown(document, 201 if created else 200, options)

    async def delete(self) -> Answer:
        """Answer a DELETE of one object."""
        options = delete_options(self.request.query, await body_of(self.request))
        document, gone = self.store.writes.delete(self.kind, self.key, options)
        if not gone or self.kind.kind in RETURNED_WHEN_DELETED:
            return self._shown(document)
        details = {"name": self.target.name, "group": self.kind.group, "kind": self.kind.plural}
        details = {key: value for key, value in details.items() if value} | {"uid": document["metadata"]["uid"]}
        success = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return Answer(success)

    async def deletecollection(self) -> Answer:
        """Answer a DELETE of a collection: everything that the selectors choose."""
        options = delete_options(self.request.query, await body_of(self.request))
        # Preconditions are about one object.
        options = DeleteOptions(options.propagation, dry_run=options.dry_run)
        page = list_page(self.store, self.kind, self.target.namespace, self.request.query)
        for document in page.documents:
            meta = document["metadata"]
            if self.store.storage.get(self.kind.bucket, (meta.get("namespace", ""), meta["name"])) is not None:
                self.store.writes.delete(self.kind, (meta.get("namespace", ""), meta["name"]), options)
        return Answer(rendered(page, self.kind, "object", ""))

    def _options(self) -> Options:
        return write_options(self.request, self.target)

    def _shown(self, document: Document, code: int = 200, options: Options | None = None) -> Answer:
        form = form_of(self.request.headers.get("Accept", ""))
        warnings = tuple(options.warnings) if options else ()
        if form == "table" and document["kind"] == self.kind.kind:
            meta = {"resourceVersion": metadata(document).get("resourceVersion", "")}
            included = self.request.query.get("includeObject", "Metadata")
            return Answer(table([document], self.kind, meta, included), code, warnings)
        return Answer(partial(document) if form == "partial" else document, code, warnings)


def _object(body: Any) -> Document:
    if not isinstance(body, dict):
        raise errors.bad_request("the object provided is unrecognized (must be of type JSON object)")
    return body
