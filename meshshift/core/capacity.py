"""Replicas before weight: the rules that bring up pods before traffic is led to them.

Three states, each persisted before anything builds on it: how many replicas are wanted, the Deployment asked for them,
and that many pods ready, as its own status and the cached pods both say.  Only then is the step entered that raises the
weight, and the write of the weight itself asks once more.  The canary is never scaled down here, and nobody's
Deployment is fought for: one that an autoscaler sets is waited for, as the baseline's pods are, and the message says
what to change.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshshift.core import words
from meshshift.core.decision import Decision, Kind
from meshshift.core.look import SOON
from meshshift.core.mesh.documents import Problem, Reason, shown
from meshshift.core.run import Phase
from meshshift.core.scaling import Scaling, load, needed, replicas_for
from meshshift.core.workloads import Survey

if TYPE_CHECKING:
    from meshshift.core.look import Look
    from meshshift.core.run import Run
    from meshshift.core.workloads import Workload, Workloads

UNDONE = "Undone"
"""The reason of a rollback that a person asked for after a success: the old version may have been scaled down."""


def carried(look: Look, ahead: Run) -> Run | Decision:
    """`ahead` with what was seen of its Deployments, once its canary can carry its load; else what comes before."""
    rises = look.run.phase is Phase.PENDING or ahead is look.run or load(ahead) > load(look.run)
    if look.run.spec.scale is None or not rises:
        return ahead
    found = look.seen.workloads
    if found is None:
        return _survey(look)
    canary, stable = found.canary, found.stable
    for each in (canary, stable):
        if isinstance(each, Problem):
            return _unknown(look, each)
    if isinstance(canary, Problem) or isinstance(stable, Problem):
        raise AssertionError("told above")
    unfit = _unfit(look, found)
    if unfit is not None:
        return _unknown(look, unfit)
    scaling = (look.run.scaling or Scaling()).seen(stable.replicas, canary.replicas)
    return _lacking(look, ahead, canary, scaling) or replace(ahead, scaling=replace(scaling, since=None))


def _lacking(look: Look, ahead: Run, canary: Workload, scaling: Scaling) -> Decision | None:
    """Ask for what is missing, or wait for it."""
    count = needed(ahead, scaling.full)
    share = f"{load(ahead)}% of {scaling.full}" if load(ahead) else "before its first request"
    run = replace(look.run, scaling=scaling.waiting(count, look.seen.now))
    if canary.replicas < count:
        if canary.autoscaler is not None:
            fix = f"set its minReplicas to {count} or more, or delete it"
            message = (
                f"{look.at_weight}: HorizontalPodAutoscaler {canary.autoscaler} sets the replicas of Deployment "
                f"{canary.name} to {canary.replicas}, {count} are needed ({share}); {fix}"
            )
            return look.decide(Kind.HOLD, "AutoscalerOwns", message, run=run, again=SOON, stalled=True)
        message = f"{look.at_weight}: scaling Deployment {canary.name} from {canary.replicas} to {count} ({share})"
        return look.decide(Kind.APPLY, "CanaryScaling", message, run=run, edits=(canary.scaled_to(count),), again=0.0)
    ready = min(canary.ready, look.seen.endpoints.canary_ready)
    if ready >= count:
        return _lacking_beside(look, ahead, run, scaling.full)
    message = f"{look.at_weight}: {ready} of {count} replicas of Deployment {canary.name} ready ({share})"
    return _wait(look, run, "CanaryScaling", message)


def _lacking_beside(look: Look, ahead: Run, run: Run, full: int) -> Decision | None:
    """The baseline gets a share as well, and its pods are a person's to bring up: wait for them."""
    percent = ahead.shares.baseline
    count, ready = replicas_for(percent, full), look.seen.endpoints.baseline_ready
    if ready >= count or run.spec.baseline is None:
        return None
    message = (
        f"{look.at_weight}: {ready} of {count} pods of subset {run.spec.baseline.name}, the baseline, ready "
        f"({percent}% of {full}); scale its Deployment to {count}"
    )
    return _wait(look, run, "BaselineScaling", message)


