"""The lab's one node: runs each pod as a local process of the sample app and reports its state, as a kubelet does.

Every pod gets a loopback address of its own from 127.0.0.0/8 (all of which is the local machine on Linux) and really
listens there on its containerPort, so pods look as they do in a cluster.  The container's command is not used:
whatever the image, the process is `meshshift.lab.app` with the container's environment.  What the tags of the image
`meshshift/sample` mean is said in `images`.

Crashed processes are started again after 1, 2, 4 … at most 30 seconds (a kubelet: 10 seconds to 5 minutes).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import random
import socket
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from meshshift.adapters.kube import PODS
from meshshift.engine.failures import ApiFailure
from meshshift.lab import background, children
from meshshift.lab.probes import Probe, container_environment
from meshshift.lab.replica_sets import NODE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from meshshift.lab.client import LabClient
    from meshshift.lab.watching import Watched

logger = logging.getLogger(__name__)

Document = dict[str, Any]
ADDRESS_ANNOTATION = "lab.meshshift.io/address"
_DEFAULT_PORT = 8080
_MAX_BACKOFF = 30.0
_MAX_GRACE = 10.0


class Addresses:
    """Hands out loopback addresses; labs on the same machine start at random places, and taken ones are skipped."""

    def __init__(self) -> None:
        self._iterator = self._all(random.randrange(16, 240), random.randrange(256))

    def take(self, port: int) -> str:
        """An address on which `port` is free; raises OSError if there is something else wrong with binding it."""
        for address in self._iterator:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((address, port))
                except OSError as error:
                    if error.errno != errno.EADDRINUSE:
                        raise
                else:
                    return address
        raise OSError(errno.EADDRNOTAVAIL, "no loopback address is left")

    def _all(self, second: int, third: int) -> Iterator[str]:
        for number in range(240 * 256):
            high, low = divmod(third + number // 254, 256)
            yield f"127.{16 + (second + high) % 239}.{low}.{1 + number % 254}"


class Node:
    """Runs the pods; an async context manager that ends them all."""

    def __init__(self, client: LabClient, pods: Watched, directory: Path) -> None:
        """`directory` takes the pods' logs."""
        self._client = client
        self._directory = directory
        self._addresses = Addresses()
        self._pods = pods
        self._running: dict[str, PodProcess] = {}
        self._closed = False

    async def __aenter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._pods.listen(self._changed)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closed = True
        await asyncio.gather(*(pod.kill() for pod in self._running.values()))

    def processes(self) -> dict[str, children.Process]:
        """The processes that run now, by pod name."""
        return {pod.name: pod.process for pod in self._running.values() if pod.process is not None}

    def _changed(self, document: Document, exists: bool) -> None:
        metadata = document["metadata"]
        runner = self._running.get(metadata["uid"])
        ending = not exists or "deletionTimestamp" in metadata
        if runner is None and not (ending or self._closed) and document["spec"].get("nodeName") == NODE_NAME:
            runner = PodProcess(self._client, document, self._addresses, self._directory, self._ended)
            self._running[metadata["uid"]] = runner
        elif runner is not None and ending:
            runner.end()

    def _ended(self, uid: str) -> None:
        self._running.pop(uid, None)


