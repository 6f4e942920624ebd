"""The documents that a Deployment stands for: its ReplicaSets with their revisions, and their pods.

A ReplicaSet is named after its template, so a template that comes back finds the ReplicaSet that it had.  Revisions are
what `kubectl rollout history` and `undo` work with: annotations, counted up whenever another template becomes the
present one (k8s.io/kubernetes/pkg/controller/deployment/util/deployment_util.go).
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Document = dict[str, Any]

HASH_LABEL = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
NODE_NAME = "lab"

_HISTORY = "deployment.kubernetes.io/revision-history"
_DEFAULT_LIMIT = 10
_OWN = frozenset({REVISION, _HISTORY, "kubectl.kubernetes.io/last-applied-configuration"})
"""Annotations that a ReplicaSet does not take over from its Deployment."""


def template_hash(template: Mapping[str, Any]) -> str:
    """A short name for a pod template; equal templates have equal names, and null says as much as nothing."""
    return hashlib.sha256(json.dumps(_without_nulls(template), sort_keys=True).encode()).hexdigest()[:10]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


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


def revision_of(document: Document) -> int:
    """The revision that a Deployment or ReplicaSet says it is; 0 if it does not say."""
    text = (document["metadata"].get("annotations") or {}).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def annotations_due(deployment: Document, new: Document, old: Sequence[Document]) -> dict[str, str]:
    """The annotations that the present template's ReplicaSet lacks: its revision and the Deployment's own ones."""
    known = new["metadata"].get("annotations") or {}
    copied = {key: text for key, text in (deployment["metadata"].get("annotations") or {}).items() if key not in _OWN}
    revision = max(map(revision_of, old), default=0) + 1
    if revision_of(new) < revision:
        copied[REVISION] = str(revision)
        if revision_of(new):
            copied[_HISTORY] = ",".join(filter(None, (known.get(_HISTORY, ""), known[REVISION])))
    return {key: text for key, text in copied.items() if known.get(key) != text}


def beyond_history(deployment: Document, old: Sequence[Document]) -> list[Document]:
    """The old ReplicaSets that nobody needs any more: empty, and more than `revisionHistoryLimit`."""
    limit = deployment["spec"].get("revisionHistoryLimit")
    surplus = max(0, len(old) - (_DEFAULT_LIMIT if limit is None else int(limit)))
    return [one for one in sorted(old, key=revision_of)[:surplus] if _is_empty(one)]


def _is_empty(one: Document) -> bool:
    return not one["spec"].get("replicas") and not (one.get("status") or {}).get("replicas")


def _owner(document: Document, api_version: str, kind: str) -> Document:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": document["metadata"]["name"],
        "uid": document["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
