"""A new template is tried out on a copy: pinned, copied, up, and only then shifted to.

Make before break, one write at a time, each settled before anything builds on it.  `stable` is narrowed to the pods
that serve while there is no copy yet, so nobody's requests move; only then is the copy made, whose pods the Service
selects as well.  `canary` is pointed at the copy while it has no weight, and the shift begins when the copy has as many
available pods as the original.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.core.decision import Creation
from meshshift.core.enrolment.telling import commanding, kept, new_shift, pausing, tell
from meshshift.core.enrolment.view import (
    Act,
    OwnShift,
    Standing,
    wait,
    warn,
    write,
)
from meshshift.core.in_place import edits
from meshshift.core.in_place.deployments import COPY, HASH_LABEL, copy_document, template_of
from meshshift.core.in_place.stage import CANARY, SOON, STABLE, Server, Stage
from meshshift.core.mesh.documents import Problem, operation, pointer
from meshshift.core.mesh.references import references
from meshshift.core.mesh.subsets import add_subset_patch, relabel_patch

if TYPE_CHECKING:
    from meshshift.core.in_place.deployments import Copy

_TURNABLE = {Standing.TURNING, Standing.WAITING, Standing.MOVING}


def watch_over(stage: Stage) -> Act | None:
    """A shift under way is told when its template is no longer wanted; its copy keeps up with the Deployment's size."""
    shift, original = stage.underway, stage.original
    if shift is None:
        return None
    copy = stage.marked(stage.tried)
    for each in filter(None, (copy, stage.serving_copy)):
        if each.replicas < original.replicas:
            message = f"{each.ref} has as many pods as {original.name}: {original.replicas}"
            return write("Scaling", message, edits.scale(each, original.replicas))
    over = _why_over(stage, shift, copy)
    if over and shift.standing in _TURNABLE and not shift.commanded:
        return tell(shift, "Superseded", commanding(shift, "abort"), message=over)
    wish = stage.view.wishes.wish
    paused = wish is not None and wish.paused
    if wish is not None and paused != bool(shift.spec.get("paused", False)) and not over:
        change = pausing(paused=paused)
        return tell(shift, "Pausing" if paused else "Resuming", change, message=f"meshshift.io/paused is {paused}")
    return wait("Shifting", f"{shift.ref} is under way")


def _why_over(stage: Stage, shift: OwnShift, copy: Copy | None) -> str:
    """Why the shift has lost its purpose; empty if it has not."""
    if not stage.wanted:
        return f"{stage.original.ref} is not updated in place any more"
    if stage.tried and template_of(stage.tried) != stage.original.template:
        return f"the template of {stage.original.ref} has changed: another copy is tried out"
    if copy is None and shift.standing is not Standing.MOVING:
        return f"the copy of {stage.original.ref} has gone: another one is made"
    return ""


def try_out(stage: Stage) -> Act | None:
    """The next step towards a shift to the present template; None if there is nothing to try out."""
    original, wish = stage.original, stage.view.wishes.wish
    if wish is None or not (stage.wanted and original.paused and stage.unproven):
        return None
    if original.rejected[0] == original.template:
        return None
    if wish.paused:
        return wait("Paused", f"{original.ref} has a new template; meshshift.io/paused is true")
    for step in (narrow, _settle, _copy, _point, _await):
        act = step(stage)
        if act is not None:
            return act
    return _begin(stage)


def narrow(stage: Stage) -> Act | None:
    """Before there is a copy, `stable` selects by the template of the pods that serve: the same pods."""
    if stage.server is not Server.EVERYBODY:
        return None
    labels = {HASH_LABEL: stage.pods.only}
    if not stage.pods.only or not stage.pods.ready(labels):
        return wait("RollingOut", f"waiting for pods of {stage.original.ref} that are ready and of one template", SOON)
    return relabel(stage, STABLE, labels, "Pinning", f"{STABLE} has the pods of {stage.original.name} that serve now")


def _settle(stage: Stage) -> Act | None:
    left = stage.unsettled
    return wait("Settling", "the subsets settle", left) if left > 0 else None


def _copy(stage: Stage) -> Act | None:
    """As many pods of the new template as there are of the old, beside them and without traffic."""
    original, copy = stage.original, stage.candidate
    if copy is None:
        document = copy_document(original, stage.tried)
        name = document["metadata"]["name"]
        return write("Copying", f"creating {name}, which runs the new template of {original.ref}", Creation(document))
    if copy.replicas < original.replicas:
        message = f"{copy.ref} has as many pods as {original.name}: {original.replicas}"
        return write("Scaling", message, edits.scale(copy, original.replicas))
    return None


def _point(stage: Stage) -> Act | None:
    """`canary` selects the copy, while nothing sends to it."""
    copy, rule = stage.candidate, stage.rule
    if isinstance(rule, Problem):
        return warn(rule.reason, rule.message)
    labels = {COPY: copy.mark} if copy else {}
    if stage.labels(CANARY) == labels:
        return None
    if used := references(stage.view.virtual_services, stage.target, CANARY):
        return warn("SubsetInUse", f"{used[0]} sends to subset {CANARY}, which is to be the copy's: take it out")
    if stage.labels(CANARY) is not None:
        return relabel(stage, CANARY, labels, "Pinning", f"{CANARY} has the pods of the copy")
    patch = add_subset_patch(rule, CANARY, labels, like=STABLE)
    if isinstance(patch, Problem):
        return warn(patch.reason, patch.message)
    return write("AddingSubset", f"adding subset {CANARY} for the copy", *([patch] if patch else []))


def _await(stage: Stage) -> Act | None:
    copy = stage.candidate
    if copy is None or not copy.is_up:
        have = copy.available if copy else 0
        return wait("CopyStarting", f"{have} of {stage.original.replicas} pods of the copy are available", SOON)
    return None


def _begin(stage: Stage) -> Act:
    """The service's TrafficShift is made, or told of the new copy."""
    shift, copy, view = stage.shift, stage.candidate, stage.view
    if copy is None or view.wishes.wish is None:
        return wait("CopyStarting", "the copy has gone", SOON)
    spec: dict[str, Any] = {
        "service": view.target.service,
        "stable": {"subset": STABLE},
        "canary": {"subset": CANARY, "labels": {COPY: copy.mark}},
        **view.wishes.wish.fields,
        **kept(shift),
    }
    message = f"{stage.original.ref} has a new template: traffic is shifted to {copy.ref}, which runs it"
    if shift is None:
        return new_shift(view, spec, message)
    if view.digest(spec) != view.digest(shift.spec):
        return tell(shift, "Starting", operation("replace", pointer("spec"), spec), message=message)
    if shift.commanded:
        return wait("Commanded", f"{shift.ref} has a command to carry out first", SOON)
    return tell(shift, "Starting", commanding(shift, "retry"), message=message)


def relabel(stage: Stage, subset: str, labels: dict[str, str], reason: str, message: str) -> Act:
    """A subset selects other pods; nothing is written if it does so already."""
    rule = stage.rule
    if isinstance(rule, Problem):
        return warn(rule.reason, rule.message)
    patch = relabel_patch(rule, subset, labels)
    return write(reason, message, *([patch] if patch else []))
