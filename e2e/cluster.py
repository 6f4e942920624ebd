"""What the tests do to a cluster, by its API alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import yaml

from meshshift.adapters.kube import DEPLOYMENTS, DESTINATION_RULES, TRAFFIC_SHIFTS, VIRTUAL_SERVICES, KubeClient
from meshshift.engine.failures import Conflict, NotFound

Document = dict[str, Any]
NAMESPACE, NAME = "bookinfo", "reviews"
SAMPLE = Path(__file__).parents[1] / "istio"


class Cluster(KubeClient):
    """A connection with the questions that the tests ask."""

    @classmethod
    async def connect(cls, kubeconfig: Path | None = None, context: str | None = None) -> Self:
        """Connect to the cluster of a kubeconfig."""
        return await super().connect(kubeconfig, context)

    async def clean(self) -> None:
        """No TrafficShift, and the sample's own VirtualService and DestinationRule."""
        with contextlib.suppress(NotFound):
            await self.delete(TRAFFIC_SHIFTS, NAMESPACE, NAME)
        await self.until(lambda status: status is None)
        for resource, name in ((DESTINATION_RULES, "destinationrule"), (VIRTUAL_SERVICES, "virtualservice")):
            document = yaml.safe_load((SAMPLE / f"{name}.yaml").read_text())
            await self.patch(resource, NAMESPACE, NAME, {"spec": document["spec"]}, kind="merge")

    async def deploy(self, version: str) -> None:
        """The sample's Deployment of this version, rolled out."""
        document = yaml.safe_load((SAMPLE / f"versions/reviews-{version}.yaml").read_text())
        try:
            await self.create(DEPLOYMENTS, NAMESPACE, document)
        except Conflict:
            await self.patch(DEPLOYMENTS, NAMESPACE, document["metadata"]["name"], document, kind="merge")
        async with asyncio.timeout(120):
            while not await self._is_ready(document["metadata"]["name"]):  # noqa: ASYNC110 - as kubectl would
                await asyncio.sleep(0.5)

    async def shift(self, canary: str, **spec: Any) -> None:
        """A TrafficShift from v1 in quick steps."""
        steps = {"steps": [{"setWeight": weight} for weight in (5, 25, 50)], "minStepDuration": "5s"}
        base = {
            "service": NAME,
            "stable": {"subset": "v1"},
            "canary": {"subset": canary},
            "strategy": {"canary": steps},
            "analysis": {"interval": "2s", "warmup": "0s"},
        }
        metadata = {"name": NAME, "namespace": NAMESPACE}
        document = {"apiVersion": TRAFFIC_SHIFTS.api_version, "kind": TRAFFIC_SHIFTS.kind}
        await self.create(TRAFFIC_SHIFTS, NAMESPACE, {**document, "metadata": metadata, "spec": base | spec})

    async def command(self, text: str) -> None:
        """kubectl annotate."""
        annotation = {"metadata": {"annotations": {"meshshift.io/command": text}}}
        await self.patch(TRAFFIC_SHIFTS, NAMESPACE, NAME, annotation, kind="merge")

    async def status(self) -> Document | None:
        """The shift's status; None if there is no shift."""
        try:
            shift = await self.get(TRAFFIC_SHIFTS, NAMESPACE, NAME)
        except NotFound:
            return None
        return dict(shift.get("status") or {})

    async def until(self, condition: Callable[[Document | None], bool], seconds: float = 300) -> Document | None:
        """Wait for a status; TimeoutError with the last one."""
        status = await self.status()
        try:
            async with asyncio.timeout(seconds):
                while not condition(status):
                    await asyncio.sleep(0.2)
                    status = await self.status()
        except TimeoutError:
            said = status or {}
            raise TimeoutError(f"{said.get('phase')} {said.get('reason')}: {said.get('message')}") from None
        return status

    async def weights(self) -> dict[str, int]:
        """The weights of the route, by subset."""
        service = await self.get(VIRTUAL_SERVICES, NAMESPACE, NAME)
        route = service["spec"]["http"][0]["route"]
        return {each["destination"]["subset"]: each.get("weight", 0) for each in route}

    async def _is_ready(self, name: str) -> bool:
        deployment = await self.get(DEPLOYMENTS, NAMESPACE, name)
        status = deployment.get("status") or {}
        current = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 1)
        return bool(current and status.get("availableReplicas", 0) == deployment["spec"].get("replicas", 1))
