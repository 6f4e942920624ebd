"""When to push: changes are gathered for 100 ms of quiet, at most 10 s, as istiod does (PILOT_DEBOUNCE_AFTER, _MAX)."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Self

import httpx

from meshshift.lab import background
from meshshift.lab.envoy.snapshot import Snapshot, translate
from meshshift.lab.envoy.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshshift.lab.envoy.proxy import EnvoyProxy
    from meshshift.lab.watching import ClusterState

logger = logging.getLogger(__name__)

_QUIET = 0.1
_LONGEST = 10.0
_EMPTY = Snapshot(clusters={}, endpoints={}, routes={}, ignored=(), missing={})


class Pusher:
    """Keeps one Envoy current with the API server; an async context manager that has pushed once when entered."""

    def __init__(
        self,
        state: ClusterState,
        proxy: EnvoyProxy,
        *,
        client_namespace: str,
        client_labels: Mapping[str, str],
    ) -> None:
        self.snapshot = _EMPTY
        self.pushes = 0
        self._state = state
        self._proxy = proxy
        self._namespace = client_namespace
        self._labels = dict(client_labels)
        self._changed_at: float | None = None
        self._wake = asyncio.Event()
        self._pushed = asyncio.Event()
        self._reported: set[str] = set()
        self._rejections: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._checking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        for watched in self._state.mesh:
            watched.listen(self._changed)
        self._push()
        self._task = background.begin(self._work(), "push")
        return self

    async def __aexit__(self, *_: object) -> None:
        await background.end(self._task, self._checking)

    def missing(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """Clusters that routes use and that do not exist, as of the last push."""
        return self.snapshot.missing

    async def settled(self) -> None:
        """Wait until Envoy works by everything that is known here now.

        Never ends if Envoy refuses the configuration; its refusal is logged.
        """
        while self._wake.is_set():
            self._pushed.clear()
            await self._pushed.wait()
        await self._proxy.until_applied(lambda: self.snapshot)

    def _changed(self, _document: dict[str, Any], _exists: bool) -> None:
        self._changed_at = asyncio.get_running_loop().time()
        self._wake.set()

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            await self._debounce()
            self._wake.clear()
            if self._push() and (self._checking is None or self._checking.done()):
                self._checking = background.begin(self._look_for_rejections(), "check of what Envoy refused")
            self._pushed.set()

    async def _debounce(self) -> None:
        clock = asyncio.get_running_loop().time
        deadline = clock() + _LONGEST
        while True:
            quiet_at = min((self._changed_at or 0.0) + _QUIET, deadline)
            if quiet_at <= clock():
                return
            await asyncio.sleep(quiet_at - clock())

    def _push(self) -> bool:
        try:
            self.snapshot = self._translate()
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # Istio's admission webhook would have refused such a document; here the mesh keeps its last good state.
            logger.error("a document cannot be translated (%s: %s); nothing is pushed", type(error).__name__, error)
            return False
        for line in self.snapshot.ignored:
            if line not in self._reported:
                self._reported.add(line)
                logger.warning("%s", line)
        changed = self._proxy.push(self.snapshot)
        self.pushes += changed
        return changed

    def _translate(self) -> Snapshot:
        world = World.of(
            services=self._state.services.objects.values(),
            pods=self._state.pods.objects.values(),
            virtual_services=self._state.virtual_services.objects.values(),
            destination_rules=self._state.destination_rules.objects.values(),
            client_namespace=self._namespace,
        )
        return translate(world, self._labels, self._proxy.endpoint_directory)

    async def _look_for_rejections(self) -> None:
        """Say it aloud when Envoy keeps its old configuration because the new one is impossible."""
        await asyncio.sleep(_QUIET)
        try:
            rejections = await self._proxy.rejected()
        except httpx.HTTPError as error:
            logger.warning("Envoy's admin interface does not answer: %s", error)
            return
        if rejections != self._rejections:
            self._rejections = rejections
            logger.error("Envoy refused configuration: %s; see its log for why", ", ".join(sorted(rejections)))
