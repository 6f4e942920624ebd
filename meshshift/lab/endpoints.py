"""EndpointSlices of the Services, so that `kubectl describe service` shows what the mesh sends traffic to.

The mesh itself does not read them (`envoy.world` looks at pods, as the selectors and readiness are all there is to it);
they are for people, and for controllers that wait for ready endpoints.

The lab's pods live on loopback addresses, and Kubernetes refuses those in a slice (`ValidateEndpointIP`).  So a slice
names each pod by what cluster DNS would call it, `<address with dashes>.<namespace>.pod.cluster.local`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Self

from meshshift.adapters.kube import ENDPOINT_SLICES
from meshshift.engine.failures import ApiFailure, Conflict, NotFound
from meshshift.lab import background
from meshshift.lab.envoy.world import selects, serves, target_port
from meshshift.lab.watching import key_of

if TYPE_CHECKING:
    from meshshift.lab.client import LabClient
    from meshshift.lab.watching import ClusterState, Key

logger = logging.getLogger(__name__)

Document = dict[str, Any]


class Endpoints:
    """Keeps one slice per Service; an async context manager."""

    def __init__(self, client: LabClient, state: ClusterState) -> None:
        self._client = client
        self._state = state
        self._written: dict[Key, Document] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        for watched in (self._state.services, self._state.pods):
            watched.listen(self._changed)
        self._task = background.begin(self._work(), "endpoints")
        return self

    async def __aexit__(self, *_: object) -> None:
        await background.end(self._task)

    def _changed(self, _document: Document, _exists: bool) -> None:
        self._wake.set()

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            for key in self._written.keys() - self._state.services.objects.keys():
                await self._remove(key)
            for service in tuple(self._state.services.objects.values()):
                if (service["spec"] or {}).get("selector"):
                    await self._write(service)

    async def _write(self, service: Document) -> None:
        key = key_of(service)
        body = endpoint_slice(service, list(self._state.pods.objects.values()))
        if self._written.get(key) == body:
            return
        try:
            try:
                await self._client.create(ENDPOINT_SLICES, key[0], body)
            except Conflict:
                await self._client.patch(ENDPOINT_SLICES, key[0], body["metadata"]["name"], body, kind="merge")
            self._written[key] = body
        except ApiFailure as failure:
            logger.info("endpoints of %s/%s: %s; trying again", *key, failure)
            asyncio.get_running_loop().call_later(0.5, self._wake.set)

    async def _remove(self, key: Key) -> None:
        body = self._written.pop(key)
        try:
            await self._client.delete(ENDPOINT_SLICES, key[0], body["metadata"]["name"])
        except NotFound:
            return
        except ApiFailure as failure:
            logger.info("endpoints of %s/%s: %s", *key, failure)


def endpoint_slice(service: Document, pods: list[Document]) -> Document:
    """The slice of a Service: every pod that it selects and that has an address, ready or not."""
    metadata = service["metadata"]
    chosen = [pod for pod in pods if selects(service, pod) and (pod.get("status") or {}).get("podIP")]
    chosen.sort(key=lambda pod: str(pod["metadata"]["name"]))
    ports = []
    for port in service["spec"].get("ports") or ():
        number = next((target_port(port, pod) for pod in chosen), port["port"])
        ports.append({"name": port.get("name", ""), "port": number, "protocol": port.get("protocol", "TCP")})
    return {
        "apiVersion": ENDPOINT_SLICES.api_version,
        "kind": ENDPOINT_SLICES.kind,
        "metadata": {
            "name": f"{metadata['name']}-lab",
            "namespace": metadata["namespace"],
            "labels": {
                "kubernetes.io/service-name": metadata["name"],
                "endpointslice.kubernetes.io/managed-by": "meshshift-lab",
            },
            "ownerReferences": [
                {
                    "apiVersion": "v1",
                    "kind": "Service",
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "addressType": "FQDN",
        "endpoints": [_endpoint(pod) for pod in chosen],
        "ports": ports,
    }


def _endpoint(pod: Document) -> Document:
    ready = serves(pod)
    terminating = "deletionTimestamp" in pod["metadata"]
    return {
        "addresses": [f"{pod['status']['podIP'].replace('.', '-')}.{pod['metadata']['namespace']}.pod.cluster.local"],
        "conditions": {"ready": ready, "serving": ready, "terminating": terminating},
        "nodeName": pod["spec"].get("nodeName", ""),
        "targetRef": {
            "kind": "Pod",
            "name": pod["metadata"]["name"],
            "namespace": pod["metadata"]["namespace"],
            "uid": pod["metadata"]["uid"],
        },
    }
