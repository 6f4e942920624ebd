"""The way back to stable: weights first, then what was added, each settled before the next goes.

The order is the reverse of preparing: a subset may only go once no proxy can still hold a route that names it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshshift.core import words
from meshshift.core.capacity import restored
from meshshift.core.control import removal
from meshshift.core.decision import Decision, Kind
from meshshift.core.look import SOON
from meshshift.core.mesh.cohorts import joined
from meshshift.core.mesh.documents import Problem
from meshshift.core.mesh.route_edits import drop_patches, weight_patches
from meshshift.core.mesh.weighted_route import at_percent
from meshshift.core.preparing import start
from meshshift.core.run import Phase

if TYPE_CHECKING:
    from meshshift.core.look import Look
    from meshshift.core.mesh.documents import Patch


DELETE_WITHIN = 600.0
"""Seconds that a deleted shift may take to give its traffic back before it is let go as it is."""


def restoring(look: Look) -> Decision | None:
    """Take the next step back, whatever else is the case: from here on no rule can stop it."""
    if look.run.phase is not Phase.ROLLING_BACK:
        return None
    decision = _way_back(look)
    return _left_behind(look, decision) if _is_overdue(look) and not decision.release else decision


def _way_back(look: Look) -> Decision:
    if isinstance(look.seen.mesh.routes, Problem):
        return _nothing_to_restore(look, look.seen.mesh.routes)
    return _weights(look) or _settle(look, "weights") or _added(look) or _done(look)


def _is_overdue(look: Look) -> bool:
    """Has a deletion waited too long?  It counts from when the controller turned round, which may have been down."""
    since = look.seen.deleted_since
    return since is not None and look.seen.now - max(since, look.run.step_since) > DELETE_WITHIN


def _left_behind(look: Look, blocked: Decision) -> Decision:
    """An object that cannot be deleted blocks its namespace and its tools: say what is left, and let it go."""
    shares = ", ".join(f"{route} gives {route.said}" for route in look.routes)
    message = (
        f"the TrafficShift is let go {words.duration(DELETE_WITHIN)} after its deletion with its traffic not taken "
        f"back ({shares or 'no route'}): {blocked.message}"
    )
    return look.decide(Kind.END, "LeftBehind", message, release=True, again=0.0)


def _weights(look: Look) -> Decision | None:
    extras = () if isinstance(look.extra_edits, Problem) else look.extra_edits
    if at_percent(look.routes, 0) and not extras:
        return None
    endpoints, stable = look.seen.endpoints, look.run.spec.stable.name
    if look.seen.mesh.stable_labels is None:
        message = f"cannot go back: subset {stable} is in no DestinationRule; add it and the traffic follows"
        return look.decide(Kind.HOLD, "StableSubsetMissing", message, stalled=True, again=SOON)
    short = restored(look)
    if short is not None:
        return short
    if endpoints.stable_ready == 0 and endpoints.canary_ready > 0:
        message = f"cannot go back: subset {stable} has no ready pod; start its pods and the traffic follows"
        return look.decide(Kind.HOLD, "StableNotReady", message, stalled=True, again=SOON)
    edits = weight_patches(look.routes, 0)
    if isinstance(edits, Problem):
        return look.decide(Kind.HOLD, edits.reason, edits.message, stalled=True, again=SOON)
    run = replace(look.run, settle_until=None, settled_stage="")
    edits = joined(edits, extras)
    return look.decide(Kind.RESTORE, _reason(look), _message(look), run=run, edits=edits, again=0.0)


def _added(look: Look) -> Decision | None:
    """Take out what this run added: its destinations, then, once no proxy can hold them, its subset.

    A subset that somebody changed, or sends to by a route of their own, stays: without it their route would answer 503.
    """
    run, mesh = look.run, look.seen.mesh
    added = [(run.spec.canary, mesh.canary_users)] if run.added_subset else []
    if run.added_baseline and run.spec.baseline is not None:
        added.append((run.spec.baseline, mesh.baseline_users))
    if not added:
        return None
    destinations = drop_patches(look.routes, {subset.name for subset, _ in added})
    if destinations:
        return _edit(look, destinations)
    settling = _settle(look, "destinations")
    if settling:
        return settling
    removals = (removal(look, subset, users) for subset, users in added)
    patch = next(filter(None, removals), None)
    return _edit(look, (patch,)) if patch else None


def _edit(look: Look, edits: tuple[Patch, ...]) -> Decision:
    return look.decide(Kind.RESTORE, _reason(look), _message(look), edits=edits, again=0.0)


def _settle(look: Look, stage: str) -> Decision | None:
    """Let one stage reach every proxy; stages that have settled once are not waited for again."""
    run, now = look.run, look.seen.now
    if _STAGES.index(run.settled_stage) > _STAGES.index(stage):
        return None
    if run.settled_stage != stage or run.settle_until is None:
        run = replace(run, confirmed=0, settled_stage=stage, settle_until=now + look.seen.timing.settle)
        return look.decide(Kind.RESTORE, _reason(look), _message(look), run=run, again=look.seen.timing.settle)
    left = run.settle_until - now
    return look.decide(Kind.RESTORE, _reason(look), _message(look), again=left) if left > 0 else None


_STAGES = ("", "weights", "destinations")


def _done(look: Look) -> Decision:
    run = look.run
    if look.seen.deleted:
        owned = look.seen.mesh.owned
        return look.decide(Kind.END, _reason(look), _message(look), edits=owned, release=True, again=0.0)
    if run.restart:
        return start(look, f"a shift to {look.seen.spec.canary.name} begins anew")
    ended = run.end(Phase.ROLLED_BACK, look.seen.now)
    return look.decide(Kind.END, _reason(look), _message(look), run=ended, again=0.0)


def _nothing_to_restore(look: Look, problem: Problem) -> Decision:
    """No route carries the pair any more: a deletion must not wait for it, a person may want to know."""
    if look.seen.deleted:
        message = f"{_message(look)}; {problem.message}"
        return look.decide(Kind.END, problem.reason, message, release=True, again=0.0)
    message = f"cannot go back: {problem.message}"
    return look.decide(Kind.HOLD, problem.reason, message, stalled=True, again=SOON)


def _reason(look: Look) -> str:
    return look.run.outcome.reason if look.run.outcome else "RollingBack"


def _message(look: Look) -> str:
    return look.run.outcome.message if look.run.outcome else words.move(look.run.desired, 0)