class PodProcess:
    """One pod: its process, its probe, its status."""

    def __init__(
        self,
        client: LabClient,
        document: Document,
        addresses: Addresses,
        directory: Path,
        ended: Callable[[str], None],
    ) -> None:
        metadata = document["metadata"]
        self.name: str = metadata["name"]
        self.process: children.Process | None = None
        self._namespace: str = metadata["namespace"]
        self._uid: str = metadata["uid"]
        self._client = client
        self._spec: Document = document["spec"]
        self._container: Document = self._spec["containers"][0]
        ports = self._container.get("ports") or ()
        self._port = int(ports[0]["containerPort"]) if ports else _DEFAULT_PORT
        self._address = addresses.take(self._port)
        self._log = directory / f"{self.name}.log"
        self._ended = ended
        self._ending = asyncio.Event()
        self._restarts = 0
        self._ready = False
        self._since = _now()
        self._started = _now()
        self._task = background.begin(self._run(), f"pod {self.name}")

    def end(self) -> None:
        """Begin the orderly end: SIGTERM, the pod's grace period, then removal of the object."""
        self._ending.set()

    async def kill(self) -> None:
        """End at once, without telling the API server."""
        await background.end(self._task)
        if self.process is not None:
            await self.process.stop(grace=0)

    async def _run(self) -> None:
        annotation = {"metadata": {"annotations": {ADDRESS_ANNOTATION: f"{self._address}:{self._port}"}}}
        with contextlib.suppress(ApiFailure):
            await self._client.patch(PODS, self._namespace, self.name, annotation, kind="merge")
        backoff = 1.0
        while not self._ending.is_set():
            lasted = await self._live()
            if self._ending.is_set():
                break
            self._restarts += 1
            await self._report("CrashLoopBackOff", ready=False)
            backoff = 1.0 if lasted > _MAX_BACKOFF else backoff
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), backoff)
            backoff = min(_MAX_BACKOFF, backoff * 2)
        await self._terminate()

    async def _live(self) -> float:
        """Start the process and watch it until it ends or is to end; returns how many seconds that took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        environment = container_environment(self._container, self.name, self._namespace, self._address)
        environment |= {"HOST": self._address, "PORT": environment.get("PORT", str(self._port))}
        self.process = await children.start(
            f"pod {self.name}", [sys.executable, "-m", "meshshift.lab.app"], environment=environment, log=self._log
        )
        probing = background.begin(self._probe(), f"probe {self.name}")
        exited = asyncio.ensure_future(self.process.wait())
        ending = asyncio.ensure_future(self._ending.wait())
        try:
            await asyncio.wait({exited, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await background.end(probing)
            exited.cancel()
            ending.cancel()
        return loop.time() - began

    async def _probe(self) -> None:
        """Report whenever readiness changes; a report that did not get through is repeated after the next look."""
        probe = Probe.of(self._container, self._address, self._port)
        await self._report("Running", ready=False)
        await asyncio.sleep(probe.initial_delay)
        async for ready in probe.results():
            if ready != self._ready:
                await self._report("Running", ready=ready)

    async def _terminate(self) -> None:
        if self.process is not None:
            grace = float(self._spec.get("terminationGracePeriodSeconds", _MAX_GRACE))
            await self.process.stop(min(grace, _MAX_GRACE))
        self.process = None
        with contextlib.suppress(ApiFailure):
            await self._client.remove_pod(self._namespace, self.name)
        self._ended(self._uid)

    async def _report(self, state: str, *, ready: bool) -> None:
        status = self._status(state, ready=ready)
        try:
            await self._client.patch(
                PODS, self._namespace, self.name, {"status": status}, kind="merge", subresource="status"
            )
        except ApiFailure as failure:
            logger.info("pod %s: %s", self.name, failure)
        else:
            self._ready = ready

    def _status(self, state: str, *, ready: bool) -> Document:
        if ready != self._ready:
            self._since = _now()
        word = "True" if ready else "False"
        running = state == "Running"
        conditions = [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": self._started},
            {"type": "Initialized", "status": "True", "lastTransitionTime": self._started},
            {"type": "ContainersReady", "status": word, "lastTransitionTime": self._since},
            {"type": "Ready", "status": word, "lastTransitionTime": self._since},
        ]
        detail = {"running": {"startedAt": self._started}} if running else {"waiting": {"reason": state}}
        return {
            "phase": "Running",
            "podIP": self._address,
            "podIPs": [{"ip": self._address}],
            "hostIP": "127.0.0.1",
            "startTime": self._started,
            "conditions": conditions,
            "containerStatuses": [
                {
                    "name": self._container["name"],
                    "image": self._container.get("image", ""),
                    "imageID": "",
                    "ready": ready,
                    "started": running,
                    "restartCount": self._restarts,
                    "state": detail,
                }
            ],
        }


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