def _wait(look: Look, run: Run, reason: str, message: str) -> Decision:
    """Pods that do not come within the step's timeout are a person's business."""
    since = run.scaling.since if run.scaling else None
    waited = look.seen.now - (look.seen.now if since is None else since)
    late = waited > run.spec.analysis.step_timeout
    text = f"{message}, for {words.duration(waited)} already: look at its pods" if late else message
    return look.decide(Kind.WAIT, reason, text, run=run, again=SOON, stalled=late)


def restored(look: Look) -> Decision | None:
    """Before an undo leads traffic back: the old version as large as it was.  Nothing else on the way back waits.

    A canary without a ready pod serves nobody, so there is nothing to wait for then.
    """
    run, endpoints = look.run, look.seen.endpoints
    undone = run.outcome is not None and run.outcome.reason == UNDONE
    if not undone or run.spec.scale is None or run.scaling is None or endpoints.canary_ready == 0:
        return None
    if all(route.percent == 0 for route in look.routes):
        return None
    found, count = look.seen.workloads, max(1, run.scaling.full)
    if found is None:
        return _survey(look)
    stable = found.stable
    if isinstance(stable, Problem):
        gone = stable.reason is Reason.DEPLOYMENT_NOT_FOUND
        return None if gone or endpoints.stable_ready >= count else _unknown(look, stable)
    if stable.replicas < count and stable.autoscaler is None:
        message = (
            f"{look.at_weight}: scaling Deployment {stable.name} from {stable.replicas} to {count} before the undo"
        )
        waiting = replace(run, scaling=replace(run.scaling, since=look.seen.now))
        edits = (stable.scaled_to(count),)
        return look.decide(Kind.RESTORE, "StableScaling", message, run=waiting, edits=edits, again=0.0)
    ready = min(stable.ready, endpoints.stable_ready)
    if ready >= min(count, stable.replicas) and ready > 0:
        return None
    message = (
        f"{look.at_weight}: {ready} of {stable.replicas} replicas of Deployment {stable.name} ready before the undo"
    )
    return look.decide(Kind.RESTORE, "StableScaling", message, again=SOON)


def _unfit(look: Look, found: Workloads) -> Problem | None:
    """A Deployment that makes other pods than the subset selects is not the one that was meant."""
    mesh, spec = look.seen.mesh, look.run.spec
    scale = spec.scale
    if scale is None:
        return None
    for arm, name, subset, labels in (
        ("canary", scale.canary, spec.canary, mesh.canary_labels),
        ("stable", scale.stable, spec.stable, mesh.stable_labels),
    ):
        workload = found.canary if arm == "canary" else found.stable
        wanted = subset.labels if labels is None else labels
        if isinstance(workload, Problem) or workload.makes(wanted):
            continue
        return Problem(
            Reason.DEPLOYMENT_LABELS_DIFFER,
            f"spec.scale.{arm}: the pods of Deployment {shown(name)} have the labels {shown(dict(workload.labels))}, "
            f"subset {shown(subset.name)} selects {shown(dict(wanted or {}))}; name the Deployment of that subset",
        )
    return None


def _survey(look: Look) -> Decision:
    """Nothing is known of the Deployments yet: the engine reads them and decides again within the same pass."""
    message = f"{look.at_weight}: looking at the replicas"
    return replace(look.decide(Kind.WAIT, "CanaryScaling", message, again=SOON), surveys=Survey())


def _unknown(look: Look, problem: Problem) -> Decision:
    stalled = problem.reason is not Reason.DEPLOYMENT_UNREADABLE
    message = f"{look.at_weight}: held, {problem.message}"
    return look.decide(Kind.HOLD, problem.reason, message, again=SOON, stalled=stalled)
