"""What one look at a service with an in-place Deployment saw.

Two subsets are used and never renamed: `stable` is who serves, `canary` is the copy that is tried out.  Whom `stable`
selects is the one fact that everything else follows from:

- *everybody* (the Service's own selector, or no label at all): at rest, when there is no copy.  Whatever the Deployment
  does then, traffic finds its pods, with or without this controller.
- *the original's pods of one template* (`pod-template-hash`): while there is a copy that is not proven.
- *a copy*: it has been proven, and serves until the original runs the same template.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from meshshift.core.enrolment.versions import Behind, Version
from meshshift.core.in_place.deployments import COPY, HASH_LABEL, Workload, copies_of, is_copy, template_of
from meshshift.core.mesh.documents import Problem, Target, member
from meshshift.core.mesh.routes import find_routes
from meshshift.core.mesh.subsets import find_rule, joined_labels
from meshshift.core.pods import ready_since, selector_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from meshshift.core.enrolment.view import OwnShift, View
    from meshshift.core.in_place.deployments import Copy
    from meshshift.core.mesh.routes import FoundRoutes

Document = dict[str, Any]
STABLE, CANARY = "stable", "canary"
SOON = 5.0
"""Seconds until the next look at what others are about to bring about."""
_OVER = {"Succeeded", "Failed"}


class Server(StrEnum):
    """Whom the subset `stable` selects."""

    NOBODY = "nobody"
    """There is no such subset yet."""
    EVERYBODY = "everybody"
    ORIGINAL = "original"
    COPY = "copy"
    STRANGER = "stranger"
    """Labels that nobody here has written."""


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods behind the service that may still serve.

    `own` are those of the original by their template's hash, `copied` those of copies by their mark; `others` counts
    the ready ones of somebody else.
    """

    own: Mapping[str, tuple[Document, ...]]
    copied: Mapping[str, tuple[Document, ...]]
    others: int = 0

    @property
    def only(self) -> str:
        """The hash of the one template that all of the original's pods have; empty if there are several, or none."""
        return next(iter(self.own)) if len(self.own) == 1 else ""

    def ready(self, labels: Mapping[str, str]) -> int:
        """How many ready pods a subset with these labels has."""
        everyone = [pod for group in (*self.own.values(), *self.copied.values()) for pod in group]
        wanted = labels.items()
        return sum(wanted <= _labels(pod).items() and ready_since(pod) is not None for pod in everyone)


