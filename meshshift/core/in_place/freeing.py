"""A Deployment whose Service is gone is let go, without a roll-out that nobody has proven.

A Service may be gone for good, or for a moment: `kubectl replace --force` and a GitOps tool that prunes and creates
make a new one of its name.  So nothing that a new one would build on is given up at once.  What takes no longer than
`GRACE` is passed over; after it the Deployment is taken back step by step, one write at a time, and each state in
between is one that the rules for a living Service start from.

The order is the safety argument.  First the Deployment is resumed, if that starts no pod of an unproven template: the
mesh says what is proven, so it is asked before it is changed.  Then copies without traffic go, then `stable` is given
all pods, whatever the next Service of this name selects, then the copy that served goes.  The annotation that says for
whom the Deployment was paused goes last, as it is what all of this is found by, after a restart as well.

A template that was never proven stays held, and so does the annotation.  It tells people why nothing rolls out, a
Service of the same name takes the Deployment over as it is, and once the template is set back, or a person resumes it,
the Deployment is let go after all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshshift.core.enrolment.view import Act, Tell, wait, warn, write
from meshshift.core.in_place import edits
from meshshift.core.in_place.deployments import HASH_LABEL
from meshshift.core.in_place.stage import CANARY, SOON, STABLE, Server, Stage
from meshshift.core.in_place.trial import relabel
from meshshift.core.mesh.documents import Problem
from meshshift.core.mesh.references import references
from meshshift.core.mesh.route_edits import weight_patches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshshift.core.in_place.deployments import Copy

GRACE = 60.0
"""Seconds for which a Service may be gone without anything being undone, copies that nothing keeps apart aside."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A Deployment that is paused for a Service that is gone.

    `gone` is for how many seconds this process has known that; `heir` is the name of another Service that has its
    Deployment updated in place and selects this one's pods, empty if there is none.
    """

    stage: Stage
    gone: float
    heir: str = ""

    @property
    def service(self) -> str:
        """The name of the Service that is gone."""
        return self.stage.view.target.service


def free(orphan: Orphan) -> Act:
    """The next act for a Deployment without its Service; pure and total."""
    if orphan.heir:
        return _hand_over(orphan)
    stage = orphan.stage
    act = expose_nobody(stage)
    if act is None and orphan.gone < GRACE:
        message = f"Service {orphan.service} is gone; if it does not come back, {stage.original.ref} is let go"
        return wait("ServiceGone", message, min(SOON, GRACE - orphan.gone))
    undoing = () if _leans_on_copy(stage) else (_return, _sweep, _widen, _last)
    for rule in (_shifted, _resume, *undoing):
        act = act or rule(stage)
    return act or _let_go(orphan)


def expose_nobody(stage: Stage) -> Act | None:
    """Where no subset keeps a copy's pods apart they get requests as all others do, proven or not: the copy goes."""
    named = references(stage.view.virtual_services, stage.target, STABLE)
    apart = stage.server is not Server.NOBODY or stage.labels(CANARY) is not None or named
    others_serve = any(stage.pods.ready({HASH_LABEL: each}) for each in stage.pods.own)
    if apart or stage.underway is not None or not stage.copies or not others_serve:
        return None
    copy = stage.copies[0]
    return _remove(copy, f"no subset keeps the pods of {copy.ref} apart from the others: it goes")


def _hand_over(orphan: Orphan) -> Act:
    original = orphan.stage.original
    message = f"Service {orphan.service} is gone: {original.ref} is held for Service {orphan.heir} now"
    return write("HandedOver", message, edits.hand_over(original, orphan.heir))


def _shifted(stage: Stage) -> Act | None:
    """A TrafficShift that is deleted gives its traffic back first; one that stays is somebody's."""
    view = stage.view
    if view.leaving:
        return wait("Leaving", "the TrafficShift of the Service that is gone gives its traffic back", SOON)
    left = [*view.others, *([str(view.orphan.ref)] if view.orphan and not view.orphan.standing.ended else [])]
    if left:
        return warn("ShiftLeft", f"{stage.original.ref} is let go once {left[0]}, whose Service is gone, is deleted")
    return None


def _resume(stage: Stage) -> Act | None:
    """Resumed if that starts nothing, or what a copy has proven and serves."""
    original = stage.original
    if not original.seen:
        return wait("Unseen", f"the Deployment controller has not looked at {original.ref} yet", SOON)
    if not original.paused or not may_roll_out(stage):
        return None
    return write(
        "Resuming", f"{original.ref} is resumed: Service {stage.view.target.service} is gone", edits.resume(original)
    )


def may_roll_out(stage: Stage) -> bool:
    """Do all of the Deployment's pods have its template, or has a copy proven it and serves?

    One that is scaled to nothing would start the template with its next pod; while it is held, that one is of the old.
    """
    return stage.home or not (stage.original.pending or stage.original.empty)


def _leans_on_copy(stage: Stage) -> bool:
    """Is the Deployment held half-way, so that only a copy has pods of nothing but what was proven?"""
    return stage.server is Server.COPY and stage.original.paused and not stage.pods.only


def _return(stage: Stage) -> Act | None:
    """What routes that have stayed give the copy goes back to `stable`."""
    routes = stage.routes
    if stage.server is Server.NOBODY or isinstance(routes, Problem) or all(each.percent == 0 for each in routes.routes):
        return None
    patches = weight_patches(routes.routes, 0)
    if isinstance(patches, Problem):
        return warn(patches.reason, patches.message)
    return write("Returning", f"the traffic goes to {STABLE}: the Service is gone", *patches)


def _sweep(stage: Stage) -> Act | None:
    """The copies beside the one that serves."""
    serving = stage.serving_copy
    return _clear(stage, [each for each in stage.copies if each != serving])


def _widen(stage: Stage) -> Act | None:
    """`stable` has all pods again, by labels that are right for any Service: none."""
    if stage.server not in {Server.ORIGINAL, Server.COPY}:
        return None
    if stage.server is Server.ORIGINAL and stage.pods.copied:
        return wait("CopyGoing", "waiting for the last pods of a copy to go", SOON)
    return relabel(stage, STABLE, {}, "Resting", f"{STABLE} has all pods of whatever Service comes by this name")


def _last(stage: Stage) -> Act | None:
    return _clear(stage, stage.copies)


def _clear(stage: Stage, copies: Sequence[Copy]) -> Act | None:
    if not copies:
        return None
    copy, left = copies[0], stage.unsettled
    if left > 0:
        return wait("Settling", f"the routes settle before {copy.ref} goes", left)
    return _remove(copy, f"{copy.ref} goes: Service {stage.view.target.service} is gone")


def _remove(copy: Copy, message: str) -> Act:
    return write("Removing", message, edits.remove(copy))


def _let_go(orphan: Orphan) -> Act:
    original, service = orphan.stage.original, orphan.service
    if not original.paused:
        message = f"Service {service} is gone: {original.ref} is not held any more, and rolls out what it is given"
        return write("LetGo", message, edits.let_go(original, resumed=False), tell=Tell.NORMAL)
    found, why = original.rejected
    unknown = "cannot be compared with that of pods, as there are none" if original.empty else "was never proven"
    verdict = f"was rejected ({why})" if found == original.template else unknown
    return warn(
        "LeftPaused",
        f"Service {service} is gone, and {original.ref} keeps spec.paused: true, as its spec.template "
        f"({original.template}) {verdict}; set the template back to that of its pods and it is let go, or roll it out "
        f"unjudged: kubectl rollout resume deployment/{original.name} -n {original.ref.namespace}",
    )
