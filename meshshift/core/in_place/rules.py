"""The ordered rules for a Deployment that is updated in place; the first that speaks wins.

The order is the safety argument.  What cannot be done this way is refused first.  While `stable` leans on pods of one
template, or a shift is under way, the Deployment is held paused before anything else is thought of.  While the
service's own shift is under way, only that shift is told anything.  A copy that a shift has proven becomes `stable`
before its template is rolled out, so what may be rolled out can be read from the mesh, whenever the process died.
Only then comes what is new: copies that nobody needs go, a template that nothing serves gets a copy and a shift.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshshift.core.enrolment.adoption import Serves, adopt, rule_with
from meshshift.core.enrolment.releasing import release
from meshshift.core.enrolment.rules import obstacle
from meshshift.core.enrolment.view import Act, Standing, Tell, wait, warn, write
from meshshift.core.in_place import edits
from meshshift.core.in_place.deployments import COPY, HASH_LABEL
from meshshift.core.in_place.freeing import expose_nobody
from meshshift.core.in_place.homecoming import come_home, normalise, rest
from meshshift.core.in_place.stage import CANARY, SOON, STABLE, Server, Stage
from meshshift.core.in_place.trial import narrow, try_out, watch_over
from meshshift.core.mesh.documents import listing, member, shown, text
from meshshift.core.mesh.references import references

if TYPE_CHECKING:
    from meshshift.core.in_place.deployments import Copy

"""Seconds between looks while something is awaited that watches tell of; only a safety net under them."""


def decide(stage: Stage) -> Act:
    """The next act for one service whose Deployment is updated in place; pure, total and deterministic."""
    act = _renewed(stage)
    if act is not None:
        return act
    for rule in (_obstacle, _unfit, _hold, watch_over, normalise, _adopt, _reject, come_home, _sweep, try_out, rest):
        act = rule(stage)
        if act is not None:
            return act
    return wait("Serving", f"{stage.original.ref} serves") if stage.wanted else release(stage.view)


def _renewed(stage: Stage) -> Act | None:
    """The Service is another one than it was: the objects of the one before it have gone, and what they kept apart.

    Copies that nothing keeps apart go.  Routes of somebody's own, which have stayed, find `stable` again.
    """
    if len(stage.originals) != 1 or stage.server is not Server.NOBODY or stage.underway is not None:
        return None
    if not references(stage.view.virtual_services, stage.target, STABLE):
        return expose_nobody(stage)
    apart = bool(stage.copies or stage.pods.copied)
    if not stage.wanted or (apart and not stage.pods.only):
        return None
    labels = {HASH_LABEL: stage.pods.only} if apart else stage.everybody
    return rule_with(stage.adopting, Serves(STABLE, labels, None))


def _obstacle(stage: Stage) -> Act | None:
    return obstacle(stage.view) if stage.view.wishes.enrolled else None


def _unfit(stage: Stage) -> Act | None:
    """One Deployment, whose versions bear each other, and nothing else behind the Service."""
    if not stage.originals:
        return wait("NoDeployment", "waiting for a Deployment whose pods the Service selects")
    if len(stage.originals) > 1:
        names = listing(each.name for each in stage.originals)
        return warn(
            "SeveralDeployments",
            f"meshshift.io/workload: in-place is for one Deployment, and the Service selects the pods of {names}; "
            "leave the annotation out, and each of them is a version",
        )
    if stage.original.recreates:
        return warn(
            "RecreateStrategy",
            f"{stage.original.ref}: spec.strategy.type: Recreate says that two versions must not run at a time, and a "
            "copy would; use RollingUpdate",
        )
    if stage.pods.others:
        return warn(
            "OtherPods",
            f"the Service selects {stage.pods.others} ready pods that are not of {stage.original.ref}: in place only "
            "its own pods can serve; give them other labels",
        )
    return None


def _hold(stage: Stage) -> Act | None:
    """Paused, whoever resumed it, while traffic leans on pods that a roll-out would take away.

    At rest traffic finds all pods, and somebody who resumes the Deployment gets what they asked for.
    """
    original = stage.original
    if original.paused or (stage.server is Server.EVERYBODY and stage.underway is None):
        return None
    if stage.server in {Server.NOBODY, Server.STRANGER}:
        return None
    if stage.home and stage.underway is None and not original.complete:
        return None
    message = f"{original.ref} is paused: its template is tried out before it is rolled out"
    return write("Pausing", message, edits.pause(original, stage.view.target.service))


def _adopt(stage: Stage) -> Act | None:
    """The routes name `stable`, which has all pods; only then is the Deployment paused."""
    found = adopt(stage.adopting) if stage.wanted else None
    if isinstance(found, Act):
        return found
    if found is not None and (found.subset != STABLE or stage.server in {Server.NOBODY, Server.STRANGER}):
        return warn(
            "RoutesElsewhere",
            f"traffic goes to subset {shown(found.subset)} with the labels {shown(dict(found.labels))}: let the "
            f"destinations of {stage.target.host} name no subset, and they get one that follows the Deployment",
        )
    labels = stage.labels(CANARY)
    if labels is not None and set(labels) != {COPY}:
        return warn(
            "SubsetTaken",
            f"subset {shown(CANARY)} has the labels {shown(labels)}: in place this name is the copy's; rename it",
        )
    return _pause(stage) if stage.wanted else None


def _pause(stage: Stage) -> Act | None:
    original = stage.original
    if stage.server is Server.COPY:
        return None
    if original.paused:
        return None if original.seen else wait("Unseen", f"{original.ref} has not been looked at yet", SOON)
    if not original.complete:
        return wait("RollingOut", f"{original.ref} rolls out: {original.updated} of {original.replicas} pods", SOON)
    message = f"{original.ref} is paused: from now on a new template is tried out before it is rolled out"
    return write("Pausing", message, edits.pause(original, stage.view.target.service), tell=Tell.NORMAL)


def _reject(stage: Stage) -> Act | None:
    """What a shift has taken back, and what never comes up, is not rolled out until the template changes."""
    candidate, shift = stage.candidate, stage.shift
    if candidate is None or stage.original.rejected[0] == stage.original.template:
        return None
    why = candidate.late
    if shift is not None and shift.standing is Standing.REJECTED and stage.tried == candidate.mark:
        why = text(member(shift.document, "status", "message")) or "its shift was taken back"
    if not why:
        return None
    message = f"{stage.original.ref} keeps its version: {why}"
    return write("Rejected", message, edits.reject(stage.original, why), tell=Tell.WARNING)


def _sweep(stage: Stage) -> Act | None:
    """Copies that nobody needs go, once no proxy sends to them any more."""
    for copy in stage.copies:
        if _is_needed(stage, copy):
            continue
        if stage.server is Server.EVERYBODY and (act := narrow(stage)) is not None:
            return act
        left = stage.unsettled
        if left > 0:
            return wait("Settling", f"the routes settle before {copy.ref} goes", left)
        if not _is_quiet(stage, copy):
            return warn("CopyInUse", f"{copy.ref} is not needed any more, and something still sends to it")
        return write("Removing", f"{copy.ref} has done its work", edits.remove(copy))
    return None


def _is_needed(stage: Stage, copy: Copy) -> bool:
    is_tried = copy == stage.candidate and stage.unproven and stage.wanted
    return copy == stage.serving_copy or (is_tried and stage.original.rejected[0] != copy.runs)


def _is_quiet(stage: Stage, copy: Copy) -> bool:
    """Does nothing send to the copy: neither `stable`, nor whatever names `canary`?"""
    canary = stage.labels(CANARY) or {}
    named = references(stage.view.virtual_services, stage.target, CANARY) and copy.mark in canary.values()
    return stage.server in {Server.ORIGINAL, Server.COPY} and not named and copy != stage.serving_copy
