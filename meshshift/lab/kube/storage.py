"""Versioned objects with a bounded memory of what changed: the part that is etcd and watch cache in a real cluster.

One counter gives every change its resourceVersion. Each resource keeps its last `history` changes, so a watch can
resume where it broke off, and a continued list can be served as of the version at which it began; who asks for an older
version gets `410 Expired` and has to list again. Subscribers receive changes through bounded queues: one that does not
keep up is closed, it never holds back a writer.

Objects are identified by bucket (group and plural) and by namespace and name. Nothing here knows what an object means.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from meshshift.lab.kube.documents import at
from meshshift.lab.kube.errors import expired

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Bucket

QUEUE_LIMIT = 10_000

ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]
Key = tuple[str, str]
Stored = list[tuple[Key, "Document"]]
Place = tuple["Bucket", Key]
Places = list[Place]
Buckets = list["Bucket"]


@dataclass(slots=True)
class Change:
    """One write: what it did, its version, the object after it (for a deletion, the last state) and before it."""

    type: ChangeType
    revision: int
    key: Key
    object: Document
    previous: Document | None
    encoded: dict[str, bytes] = field(default_factory=dict)


class Subscription:
    """A watcher's queue. `closed` is set once it overflowed or the resource went away."""

    def __init__(self, bucket: Bucket, limit: int = QUEUE_LIMIT) -> None:
        self.bucket = bucket
        self.on_overflow: Callable[[], None] | None = None
        self._limit = limit
        self.changes: deque[Change] = deque()
        self.closed = False
        self.overflowed = False
        self._stirred = asyncio.Event()

    def offer(self, change: Change) -> None:
        """Hand over a change without waiting; a full queue closes the subscription."""
        if self.closed:
            return
        if len(self.changes) >= self._limit:
            self.overflowed = True
            self.close()
            if self.on_overflow is not None:
                self.on_overflow()
            return
        self.changes.append(change)
        self._stirred.set()

    def close(self) -> None:
        """End the subscription; what is queued may still be read unless it overflowed."""
        self.closed = True
        self._stirred.set()

    async def wait(self, seconds: float) -> None:
        """Return when there is something to read, when the subscription is closed, or after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._stirred.wait()
        except TimeoutError:
            return
        self._stirred.clear()


class Storage:
    """All stored objects and their recent history."""

    def __init__(self, history: int, queue_limit: int = QUEUE_LIMIT) -> None:
        self.revision = 1
        self._queue_limit = queue_limit
        self._limit = history
        self._objects: dict[Bucket, dict[Key, Document]] = defaultdict(dict)
        self._history: dict[Bucket, deque[Change]] = defaultdict(deque)
        self._forgotten: dict[Bucket, int] = defaultdict(int)
        self._subscribers: dict[Bucket, set[Subscription]] = defaultdict(set)
        self._places: dict[str, tuple[Bucket, Key]] = {}
        self._dependents: dict[str, dict[tuple[Bucket, Key], None]] = defaultdict(dict)

    def get(self, bucket: Bucket, key: Key) -> Document | None:
        """Return the stored object; the caller must not change it."""
        return self._objects[bucket].get(key)

    def put(self, bucket: Bucket, key: Key, document: Document) -> Document:
        """Store an object under the next resourceVersion, which is written into it."""
        before = self._objects[bucket].get(key)
        self.revision += 1
        document["metadata"]["resourceVersion"] = str(self.revision)
        if before is not None:
            self._unlink(bucket, key, before)
        self._link(bucket, key, document)
        self._objects[bucket][key] = document
        self._publish(bucket, Change("MODIFIED" if before else "ADDED", self.revision, key, document, before))
        return document

    def delete(self, bucket: Bucket, key: Key) -> Document:
        """Remove an object; its last state, with the deletion's resourceVersion, is what watchers see."""
        before = self._objects[bucket].pop(key)
        self.revision += 1
        last = {**before, "metadata": {**before["metadata"], "resourceVersion": str(self.revision)}}
        self._unlink(bucket, key, before)
        self._publish(bucket, Change("DELETED", self.revision, key, last, before))
        return last

    def list(self, bucket: Bucket, namespace: str = "") -> Stored:
        """Return a resource's objects, of one namespace or all, in order of namespace and name."""
        return sorted(_within(self._objects[bucket], namespace), key=_by_key)

    def list_as_of(self, bucket: Bucket, namespace: str, revision: int) -> Stored:
        """Return the objects as they were at an earlier version, by undoing the later changes.

        Raises:
            StatusError: 410, if the history does not reach back so far.
        """
        self.check_remembered(bucket, revision)
        objects = dict(self._objects[bucket])
        for change in reversed(self._history[bucket]):
            if change.revision <= revision:
                break
            if change.previous is None:
                objects.pop(change.key, None)
            else:
                objects[change.key] = change.previous
        return sorted(_within(objects, namespace), key=_by_key)

    def since(self, bucket: Bucket, revision: int) -> Iterator[Change]:
        """Return the changes after a version, oldest first.

        Raises:
            StatusError: 410, if the history does not reach back so far.
        """
        self.check_remembered(bucket, revision)
        return (change for change in list(self._history[bucket]) if change.revision > revision)

    def check_remembered(self, bucket: Bucket, revision: int) -> None:
        """Raise 410 if changes after the version have been forgotten."""
        forgotten = self._forgotten[bucket]
        if revision < forgotten:
            raise expired(f"too old resource version: {revision} ({forgotten})")

    def subscribe(self, bucket: Bucket) -> Subscription:
        """Start receiving a resource's changes."""
        subscription = Subscription(bucket, self._queue_limit)
        self._subscribers[bucket].add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop receiving."""
        self._subscribers[subscription.bucket].discard(subscription)

    def close_all_subscriptions(self) -> None:
        """End every watch, because the server stops or a test wants clients to reconnect."""
        for bucket in list(self._subscribers):
            self.close_subscriptions(bucket)

    def forget_history(self) -> None:
        """Drop all history, as a compaction does: every older version is 410 from now on."""
        for bucket, history in self._history.items():
            if history:
                self._forgotten[bucket] = history[-1].revision
                history.clear()

    def close_subscriptions(self, bucket: Bucket) -> None:
        """End all watches of a resource, because it is no longer served."""
        for subscription in self._subscribers.pop(bucket, set()):
            subscription.close()

    def owner_exists(self, uid: str) -> bool:
        """Tell whether an object of this uid is stored."""
        return uid in self._places

    def place_of(self, uid: str) -> tuple[Bucket, Key] | None:
        """Return where the object of this uid is stored."""
        return self._places.get(uid)

    def dependents(self, uid: str) -> Places:
        """Return where the objects are that name this uid in their ownerReferences."""
        return list(self._dependents.get(uid, ()))

    def buckets(self) -> Buckets:
        """Return every resource that holds or held objects."""
        return list(self._objects)

    def _publish(self, bucket: Bucket, change: Change) -> None:
        history = self._history[bucket]
        history.append(change)
        if len(history) > self._limit:
            self._forgotten[bucket] = history.popleft().revision
        for subscription in tuple(self._subscribers[bucket]):
            subscription.offer(change)

    def _link(self, bucket: Bucket, key: Key, document: Document) -> None:
        self._places[document["metadata"]["uid"]] = (bucket, key)
        for owner in at(document, "metadata", "ownerReferences") or ():
            self._dependents[owner.get("uid", "")][(bucket, key)] = None

    def _unlink(self, bucket: Bucket, key: Key, document: Document) -> None:
        self._places.pop(document["metadata"]["uid"], None)
        for owner in at(document, "metadata", "ownerReferences") or ():
            uid = owner.get("uid", "")
            self._dependents[uid].pop((bucket, key), None)
            if not self._dependents[uid]:
                del self._dependents[uid]


def _within(objects: dict[Key, Document], namespace: str) -> Iterator[tuple[Key, Document]]:
    return ((key, one) for key, one in objects.items() if not namespace or key[0] == namespace)


def _by_key(entry: tuple[Key, Document]) -> Key:
    return entry[0]
