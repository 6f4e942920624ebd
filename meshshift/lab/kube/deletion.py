"""Deletion: finalizers, owners, namespaces and definitions, and the content that goes with them.

An object with finalizers is only marked; the write that removes the last finalizer ends it. What an object owns goes
when it goes (unless orphaned), the content of a namespace and the objects of a CustomResourceDefinition go first, and
either stays `Terminating` while finalizers hold any of them. A real cluster does this in controllers, moments later;
here it happens within the same write, so a test need not wait for it. A pod on a node is left to that node: it is
marked, and ends when the node deletes it without a further grace period.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from meshshift.lab.kube import errors
from meshshift.lab.kube.builtin import CRD_BUCKET, NAMESPACES, PODS
from meshshift.lab.kube.crds import bucket_of, name_of_bucket
from meshshift.lab.kube.documents import at

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Bucket, Kind
    from meshshift.lab.kube.storage import Key, Storage

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
CRD_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"

Propagation = Literal["Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """What a deletion asks for: what becomes of dependents, and what must hold for it to happen at all.

    `grace` is how many seconds a pod may take to end; None leaves that to the pod.
    """

    propagation: Propagation = "Background"
    uid: str = ""
    resource_version: str = ""
    grace: int | None = None
    dry_run: bool = False


class Reaper:
    """Ends objects, and whatever their end entails."""

    def __init__(self, storage: Storage, clock: Callable[[], str], unserve: Callable[[Document], None]) -> None:
        self._storage = storage
        self._clock = clock
        self._unserve = unserve
        # What is being finished further up the stack; it looks after its content itself.
        self._busy: set[tuple[Bucket, Key]] = set()

    def delete(self, kind: Kind, key: Key, options: DeleteOptions) -> tuple[Document, bool]:
        """Delete an object, or mark it if something holds it.

        Returns:
            The object's last state, and whether it is gone.

        Raises:
            StatusError: 404, or 409 if a precondition fails.
        """
        live = self._storage.get(kind.bucket, key)
        if live is None:
            raise errors.not_found(kind.plural, kind.group, key[1])
        _check_preconditions(live, kind, options)
        if options.dry_run:
            return live, not at(live, "metadata", "finalizers")
        self._end(kind.bucket, key, options.propagation, options.grace)
        after = self._storage.get(kind.bucket, key)
        return (live, True) if after is None or after["metadata"]["uid"] != live["metadata"]["uid"] else (after, False)

    def settle(self, bucket: Bucket, key: Key) -> None:
        """Finish an object that is marked for deletion and no longer held; called after every update."""
        document = self._storage.get(bucket, key)
        if document is not None and at(document, "metadata", "deletionTimestamp"):
            self._finish_unless_busy(bucket, key, document)

    def collect_ownerless(self, bucket: Bucket, key: Key) -> None:
        """Delete an object that names owners none of which exist, as the garbage collector does; after every write."""
        document = self._storage.get(bucket, key)
        owners = at(document, "metadata", "ownerReferences")
        if not owners or at(document, "metadata", "deletionTimestamp"):
            return
        if not any(self._storage.owner_exists(one.get("uid", "")) for one in owners):
            self._end(bucket, key, "Background")

    def _end(self, bucket: Bucket, key: Key, propagation: Propagation, asked_grace: int | None = None) -> None:
        document = self._storage.get(bucket, key)
        if document is None:
            return
        grace = _grace(bucket, document, asked_grace)
        finalizers = list(at(document, "metadata", "finalizers") or ())
        extra = {"Foreground": FOREGROUND, "Orphan": ORPHAN}.get(propagation)
        if bucket == CRD_BUCKET:
            extra = CRD_FINALIZER
        if extra and extra not in finalizers:
            finalizers.append(extra)
        if finalizers or grace or bucket == NAMESPACES:
            document = self._mark(bucket, key, document, finalizers, grace)
            self._finish_unless_busy(bucket, key, document)
        else:
            self._finish(bucket, key)

    def _mark(self, bucket: Bucket, key: Key, document: Document, finalizers: list[str], grace: int) -> Document:
        meta = dict(document["metadata"])
        if finalizers:
            meta["finalizers"] = finalizers
        if "deletionTimestamp" not in meta:
            meta |= {"deletionTimestamp": _later(self._clock(), grace), "deletionGracePeriodSeconds": grace}
            if "generation" in meta:
                meta["generation"] += 1
        meta["deletionGracePeriodSeconds"] = min(grace, meta["deletionGracePeriodSeconds"])
        marked = {**document, "metadata": meta}
        if bucket == NAMESPACES:
            marked["status"] = {**(document.get("status") or {}), "phase": "Terminating"}
        if marked == document:
            return document
        return self._storage.put(bucket, key, marked)

    def _finish_unless_busy(self, bucket: Bucket, key: Key, document: Document) -> None:
        if (bucket, key) in self._busy:
            return
        self._busy.add((bucket, key))
        try:
            self._try_to_finish(bucket, key, document)
        finally:
            self._busy.discard((bucket, key))

    def _try_to_finish(self, bucket: Bucket, key: Key, document: Document) -> None:
        if at(document, "metadata", "deletionGracePeriodSeconds"):
            return
        finalizers = list(at(document, "metadata", "finalizers") or ())
        for own, carry_out in ((ORPHAN, self._orphan), (FOREGROUND, self._collect), (CRD_FINALIZER, self._empty)):
            if own in finalizers and carry_out(document):
                finalizers.remove(own)
        if bucket == NAMESPACES and not self._clear_namespace(key[1]):
            return
        if not finalizers:
            if self._storage.get(bucket, key) is not None:
                self._finish(bucket, key)
        elif finalizers != document["metadata"].get("finalizers"):
            self._storage.put(bucket, key, {**document, "metadata": {**document["metadata"], "finalizers": finalizers}})

    def _finish(self, bucket: Bucket, key: Key) -> None:
        last = self._storage.delete(bucket, key)
        if bucket == CRD_BUCKET:
            self._unserve(last)
        self._collect(last)
        self._look_at_holders(bucket, key, last)

    def _collect(self, owner: Document) -> bool:
        """Delete what an object owned alone; take it off the owners of the rest."""
        uid = owner["metadata"]["uid"]
        for bucket, key in self._storage.dependents(uid):
            document = self._storage.get(bucket, key)
            if document is None:
                continue
            others = [one for one in document["metadata"]["ownerReferences"] if one.get("uid") != uid]
            if any(self._storage.owner_exists(one.get("uid", "")) for one in others):
                self._set_owners(bucket, key, document, others)
            elif not at(document, "metadata", "deletionTimestamp"):
                self._end(bucket, key, "Background")
        return not self._storage.dependents(uid)

    def _orphan(self, owner: Document) -> bool:
        uid = owner["metadata"]["uid"]
        for bucket, key in self._storage.dependents(uid):
            document = self._storage.get(bucket, key)
            if document is not None:
                others = [one for one in document["metadata"]["ownerReferences"] if one.get("uid") != uid]
                self._set_owners(bucket, key, document, others)
        return True

    def _set_owners(self, bucket: Bucket, key: Key, document: Document, owners: list[Any]) -> None:
        meta = {**document["metadata"], "ownerReferences": owners}
        if not owners:
            del meta["ownerReferences"]
        self._storage.put(bucket, key, {**document, "metadata": meta})

    def _empty(self, definition: Document) -> bool:
        bucket = bucket_of(definition)
        return self._clear([(bucket, key) for key, _ in self._storage.list(bucket)])

    def _clear_namespace(self, namespace: str) -> bool:
        held = [(bucket, key) for bucket in self._storage.buckets() for key, _ in self._storage.list(bucket, namespace)]
        return self._clear([one for one in held if one[0] != NAMESPACES])

    def _clear(self, content: list[tuple[Bucket, Key]]) -> bool:
        for bucket, key in content:
            document = self._storage.get(bucket, key)
            if document is not None and not at(document, "metadata", "deletionTimestamp"):
                self._end(bucket, key, "Background")
        return all(self._storage.get(bucket, key) is None for bucket, key in content)

    def _look_at_holders(self, bucket: Bucket, key: Key, last: Document) -> None:
        """Finish what was waiting for this object to go: its namespace, its definition, its owners."""
        if key[0]:
            self.settle(NAMESPACES, ("", key[0]))
        if bucket[0]:
            self.settle(CRD_BUCKET, ("", name_of_bucket(bucket)))
        for owner in at(last, "metadata", "ownerReferences") or ():
            place = self._storage.place_of(owner.get("uid", ""))
            if place:
                self.settle(*place)


def _grace(bucket: Bucket, document: Document, asked: int | None) -> int:
    """Return how many seconds a pod may take to end; 0 for one that nobody runs, and for everything else.

    Follows `CheckGracefulDelete` in k8s.io/kubernetes/pkg/registry/core/pod/strategy.go.
    """
    over = at(document, "status", "phase") in {"Succeeded", "Failed"}
    if bucket != PODS or over or not at(document, "spec", "nodeName"):
        return 0
    grace = at(document, "spec", "terminationGracePeriodSeconds") if asked is None else asked
    return max(int(grace or 0), 0)


def _later(moment: str, seconds: int) -> str:
    if not seconds:
        return moment
    return (datetime.fromisoformat(moment) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_preconditions(live: Document, kind: Kind, options: DeleteOptions) -> None:
    meta = live["metadata"]
    wanted = (
        ("UID", options.uid, meta["uid"], "deleted and then recreated"),
        ("ResourceVersion", options.resource_version, meta["resourceVersion"], "modified"),
    )
    for title, given, actual, fate in wanted:
        if given and given != actual:
            detail = (
                f"the {title} in the precondition ({given}) does not match the {title} in record ({actual}). "
                f"The object might have been {fate}"
            )
            # This refusal alone names the kind where others name the resource (registry/rest/delete.go).
            raise errors.conflict(kind.kind, kind.group, meta["name"], detail)
