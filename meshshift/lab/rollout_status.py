"""A Deployment's status: what `kubectl rollout status` reads.

The rules are those of k8s.io/kubernetes/pkg/controller/deployment/progress.go: a roll-out progresses while the number
of new, ready or available pods grows or that of old pods shrinks; it is complete when all desired pods are new and
available, and stays so if pods fail later; it has failed, for those who wait, when `progressDeadlineSeconds` pass
without progress.  A paused one waits for nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from meshshift.lab.rollout import unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshshift.lab.rollout import Generation

Document = dict[str, Any]

_DEFAULT_DEADLINE = 600
_PAUSED, _RESUMED = "DeploymentPaused", "DeploymentResumed"
_COMPLETE, _MOVING, _LATE = "NewReplicaSetAvailable", "ReplicaSetUpdated", "ProgressDeadlineExceeded"


def deployment_status(
    deployment: Document, new: Generation | None, old: Sequence[Generation], now: datetime
) -> Document:
    """The Deployment's status; `now` is used for conditions that change."""
    everything = [*old, *([new] if new else [])]
    desired = desired_replicas(deployment)
    available = sum(one.available for one in everything)
    known = deployment.get("status") or {}
    status: Document = {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        "replicas": sum(one.pods for one in everything),
        "updatedReplicas": new.pods if new else 0,
        "readyReplicas": sum(one.ready for one in everything),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(one.wanted for one in everything) - available),
    }
    enough = available >= desired - unavailable(deployment["spec"].get("strategy") or {}, desired)
    rows = [
        ("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        if enough
        else ("Available", "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability."),
        ("Progressing", *_progress(deployment, status, new, now)),
    ]
    conditions = {one["type"]: one for one in known.get("conditions") or ()}
    moved = _has_moved(known, status)
    status["conditions"] = [_condition(conditions.get(row[0]), row, moved, format_time(now)) for row in rows]
    return status


def deadline(deployment: Document, status: Document) -> datetime | None:
    """When a roll-out that does not move counts as failed; None if it is paused, complete or failed already."""
    reason, since = _last_progress(status)
    if deployment["spec"].get("paused") or reason in {_COMPLETE, _LATE} or since is None:
        return None
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return since + timedelta(seconds=_DEFAULT_DEADLINE if seconds is None else int(seconds))


def desired_replicas(deployment: Document) -> int:
    """The replicas asked for: 1 if the document does not say."""
    replicas = deployment["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def rolled_out(deployment: Document) -> bool:
    """What `kubectl rollout status` waits for."""
    status = deployment.get("status") or {}
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 1)
        and _is_complete(deployment, status)
    )


def format_time(now: datetime) -> str:
    """RFC 3339, as Kubernetes writes times: in UTC, to the second."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def _is_complete(deployment: Document, status: Document) -> bool:
    fields = ("updatedReplicas", "replicas", "availableReplicas")
    return all(status.get(field, 0) == desired_replicas(deployment) for field in fields)


def _progress(deployment: Document, status: Document, new: Generation | None, now: datetime) -> tuple[str, str, str]:
    known = deployment.get("status") or {}
    reason, _ = _last_progress(known)
    if reason == _LATE and not (_is_complete(deployment, status) or _has_moved(known, status)):
        return "False", _LATE, _message(new, "has timed out progressing.")
    if deployment["spec"].get("paused"):
        return "Unknown", _PAUSED, "Deployment is paused"
    if _is_complete(deployment, status) or (reason == _COMPLETE and status["replicas"] == status["updatedReplicas"]):
        return "True", _COMPLETE, _message(new, "has successfully progressed.")
    due = deadline(deployment, known)
    if due is not None and due <= now and not _has_moved(known, status):
        return "False", _LATE, _message(new, "has timed out progressing.")
    if reason in {_PAUSED, _RESUMED} and not _has_moved(known, status):
        return "Unknown", _RESUMED, "Deployment is resumed"
    return "True", _MOVING, _message(new, "is progressing.")


def _message(new: Generation | None, what: str) -> str:
    return f'ReplicaSet "{new.name}" {what}' if new else f"Deployment {what}"


def _has_moved(known: Document, status: Document) -> bool:
    """Whether there are more new, ready or available pods, or fewer old ones, than the known status says."""

    def old_pods(one: Document) -> int:
        return int(one.get("replicas", 0)) - int(one.get("updatedReplicas", 0))

    grown = any(
        status[field] > known.get(field, 0) for field in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    return grown or old_pods(status) < old_pods(known)


def _last_progress(status: Document) -> tuple[str, datetime | None]:
    for one in status.get("conditions") or ():
        if one["type"] == "Progressing":
            return one["reason"], datetime.fromisoformat(one["lastUpdateTime"])
    return "", None


def _condition(known: Document | None, row: tuple[str, str, str, str], moved: bool, now: str) -> Document:
    kind, status, reason, message = row
    same_status = known is not None and known["status"] == status
    untouched = same_status and known is not None and known["reason"] == reason
    if untouched and known is not None and known["message"] == message and not (moved and reason == _MOVING):
        return known
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": known["lastTransitionTime"] if same_status and known is not None else now,
        "lastUpdateTime": now,
    }
