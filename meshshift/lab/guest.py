"""Manners on an API server that is not the lab's own: not to enter where others work, and to leave it as it was.

The lab is Deployment controller, endpoint controller and kubelet in one.  On a cluster with nodes there are others of
each, and whatever runs there is somebody's: a mistyped `--kubeconfig` must not reach it.  At the end the lab deletes
what it created, the newest first, while its controllers still run to let go of what that owns.  What the controller
under test has made for a Service that opted in is owned by it, and goes when the Service cannot ask for it any more.

Two kinds stay, and are named to the user.  Deleting a CustomResourceDefinition would delete everybody's objects of
that kind; and a bare API server has no controller that would ever finish the deletion of a Namespace.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshshift.adapters.kube import (
    DEPLOYMENTS,
    DESTINATION_RULES,
    ENDPOINT_SLICES,
    PODS,
    REPLICA_SETS,
    TRAFFIC_SHIFTS,
    VIRTUAL_SERVICES,
    Resource,
)
from meshshift.engine.failures import ApiFailure, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshshift.adapters.kube import Document
    from meshshift.lab.client import LabClient

logger = logging.getLogger(__name__)

NODES = Resource("", "v1", "Node", "nodes", namespaced=False)
STAYING = frozenset({"Namespace", "CustomResourceDefinition"})
_OF_OPTED_IN = (TRAFFIC_SHIFTS, VIRTUAL_SERVICES, DESTINATION_RULES, DEPLOYMENTS)
"""No controller of the lab deletes these with their owners, as Kubernetes' garbage collector would."""
_OF_WORKLOADS = (REPLICA_SETS, PODS, ENDPOINT_SLICES)
_OWNED = (*_OF_OPTED_IN, *_OF_WORKLOADS)
_PATIENCE = 5.0
_LOOK_AGAIN = 0.1
_SHOWN = 3


class InhabitedClusterError(RuntimeError):
    """The API server has nodes; the message names some, and what to do."""


@dataclass(frozen=True, slots=True)
class Belonging:
    """One object that the lab created, or that such an object owns."""

    resource: Resource
    namespace: str | None
    name: str
    uid: str

    @classmethod
    def of(cls, resource: Resource, document: Document) -> Belonging:
        """The object that the server answered with."""
        metadata = document["metadata"]
        return cls(resource, metadata.get("namespace"), metadata["name"], metadata["uid"])

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.resource.kind} {place}{self.name}"


async def refuse_nodes(client: LabClient) -> None:
    """Raise InhabitedClusterError if somebody's workloads may run on this cluster."""
    nodes, _ = await client.list(NODES)
    if not nodes:
        return
    names = [str(node["metadata"]["name"]) for node in nodes]
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    raise InhabitedClusterError(
        f"kubeconfig: the cluster at {client.configuration.host} has nodes ({shown}), and the lab's controllers would "
        "compete with its own; name a bare API server, or say --allow-nodes if this cluster is yours to play with"
    )


async def remove_created(client: LabClient, patience: float = _PATIENCE) -> tuple[Belonging, ...]:
    """Delete what the client created, the newest first, and wait until it is gone with all that it owns.

    Waits at most `patience` seconds for each.  Returns what is left: what stays on purpose, and what would not go.
    """
    created = [Belonging.of(resource, document) for resource, document in client.created]
    going = [one for one in reversed(created) if one.resource.kind not in STAYING]
    left = [one for one in created if one.resource.kind in STAYING]
    try:
        owned = await _owned_by(client, going)
        await _remove_all(client, going, patience)
        owned = list(dict.fromkeys([*owned, *await _owned_by(client, [*going, *owned])]))
        going += owned
        await _remove_all(client, owned, patience)
        left += [one for one in going if await _exists(client, one)]
    except ApiFailure as failure:
        logger.warning("removing what the lab created: %s", failure)
        left += going
    return tuple(left)


async def _owned_by(client: LabClient, owners: Sequence[Belonging]) -> list[Belonging]:
    """What the owners own, directly or not; a kind that owns stands before the kind owned in `_OWNED`."""
    uids = {one.uid for one in owners}
    found: list[Belonging] = []
    for resource in _OWNED:
        for document in await _listed(client, resource):
            if any(owner["uid"] in uids for owner in document["metadata"].get("ownerReferences") or ()):
                found.append(Belonging.of(resource, document))
                uids.add(found[-1].uid)
    return found


async def _listed(client: LabClient, resource: Resource) -> list[Document]:
    """All objects of a kind; none if the server does not know it."""
    try:
        return (await client.list(resource))[0]
    except NotFound:
        return []


async def _remove_all(client: LabClient, going: Sequence[Belonging], patience: float) -> None:
    for one in going:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_remove(client, one), patience)


async def _remove(client: LabClient, one: Belonging) -> None:
    """Ask for the object's end, unless its owner's has brought that about already, and wait for it."""
    if one.resource not in _OF_WORKLOADS and await _exists(client, one):
        with contextlib.suppress(NotFound):
            await client.delete(one.resource, one.namespace, one.name)
    while await _exists(client, one):  # noqa: ASYNC110 - not worth a watch for each kind
        await asyncio.sleep(_LOOK_AGAIN)


async def _exists(client: LabClient, one: Belonging) -> bool:
    """Whether this very object is there; one of the same name is somebody else's."""
    try:
        document = await client.get(one.resource, one.namespace, one.name)
    except NotFound:
        return False
    return bool(document["metadata"]["uid"] == one.uid)
