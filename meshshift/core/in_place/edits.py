"""The edits of Deployments and of the two subsets: each tests what it was decided on.

Whoever changes the template, or anything else, in the moment before such an edit, makes it fail; then the world is
looked at again.  So nothing is resumed but the very template that was proven.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshshift.core.decision import Removal
from meshshift.core.in_place.deployments import PAUSED_FOR, REJECTED
from meshshift.core.mesh.documents import Patch, member, operation, pointer, unmoved

if TYPE_CHECKING:
    from meshshift.core.in_place.deployments import Copy, Workload
    from meshshift.core.mesh.documents import PatchOperation

LONGEST_REASON = 500
"""Characters of the reason that is kept on a Deployment."""


def pause(original: Workload, service: str) -> Patch:
    """Hold back changes of the template from now on, and say for whom, in one write.

    What was rejected before is forgotten once another template is complete: whoever sets it again means it.
    """
    said = {PAUSED_FOR: service} | ({REJECTED: None} if original.complete else {})
    return _patch(original, operation("add", pointer("spec", "paused"), True), _annotate(original, said))


def resume(original: Workload) -> Patch:
    """Let the Deployment roll out its present template, which is the one that was read."""
    return _patch(original, operation("add", pointer("spec", "paused"), False))


def hand_over(original: Workload, service: str) -> Patch:
    """From now on the Deployment is paused for another Service."""
    return _patch(original, _annotate(original, {PAUSED_FOR: service}))


def let_go(original: Workload, *, resumed: bool) -> Patch:
    """Forget the Deployment; `resumed`: as it was before it was paused."""
    forgotten = _annotate(original, {PAUSED_FOR: None, REJECTED: None})
    return _patch(original, *([operation("add", pointer("spec", "paused"), False)] if resumed else []), forgotten)


def reject(original: Workload, why: str) -> Patch:
    """Say on the Deployment that its present template is not rolled out, and why."""
    return _patch(original, _annotate(original, {REJECTED: f"{original.template} {why[:LONGEST_REASON]}"}))


def scale(copy: Copy, replicas: int) -> Patch:
    """Give a copy so many pods."""
    return _patch(copy, operation("add", pointer("spec", "replicas"), replicas))


def remove(copy: Copy) -> Removal:
    """Take away this very copy."""
    return Removal(copy.ref, copy.uid)


def _annotate(workload: Workload, changes: dict[str, str | None]) -> PatchOperation:
    present = member(workload.document, "metadata", "annotations") or {}
    changed = {**present, **changes}
    return operation(
        "add", pointer("metadata", "annotations"), {key: value for key, value in changed.items() if value is not None}
    )


def _patch(workload: Workload, *operations: PatchOperation) -> Patch:
    return Patch(workload.ref, (unmoved(workload.version), *operations))
