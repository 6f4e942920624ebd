"""The baseline of a run: it has to be there while the canary is compared with it, and to go once nothing is.

A baseline that is lost leaves a canary that nobody can judge.  Comparing it with stable from there on would mix two
controls in one body of evidence: stable's pods are warm, the baseline's were not, and what had been proven of one
difference would be taken for a proof of another.  Holding would leave users on a canary that is watched by no one.  So
all traffic goes back to stable in one write, which is also the safest place for what the baseline was to get, and a new
run with fresh evidence begins once the baseline is ready again, unless a person was holding the old one: then a person
has to say so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshshift.core.decision import Decision, Kind
from meshshift.core.look import SOON
from meshshift.core.mesh.route_edits import drop_patches
from meshshift.core.mesh.subsets import is_as_added, remove_subset_patch
from meshshift.core.run import Phase
from meshshift.core.steps import FULL

if TYPE_CHECKING:
    from meshshift.core.look import Look
    from meshshift.core.mesh.documents import Patch
    from meshshift.core.spec import Subset

_CLEARED = "destinations"


def baseline_lost(look: Look) -> Decision | None:
    """Nothing behind the baseline while it has, or is to get, weight: back to stable; before that, wait for it."""
    run, lack = look.run, look.lacking_baseline
    if not lack or run.phase is not Phase.PROGRESSING:
        return None
    if _has_weight(look):
        again = run.hold is None
        then = "a new run begins once it is ready" if again else "retry begins a new run"
        message = f"{look.weight_to(0)}: {lack}, and nothing else is compared with; {then}"
        turned = run.roll_back("BaselineLost", message, look.seen.now, restart=again)
        return look.decide(Kind.ROLL_BACK, "BaselineLost", message, run=turned)
    if run.desired == 0:
        return look.decide(Kind.WAIT, "BaselineNotReady", f"waiting: {lack}", again=SOON)
    return None


def _has_weight(look: Look) -> bool:
    """What was set last, what is to be set, and what the mesh says all count: an interrupted write may be any."""
    run = look.run
    meant = any(percent is not None and 0 < percent < FULL for percent in (run.desired, run.confirmed))
    return meant or any(route.shares.baseline for route in look.routes)


def removal(look: Look, subset: Subset, users: tuple[str, ...]) -> Patch | None:
    """The edit that removes a subset as this run has added it; None for one that somebody changed or sends to.

    Without it, a route of theirs would answer 503.
    """
    like = look.run.spec.stable.name
    if users or look.rule is None or not is_as_added(look.rule, subset.name, subset.labels, like=like):
        return None
    return remove_subset_patch(look.rule, subset.name)


def clearing(look: Look) -> Decision | None:
    """All traffic is on the canary: an added baseline goes, its destinations first and, once they settled, its subset.

    None once nothing is left to clear away.
    """
    run, now, settle = look.run, look.seen.now, look.seen.timing.settle
    baseline = run.spec.baseline
    if not run.added_baseline or baseline is None:
        return None
    message = f"{look.canary} has all traffic; removing {baseline.name}, which this run has added"
    edits = drop_patches(look.routes, {baseline.name})
    if edits:
        return look.decide(Kind.PROMOTE, "Promoting", message, edits=edits, again=0.0)
    if run.settled_stage != _CLEARED or run.settle_until is None:
        run = replace(run, settled_stage=_CLEARED, settle_until=now + settle)
        return look.decide(Kind.PROMOTE, "Promoting", message, run=run, again=settle)
    patch = removal(look, baseline, look.seen.mesh.baseline_users)
    return look.decide(Kind.PROMOTE, "Promoting", message, edits=(patch,), again=0.0) if patch else None
