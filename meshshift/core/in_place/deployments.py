"""What a Deployment and its copies say about themselves, and the document of a copy.

A copy is a Deployment of our own that runs the new pod template of somebody's Deployment, the *original*, beside it:

- It is named after the original and the template, and owned by it, so that it goes when the original does.  It is no
  controller of it, blocks no deletion, and takes over none of the original's own labels and annotations: tools that
  find their objects by these (Argo CD's tracking labels, for one) would take the copy for theirs and prune it.
- Its pods have all labels of the template, so that the Service, a PodDisruptionBudget and the original's
  HorizontalPodAutoscaler count them among those that serve; and one more, by which the copy alone selects them.  Each
  ReplicaSet of the original selects by a `pod-template-hash` that no pod of a copy has, and a controller adopts only
  pods and ReplicaSets without an owner, so neither takes the other's.
- It has as many replicas as the original, so that it can carry all the traffic.

Two templates are the same if their canonical JSON is.  The API server's `pod-template-hash` would not do: it is known
only once a ReplicaSet exists, which is what a paused Deployment is not given.
"""

from __future__ import annotations

import copy as copying
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshshift.core.mesh.documents import member, ref_of, resource_version, text
from meshshift.core.mesh.writers import MADE_BY, is_made_by_us

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshshift.core.mesh.documents import ObjectRef

Document = dict[str, Any]

KIND = "Deployment"
API_VERSION = "apps/v1"
COPY = "meshshift.io/copy"
"""Label of a copy and of its pods: which copy it is, different for every copy there ever was of an original."""
TEMPLATE = "meshshift.io/template"
"""Annotation of a copy: the digest of the template that it runs."""
PAUSED_FOR = "meshshift.io/paused-for"
"""Annotation of an original: the Service for which it was paused."""
REJECTED = "meshshift.io/rejected"
"""Annotation of an original: the digest of a template that is not rolled out, and why."""
HASH_LABEL = "pod-template-hash"
_LONGEST_NAME = 45
"""Characters of the original's name in that of a copy: the label value made of it may have 63."""
_LATE = "ProgressDeadlineExceeded"


