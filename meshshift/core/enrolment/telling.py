"""What the Service's own TrafficShift is made as and told, whoever decides it: for versions side by side, or a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.core.decision import Creation
from meshshift.core.enrolment.view import Act, OwnShift, Tell, View, warn, write
from meshshift.core.mesh.documents import Patch, operation, pointer, resource_version, unmoved
from meshshift.core.mesh.writers import MADE_BY
from meshshift.core.observation import COMMAND_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshshift.core.mesh.documents import PatchOperation

Spec = dict[str, Any]
API_VERSION, KIND = "meshshift.io/v1alpha1", "TrafficShift"
KEPT_FIELDS = ("notifications",)
"""Fields of a spec that no annotation decides, and that people may add by hand."""


def kept(shift: OwnShift | None) -> Spec:
    """What people have added to the spec; a new one keeps it."""
    return {name: shift.spec[name] for name in KEPT_FIELDS if name in shift.spec} if shift else {}


def new_shift(view: View, spec: Spec, message: str, annotations: Mapping[str, str] | None = None) -> Act:
    """The Service's TrafficShift is created, unless somebody else's has its name."""
    if view.taken:
        name = f"{KIND} {view.target.namespace}/{view.target.service}"
        return warn("NameTaken", f"{name} exists and is not this Service's: delete or rename it")
    metadata: dict[str, Any] = {
        "name": view.target.service,
        "namespace": view.target.namespace,
        "labels": dict(MADE_BY),
        "ownerReferences": [view.owner],
    }
    if annotations:
        metadata["annotations"] = dict(annotations)
    document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}
    return write("Starting", message, Creation(document), tell=Tell.NORMAL)


def pausing(*, paused: bool) -> PatchOperation:
    """Hold the shift, or let it go on."""
    return operation("add", pointer("spec", "paused"), paused)


def commanding(shift: OwnShift, text: str) -> PatchOperation:
    """Give the shift a command, as a person would."""
    return operation("add", pointer("metadata", "annotations"), {**shift.annotations, COMMAND_ANNOTATION: text})


def tell(shift: OwnShift, reason: str, *operations: PatchOperation, message: str = "") -> Act:
    """The shift is edited, as it was when this was decided."""
    patch = Patch(shift.ref, (unmoved(resource_version(shift.document)), *operations))
    return write(reason, message or f"{reason.lower()} {shift.ref}", patch, tell=Tell.NORMAL)
