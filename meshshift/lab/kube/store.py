"""The API server's semantics over the versioned storage: what create, update, patch and delete mean.

The HTTP server is a thin shell around a `Store`; tests and the lab's own controllers may also use one directly, in
process. Everything here is synchronous, so each call is one atomic transaction between two turns of the event loop.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from meshshift.lab.kube import patch
from meshshift.lab.kube.builtin import built_in_kinds
from meshshift.lab.kube.deletion import DeleteOptions
from meshshift.lab.kube.documents import Document, copied, name_of, namespace_of
from meshshift.lab.kube.istio import istio_definitions
from meshshift.lab.kube.kinds import Kind, Registry
from meshshift.lab.kube.lifecycle import Options
from meshshift.lab.kube.selectors import field_selector, label_selector
from meshshift.lab.kube.storage import Storage
from meshshift.lab.kube.views import view
from meshshift.lab.kube.writes import Writes, effective_namespace

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
        writes: the same writes by kind and key, as the HTTP server makes them.
    """

    def __init__(self, history: int = 4096, clock: Callable[[], str] = utc_now) -> None:
        self.registry = Registry()
        self.storage = Storage(history)
        self.writes = Writes(self.storage, self.registry, clock)
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
            A copy of the stored object.

        Raises:
            StatusError: what the API server would answer.
        """
        kind = self._kind_of(document)
        made = self.writes.create(kind, copied(document), namespace_of(document), options or Options())
        return _copy(made)

    def update(self, document: Document, options: Options | None = None) -> Document:
        """Replace an object, or with `options.subresource="status"` its status."""
        kind = self._kind_of(document)
        key = self._key(kind, name_of(document), namespace_of(document))
        return _copy(self.writes.update(kind, key, copied(document), options or Options()))

    def get(self, kind: Kind | str, name: str, namespace: str = "") -> Document:
        """Return a copy of an object; the namespace defaults to `default`.

        Raises:
            StatusError: 404, if there is none.
        """
        found = self.kind(kind)
        return _copy(view(found, self.writes.live(found, self._key(found, name, namespace))))

    def list(self, kind: Kind | str, namespace: str = "", labels: str = "", fields: str = "") -> list[Document]:
        """Return copies of the objects of a kind, in one namespace or (the default) in all, narrowed by selectors."""
        found = self.kind(kind)
        tests = [test for test in (label_selector(labels), field_selector(fields, found)) if test]
        stored = self.storage.list(found.bucket, namespace)
        return [_copy(view(found, one)) for _, one in stored if all(test(one) for test in tests)]

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
        key = self._key(found, name, namespace)
        return _copy(self.writes.patch(found, key, copied(body), media_type, options or Options())[0])

    def delete(
        self, kind: Kind | str, name: str, namespace: str = "", options: DeleteOptions | None = None
    ) -> tuple[Document, bool]:
        """Delete an object; return its last state, and whether it is gone or only marked."""
        found = self.kind(kind)
        last, gone = self.writes.delete(found, self._key(found, name, namespace), options or DeleteOptions())
        return _copy(last), gone

    def _kind_of(self, document: Document) -> Kind:
        api_version, name = str(document.get("apiVersion")), str(document.get("kind"))
        found = self.registry.of_object(api_version, name)
        if found is None:
            raise LookupError(
                f"no kind {name!r} is served in {api_version!r}; create its CustomResourceDefinition first"
            )
        return found

    def _key(self, kind: Kind, name: str, namespace: str) -> Key:
        return effective_namespace(kind, namespace), name


def _copy(document: Document) -> Document:
    copy: Document = copied(document)
    return copy
