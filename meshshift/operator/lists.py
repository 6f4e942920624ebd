"""Lists that make good what watches lose.

Watches can fail without a word: a connection that died half-way delivers nothing and breaks nothing, and after a 410
kopf lists what is there, but nobody tells it of what was deleted meanwhile.  Three things bound how long the caches can
be wrong:

- within `SILENCE` seconds kopf notices that a stream has gone silent, since the API server sends a bookmark every
  minute, and goes on from where it was;
- when kopf lists a kind again (410), that kind is listed here too, a second later, and what is gone goes;
- everything is listed every `--resync` (5 min), whatever the watches say.

What a list brings and no watch tells of until the next list was missed; it is counted, and is worth an alert.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshshift.engine.failures import ApiFailure, Transient
from meshshift.operator.watches import Feed, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from meshshift.adapters.kube import KubeClient, Resource

log = logging.getLogger("meshshift.operator")
GATHER = 1.0
"""Seconds in which the wishes for a list are gathered: a broken connection takes all watches with it."""
AGAIN_FIRST, AGAIN_MOST = 2.0, 60.0
"""Seconds until a list that failed is tried again, doubling."""


@dataclass
class Lists:
    """Lists into `feed`: all kinds once at first, then all of them every `every` seconds, and single ones on demand."""

    client: KubeClient
    feed: Feed
    namespaces: tuple[str, ...]
    every: float
    _wanted: dict[str, Resource] = field(default_factory=dict)
    _asked: asyncio.Event = field(default_factory=asyncio.Event)

    def want(self, resource: Resource) -> None:
        """Let a kind be listed soon."""
        self._wanted[resource.plural] = resource
        self._asked.set()

    async def fill(self, tell: Callable[[str], None]) -> None:
        """List everything; `tell` is told what is in the way, and of nothing once it succeeded.

        Before this, nothing may be decided: a pod that is not known yet is not a pod that is gone.
        """
        while True:
            try:
                await self._list(watched(self.feed.world))
            except ApiFailure as failure:
                trouble = f"{failure}; are the CRDs of Istio and meshshift installed, and may we list them?"
                tell(trouble)
                log.warning("cannot list what is to be watched yet: %s", trouble)
                await asyncio.sleep(_after(failure, AGAIN_FIRST))
            else:
                tell("")
                return

    async def run(self) -> None:
        """List what is wanted, and everything now and then, until cancelled."""
        loop = asyncio.get_running_loop()
        everything = loop.time() + self.every
        delay = AGAIN_FIRST
        while True:
            if not await self._wished(everything - loop.time()):
                everything = loop.time() + self.every
                self._wanted.update((resource.plural, resource) for resource in watched(self.feed.world))
            try:
                for resource in list(self._wanted.values()):
                    await self._list((resource,))
                    del self._wanted[resource.plural]
            except ApiFailure as failure:
                pause = _after(failure, delay)
                delay = min(2 * delay, AGAIN_MOST)
                log.warning("could not list afresh, trying again in %.0f s: %s", pause, failure)
                await asyncio.sleep(pause)
                self._asked.set()
            else:
                delay = AGAIN_FIRST

    async def _wished(self, within: float) -> bool:
        """Wait for a wish and those that come with it; False if there is none within so many seconds."""
        try:
            async with asyncio.timeout(within):
                await self._asked.wait()
        except TimeoutError:
            return False
        await asyncio.sleep(GATHER)
        self._asked.clear()
        return True

    async def _list(self, resources: Iterable[Resource]) -> None:
        for resource in resources:
            lists = [await self.client.list(resource, namespace) for namespace in self.namespaces or (None,)]
            oldest = min((version for _, version in lists), key=lambda version: (len(version), version))
            self.feed.replace(resource, [document for documents, _ in lists for document in documents], oldest)


def _after(failure: ApiFailure, delay: float) -> float:
    asked = failure.retry_after if isinstance(failure, Transient) else None
    return max(delay, asked or 0.0)
