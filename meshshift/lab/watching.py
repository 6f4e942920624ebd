"""A local, current copy of all objects of one kind, as every Kubernetes controller keeps one.

List, then watch from there; when the stream ends or the version is too old, list again and report what vanished in
between.  Writers may put what the server answered into the copy, so that they do not act on what was before their own
write; an event that is older than what is there is ignored.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

from meshshift.adapters.kube import (
    DEPLOYMENTS,
    DESTINATION_RULES,
    PODS,
    REPLICA_SETS,
    SERVICES,
    VIRTUAL_SERVICES,
)
from meshshift.engine.failures import ApiFailure
from meshshift.lab import background

if TYPE_CHECKING:
    from meshshift.adapters.kube import KubeClient, Resource

logger = logging.getLogger(__name__)

Document = dict[str, Any]
Key = tuple[str, str]
Listener = Callable[[Document, bool], None]
_RETRY = 1.0
_REMEMBERED = 1000


def key_of(document: Document) -> Key:
    """Namespace and name."""
    metadata = document["metadata"]
    return (metadata.get("namespace", ""), metadata["name"])


class Watched:
    """The copy; an async context manager that is filled once it is entered."""

    def __init__(self, client: KubeClient, resource: Resource) -> None:
        self.objects: dict[Key, Document] = {}
        self._client = client
        self._resource = resource
        self._listeners: list[Listener] = []
        self._gone: deque[str] = deque(maxlen=_REMEMBERED)
        self._filled = asyncio.Event()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = background.begin(self._follow(), f"watch {self._resource.plural}")
        filled = asyncio.ensure_future(self._filled.wait())
        await asyncio.wait({self._task, filled}, return_when=asyncio.FIRST_COMPLETED)
        filled.cancel()
        if self._task.done():
            self._task.result()
        return self

    async def __aexit__(self, *_: object) -> None:
        await background.end(self._task)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; it is looked at after each change."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def caught_up(self) -> None:
        """Wait until the copy is at least as new as what the server holds now."""
        items, _ = await self._client.list(self._resource)
        await self.until(lambda: all(self._knows(item) for item in items))

    def _knows(self, item: Document) -> bool:
        """Whether the item, a newer state of it, or its end has been seen."""
        known = self.objects.get(key_of(item))
        if known is None:
            return item["metadata"].get("uid") in self._gone
        return _version(known) >= _version(item)

    def listen(self, listener: Listener) -> None:
        """Tell the listener of every object now and of every change from now on.

        It gets the object (its last state if it is gone) and whether it still exists.
        """
        self._listeners.append(listener)
        for document in tuple(self.objects.values()):
            listener(document, True)

    def put(self, document: Document) -> None:
        """Take over what the server answered to a write, or an event."""
        key = key_of(document)
        known = self.objects.get(key)
        if known is None or _version(known) < _version(document):
            self.objects[key] = document
            self._tell(document, exists=True)

    def drop(self, document: Document) -> None:
        """Take over that this object is gone; another one of the same name stays."""
        key = key_of(document)
        known = self.objects.get(key)
        if known is not None and known["metadata"].get("uid") == document["metadata"].get("uid"):
            del self.objects[key]
            self._gone.append(known["metadata"].get("uid"))
            self._tell(known, exists=False)

    def _tell(self, document: Document, *, exists: bool) -> None:
        self._changed.set()
        for listener in self._listeners:
            listener(document, exists)

    async def _follow(self) -> None:
        while True:
            try:
                since = await self._list()
                self._filled.set()
                async for event, document in self._client.watch(self._resource, since=since):
                    if event == "DELETED":
                        self.drop(document)
                    else:
                        self.put(document)
            except (ApiFailure, ValueError) as failure:  # ValueError: a line that is cut off, or no JSON
                logger.info("watch on %s: %s; listing again", self._resource.plural, failure)
                await asyncio.sleep(_RETRY)

    async def _list(self) -> str:
        items, since = await self._client.list(self._resource)
        present = {key_of(item) for item in items}
        for key in self.objects.keys() - present:
            self.drop(self.objects[key])
        for item in items:
            self.put(item)
        return since


class ClusterState:
    """The kinds that the lab acts on, each watched once however many parts of the lab look at it.

    `mesh` are those that the sidecar's configuration is made from.
    """

    def __init__(self, client: KubeClient) -> None:
        self.deployments = Watched(client, DEPLOYMENTS)
        self.replica_sets = Watched(client, REPLICA_SETS)
        self.pods = Watched(client, PODS)
        self.services = Watched(client, SERVICES)
        self.virtual_services = Watched(client, VIRTUAL_SERVICES)
        self.destination_rules = Watched(client, DESTINATION_RULES)
        self.mesh = (self.services, self.pods, self.virtual_services, self.destination_rules)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for watched in (self.deployments, self.replica_sets, *self.mesh):
            await self._stack.enter_async_context(watched)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


def _version(document: Document) -> int:
    """Resource versions are increasing numbers on every API server that matters (KEP-5504 makes that a promise)."""
    version = document["metadata"].get("resourceVersion", "0")
    return int(version) if str(version).isdigit() else 0
