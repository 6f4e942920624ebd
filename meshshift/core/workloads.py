"""The Deployments behind the two subsets, as far as their replicas are concerned.

A Deployment is only ever written through its `scale` subresource, which knows nothing but the number of replicas: no
template, no selector, no label can be changed by it.  The edit tests the version that was read, so somebody else's
change in between, an autoscaler's included, refuses it.  The pods' own labels say whether a Deployment is the one that
the subset selects: a slip in its name would else scale away what serves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshshift.core.mesh.documents import (
    Document,
    ObjectRef,
    Patch,
    Problem,
    Reason,
    member,
    operation,
    resource_version,
    shown,
    unmoved,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshshift.core.observation import TelemetryFailure
    from meshshift.core.telemetry import BadData, NoData, Tick

DEPLOYMENT = "Deployment"
SCALE = "Scale"
"""The kind under which the number of replicas is edited, of the Deployment of that name."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A Deployment that is to go down to `replicas` once nobody needs it, not before the unix time `due`.

    `subset` is the one whose pods it makes.
    """

    deployment: str
    subset: str
    replicas: int
    due: float

    def __post_init__(self) -> None:
        if not 0 <= self.replicas <= MOST_REPLICAS:
            raise ValueError(f"scaling.owed.replicas is {self.replicas}: expected 0 to {MOST_REPLICAS}")


MOST_REPLICAS = 1_000_000
"""More than any Deployment has; what a stored state may say at most."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What has to be read before a decision about replicas: both Deployments, and all about the use of `owed`."""

    owed: Owed | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """One Deployment.

    `replicas` are those it is to have, `ready` those that are ready: none while its controller has not seen the latest
    number.  `labels` are those of its pods.  `autoscaler` is the HorizontalPodAutoscaler that sets its replicas.
    """

    name: str
    namespace: str
    version: str
    replicas: int
    ready: int
    labels: Mapping[str, str]
    autoscaler: str | None = None

    def makes(self, wanted: Mapping[str, str] | None) -> bool:
        """Do its pods carry all of these labels, of which there is one at least?"""
        return bool(wanted) and (wanted or {}).items() <= self.labels.items()

    def scaled_to(self, replicas: int) -> Patch:
        """The edit of its scale subresource; `add` because a Scale leaves out a number that is 0 (autoscaling/v1)."""
        target = ObjectRef(SCALE, self.namespace, self.name)
        return Patch(target, (unmoved(self.version), operation("add", "/spec/replicas", replicas)))


@dataclass(frozen=True, slots=True)
class Workloads:
    """What a survey found.

    `owed` is the Deployment of `Survey.owed`, `senders` the places of the mesh that send to its subset, `users` the
    other TrafficShifts under way that need it, and `traffic` what every Service that selects its pods saw lately: for
    each by name a window, of which `stable` is the traffic on it and `canary` that on the version that won.
    """

    canary: Workload | Problem
    stable: Workload | Problem
    owed: Workload | Problem | None = None
    senders: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    traffic: tuple[tuple[str, Tick | NoData | BadData | TelemetryFailure], ...] = ()


def workload_of(document: Document, autoscalers: Iterable[Document]) -> Workload:
    """The Deployment as far as it matters here."""
    metadata = document["metadata"]
    replicas, labels = member(document, "spec", "replicas"), member(document, "spec", "template", "metadata", "labels")
    seen = _whole(member(document, "status", "observedGeneration")) >= _whole(metadata.get("generation"))
    return Workload(
        name=metadata["name"],
        namespace=metadata["namespace"],
        version=resource_version(document),
        replicas=1 if replicas is None else _whole(replicas),
        ready=_whole(member(document, "status", "readyReplicas")) if seen else 0,
        labels=labels if isinstance(labels, dict) else {},
        autoscaler=next((_name(each) for each in autoscalers if _sets_replicas_of(each, metadata["name"])), None),
    )


def missing(field_name: str, deployment: str, namespace: str) -> Problem:
    """There is no such Deployment."""
    fix = f"create it, or set {field_name} to a Deployment in namespace {namespace}"
    return Problem(Reason.DEPLOYMENT_NOT_FOUND, f"{field_name}: there is no Deployment {shown(deployment)}; {fix}")


def _sets_replicas_of(autoscaler: Document, deployment: str) -> bool:
    target = member(autoscaler, "spec", "scaleTargetRef")
    return bool(member(target, "kind") == DEPLOYMENT and member(target, "name") == deployment)


def _name(document: Document) -> str:
    return str(document["metadata"]["name"])


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
