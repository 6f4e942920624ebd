"""The Deployment controller's arithmetic and documents, without the API server.

Follows Kubernetes' RollingUpdate in outline: the new ReplicaSet grows as far as `maxSurge` allows, the old ones shrink
as far as `maxUnavailable` allows, pods that are not ready go first.  There are no revisions to roll back to, no
pausing, no progress deadline.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Document = dict[str, Any]

HASH_LABEL = "pod-template-hash"
NODE_NAME = "lab"


@dataclass(frozen=True, slots=True)
class Generation:
    """A ReplicaSet as the rollout sees it: the pods it is told to have, has, and has ready."""

    name: str
    wanted: int
    ready: int


def template_hash(template: Mapping[str, Any]) -> str:
    """A short name for a pod template; equal templates have equal names."""
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def plan(desired: int, strategy: Mapping[str, Any], new: Generation, old: Sequence[Generation]) -> dict[str, int]:
    """How many pods each ReplicaSet is to have now; called again whenever readiness changes, until nothing does."""
    if strategy.get("type") == "Recreate":
        still_there = any(one.wanted or one.ready for one in old)
        return {one.name: 0 for one in old} | {new.name: 0 if still_there else desired}
    limits = strategy.get("rollingUpdate") or {}
    surge = _count(limits.get("maxSurge", "25%"), desired, up=True)
    unavailable = _count(limits.get("maxUnavailable", "25%"), desired, up=False)
    if surge == unavailable == 0:
        unavailable = 1
    old_total = sum(one.wanted for one in old)
    room = max(0, desired + surge - old_total)
    grown = min(desired, max(new.wanted, room)) if old_total else desired
    ready = new.ready + sum(min(one.ready, one.wanted) for one in old)
    spare = max(0, ready - (desired - unavailable))
    out = {new.name: grown}
    for one in old:
        unready = max(0, one.wanted - one.ready)
        out[one.name] = max(0, one.wanted - unready - min(spare, one.wanted - unready))
        spare -= min(spare, one.wanted - unready)
    return out


def replica_set(deployment: Document, replicas: int) -> Document:
    """The ReplicaSet of the Deployment's present template."""
    metadata, spec = deployment["metadata"], deployment["spec"]
    name_hash = template_hash(spec["template"])
    labels = {**(spec["template"]["metadata"].get("labels") or {}), HASH_LABEL: name_hash}
    template = {**spec["template"], "metadata": {**spec["template"]["metadata"], "labels": labels}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{name_hash}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": [_owner(deployment, "apps/v1", "Deployment")],
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {**(spec["selector"].get("matchLabels") or {}), HASH_LABEL: name_hash}},
            "template": template,
        },
    }


def pod(owner: Document, suffix: str) -> Document:
    """One pod of a ReplicaSet, with the labels that Istio's injection adds (pkg/kube/inject: canonical names)."""
    template = owner["spec"]["template"]
    labels = dict(template["metadata"].get("labels") or {})
    workload = owner["metadata"]["name"].removesuffix(f"-{labels.get(HASH_LABEL, '')}")
    name = labels.get("app.kubernetes.io/name") or labels.get("app") or workload
    revision = labels.get("app.kubernetes.io/version") or labels.get("version") or "latest"
    labels.setdefault("service.istio.io/canonical-name", name)
    labels.setdefault("service.istio.io/canonical-revision", revision)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{owner['metadata']['name']}-{suffix}",
            "namespace": owner["metadata"]["namespace"],
            "labels": labels,
            "annotations": dict(template["metadata"].get("annotations") or {}),
            "ownerReferences": [_owner(owner, "apps/v1", "ReplicaSet")],
        },
        "spec": {**template["spec"], "nodeName": NODE_NAME},
    }


def deployment_status(deployment: Document, new: Generation, replicas: int, ready: int, now: str) -> Document:
    """The Deployment's status; `now` (RFC 3339) is used for conditions that change."""
    desired = desired_replicas(deployment)
    available = ready >= desired - _count("25%", desired, up=False)
    complete = new.ready >= desired and replicas == new.wanted
    conditions = [
        (
            "Available",
            available,
            "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable",
            f"{ready} of {desired} replicas are ready.",
        ),
        (
            "Progressing",
            True,
            "NewReplicaSetAvailable" if complete else "ReplicaSetUpdated",
            f'ReplicaSet "{new.name}" ' + ("has successfully progressed." if complete else "is progressing."),
        ),
    ]
    known = {c["type"]: c for c in (deployment.get("status") or {}).get("conditions") or ()}
    return {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        "replicas": replicas,
        "updatedReplicas": new.wanted,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, desired - ready),
        "conditions": [_condition(known.get(row[0]), *row, now) for row in conditions],
    }


def desired_replicas(deployment: Document) -> int:
    """The replicas asked for: 1 if the document does not say."""
    replicas = deployment["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def rolled_out(deployment: Document) -> bool:
    """What `kubectl rollout status` waits for."""
    status, desired = deployment.get("status") or {}, desired_replicas(deployment)
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 1)
        and status.get("updatedReplicas", 0) == desired
        and status.get("replicas", 0) == desired
        and status.get("availableReplicas", 0) == desired
    )


def _condition(known: Document | None, kind: str, holds: bool, reason: str, message: str, now: str) -> Document:
    status = "True" if holds else "False"
    same = known is not None and known["status"] == status
    moved = known["lastTransitionTime"] if same and known is not None else now
    updated = known["lastUpdateTime"] if same and known is not None and known["reason"] == reason else now
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": moved,
        "lastUpdateTime": updated,
    }


def _owner(document: Document, api_version: str, kind: str) -> Document:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": document["metadata"]["name"],
        "uid": document["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _count(value: int | str, of: int, *, up: bool) -> int:
    """A number or a percentage of `of`, rounded as Kubernetes does: surge up, unavailable down."""
    if isinstance(value, str) and value.endswith("%"):
        exact = of * int(value[:-1]) / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(value)
