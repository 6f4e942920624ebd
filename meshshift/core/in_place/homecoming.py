"""From a copy that was proven back to the Deployment itself.

The copy has all the traffic when its shift ends.  First `stable` is given the copy's pods, and then the weights go back
from `canary` to `stable`: both select the same pods, so nobody's requests go elsewhere, and from now on `stable` says
which template is proven.  That template, and no other, is what the Deployment is resumed for; it rolls out natively
while the copy carries the traffic.  Once it has, and is paused again, `stable` is given the Deployment's new pods; the
proxies have either pods until they all have the new ones, and only then does the copy go.
"""

from __future__ import annotations

from meshshift.core.enrolment.view import Act, Standing, Tell, wait, warn, write
from meshshift.core.in_place import edits
from meshshift.core.in_place.deployments import COPY, HASH_LABEL
from meshshift.core.in_place.stage import CANARY, SOON, STABLE, Server, Stage
from meshshift.core.in_place.trial import relabel
from meshshift.core.mesh.documents import Problem
from meshshift.core.mesh.route_edits import weight_patches


def normalise(stage: Stage) -> Act | None:
    """Traffic that `canary` has after its shift becomes `stable`'s."""
    routes = stage.routes
    if isinstance(routes, Problem) or all(route.percent == 0 for route in routes.routes):
        return None
    stable, canary, copy = stage.labels(STABLE), stage.labels(CANARY), stage.marked(stage.tried)
    if stable is None or canary is None or stable != canary:
        proven = stage.shift is not None and stage.shift.standing is Standing.PROMOTED
        if not (proven and copy and canary == {COPY: copy.mark} and all(r.percent == 100 for r in routes.routes)):
            return warn(
                "CanaryHasTraffic", f"subset {CANARY} gets traffic although no shift gave it: set its weight to 0"
            )
        return relabel(stage, STABLE, canary, "Proven", f"{copy.ref} is proven: {STABLE} is what it runs")
    if stage.unsettled > 0:
        return wait("Settling", f"subset {STABLE} settles", stage.unsettled)
    patches = weight_patches(routes.routes, 0)
    if isinstance(patches, Problem):
        return warn(patches.reason, patches.message)
    return write("Returning", f"{STABLE} and {CANARY} are the same pods: the traffic goes to {STABLE}", *patches)


def come_home(stage: Stage) -> Act | None:
    """The Deployment rolls out what is proven, and takes the traffic over."""
    if stage.server is not Server.COPY:
        return None
    original, serving = stage.original, stage.serving_copy
    lost = _lost(stage)
    if lost is not None or serving is None:
        return lost or wait("CopyLost", f"the pods that {STABLE} selects have gone", SOON)
    if serving.replicas < original.replicas:
        message = f"{serving.ref} has as many pods as {original.name}: {original.replicas}"
        return write("Scaling", message, edits.scale(serving, original.replicas))
    if not stage.home:
        return None if stage.wanted else warn("LeftOnCopy", _left(stage))
    if not original.seen:
        # Every write of ours comes by here: what the status says is of the Deployment as it was before.
        return wait("Unseen", f"the Deployment controller has not looked at {original.ref} yet", SOON)
    if original.complete:
        return _take_over(stage)
    if original.paused:
        message = f"{original.ref} rolls out the template that {serving.name} has proven"
        return write("Resuming", message, edits.resume(original), tell=Tell.NORMAL)
    if original.late:
        return warn("RollOutLate", f"{original.ref} does not roll out, {serving.name} goes on serving: {original.late}")
    message = f"{original.ref} rolls out: {original.updated} of {original.replicas} pods; {serving.name} serves"
    return wait("RollingOut", message, SOON)


def _take_over(stage: Stage) -> Act:
    labels = {HASH_LABEL: stage.pods.only}
    if not stage.pods.only or stage.pods.ready(labels) < max(1, stage.original.replicas):
        return wait("RollingOut", f"waiting for the pods of {stage.original.ref}", SOON)
    if stage.unsettled > 0:
        return wait("Settling", "the mesh settles", stage.unsettled)
    return relabel(
        stage, STABLE, labels, "Returning", f"{stage.original.ref} has rolled out and takes the traffic over"
    )


def _lost(stage: Stage) -> Act | None:
    """The copy that serves has no ready pod left, and the Deployment has pods that may serve.

    Which ones that is: all, if they are rolling out what the copy has proven; else those of the template that served
    before, as long as the Deployment is paused and has no pod of its present one.
    """
    if stage.pods.ready(stage.labels(STABLE) or {}):
        return None
    message = f"the copy that served has gone: {stage.original.ref} serves"
    before = {HASH_LABEL: stage.pods.only}
    if stage.home and not stage.pods.copied and stage.pods.ready({}):
        return relabel(stage, STABLE, stage.everybody, "CopyLost", message)
    held = stage.original.paused and stage.original.seen and not stage.original.updated
    if held and stage.pods.only and stage.pods.ready(before):
        return relabel(stage, STABLE, before, "CopyLost", message)
    return None


def rest(stage: Stage) -> Act | None:
    """No copy is left: `stable` has all pods again, and a Service that wants no more gets its Deployment back."""
    if stage.server is Server.ORIGINAL and not stage.copies and not stage.pods.copied and stage.pods.only:
        return relabel(stage, STABLE, stage.everybody, "Resting", f"{STABLE} has all pods of {stage.original.ref}")
    if not stage.wanted and stage.server is not Server.COPY:
        return _let_go(stage)
    found, why = stage.original.rejected
    if stage.unproven and found == stage.original.template:
        return wait("Rejected", f"{stage.original.ref} keeps its version until its template changes: {why}")
    return None


def _let_go(stage: Stage) -> Act | None:
    original = stage.original
    if not original.paused_for or stage.server is Server.ORIGINAL:
        return None
    if not original.seen or stage.unproven:
        message = f"{original.ref} stays paused: its present template was never proven; resume it when it may roll out"
        if not original.seen:
            return wait("Unseen", f"the Deployment controller has not looked at {original.ref} yet", SOON)
        return write("LeftPaused", message, edits.let_go(original, resumed=False), tell=Tell.WARNING)
    return write("Resumed", f"{original.ref} is resumed", edits.let_go(original, resumed=True), tell=Tell.NORMAL)


def _left(stage: Stage) -> str:
    return (
        f"{stage.original.ref} has a template that was never proven, so it is not resumed, and its copy goes on "
        "serving; set the template back to what serves, or annotate the Service again"
    )
