"""The Lease that candidates for leadership share, for the official client's election.

The official lock of version 37 cannot create its Lease (it passes `pretty=True` where its own validation wants text)
and lets network errors end the election; this one stores the same record through `KubeClient`, and every failure is an
attempt that did not succeed, to be repeated.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.baselock import BaseLock

from meshshift.adapters.kube import LEASES
from meshshift.engine.failures import ApiFailure, NotFound

if TYPE_CHECKING:
    from meshshift.adapters.kube import KubeClient

_FIELDS = {
    "holder_identity": "holderIdentity",
    "lease_duration": "leaseDurationSeconds",
    "acquire_time": "acquireTime",
    "renew_time": "renewTime",
}


class Lease(BaseLock):
    """Implements the election's lock; `identity` names this candidate."""

    def __init__(self, client: KubeClient, name: str, namespace: str, identity: str) -> None:
        super().__init__(name, namespace, identity)
        self._client = client
        self._version = ""

    async def get(self, name: str, namespace: str) -> tuple[bool, Any]:
        """True and the record, or False and the exception: code 404 if there is no Lease yet."""
        try:
            lease = await self._client.get(LEASES, namespace, name)
        except NotFound as failure:
            return False, ApiException(status=404, reason=str(failure), body=json.dumps({"code": 404}))
        except ApiFailure as failure:
            return False, ApiException(status=0, reason=str(failure))
        self._version = lease["metadata"]["resourceVersion"]
        spec = lease.get("spec") or {}
        record = {ours: None if spec.get(theirs) is None else str(spec[theirs]) for ours, theirs in _FIELDS.items()}
        return True, LeaderElectionRecord(**record)

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        """Make the Lease; False if somebody was quicker, or it did not succeed."""
        body = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": {"name": name}}
        try:
            await self._client.create(LEASES, namespace, {**body, "spec": _spec(election_record)})
        except ApiFailure:
            return False
        return True

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        """Write the record over the one that was read; False if somebody wrote since, or it did not succeed."""
        operations: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": self._version},
            {"op": "add", "path": "/spec", "value": _spec(updated_record)},
        ]
        try:
            lease = await self._client.patch(LEASES, namespace, name, operations)
        except ApiFailure:
            return False
        self._version = lease["metadata"]["resourceVersion"]
        return True


def _spec(record: LeaderElectionRecord) -> dict[str, Any]:
    return {
        "holderIdentity": record.holder_identity,
        "leaseDurationSeconds": int(record.lease_duration or 0),
        "acquireTime": _micro_time(record.acquire_time),
        "renewTime": _micro_time(record.renew_time),
    }


def _micro_time(text: str | None) -> str | None:
    """Kubernetes' MicroTime; the election writes local time without a zone."""
    if text is None:
        return None
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
