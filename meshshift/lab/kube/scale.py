"""The scale subresource: an `autoscaling/v1 Scale` as a window on an object's replica count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshshift.lab.kube import errors
from meshshift.lab.kube.documents import at, copied, put_at
from meshshift.lab.kube.errors import invalid_value

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Kind, Scale


def _path(dotted: str) -> tuple[str, ...]:
    return tuple(dotted.lstrip(".").split("."))


def _selector_text(value: object) -> str:
    if isinstance(value, dict):
        labels = value.get("matchLabels") or {}
        return ",".join(f"{key}={item}" for key, item in sorted(labels.items()))
    return str(value or "")


def scale_of(document: Document, scale: Scale) -> Document:
    """Return the Scale document of an object."""
    meta = document["metadata"]
    shown = {
        key: meta[key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp") if key in meta
    }
    status: Document = {"replicas": at(document, *_path(scale.status_replicas)) or 0}
    if scale.selector:
        status["selector"] = _selector_text(at(document, *_path(scale.selector)))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": shown,
        "spec": {"replicas": at(document, *_path(scale.spec_replicas)) or 0},
        "status": status,
    }


def scaled(document: Document, wanted: Document, kind: Kind, scale: Scale) -> Document:
    """Return the object with the replica count of a Scale document.

    Raises:
        StatusError: 422, if the count is no whole number from 0.
    """
    replicas = at(wanted, "spec", "replicas") or 0
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        detail = "must be greater than or equal to 0"
        name = document["metadata"]["name"]
        raise errors.invalid("Scale", "autoscaling", name, [invalid_value("spec.replicas", replicas, detail)])
    result: Document = copied(document)
    put_at(result, _path(scale.spec_replicas), replicas)
    version = at(wanted, "metadata", "resourceVersion")
    if version and version != document["metadata"]["resourceVersion"]:
        raise errors.conflict(kind.plural, kind.group, document["metadata"]["name"])
    return result
