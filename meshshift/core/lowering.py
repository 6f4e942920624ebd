"""After the end: the version that lost the traffic goes down, once it is certain that nobody needs it.

Everything here can wait, so every doubt means waiting: before the delay has passed, while any place of the mesh sends
to the subset, while another shift is under way with it, while telemetry is silent, cannot be read, or counts a single
request on it.  What is waited for is said in the status.  The wait is part of the run that is stored, so it survives a
restart.  A new run takes over what is still owed, but for the Deployments that it needs itself.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from meshshift.core import words
from meshshift.core.decision import Decision, Kind
from meshshift.core.look import IDLE
from meshshift.core.mesh.documents import Problem, Reason, listing
from meshshift.core.observation import TelemetryFailure
from meshshift.core.run import Phase
from meshshift.core.scaling import pending
from meshshift.core.telemetry import BadData, NoData, Tick
from meshshift.core.workloads import Survey

if TYPE_CHECKING:
    from meshshift.core.look import Look
    from meshshift.core.observation import Reading
    from meshshift.core.workloads import Owed, Workload, Workloads

QUIET = 60.0
"""Seconds without a request on it before a version is scaled down."""
SCALED_DOWN = "ScaledDown"
"""The reason that is told once for each Deployment; the record itself keeps the reason of its end."""
_AGAIN = 60.0


def lowering(look: Look, record: Decision) -> Decision:
    """The decision that an ended shift stays a `record`, and what becomes of the Deployment that is owed next."""
    left = pending(look.run)
    if not left:
        return record
    owed = min(left, key=lambda each: each.due)
    due = _due(look, owed)
    to = f"Deployment {owed.deployment} goes to {_replicas(owed.replicas)}"
    if look.seen.now < due:
        return _later(record, f"{to} at {_clock(due)}, if nothing is sent to it", due - look.seen.now)
    waits = _in_the_way(look)
    if waits:
        return _later(record, f"{to} once {waits}")
    found = look.seen.workloads
    if found is None or found.owed is None:
        return replace(record, surveys=Survey(owed))
    return _looked_at(look, record, owed, found)


def _due(look: Look, owed: Owed) -> float:
    """No sooner than a quiet time can have been seen that lies after the end."""
    ended = look.run.ended or look.seen.now
    return max(owed.due, ended + look.seen.timing.settle + QUIET + look.seen.timing.lag)


def _in_the_way(look: Look) -> str:
    """What can be told without asking anybody; empty if nothing is in the way."""
    run, endpoints = look.run, look.seen.endpoints
    serving = endpoints.canary_ready if run.phase is Phase.SUCCEEDED else endpoints.stable_ready
    if look.seen.spec.paused:
        return "spec.paused is false"
    if look.seen.rival is not None:
        return f"TrafficShift {look.seen.rival} is over"
    if isinstance(look.seen.mesh.routes, Problem):
        return f"the routes can be read: {look.seen.mesh.routes.message}"
    if serving == 0:
        return "the version that has the traffic has a ready pod"
    return ""


def _looked_at(look: Look, record: Decision, owed: Owed, found: Workloads) -> Decision:
    workload = found.owed
    if isinstance(workload, Problem):
        if workload.reason is Reason.DEPLOYMENT_NOT_FOUND:
            return _done(look, record, owed, told=False)
        return _later(record, f"Deployment {owed.deployment} stays as it is: {workload.message}")
    if workload is None:
        return record
    if workload.replicas <= owed.replicas:
        return _done(look, record, owed, told=look.run.scaling is not None and look.run.scaling.lowering != "")
    used = _used(found) or _traffic(found) or _not_its_own(look, owed, workload)
    if used:
        return _later(record, f"Deployment {owed.deployment} keeps its {_replicas(workload.replicas)}: {used}")
    if workload.autoscaler is not None:
        fix = "delete that, or scale both yourself"
        why = f"HorizontalPodAutoscaler {workload.autoscaler} sets them; {fix}"
        return _later(record, f"Deployment {owed.deployment} keeps its {_replicas(workload.replicas)}: {why}")
    return _lower(look, record, owed, workload)


def _lower(look: Look, record: Decision, owed: Owed, workload: Workload) -> Decision:
    scaling = look.run.scaling
    if scaling is None:
        return record
    run = replace(look.run, scaling=replace(scaling, lowering=owed.deployment))
    message = f"{record.message}; scaling Deployment {owed.deployment} to {_replicas(owed.replicas)}"
    edits = (workload.scaled_to(owed.replicas),)
    return replace(record, kind=Kind.APPLY, reason="ScalingDown", message=message, run=run, edits=edits, again=0.0)


def _done(look: Look, record: Decision, owed: Owed, *, told: bool) -> Decision:
    """Take note that nothing is left to do; an Event only for what we did ourselves."""
    scaling = look.run.scaling
    if scaling is None:
        return record
    lowered = replace(scaling, lowering="", lowered=(*scaling.lowered, owed.deployment))
    run = replace(look.run, scaling=lowered)
    if not told:
        return replace(record, run=run, again=0.0)
    message = f"Deployment {owed.deployment} was scaled to {_replicas(owed.replicas)}: it got no request any more"
    return replace(record, reason=SCALED_DOWN, message=message, run=run, again=0.0)


def _used(found: Workloads) -> str:
    if found.users:
        return f"TrafficShift {listing(found.users)} needs it"
    return f"{listing(found.senders)} sends to it" if found.senders else ""


def _traffic(found: Workloads) -> str:
    """Why it cannot be told that nothing reaches it; traffic on the winner proves that telemetry is awake."""
    awake = False
    for service, reading in found.traffic:
        told = _told(service, reading)
        if told:
            return told
        awake = awake or (isinstance(reading, Tick) and reading.canary.total > 0)
    return "" if awake else "telemetry shows no traffic at all, so it cannot tell that none is on it"


def _told(service: str, reading: Reading) -> str:
    match reading:
        case TelemetryFailure():
            return reading.message
        case BadData():
            return reading.reason
        case NoData():
            return ""
        case Tick() if reading.stable.total + reading.stable.unclassified > 0:
            requests = words.number(max(1.0, reading.stable.total + reading.stable.unclassified))
            return f"it got {requests} requests through Service {service} in the last {words.duration(QUIET)}"
    return ""


def _not_its_own(look: Look, owed: Owed, workload: Workload) -> str:
    """Pods that the subset with the traffic selects are not the ones that lost it."""
    mesh, spec = look.seen.mesh, look.run.spec
    winner = mesh.canary_labels if look.run.phase is Phase.SUCCEEDED else mesh.stable_labels
    serving = spec.canary.name if look.run.phase is Phase.SUCCEEDED else spec.stable.name
    if not workload.makes(winner) and owed.subset != serving:
        return ""
    return f"subset {serving}, which has the traffic, selects its pods"


def _later(record: Decision, note: str, seconds: float = _AGAIN) -> Decision:
    return replace(record, message=f"{record.message}; {note}", again=min(IDLE, max(1.0, seconds)))


def _replicas(count: int) -> str:
    return f"{count} replica" if count == 1 else f"{count} replicas"


def _clock(instant: float) -> str:
    return f"{datetime.fromtimestamp(int(instant), UTC):%Y-%m-%d %H:%M:%S} UTC"
