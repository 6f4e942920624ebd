"""The reviews by which a client asks who it is and what it may do. In the lab everyone may do everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Kind

USER: Document = {"username": "lab-admin", "groups": ["system:masters", "system:authenticated"]}


def answer(kind: Kind, document: Document) -> Document:
    """Return a review with its status filled in."""
    return {**document, "apiVersion": kind.api_version, "kind": kind.kind, "status": _status(kind.kind)}


def _status(kind: str) -> Document:
    if kind == "SelfSubjectReview":
        return {"userInfo": USER}
    if kind == "TokenReview":
        return {"authenticated": True, "user": USER}
    if kind == "SelfSubjectRulesReview":
        everything = ["*"]
        return {
            "resourceRules": [{"verbs": everything, "apiGroups": everything, "resources": everything}],
            "nonResourceRules": [{"verbs": everything, "nonResourceURLs": everything}],
            "incomplete": False,
        }
    return {"allowed": True, "reason": "the lab allows everything"}
