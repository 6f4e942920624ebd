"""The Deployment controller of the lab: Deployments to ReplicaSets to pods, through the API server alone.

It knows nothing of processes; `node` runs the pods.  Reconciling is level-triggered and done by one task, so there are
no races between two roll-outs of the same Deployment: any change to a Deployment, a ReplicaSet or a pod marks the
Deployment, and a marked Deployment is compared with what is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from meshshift.adapters.kube import DEPLOYMENTS, PODS, REPLICA_SETS
from meshshift.engine.failures import ApiFailure, NotFound
from meshshift.lab import background, rollout
from meshshift.lab.watching import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshshift.lab.client import LabClient
    from meshshift.lab.watching import ClusterState, Key

logger = logging.getLogger(__name__)

Document = dict[str, Any]
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"


class Workloads:
    """Runs the controller; an async context manager."""

    def __init__(self, client: LabClient, state: ClusterState) -> None:
        self._client = client
        self._deployments = state.deployments
        self._sets = state.replica_sets
        self._pods = state.pods
        self._marked: dict[Key, None] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._deployments.listen(self._deployment_changed)
        self._sets.listen(self._owned_changed)
        self._pods.listen(self._pod_changed)
        self._task = background.begin(self._work(), "workloads")
        return self

    async def __aexit__(self, *_: object) -> None:
        await background.end(self._task)

    def _deployment_changed(self, document: Document, _exists: bool) -> None:
        self._mark(key_of(document))

    def _owned_changed(self, document: Document, _exists: bool) -> None:
        for owner in document["metadata"].get("ownerReferences") or ():
            if owner["kind"] == "Deployment":
                self._mark((document["metadata"]["namespace"], owner["name"]))

    def _pod_changed(self, document: Document, _exists: bool) -> None:
        for owner in document["metadata"].get("ownerReferences") or ():
            parent = self._sets.objects.get((document["metadata"]["namespace"], owner["name"]))
            if owner["kind"] == "ReplicaSet" and parent is not None:
                self._owned_changed(parent, True)

    def _mark(self, key: Key) -> None:
        self._marked[key] = None
        self._wake.set()

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._marked:
                key = next(iter(self._marked))
                del self._marked[key]
                try:
                    await self._reconcile(key)
                except ApiFailure as failure:
                    logger.info("deployment %s/%s: %s; trying again", *key, failure)
                    asyncio.get_running_loop().call_later(0.5, self._mark, key)

    async def _reconcile(self, key: Key) -> None:
        deployment = self._deployments.objects.get(key)
        if deployment is None or "deletionTimestamp" in deployment["metadata"]:
            await self._remove_all(key)
            return
        current = await self._current_set(deployment)
        others = [one for one in self._sets_of(key) if one["metadata"]["name"] != current["metadata"]["name"]]
        wanted = rollout.plan(
            rollout.desired_replicas(deployment),
            deployment["spec"].get("strategy") or {},
            self._generation(current),
            [self._generation(one) for one in others],
        )
        for one in (current, *others):
            await self._resize(one, wanted[one["metadata"]["name"]])
        await self._update_status(deployment, current, others)

    async def _current_set(self, deployment: Document) -> Document:
        fresh = rollout.replica_set(deployment, 0)
        known = self._sets.objects.get(key_of(fresh))
        if known is None:
            known = await self._client.create(REPLICA_SETS, fresh["metadata"]["namespace"], fresh)
            self._sets.put(known)
        return known

    async def _resize(self, one: Document, wanted: int) -> None:
        """Bring the ReplicaSet and its pods to the wanted number; an old one that is empty is removed."""
        namespace, name = key_of(one)
        if one["spec"].get("replicas") != wanted:
            one = await self._client.patch(REPLICA_SETS, namespace, name, {"spec": {"replicas": wanted}}, kind="merge")
            self._sets.put(one)
        # Ready before unready, old before young (the copy keeps the order of creation): the last ones go first.
        pods = sorted(self._pods_of(one), key=lambda pod: not _is_ready(pod))
        for _ in range(wanted - len(pods)):
            suffix = "".join(random.choices(_SUFFIX, k=5))
            self._pods.put(await self._client.create(PODS, namespace, rollout.pod(one, suffix)))
        for pod in pods[wanted:]:
            await self._delete_pod(pod)
        status = {"replicas": max(wanted, 0), "readyReplicas": self._generation(one).ready}
        if any((one.get("status") or {}).get(field, 0) != value for field, value in status.items()):
            status["availableReplicas"] = status["readyReplicas"]
            body = {"status": status | {"observedGeneration": one["metadata"].get("generation", 1)}}
            self._sets.put(
                await self._client.patch(REPLICA_SETS, namespace, name, body, kind="merge", subresource="status")
            )

    async def _delete_pod(self, pod: Document) -> None:
        """Ask for the pod's end; on a server that marks it first, the node removes it when its process is over."""
        namespace, name = key_of(pod)
        with contextlib.suppress(NotFound):
            await self._client.delete(PODS, namespace, name)
        pod["metadata"].setdefault("deletionTimestamp", _now())

    async def _remove_all(self, key: Key) -> None:
        """What the garbage collector would do; a bare API server has none."""
        for one in self._sets_of(key):
            for pod in self._pods_of(one):
                await self._delete_pod(pod)
            with contextlib.suppress(NotFound):
                await self._client.delete(REPLICA_SETS, *key_of(one))
            self._sets.drop(one)

    async def _update_status(self, deployment: Document, current: Document, others: list[Document]) -> None:
        generations = [self._generation(one) for one in (current, *others)]
        new = self._generation(self._sets.objects[key_of(current)])
        ready = sum(one.ready for one in generations)
        total = sum(len(list(self._pods_of(one))) for one in (current, *others))
        status = rollout.deployment_status(deployment, new, total, ready, _now())
        if status != deployment.get("status"):
            namespace, name = key_of(deployment)
            body = {"status": status}
            self._deployments.put(
                await self._client.patch(DEPLOYMENTS, namespace, name, body, kind="merge", subresource="status")
            )

    def _generation(self, one: Document) -> rollout.Generation:
        ready = sum(1 for pod in self._pods_of(one) if _is_ready(pod))
        return rollout.Generation(one["metadata"]["name"], int(one["spec"].get("replicas") or 0), ready)

    def _sets_of(self, key: Key) -> list[Document]:
        return [
            one
            for one in self._sets.objects.values()
            if one["metadata"]["namespace"] == key[0]
            and any(o["kind"] == "Deployment" and o["name"] == key[1] for o in one["metadata"]["ownerReferences"])
        ]

    def _pods_of(self, one: Document) -> Iterator[Document]:
        """The pods of a ReplicaSet that are not on their way out."""
        uid = one["metadata"]["uid"]
        for pod in self._pods.objects.values():
            owners = pod["metadata"].get("ownerReferences") or ()
            if any(owner["uid"] == uid for owner in owners) and "deletionTimestamp" not in pod["metadata"]:
                yield pod


def _is_ready(pod: Document) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
