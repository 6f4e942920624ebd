"""The API server's semantics over the versioned storage: what create, update, patch and delete mean.

The HTTP server is a thin shell around a `Store`; tests and the lab's own controllers may also use one directly, in
process. Everything here is synchronous, so each call is one atomic transaction between two turns of the event loop.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from meshshift.lab.kube import apply, crds, errors, patch
from meshshift.lab.kube.admission import admit, check_identity, decode
from meshshift.lab.kube.builtin import CRD_BUCKET, NAMESPACES, built_in_kinds
from meshshift.lab.kube.deletion import DeleteOptions, Reaper
from meshshift.lab.kube.documents import Document, at, copied, metadata, name_of, namespace_of
from meshshift.lab.kube.istio import istio_definitions
from meshshift.lab.kube.kinds import Kind, Registry
from meshshift.lab.kube.lifecycle import (
    Options,
    check_preconditions,
    check_update,
    count_generation,
    prepare_create,
    prepare_update,
    same_content,
)
from meshshift.lab.kube.managed import Author, record_update
from meshshift.lab.kube.scale import scale_of, scaled
from meshshift.lab.kube.schema import fill_defaults, lacks_defaults
from meshshift.lab.kube.selectors import field_selector, label_selector
from meshshift.lab.kube.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.lab.kube.storage import Key

FIRST_NAMESPACES = ("default", "kube-system", "istio-system")


def utc_now() -> str:
    """Return the time now as RFC 3339, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """All objects of the lab's cluster.

    Attributes:
        registry: the kinds served now.
        storage: the versioned objects underneath; for watches.
    """

    def __init__(self, history: int = 4096, clock: Callable[[], str] = utc_now) -> None:
        self.registry = Registry()
        self.storage = Storage(history)
        self._clock = clock
        self._reaper = Reaper(self.storage, clock, self._unserve)
        for kind in built_in_kinds():
            self.registry.add(kind)
        for namespace in FIRST_NAMESPACES:
            self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for definition in istio_definitions():
            self.create(definition)

    def kind(self, name: Kind | str) -> Kind:
        """Find a kind by any name that `kubectl get` would take.

        Raises:
            LookupError: nothing of that name is served.
        """
        return name if isinstance(name, Kind) else self.registry.find(name)

    def create(self, document: Document, options: Options | None = None) -> Document:
        """Create an object from its whole document, as `kubectl create` does.

        Returns:
            The stored object, to be left unchanged.

        Raises:
            StatusError: what the API server would answer.
        """
        kind = self._kind_of(document)
        return self.create_as(kind, copied(document), namespace_of(document), options or Options())

    def update(self, document: Document, options: Options | None = None) -> Document:
        """Replace an object, or with `options.subresource="status"` its status."""
        kind = self._kind_of(document)
        key = self._key(kind, name_of(document), namespace_of(document))
        return self.update_as(kind, key, copied(document), options or Options())

    def get(self, kind: Kind | str, name: str, namespace: str = "") -> Document:
        """Return an object, to be left unchanged; the namespace defaults to `default`.

        Raises:
            StatusError: 404, if there is none.
        """
        found = self.kind(kind)
        return self.view(found, self._live(found, self._key(found, name, namespace)))

    def list(self, kind: Kind | str, namespace: str = "", labels: str = "", fields: str = "") -> list[Document]:
        """Return the objects of a kind, in one namespace or (the default) in all, narrowed by selectors."""
        found = self.kind(kind)
        tests = [test for test in (label_selector(labels), field_selector(fields, found)) if test]
        stored = self.storage.list(found.bucket, namespace)
        return [self.view(found, one) for _, one in stored if all(test(one) for test in tests)]

    def patch(
        self,
        kind: Kind | str,
        name: str,
        namespace: str,
        body: Any,
        media_type: str = patch.MERGE_PATCH,
        options: Options | None = None,
    ) -> Document:
        """Patch an object in one of the four formats; server-side apply creates what is missing."""
        found = self.kind(kind)
        return self.patch_as(found, self._key(found, name, namespace), body, media_type, options or Options())[0]

    def delete(
        self, kind: Kind | str, name: str, namespace: str = "", options: DeleteOptions | None = None
    ) -> tuple[Document, bool]:
        """Delete an object; return its last state, and whether it is gone or only marked."""
        found = self.kind(kind)
        return self.delete_as(found, self._key(found, name, namespace), options or DeleteOptions())

    def view(self, kind: Kind, stored: Document) -> Document:
        """Return a stored document as a version of its resource shows it."""
        if kind.read is not None:
            stored = kind.read(stored)
        if kind.defaulting and lacks_defaults(stored, kind.defaulting):
            stored = copied(stored)
            fill_defaults(stored, kind.defaulting)
        if stored.get("apiVersion") == kind.api_version and stored.get("kind") == kind.kind:
            return stored
        return {**stored, "apiVersion": kind.api_version, "kind": kind.kind}

    def create_as(self, kind: Kind, document: Document, namespace: str, options: Options) -> Document:
        """Create an object from a document that is the store's to keep."""
        namespace = self._namespace(kind, namespace)
        check_identity(document, kind, "", namespace)
        self._prepare_new(kind, document, namespace, options)
        author = Author(options.manager, kind.api_version, "", self._clock())
        document["metadata"].pop("managedFields", None)
        record_update(None, document, kind.schema, author)
        return self._store_new(kind, document, options)

    def update_as(self, kind: Kind, key: Key, document: Document, options: Options) -> Document:
        """Replace an object, or one of its subresources, by a document that is the store's to keep."""
        if options.subresource == "scale":
            return self._update_scale(kind, key, document, options)
        check_identity(document, kind, key[1], key[0])
        live = self.storage.get(kind.bucket, key)
        if live is None and kind.create_on_update and not options.subresource:
            return self.create_as(kind, document, key[0], options)
        return self._replace(kind, key, document, options)

    def patch_as(self, kind: Kind, key: Key, body: Any, media_type: str, options: Options) -> tuple[Document, bool]:
        """Patch an object; return it, and whether it was created."""
        if media_type == patch.APPLY_PATCH:
            return self._apply(kind, key, body, options)
        live = self.view(kind, self._live(kind, key))
        window = scale_of(live, kind.scale) if options.subresource == "scale" and kind.scale else live
        options.patching = media_type != patch.STRATEGIC_PATCH
        document = _patched(window, body, media_type, kind)
        return self.update_as(kind, key, document, options), False

    def delete_as(self, kind: Kind, key: Key, options: DeleteOptions) -> tuple[Document, bool]:
        """Delete an object; return its last state, and whether it is gone."""
        document, gone = self._reaper.delete(kind, key, options)
        return self.view(kind, document), gone

    def _apply(self, kind: Kind, key: Key, intent: Any, options: Options) -> tuple[Document, bool]:
        if not isinstance(intent, dict):
            raise errors.bad_request("error decoding YAML: the applied object must be a mapping")
        check_identity(intent, kind, key[1], key[0])
        if at(intent, "metadata", "managedFields"):
            raise errors.bad_request("metadata.managedFields must be nil")
        intent = copied(intent)
        metadata(intent)["name"] = key[1]
        self._refuse_undeclared(kind, intent, options)
        author = Author(options.manager, kind.api_version, options.subresource, self._clock())
        stored = self.storage.get(kind.bucket, key)
        if stored is None:
            if options.subresource:
                raise errors.not_found(kind.plural, kind.group, key[1])
            document = apply.apply(None, intent, kind.schema, author, options.force)
            entries = document["metadata"].pop("managedFields")
            self._prepare_new(kind, document, self._namespace(kind, key[0]), options)
            document["metadata"]["managedFields"] = entries
            return self._store_new(kind, document, options), True
        live = self.view(kind, stored)
        version = metadata(intent).pop("resourceVersion", None)
        if version and version != live["metadata"]["resourceVersion"]:
            raise errors.conflict(kind.plural, kind.group, key[1])
        document = apply.apply(live, intent, kind.schema, author, options.force)
        return self._replace(kind, key, document, options, applied=document["metadata"]["managedFields"]), False

    def _refuse_undeclared(self, kind: Kind, intent: Document, options: Options) -> None:
        """Prune the intent; unlike other writes, applying an undeclared field is an error at any validation level."""
        probe = Options(validation="Warn", warnings=[])
        decode(copied(intent), kind, probe)
        if probe.warnings:
            field = probe.warnings[0].removeprefix('unknown field "').removesuffix('"')
            about = f"{namespace_of(intent)}/{name_of(intent)}; {kind.api_version}, Kind={kind.kind}"
            message = f"failed to create typed patch object ({about}): .{field}: field not declared in schema"
            raise errors.StatusError(500, "InternalError", message)

    def _replace(
        self, kind: Kind, key: Key, document: Document, options: Options, applied: list[Document] | None = None
    ) -> Document:
        stored = self._live(kind, key)
        live = self.view(kind, stored)
        metadata(document).setdefault("namespace" if kind.namespaced else "name", key[0] if kind.namespaced else key[1])
        check_preconditions(document, live, kind)
        decode(document, kind, options)
        given = document["metadata"].get("managedFields")
        document = prepare_update(document, live, kind, options.subresource)
        document["metadata"]["name"] = key[1]
        document["metadata"]["managedFields"] = given or []
        if kind.defaults:
            kind.defaults(document)
        admit(document, live, kind, check_update(document, live, kind))
        document["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        if applied is None:
            author = Author(options.manager, kind.api_version, options.subresource, self._clock())
            record_update(live, document, kind.schema, author)
        else:
            document["metadata"]["managedFields"] = applied
        count_generation(document, live, kind)
        if same_content(document, live):
            return live
        if options.dry_run:
            return document
        return self._store_changed(kind, key, document)

    def _store_changed(self, kind: Kind, key: Key, document: Document) -> Document:
        kept = kind.write(document) if kind.write else document
        if kind.bucket == CRD_BUCKET:
            kept = self._serve(kept)
        stored = self.storage.put(kind.bucket, key, kept)
        self._reaper.settle(kind.bucket, key)
        return self.view(kind, stored)

    def _prepare_new(self, kind: Kind, document: Document, namespace: str, options: Options) -> None:
        meta = metadata(document)
        if kind.namespaced:
            meta["namespace"] = namespace
            self._check_namespace(kind, name_of(document), namespace)
        else:
            meta.pop("namespace", None)
        decode(document, kind, options)
        prepare_create(document, kind, self._clock())
        if kind.defaults and meta.get("name"):
            kind.defaults(document)
        # A name that is taken is reported before anything that is wrong with the object, as clients expect of a create.
        name = name_of(document)
        if self.storage.get(kind.bucket, (namespace, name)) is not None:
            raise errors.already_exists(kind.plural, kind.group, name)
        admit(document, None, kind)

    def _store_new(self, kind: Kind, document: Document, options: Options) -> Document:
        if options.dry_run:
            return document
        key = (namespace_of(document), name_of(document))
        stored = self.storage.put(kind.bucket, key, kind.write(document) if kind.write else document)
        if kind.bucket == CRD_BUCKET:
            served = self._serve(copied(stored))
            self.storage.put(kind.bucket, key, served)
        return self.view(kind, stored)

    def _serve(self, definition: Document) -> Document:
        """Serve a definition's kinds; return the definition with the status that says so."""
        before = self.storage.get(CRD_BUCKET, ("", name_of(definition)))
        definition = {**definition, "status": crds.status_of(definition, self.registry, self._clock())}
        if crds.is_established(definition) and not (
            before and "status" in before and crds.same_schema(before, definition)
        ):
            for kind in self.registry.stored(crds.bucket_of(definition)):
                self.registry.remove(kind)
            for kind in crds.served_kinds(definition):
                self.registry.add(kind)
        return definition

    def _unserve(self, definition: Document) -> None:
        bucket = crds.bucket_of(definition)
        for kind in self.registry.stored(bucket):
            self.registry.remove(kind)
        self.storage.close_subscriptions(bucket)

    def _update_scale(self, kind: Kind, key: Key, wanted: Document, options: Options) -> Document:
        if kind.scale is None:
            raise errors.not_found(kind.plural, kind.group, key[1])
        live = self.view(kind, self._live(kind, key))
        document = scaled(live, wanted, kind, kind.scale)
        options.subresource = ""
        options.patching = False
        return scale_of(self._replace(kind, key, document, options), kind.scale)

    def _kind_of(self, document: Document) -> Kind:
        api_version, name = str(document.get("apiVersion")), str(document.get("kind"))
        found = self.registry.of_object(api_version, name)
        if found is None:
            raise LookupError(
                f"no kind {name!r} is served in {api_version!r}; create its CustomResourceDefinition first"
            )
        return found

    def _key(self, kind: Kind, name: str, namespace: str) -> Key:
        return self._namespace(kind, namespace), name

    def _namespace(self, kind: Kind, namespace: str) -> str:
        return (namespace or "default") if kind.namespaced else ""

    def _live(self, kind: Kind, key: Key) -> Document:
        stored = self.storage.get(kind.bucket, key)
        if stored is None:
            raise errors.not_found(kind.plural, kind.group, key[1])
        return stored

    def _check_namespace(self, kind: Kind, name: str, namespace: str) -> None:
        found = self.storage.get(NAMESPACES, ("", namespace))
        if found is None:
            raise errors.not_found("namespaces", "", namespace)
        if at(found, "metadata", "deletionTimestamp"):
            detail = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise errors.forbidden(kind.plural, kind.group, name, detail)


def _patched(document: Document, body: Any, media_type: str, kind: Kind) -> Document:
    if media_type == patch.JSON_PATCH:
        return patch.json_patch(document, body)
    if media_type == patch.MERGE_PATCH:
        return patch.merge_patch(document, body)
    return patch.strategic_merge_patch(document, body, kind.schema)
