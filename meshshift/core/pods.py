"""What a pod says about itself: is it ready, since when, and under which names does Istio report its traffic."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from meshshift.core.mesh.documents import member
from meshshift.core.telemetry import Arm

if TYPE_CHECKING:
    from collections.abc import Iterable

Document = dict[str, Any]

_REVISION_LABELS = ("service.istio.io/canonical-revision", "app.kubernetes.io/version", "version")


def ready_since(pod: Document) -> float | None:
    """Since when the pod has been ready (unix seconds); None if it is not, or is being deleted."""
    if pod["metadata"].get("deletionTimestamp"):
        return None
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            return _instant(condition.get("lastTransitionTime"))
    return None


def selector_of(service: object) -> dict[str, str]:
    """The labels that a Service selects its pods by; empty if it selects none, or says nothing that can be read."""
    selector = member(service, "spec", "selector")
    if not isinstance(selector, dict) or not all(isinstance(value, str) for value in selector.values()):
        return {}
    return dict(selector)


def arm_of(pods: Iterable[Document]) -> Arm:
    """The names under which Istio reports the traffic of these pods.

    `destination_workload` is the owner's name, a Deployment's rather than that of its ReplicaSet;
    `destination_canonical_revision` is the first of three labels (istio/pkg/model/proxy.go, `GetOrDefault`).
    """
    listed = list(pods)
    return Arm(frozenset(filter(None, map(workload, listed))), frozenset(filter(None, map(_revision, listed))))


def workload(pod: Document) -> str:
    """The workload name that Istio gives the pod."""
    metadata = pod["metadata"]
    labels = metadata.get("labels") or {}
    if named := labels.get("service.istio.io/workload-name"):
        return str(named)
    for owner in metadata.get("ownerReferences") or []:
        if owner.get("controller"):
            name, template = str(owner.get("name", "")), labels.get("pod-template-hash")
            return name.removesuffix(f"-{template}") if owner.get("kind") == "ReplicaSet" and template else name
    return str(metadata["name"])


def _revision(pod: Document) -> str:
    labels = pod["metadata"].get("labels") or {}
    return next((str(labels[name]) for name in _REVISION_LABELS if labels.get(name)), "")


def _instant(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
