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
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from meshshift.adapters.kube import DEPLOYMENTS, PODS, REPLICA_SETS
from meshshift.engine.failures import ApiFailure, NotFound
from meshshift.lab import background, rollout
from meshshift.lab.replica_sets import REVISION, annotations_due, beyond_history, replica_set, revision_of
from meshshift.lab.replica_sets import pod as new_pod
from meshshift.lab.rollout_status import deadline, deployment_status, desired_replicas, format_time, rolled_out
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
        self._timers: dict[Key, asyncio.TimerHandle] = {}

    async def __aenter__(self) -> Self:
        self._deployments.listen(self._deployment_changed)
        self._sets.listen(self._owned_changed)
        self._pods.listen(self._pod_changed)
        self._task = background.begin(self._work(), "workloads")
        return self

    async def __aexit__(self, *_: object) -> None:
        await background.end(self._task)
        for key in tuple(self._timers):
            self._forget_timer(key)

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
        others = [one for one in self._sets_of(key) if current is None or key_of(one) != key_of(current)]
        others.sort(key=revision_of)
        if current is not None:
            await self._number(deployment, current, others)
        wait = int(deployment["spec"].get("minReadySeconds") or 0)
        wanted = rollout.plan(
            desired_replicas(deployment),
            deployment["spec"].get("strategy") or {},
            self._generation(current, wait) if current else None,
            [self._generation(one, wait) for one in others],
            paused=bool(deployment["spec"].get("paused")),
        )
        for one in (*others, *filter(None, [current])):
            await self._resize(one, wanted[one["metadata"]["name"]], wait)
        await self._update_status(deployment, current, others)
        if deployment["spec"].get("paused") or rolled_out(self._deployments.objects[key]):
            for one in beyond_history(deployment, others):
                await self._remove_set(one)
        self._look_again(key, wait)

    async def _current_set(self, deployment: Document) -> Document | None:
        """The ReplicaSet of the present template; a paused Deployment is not given one."""
        fresh = replica_set(deployment, 0)
        known = self._sets.objects.get(key_of(fresh))
        if known is None and not deployment["spec"].get("paused"):
            known = await self._client.create(REPLICA_SETS, fresh["metadata"]["namespace"], fresh)
            self._sets.put(known)
        return known

    async def _number(self, deployment: Document, current: Document, others: list[Document]) -> None:
        """Count the revision up if the present template is not the latest, and say it on the Deployment too."""
        due = annotations_due(deployment, current, others)
        if due:
            body = {"metadata": {"annotations": due}}
            current = await self._client.patch(REPLICA_SETS, *key_of(current), body, kind="merge")
            self._sets.put(current)
        if revision_of(deployment) != revision_of(current):
            body = {"metadata": {"annotations": {REVISION: str(revision_of(current))}}}
            self._deployments.put(await self._client.patch(DEPLOYMENTS, *key_of(deployment), body, kind="merge"))

    async def _resize(self, one: Document, wanted: int, wait: int) -> None:
        """Bring the ReplicaSet and its pods to the wanted number."""
        namespace, name = key_of(one)
        one = self._sets.objects.get((namespace, name), one)
        if one["spec"].get("replicas") != wanted:
            one = await self._client.patch(REPLICA_SETS, namespace, name, {"spec": {"replicas": wanted}}, kind="merge")
            self._sets.put(one)
        # Ready before unready, old before young (the copy keeps the order of creation): the last ones go first.
        pods = sorted(self._pods_of(one), key=lambda pod: ready_since(pod) is None)
        for _ in range(wanted - len(pods)):
            suffix = "".join(random.choices(_SUFFIX, k=5))
            self._pods.put(await self._client.create(PODS, namespace, new_pod(one, suffix)))
        for pod in pods[wanted:]:
            await self._delete_pod(pod)
        now = self._generation(one, wait)
        status = {"replicas": now.pods, "readyReplicas": now.ready, "availableReplicas": now.available}
        if any((one.get("status") or {}).get(field, 0) != value for field, value in status.items()):
            body = {"status": status | {"observedGeneration": one["metadata"].get("generation", 1)}}
            self._sets.put(
                await self._client.patch(REPLICA_SETS, namespace, name, body, kind="merge", subresource="status")
            )

    async def _delete_pod(self, pod: Document) -> None:
        """Ask for the pod's end; on a server that marks it first, the node removes it when its process is over."""
        namespace, name = key_of(pod)
        with contextlib.suppress(NotFound):
            await self._client.delete(PODS, namespace, name)
        pod["metadata"].setdefault("deletionTimestamp", format_time(datetime.now(UTC)))

    async def _remove_all(self, key: Key) -> None:
        """What the garbage collector would do; a bare API server has none."""
        self._forget_timer(key)
        for one in self._sets_of(key):
            for pod in self._pods_of(one):
                await self._delete_pod(pod)
            await self._remove_set(one)

    async def _remove_set(self, one: Document) -> None:
        with contextlib.suppress(NotFound):
            await self._client.delete(REPLICA_SETS, *key_of(one))
        self._sets.drop(one)

    async def _update_status(self, deployment: Document, current: Document | None, others: list[Document]) -> None:
        wait = int(deployment["spec"].get("minReadySeconds") or 0)
        new = self._generation(current, wait) if current else None
        old = [self._generation(one, wait) for one in others]
        status = deployment_status(deployment, new, old, datetime.now(UTC))
        if status != deployment.get("status"):
            body = {"status": status}
            self._deployments.put(
                await self._client.patch(DEPLOYMENTS, *key_of(deployment), body, kind="merge", subresource="status")
            )

    def _look_again(self, key: Key, wait: int) -> None:
        """Come back when the next pod becomes available, or when the roll-out is late."""
        self._forget_timer(key)
        deployment, now = self._deployments.objects[key], datetime.now(UTC)
        moments = [deadline(deployment, deployment.get("status") or {})]
        for one in self._sets_of(key):
            moments += [since + timedelta(seconds=wait) for since in map(ready_since, self._pods_of(one)) if since]
        later = [moment for moment in moments if moment is not None and moment > now]
        if later:
            delay = (min(later) - now).total_seconds()
            self._timers[key] = asyncio.get_running_loop().call_later(delay, self._mark, key)

    def _generation(self, one: Document, wait: int) -> rollout.Generation:
        """The ReplicaSet in numbers; a pod is available once it has been ready for `wait` seconds."""
        pods = list(self._pods_of(one))
        ready = [since for since in map(ready_since, pods) if since is not None]
        latest = datetime.now(UTC) - timedelta(seconds=wait)
        return rollout.Generation(
            name=one["metadata"]["name"],
            wanted=int(self._sets.objects.get(key_of(one), one)["spec"].get("replicas") or 0),
            pods=len(pods),
            ready=len(ready),
            available=sum(since <= latest for since in ready),
        )

    def _forget_timer(self, key: Key) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _sets_of(self, key: Key) -> list[Document]:
        return [
            one
            for one in self._sets.objects.values()
            if one["metadata"]["namespace"] == key[0]
            and any(
                o["kind"] == "Deployment" and o["name"] == key[1] for o in one["metadata"].get("ownerReferences") or ()
            )
        ]

    def _pods_of(self, one: Document) -> Iterator[Document]:
        """The pods of a ReplicaSet that are not on their way out."""
        uid = one["metadata"]["uid"]
        for pod in self._pods.objects.values():
            owners = pod["metadata"].get("ownerReferences") or ()
            if any(owner["uid"] == uid for owner in owners) and "deletionTimestamp" not in pod["metadata"]:
                yield pod


def ready_since(pod: Document) -> datetime | None:
    """When the pod became ready; None if it is not."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Ready" and condition["status"] == "True":
            return datetime.fromisoformat(condition["lastTransitionTime"])
    return None
