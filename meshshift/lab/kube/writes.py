"""The writes: what create, update, patch, apply and delete do to an object between the request and the storage.

Each is one synchronous transaction, in the order of the real server's registry: identity, decoding (pruning, defaults),
what the server itself writes, validation, field ownership, storage. Documents handed in belong to the store from then
on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.lab.kube import apply, crds, errors, patch
from meshshift.lab.kube.admission import admit, check_identity, decode
from meshshift.lab.kube.builtin import CRD_BUCKET, NAMESPACES
from meshshift.lab.kube.deletion import DeleteOptions, Reaper
from meshshift.lab.kube.documents import Document, at, copied, metadata, name_of, namespace_of
from meshshift.lab.kube.lifecycle import (
    Options,
    check_preconditions,
    check_update,
    count_generation,
    prepare_create,
    prepare_update,
    same_content,
)
from meshshift.lab.kube.managed import Author, newborn, record_update
from meshshift.lab.kube.scale import scale_of, scaled
from meshshift.lab.kube.views import view

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.lab.kube.kinds import Kind, Registry
    from meshshift.lab.kube.storage import Key, Storage


def effective_namespace(kind: Kind, namespace: str) -> str:
    """Return the namespace an object of a kind is kept in: `default` if none is given, none if it has none."""
    return (namespace or "default") if kind.namespaced else ""


class Writes:
    """The write side of the store."""

    def __init__(self, storage: Storage, registry: Registry, clock: Callable[[], str]) -> None:
        self._storage = storage
        self._registry = registry
        self._clock = clock
        self._reaper = Reaper(storage, clock, self._unserve)

    def create(self, kind: Kind, document: Document, namespace: str, options: Options) -> Document:
        """Create an object from a document that is the store's to keep."""
        namespace = effective_namespace(kind, namespace)
        check_identity(document, kind, "", namespace)
        self._prepare_new(kind, document, namespace, options)
        author = Author(options.manager, kind.api_version, "", self._clock())
        document["metadata"].pop("managedFields", None)
        record_update(None if kind.custom else newborn(document), document, kind.schema, author)
        return self._store_new(kind, document, options)

    def update(self, kind: Kind, key: Key, document: Document, options: Options) -> Document:
        """Replace an object, or one of its subresources, by a document that is the store's to keep."""
        if options.subresource == "scale":
            return self._update_scale(kind, key, document, options)
        check_identity(document, kind, key[1], key[0])
        live = self._storage.get(kind.bucket, key)
        if live is None and kind.create_on_update and not options.subresource:
            return self.create(kind, document, key[0], options)
        return self._replace(kind, key, document, options)

    def patch(self, kind: Kind, key: Key, body: Any, media_type: str, options: Options) -> tuple[Document, bool]:
        """Patch an object; return it, and whether it was created."""
        if media_type == patch.APPLY_PATCH:
            return self._apply(kind, key, body, options)
        live = view(kind, self.live(kind, key))
        window = scale_of(live, kind.scale) if options.subresource == "scale" and kind.scale else live
        options.patching = media_type != patch.STRATEGIC_PATCH
        document = _patched(window, body, media_type, kind)
        return self.update(kind, key, document, options), False

    def delete(self, kind: Kind, key: Key, options: DeleteOptions) -> tuple[Document, bool]:
        """Delete an object; return its last state, and whether it is gone."""
        document, gone = self._reaper.delete(kind, key, options)
        return view(kind, document), gone

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
        stored = self._storage.get(kind.bucket, key)
        if stored is None:
            if options.subresource:
                raise errors.not_found(kind.plural, kind.group, key[1])
            document = apply.apply(None, intent, kind.schema, author, options.force)
            entries = document["metadata"].pop("managedFields")
            self._prepare_new(kind, document, effective_namespace(kind, key[0]), options)
            document["metadata"]["managedFields"] = entries
            return self._store_new(kind, document, options), True
        live = view(kind, stored)
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
        stored = self.live(kind, key)
        live = view(kind, stored)
        metadata(document).setdefault("namespace" if kind.namespaced else "name", key[0] if kind.namespaced else key[1])
        check_preconditions(document, live, kind)
        decode(document, kind, options)
        given = document["metadata"].get("managedFields")
        document = prepare_update(document, live, kind, options.subresource)
        document["metadata"]["name"] = key[1]
        document["metadata"]["managedFields"] = given or []
        # A status write shares everything else with the live object, which has its defaults.
        if kind.defaults and options.subresource != "status":
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
        stored = self._storage.put(kind.bucket, key, kept)
        self._reaper.settle(kind.bucket, key)
        self._reaper.collect_ownerless(kind.bucket, key)
        return view(kind, stored)

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
        if self._storage.get(kind.bucket, (namespace, name)) is not None:
            raise errors.already_exists(kind.plural, kind.group, name)
        admit(document, None, kind)

    def _store_new(self, kind: Kind, document: Document, options: Options) -> Document:
        if kind.allocate:
            kind.allocate(document)
        if options.dry_run:
            return document
        key = (namespace_of(document), name_of(document))
        stored = self._storage.put(kind.bucket, key, kind.write(document) if kind.write else document)
        if kind.bucket == CRD_BUCKET:
            served = self._serve(copied(stored))
            self._storage.put(kind.bucket, key, served)
        self._reaper.collect_ownerless(kind.bucket, key)
        return view(kind, stored)

    def _serve(self, definition: Document) -> Document:
        """Serve a definition's kinds; return the definition with the status that says so."""
        before = self._storage.get(CRD_BUCKET, ("", name_of(definition)))
        definition = {**definition, "status": crds.status_of(definition, self._registry, self._clock())}
        if crds.is_established(definition) and not (
            before and "status" in before and crds.same_schema(before, definition)
        ):
            for kind in self._registry.stored(crds.bucket_of(definition)):
                self._registry.remove(kind)
            for kind in crds.served_kinds(definition):
                self._registry.add(kind)
        return definition

    def _unserve(self, definition: Document) -> None:
        bucket = crds.bucket_of(definition)
        for kind in self._registry.stored(bucket):
            self._registry.remove(kind)
        self._storage.close_subscriptions(bucket)

    def _update_scale(self, kind: Kind, key: Key, wanted: Document, options: Options) -> Document:
        if kind.scale is None:
            raise errors.not_found(kind.plural, kind.group, key[1])
        live = view(kind, self.live(kind, key))
        document = scaled(live, wanted, kind, kind.scale)
        options.patching = False
        return scale_of(self._replace(kind, key, document, options), kind.scale)

    def live(self, kind: Kind, key: Key) -> Document:
        """Return the stored object, or raise 404."""
        stored = self._storage.get(kind.bucket, key)
        if stored is None:
            raise errors.not_found(kind.plural, kind.group, key[1])
        return stored

    def _check_namespace(self, kind: Kind, name: str, namespace: str) -> None:
        found = self._storage.get(NAMESPACES, ("", namespace))
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
