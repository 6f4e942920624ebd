"""Who the versions of a service are: the pods behind it, grouped by their version label.

A version is a set of pods that one subset can select, and nothing else is asked about it: which workload brought the
pods, of which kind, and how many of them, does not matter.  Several Deployments side by side are several versions,
several with the same label are one.

What tells one build of a version from the next is its pod template's hash, which Kubernetes writes on the pods:
`pod-template-hash` for ReplicaSets, `controller-revision-hash` for StatefulSets and DaemonSets (kubernetes/kubernetes
`pkg/apis/apps/v1/types.go`).  So a version that failed and comes back as it was can be told from one that was mended,
without a look at the workloads themselves.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshshift.core.mesh.documents import member, text
from meshshift.core.pods import ready_since

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Document = dict[str, Any]
Labels = frozenset[tuple[str, str]]

VERSION_LABELS = ("app.kubernetes.io/version", "version")
"""The labels that say a pod's version, the first one that is there."""
_TEMPLATE_LABELS = ("pod-template-hash", "controller-revision-hash")
_OVER = {"Succeeded", "Failed"}
"""Phases of pods that will never serve again, and may lie about for long."""
_LONGEST_SUBSET = 63


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a service.

    `labels` select its pods among those of the service; `templates` are the hashes of the pod templates that its pods
    were made from, `since` is when the oldest of them was created (RFC 3339 in UTC, empty if unknown).  `pods` counts
    those that may still serve, terminating ones included, `ready` those that serve now.  `carried` are the label sets
    that its pods have.
    """

    name: str
    labels: Mapping[str, str]
    templates: frozenset[str]
    pods: int
    ready: int
    since: str
    carried: frozenset[Labels]

    def is_whole_in(self, selector: Mapping[str, str]) -> bool:
        """Does the selector take every pod of this version?"""
        return all(selector.items() <= set(labels) for labels in self.carried)

    def is_touched_by(self, selector: Mapping[str, str]) -> bool:
        """Does the selector take any pod of this version?"""
        return any(selector.items() <= set(labels) for labels in self.carried)

    def is_newer_than(self, other: Version) -> bool:
        """Was its first pod created later?  Unknown instants and ties are not later."""
        return bool(self.since) and self.since > other.since


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind a service: its versions, by name, and how many ready pods say no version."""

    versions: tuple[Version, ...]
    nameless: int = 0

    @property
    def ready(self) -> tuple[Version, ...]:
        """The versions that have a ready pod."""
        return tuple(each for each in self.versions if each.ready)

    def named(self, name: str) -> Version | None:
        """The version of that name."""
        return next((each for each in self.versions if each.name == name), None)

    def taken_by(self, selector: Mapping[str, str]) -> tuple[Version, ...]:
        """The versions of which a selector takes pods."""
        return tuple(each for each in self.versions if each.is_touched_by(selector))


def versions_of(pods: Iterable[Document]) -> Behind:
    """The versions of the pods that a Service selects."""
    groups: dict[tuple[str, str], list[Document]] = defaultdict(list)
    nameless = 0
    for pod in pods:
        if member(pod, "status", "phase") in _OVER:
            continue
        key = _version_label(pod)
        if key is not None:
            groups[key].append(pod)
        elif ready_since(pod) is not None:
            nameless += 1
    return Behind(tuple(_version(*key, group) for key, group in sorted(groups.items(), key=_by_value)), nameless)


def subset_name(version: Version, behind: Behind, taken: Iterable[str]) -> str:
    """A name for the version's subset: its own where Istio allows it, else as near to it as possible.

    Istio takes DNS-1123 labels (`ValidateDestinationRule` in istio/istio `pkg/config/validation`), so `1.2.0` becomes
    `1-2-0`.  Where another version, or a subset that is there (`taken`), has that name, a short hash of the label's
    value tells them apart.
    """
    plain = _plain(version.name)
    rivals = {_plain(each.name): each.name for each in behind.versions if each.name != version.name}
    if plain and plain not in taken and (plain not in rivals or plain == version.name):
        return plain
    digest = hashlib.sha256(version.name.encode()).hexdigest()[:6]
    return f"{plain[: _LONGEST_SUBSET - len(digest) - 1].rstrip('-')}-{digest}" if plain else f"version-{digest}"


def subset_of(version: Version, behind: Behind, subsets: Sequence[tuple[str, Mapping[str, str]]]) -> str | None:
    """The first of the subsets (name and labels) that selects exactly this version's pods; None if there is none."""
    for name, labels in subsets:
        if labels and version.is_whole_in(labels) and len(behind.taken_by(labels)) == 1:
            return name
    return None


def _by_value(item: tuple[tuple[str, str], object]) -> tuple[str, str]:
    (key, value), _ = item
    return value, key


def _version_label(pod: Document) -> tuple[str, str] | None:
    labels = member(pod, "metadata", "labels") or {}
    return next(((name, text(labels[name])) for name in VERSION_LABELS if text(labels.get(name))), None)


def _version(key: str, value: str, pods: Sequence[Document]) -> Version:
    labels = [member(pod, "metadata", "labels") for pod in pods]
    created = (text(member(pod, "metadata", "creationTimestamp")) for pod in pods)
    return Version(
        name=value,
        labels={key: value},
        templates=frozenset(filter(None, map(_template, pods))),
        pods=len(pods),
        ready=sum(ready_since(pod) is not None for pod in pods),
        since=min(filter(None, created), default=""),
        carried=frozenset(frozenset((name, text(each)) for name, each in one.items()) for one in labels),
    )


def _template(pod: Document) -> str:
    """The fingerprint of the template that the pod was made from; its owner's name where Kubernetes writes no hash."""
    labels, owners = member(pod, "metadata", "labels"), member(pod, "metadata", "ownerReferences") or []
    owner = next((text(member(each, "name")) for each in owners if member(each, "controller")), "")
    return next((text(labels[name]) for name in _TEMPLATE_LABELS if text(labels.get(name))), owner)


def _plain(value: str) -> str:
    """The value as a DNS-1123 label, empty if nothing of it can stay."""
    return re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")[:_LONGEST_SUBSET].strip("-")