def digest(template: object) -> str:
    """The identity of a pod template: eight hexadecimal digits; null says as much as nothing."""
    canonical = json.dumps(_without_nulls(template), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment as it was read: the original, or a copy."""

    document: Document

    @property
    def name(self) -> str:
        """Its name."""
        return text(member(self.document, "metadata", "name"))

    @property
    def uid(self) -> str:
        """Its identity, which another Deployment of its name does not have."""
        return text(member(self.document, "metadata", "uid"))

    @property
    def ref(self) -> ObjectRef:
        """Which object it is."""
        return ref_of(self.document, KIND)

    @property
    def version(self) -> str:
        """The resourceVersion that it was read at."""
        return resource_version(self.document)

    @property
    def template(self) -> str:
        """The digest of its present pod template."""
        return digest(member(self.document, "spec", "template"))

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels that its pods get."""
        return member(self.document, "spec", "template", "metadata", "labels") or {}

    @property
    def selector(self) -> Mapping[str, str]:
        """Labels that all of its pods have, and those of its copies: what it selects by, or what its pods get."""
        found = member(self.document, "spec", "selector", "matchLabels")
        return found if isinstance(found, dict) and found else self.labels

    @property
    def replicas(self) -> int:
        """How many pods it is to have: 1 if it does not say."""
        return _number(member(self.document, "spec", "replicas"), 1)

    @property
    def paused(self) -> bool:
        """Does it hold changes of its template back?"""
        return bool(member(self.document, "spec", "paused"))

    @property
    def recreates(self) -> bool:
        """Do its versions not bear each other at the same time?"""
        return text(member(self.document, "spec", "strategy", "type")) == "Recreate"

    @property
    def deleted(self) -> bool:
        """Is it on its way out?"""
        return bool(member(self.document, "metadata", "deletionTimestamp"))

    @property
    def seen(self) -> bool:
        """Has the Deployment controller looked at it as it is now?"""
        return self._status("observedGeneration") >= _number(member(self.document, "metadata", "generation"), 1)

    @property
    def pending(self) -> bool:
        """Do some of its pods have another template than the present one?"""
        return self._status("updatedReplicas") < self._status("replicas")

    @property
    def empty(self) -> bool:
        """Has it no pods that would say which template they have?"""
        return self._status("replicas") == 0

    @property
    def complete(self) -> bool:
        """Do all of its pods have the present template, as many as wanted, and all of them available?"""
        fields = ("updatedReplicas", "replicas", "availableReplicas")
        return self.seen and all(self._status(field) == self.replicas for field in fields)

    @property
    def available(self) -> int:
        """How many of its pods are available."""
        return self._status("availableReplicas")

    @property
    def updated(self) -> int:
        """How many of its pods have the present template."""
        return self._status("updatedReplicas")

    @property
    def late(self) -> str:
        """What the Deployment controller says of a roll-out that exceeds its `progressDeadlineSeconds`; else empty."""
        for condition in member(self.document, "status", "conditions") or ():
            if member(condition, "type") == "Progressing" and member(condition, "reason") == _LATE:
                return text(member(condition, "message")) or _LATE
        return ""

    @property
    def paused_for(self) -> str:
        """The Service for which it was paused; empty if it was not paused by us."""
        return self._annotation(PAUSED_FOR)

    @property
    def rejected(self) -> tuple[str, str]:
        """The digest of the template that was rejected, and why; both empty if none was."""
        found, _, why = self._annotation(REJECTED).partition(" ")
        return found, why

    def _annotation(self, key: str) -> str:
        return text(member(self.document, "metadata", "annotations", key))

    def _status(self, field: str) -> int:
        return _number(member(self.document, "status", field), 0)


@dataclass(frozen=True, slots=True)
class Copy(Workload):
    """A copy of an original."""

    @property
    def runs(self) -> str:
        """The digest of the original's template that it runs; its own template has one label more."""
        return self._annotation(TEMPLATE)

    @property
    def mark(self) -> str:
        """The value of the label that its pods have, and no others."""
        return text(member(self.document, "metadata", "labels", COPY))

    @property
    def is_up(self) -> bool:
        """Are all of its pods available?"""
        return self.complete and self.replicas > 0


def template_of(mark: str) -> str:
    """The digest of the template that a copy with this mark runs, or ran: it is a part of the mark."""
    return mark.partition(".")[0].rpartition("-")[2]


def copies_of(original: Workload, deployments: Iterable[Document]) -> tuple[Copy, ...]:
    """The copies of this very Deployment, not of an earlier one of its name; those on their way out are left out."""
    found = (Copy(each) for each in deployments if is_copy(each))
    return tuple(each for each in found if original.uid in _owner_uids(each.document) and not each.deleted)


def is_copy(document: Document) -> bool:
    """Is the Deployment a copy that meshshift made of another?"""
    return bool(member(document, "metadata", "labels", COPY)) and is_made_by_us(document)


def copy_document(original: Workload, before: str = "") -> Document:
    """The copy of the original's present template, to be created; `before` is the mark of the one tried before it."""
    document, template = original.document, original.template
    name = f"{original.name[:_LONGEST_NAME].replace('.', '-').rstrip('-')}-{template}"
    mark = f"{name}.{digest([original.uid, original.version, before])[:6]}"
    pods = copying.deepcopy(member(document, "spec", "template"))
    pods["metadata"] = {**pods.get("metadata", {}), "labels": {**original.labels, COPY: mark}}
    limit = member(document, "spec", "progressDeadlineSeconds")
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": name,
            "namespace": member(document, "metadata", "namespace"),
            "labels": {COPY: mark, **MADE_BY},
            "annotations": {TEMPLATE: template},
            "ownerReferences": [
                {"apiVersion": API_VERSION, "kind": KIND, "name": original.name, "uid": original.uid},
            ],
        },
        "spec": {
            "replicas": original.replicas,
            "selector": {"matchLabels": {COPY: mark}},
            "template": pods,
            "minReadySeconds": _number(member(document, "spec", "minReadySeconds"), 0),
            **({} if limit is None else {"progressDeadlineSeconds": limit}),
        },
    }


def _owner_uids(document: Document) -> list[str]:
    owners = member(document, "metadata", "ownerReferences")
    return [text(member(each, "uid")) for each in owners] if isinstance(owners, list) else []


def _number(value: object, otherwise: int) -> int:
    return value if isinstance(value, int) else otherwise