@dataclass(frozen=True, slots=True)
class Stage:
    """The service's view, and what belongs to its Deployment.

    `originals` are the Deployments whose pods the Service selects, copies aside; `wanted` is false once the Service no
    longer asks for its Deployment to be updated in place.
    """

    view: View
    originals: tuple[Workload, ...]
    copies: tuple[Copy, ...]
    pods: Pods
    wanted: bool = True

    @property
    def original(self) -> Workload:
        """The one Deployment; only if there is exactly one."""
        return self.originals[0]

    @property
    def target(self) -> Target:
        """The service and the two subsets."""
        return self.view.aimed(STABLE, CANARY)

    @property
    def everybody(self) -> dict[str, str]:
        """The labels that select all pods of the service."""
        return selector_of(self.view.service)

    @property
    def routes(self) -> FoundRoutes | Problem:
        """The routes that send to either subset."""
        return find_routes(self.view.virtual_services, self.target)

    @property
    def rule(self) -> Document | Problem:
        """The DestinationRule that has the subsets."""
        return find_rule(self.view.rules, self.target)

    def labels(self, subset: str) -> dict[str, str] | None:
        """The labels of a subset as Istio acts on them; None if it is not there."""
        return joined_labels(self.view.rules, self.target, subset)

    @property
    def server(self) -> Server:
        """Whom `stable` selects."""
        labels = self.labels(STABLE)
        if labels is None:
            return Server.NOBODY
        if not labels or labels == self.everybody:
            return Server.EVERYBODY
        if len(labels) == 1:
            return {HASH_LABEL: Server.ORIGINAL, COPY: Server.COPY}.get(next(iter(labels)), Server.STRANGER)
        return Server.STRANGER

    @property
    def serving_copy(self) -> Copy | None:
        """The copy that `stable` selects."""
        return self.marked((self.labels(STABLE) or {}).get(COPY, ""))

    def marked(self, mark: str) -> Copy | None:
        """The copy with this mark."""
        return next((each for each in self.copies if mark and each.mark == mark), None)

    @property
    def candidate(self) -> Copy | None:
        """The copy that runs the original's present template, if it is not the one that serves."""
        serving = self.serving_copy
        return next((each for each in self.copies if each.runs == self.original.template and each != serving), None)

    @property
    def shift(self) -> OwnShift | None:
        """The service's own TrafficShift."""
        return self.view.shift

    @property
    def underway(self) -> OwnShift | None:
        """The service's own TrafficShift while it is not over."""
        return self.shift if self.shift is not None and not self.shift.standing.ended else None

    @property
    def tried(self) -> str:
        """The mark of the copy that the service's TrafficShift is about."""
        return "" if self.shift is None else self.shift.subset("canary")[1].get(COPY, "")

    @property
    def proven(self) -> str:
        """The digest of the template that a copy has proven and serves; empty if no copy serves."""
        return template_of((self.labels(STABLE) or {}).get(COPY, ""))

    @property
    def home(self) -> bool:
        """Does a copy serve by the original's present template, so that the original may roll it out?"""
        return self.server is Server.COPY and self.proven == self.original.template

    @property
    def unproven(self) -> bool:
        """Does the original have a template that nothing serves?"""
        return not self.home if self.server is Server.COPY else self.original.pending

    @property
    def unsettled(self) -> float:
        """Seconds until the latest change of routes and subsets has reached every proxy; 0 if it has."""
        view = self.view
        return max(
            view.unsettled(view.rules, "DestinationRule"), view.unsettled(view.virtual_services, "VirtualService")
        )

    @property
    def adopting(self) -> View:
        """The view in which the service has one version, whose subset `stable` takes all pods."""
        pods = [pod for group in (*self.pods.own.values(), *self.pods.copied.values()) for pod in group]
        carried = {frozenset(self.everybody.items()), *(frozenset(_labels(pod).items()) for pod in pods)}
        version = Version(
            name=STABLE,
            labels=self.everybody,
            templates=frozenset(self.pods.own),
            pods=len(pods),
            ready=self.pods.ready({}),
            since="",
            carried=frozenset(carried),
        )
        return replace(self.view, behind=Behind((version,)))


def stage_of(view: View, deployments: Sequence[Document], pods: Iterable[Document], *, wanted: bool) -> Stage:
    """The stage from the Deployments of the service's namespace and the pods that the Service selects."""
    selector = selector_of(view.service).items()
    mine = [Workload(each) for each in deployments if not is_copy(each)]
    originals = tuple(each for each in mine if selector and selector <= each.labels.items() and not each.deleted)
    copies = copies_of(originals[0], deployments) if len(originals) == 1 else ()
    name = originals[0].name if len(originals) == 1 else ""
    return Stage(view, originals, copies, _pods(name, pods), wanted)


def orphaned_stage(view: View, original: Document, deployments: Sequence[Document], pods: Iterable[Document]) -> Stage:
    """The stage of a Deployment whose Service is gone; `view` is that of a stand-in which selects the same pods."""
    found = Workload(original)
    return Stage(view, (found,), copies_of(found, deployments), _pods(found.name, pods), wanted=False)


def _pods(original: str, pods: Iterable[Document]) -> Pods:
    own: dict[str, list[Document]] = {}
    copied: dict[str, list[Document]] = {}
    others = 0
    for pod in pods:
        labels, phase = _labels(pod), member(pod, "status", "phase")
        if member(pod, "metadata", "deletionTimestamp") or phase in _OVER:
            continue
        if COPY in labels:
            copied.setdefault(labels[COPY], []).append(pod)
        elif original and _owner(pod) == f"{original}-{labels.get(HASH_LABEL)}":
            own.setdefault(labels[HASH_LABEL], []).append(pod)
        else:
            others += ready_since(pod) is not None
    return Pods(
        own={key: tuple(group) for key, group in own.items()},
        copied={key: tuple(group) for key, group in copied.items()},
        others=others,
    )


def _labels(pod: Document) -> dict[str, str]:
    return member(pod, "metadata", "labels") or {}


def _owner(pod: Document) -> str:
    """The name of the ReplicaSet that owns the pod."""
    owners = member(pod, "metadata", "ownerReferences") or ()
    return next((str(each.get("name")) for each in owners if each.get("kind") == "ReplicaSet"), "")
