"""The engine's reads and guarded writes, over `KubeClient`.

Every patch tests the version it was decided on, so a write never lands on an object that somebody has changed since;
the API server answers such a test with Conflict and the engine looks again.  One field manager is used throughout, so
`kubectl get --show-managed-fields` tells what meshshift wrote.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshshift.adapters.kube import (
    AUTOSCALERS,
    DEPLOYMENTS,
    DESTINATION_RULES,
    EVENTS,
    SERVICES,
    TRAFFIC_SHIFTS,
    VIRTUAL_SERVICES,
    KubeClient,
    Resource,
)
from meshshift.core.observation import COMMAND_ANNOTATION
from meshshift.core.workloads import SCALE
from meshshift.engine.failures import Conflict, NotFound
from meshshift.engine.reconcile import FINALIZER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshshift.core.decision import Removal
    from meshshift.core.mesh.documents import ObjectRef, Patch

Document = dict[str, Any]
COMPONENT = "meshshift"
_RESOURCES = {each.kind: each for each in (VIRTUAL_SERVICES, DESTINATION_RULES, TRAFFIC_SHIFTS, DEPLOYMENTS, SERVICES)}


@dataclass(frozen=True, slots=True)
class KubeCluster:
    """Implements `meshshift.engine.ports.Cluster`; `instance` names this controller in Events."""

    client: KubeClient
    instance: str = COMPONENT

    async def read(self, ref: ObjectRef) -> Document:
        """A VirtualService, a DestinationRule, a TrafficShift, a Deployment or a Service as it is now."""
        return await self.client.get(_RESOURCES[ref.kind], ref.namespace, ref.name)

    async def autoscalers(self, namespace: str) -> list[Document]:
        """The HorizontalPodAutoscalers of a namespace; a server that has no such kind answers 404."""
        try:
            found, _ = await self.client.list(AUTOSCALERS, namespace)
        except NotFound:
            return []
        return found

    async def write_status(self, shift: Document, status: Mapping[str, Any]) -> Document:
        """Replace the whole status, so that nothing of an older one is left."""
        operations = [_unmoved(shift), {"op": "add", "path": "/status", "value": status}]
        return await self._patch_shift(shift, operations, subresource="status")

    async def add_finalizer(self, shift: Document) -> Document:
        """Add ours to whatever finalizers there are."""
        present = shift["metadata"].get("finalizers")
        path, value = ("/metadata/finalizers/-", FINALIZER) if present else ("/metadata/finalizers", [FINALIZER])
        return await self._patch_shift(shift, [_unmoved(shift), {"op": "add", "path": path, "value": value}])

    async def remove_finalizer(self, shift: Document) -> None:
        """Remove ours; the object may go with it at once."""
        finalizers = shift["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            return
        path = f"/metadata/finalizers/{finalizers.index(FINALIZER)}"
        try:
            await self._patch_shift(
                shift, [{"op": "test", "path": path, "value": FINALIZER}, {"op": "remove", "path": path}]
            )
        except NotFound:
            return

    async def remove_command(self, shift: Document, text: str) -> Document:
        """Take off the command only if it is still the one that was carried out."""
        path = f"/metadata/annotations/{COMMAND_ANNOTATION.replace('/', '~1')}"
        return await self._patch_shift(
            shift, [{"op": "test", "path": path, "value": text}, {"op": "remove", "path": path}]
        )

    async def patch(self, patch: Patch) -> Document:
        """Apply the operations of a guarded edit; one of a Scale goes to that subresource of the Deployment."""
        ref = patch.target
        if ref.kind == SCALE:
            return await self.client.patch(DEPLOYMENTS, ref.namespace, ref.name, patch.operations, subresource="scale")
        return await self.client.patch(_RESOURCES[ref.kind], ref.namespace, ref.name, patch.operations)

    async def create(self, document: Document) -> Document:
        """Create a VirtualService, a DestinationRule or a TrafficShift."""
        resource: Resource = _RESOURCES[document["kind"]]
        return await self.client.create(resource, document["metadata"]["namespace"], document)

    async def delete(self, removal: Removal) -> None:
        """Delete the object with the uid that is meant; another one of its name stays (Conflict)."""
        ref = removal.target
        with contextlib.suppress(NotFound):
            await self.client.delete(_RESOURCES[ref.kind], ref.namespace, ref.name, uid=removal.uid)

    async def emit(self, about: Document, *, name: str, warning: bool, reason: str, message: str, at: str) -> bool:
        """Record an Event; one of that name is the same Event and stays."""
        metadata = about["metadata"]
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": about.get("apiVersion", TRAFFIC_SHIFTS.api_version),
                "kind": about.get("kind", TRAFFIC_SHIFTS.kind),
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata.get("uid", ""),
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "message": message,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": self.instance,
        }
        try:
            await self.client.create(EVENTS, metadata["namespace"], event)
        except Conflict:
            return False
        return True

    async def _patch_shift(
        self, shift: Document, operations: list[dict[str, Any]], *, subresource: str | None = None
    ) -> Document:
        metadata = shift["metadata"]
        return await self.client.patch(
            TRAFFIC_SHIFTS, metadata["namespace"], metadata["name"], operations, subresource=subresource
        )


def _unmoved(document: Document) -> dict[str, Any]:
    return {"op": "test", "path": "/metadata/resourceVersion", "value": document["metadata"]["resourceVersion"]}
