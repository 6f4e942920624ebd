"""What a container asks of its kubelet: environment variables and readiness probes, as far as the lab has them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshshift.lab.images import image_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Document = dict[str, Any]


def container_environment(container: Document, pod: str, namespace: str, address: str) -> dict[str, str]:
    """What the image brings along, then the container's variables: plain values, and of the downward API the pod's
    name, namespace and address.
    """
    fields = {"metadata.name": pod, "metadata.namespace": namespace, "status.podIP": address}
    out = {"POD_NAME": pod, **image_environment(container.get("image", ""))}
    for variable in container.get("env") or ():
        reference = ((variable.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath")
        value = fields.get(reference) if reference else variable.get("value", "")
        if value is not None:
            out[variable["name"]] = str(value)
    return out


@dataclass(frozen=True, slots=True)
class Probe:
    """A readiness probe, times in seconds; a container without one is ready as soon as its port can be connected to."""

    address: str
    port: int
    path: str | None
    initial_delay: float
    period: float
    timeout: float
    failures: int
    successes: int

    @classmethod
    def of(cls, container: Document, address: str, port: int) -> Probe:
        """The container's readinessProbe (httpGet or tcpSocket) with Kubernetes' defaults."""
        wish = container.get("readinessProbe") or {"periodSeconds": 1}
        action = wish.get("httpGet") or wish.get("tcpSocket") or {}
        return cls(
            address=address,
            port=_port(action.get("port"), container, port),
            path=action.get("path", "/") if "httpGet" in wish else None,
            initial_delay=float(wish.get("initialDelaySeconds", 0)),
            period=float(wish.get("periodSeconds", 10)),
            timeout=float(wish.get("timeoutSeconds", 1)),
            failures=int(wish.get("failureThreshold", 3)),
            successes=int(wish.get("successThreshold", 1)),
        )

    async def results(self) -> AsyncIterator[bool]:
        """Probe for ever; yields readiness after each look, with the thresholds applied.

        Until the first success the looks are ten times as frequent: a start should not take the length of a period.
        """
        ready = ever = False
        streak = 0
        while True:
            good = await self._look()
            streak = streak + 1 if good != ready else 0
            if streak >= (self.successes if good else self.failures):
                ready, streak = good, 0
            ever = ever or ready
            yield ready
            await asyncio.sleep(self.period if ever else min(self.period, 1.0) / 10)

    async def _look(self) -> bool:
        try:
            async with asyncio.timeout(self.timeout):
                reader, writer = await asyncio.open_connection(self.address, self.port)
                try:
                    if self.path is None:
                        return True
                    head = f"GET {self.path} HTTP/1.1\r\nhost: {self.address}\r\nconnection: close\r\n\r\n"
                    writer.write(head.encode("latin-1"))
                    line = await reader.readline()
                    return 200 <= int(line.split(b" ")[1]) < 400
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError, IndexError):
            return False


def _port(wish: int | str | None, container: Document, default: int) -> int:
    if wish is None:
        return default
    for offered in container.get("ports") or ():
        if offered.get("name") == wish:
            return int(offered["containerPort"])
    return int(wish)
