"""The ordered rules that turn one look at the world into one decision; the first rule that speaks wins.

The order is the safety argument in short: what a person or the API says about the object comes first, then the way back
once it was taken, then everything that forbids an increase, and only when nothing forbids it, the increase.  No rule
after `query_limit_exceeded` can run with a proven regression or a spent limit, none after `canary_not_ready` without a
ready pod, none after `weights_drifted` on a mesh that somebody else has edited.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshshift.core.checking import take_answers, take_tick
from meshshift.core.commands import commanded
from meshshift.core.control import baseline_lost
from meshshift.core.decision import Decision, Kind
from meshshift.core.drift import places, subsets_changed, weights_drifted
from meshshift.core.gates import gate_closed
from meshshift.core.group import group_behind, group_failed
from meshshift.core.look import IDLE, SOON, Look
from meshshift.core.lowering import lowering
from meshshift.core.mesh.cohorts import NOTHING, extra_patches, joined
from meshshift.core.mesh.documents import Problem, Reason
from meshshift.core.preparing import creating, may_create, preparing, start
from meshshift.core.progressing import (
    advance,
    apply_weight,
    promoted_by_person,
    promoting,
    query_limit_exceeded,
    regression_proven,
    set_extras,
    telemetry_missing,
    timed_out,
    waiting,
    worse_than_before,
)
from meshshift.core.restoring import restoring
from meshshift.core.run import Hold, Phase, Run
from meshshift.core.spec import OnDelete
from meshshift.core.steps import extras_at
from meshshift.core.telemetry import BadData, Tick
from meshshift.core.ticks import last_window

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.core.mesh.documents import Patch
    from meshshift.core.observation import Observation


def decide(observation: Observation) -> Decision:
    """The decision that this look leads to; pure, total and deterministic."""
    look = Look(observation, take_answers(_learn(observation), observation))
    for rule in RULES:
        decision = rule(look)
        if decision is not None:
            return decision
    raise AssertionError("the last rule always speaks")


def invalid(problem: Problem, run: Run | None) -> Decision:
    """The spec cannot be carried out, and no run is under way: nothing is touched until it makes sense."""
    phase = Phase.PENDING if problem.reason is Reason.POLICY_NOT_FOUND else Phase.FAILED
    return Decision(Kind.HOLD, problem.reason, problem.message, phase, run, IDLE, stalled=True)


def _learn(observation: Observation) -> Run | None:
    """Add what telemetry brought to the run's evidence, each window once, with what was known before it.

    If what cannot be read is at the beginning of the window, no later end will mend it: after two intervals in which it
    held the shift it is passed over, up to a window that is due at once: without a fresh one nothing may rise.
    """
    run, tick = observation.run, observation.telemetry
    if run is None or run.phase.ended:
        return run
    if observation.warm and not run.warmed:
        evidence = run.evidence
        for window in observation.warm:
            evidence = evidence.warm(window)
        return replace(run, evidence=evidence, warmed=True)
    if isinstance(tick, Tick) and run.warmed:
        since = observation.endpoints.fresh_since
        warming_up = since is not None and tick.end < since + run.spec.analysis.warmup
        # What the canary was to get is known only while the mesh is known to say it.
        weight = run.desired / 100
        share = run.deficit.sticky(weight) if run.cookies else weight
        deficit, judged = run.deficit.see(tick, share) if run.applied else (run.deficit, tick)
        checks = run.checks if warming_up else take_tick(run, judged)
        evidence = run.evidence.see(judged.compared, warming_up=warming_up)
        after = run.after.see(judged, evidence.settings) if run.after and run.applied else run.after
        return replace(run, deficit=deficit, evidence=evidence, checks=checks, after=after)
    latest = observation.now - observation.timing.lag
    if isinstance(tick, BadData) and latest - run.evidence.until > 2 * run.spec.analysis.judge.interval:
        return replace(run, evidence=run.evidence.skip_to(last_window(run.spec.analysis.judge.interval, latest).start))
    return run


def deleted(look: Look) -> Decision | None:
    """A deleted shift gives its traffic back to stable, unless it ended, or was told to leave traffic alone."""
    if not look.seen.deleted:
        return None
    run = look.started
    if run is None or run.phase.ended or run.spec.on_delete is OnDelete.LEAVE:
        left = f", traffic left with {_left(run)}" if run and not run.phase.ended else ""
        phase = run.phase if run else Phase.PENDING
        message = f"the TrafficShift is deleted{left}"
        return Decision(Kind.END, "Deleted", message, phase, run, IDLE, edits=_leavings(look), release=True)
    if run.phase is Phase.ROLLING_BACK:
        return None
    turned = run.roll_back("Deleted", "the TrafficShift was deleted", look.seen.now)
    return look.decide(Kind.ROLL_BACK, "Deleted", f"{look.weight_to(0)}: the TrafficShift was deleted", run=turned)


def _left(run: Run) -> str:
    beside = run.shares.baseline
    canary = f"{run.desired}% on {run.spec.canary.name}"
    return f"{canary} and {beside}% on {run.spec.baseline.name}" if run.spec.baseline and beside else canary


def no_run(look: Look) -> Decision | None:
    """Begin a run where there is none, and a new one once the spec of one that ended has changed."""
    run = look.started
    if run is not None and not (run.phase.ended and look.respecified):
        return None
    seen = look.seen
    return start(look, f"a shift of {seen.spec.service} from {seen.spec.stable.name} to {seen.spec.canary.name} begins")


def ended(look: Look) -> Decision | None:
    """A shift that ended stays as a record."""
    run = look.run
    if not run.phase.ended:
        return None
    outcome = run.outcome
    stalled = run.phase is not Phase.SUCCEEDED
    reason = outcome.reason if outcome else str(run.phase)
    message = outcome.message if outcome else str(run.phase)
    if look.strange_routes:
        # A record is read as if it were true now: where the mesh no longer says what it did at the end, neither may we.
        message = f"{message}. Since then the weights were changed: {places(look.strange_routes)}"
    record = Decision(Kind.END, reason, message, run.phase, run, IDLE, edits=_leavings(look), stalled=stalled)
    return lowering(look, record)


def _leavings(look: Look) -> tuple[Patch, ...]:
    """What no shift may leave behind: routes of its own, and ownership of what it wrote.

    While another shift of the service is under way, what is there is that one's.
    """
    routes, run = look.seen.mesh.routes, look.started
    if isinstance(routes, Problem) or look.seen.rival is not None:
        return look.seen.mesh.owned
    wanted = extras_at(run.spec.steps, -1) if run and not run.phase.ended else NOTHING
    extras = extra_patches(routes.routes, routes.inserted, wanted, look.seen.mesh.target)
    return joined(() if isinstance(extras, Problem) else extras, look.seen.mesh.owned)


def misspecified(look: Look) -> Decision | None:
    """The shift was edited into one that makes no sense: its run goes no further, and the guard stays on (ADR 16)."""
    problem = look.seen.unspecified
    if problem is None or not look.seen.misspecified:
        return None
    message = f"{look.at_weight}: held, {problem.message}"
    return look.decide(Kind.HOLD, problem.reason, message, stalled=True)


def paused(look: Look) -> Decision | None:
    """No increase while a person holds the shift; the guard in `regression_proven` stays on (ADR 0002)."""
    run = look.run
    if run.hold is Hold.REGRESSION and run.outcome is not None:
        message = (
            f"{run.outcome.message}; held by onFailure: Pause: abort rolls back, resume goes on with fresh evidence"
        )
        return look.decide(Kind.PAUSE, run.outcome.reason, message, phase=Phase.PAUSED, stalled=True)
    if run.hold is Hold.GATE and run.outcome is not None:
        message = f"{run.outcome.message}; held by onFailure: Pause: resume asks again, promote and abort end it"
        return look.decide(Kind.PAUSE, run.outcome.reason, message, phase=Phase.PAUSED, stalled=True)
    if run.hold is Hold.PERSON:
        message = f"{look.at_weight}: paused by {run.held_by}; resume goes on"
        return look.decide(Kind.PAUSE, "PausedByPerson", message, phase=Phase.PAUSED)
    if look.seen.spec.paused:
        message = f"{look.at_weight}: spec.paused is true; set it to false to go on"
        return look.decide(Kind.PAUSE, "PausedBySpec", message, phase=Phase.PAUSED)
    return None


def run_changed(look: Look) -> Decision | None:
    """The spec changed under way: back to stable first, then a new run of the new spec."""
    if not look.respecified:
        return None
    message = f"{look.weight_to(0)}: the spec changed; back to {look.run.spec.stable.name}, then a new run"
    turned = look.run.roll_back("SpecChanged", message, look.seen.now, restart=True)
    return look.decide(Kind.ROLL_BACK, "SpecChanged", message, run=turned)


def another_goes_first(look: Look) -> Decision | None:
    """Two shifts of one service would take each other's weights for drift: one at a time."""
    if look.run.phase is not Phase.PENDING or look.seen.rival is None:
        return None
    service = look.run.spec.service
    message = f"waiting: TrafficShift {look.seen.rival} shifts {service}, and one at a time does"
    return look.decide(Kind.WAIT, "AnotherShift", message, again=SOON)


def not_obeyed(look: Look) -> Decision | None:
    """Istio obeys somebody else's object in place of ours: no step further on weights that do not act, or not for all.

    The way back is not held up by it: a weight that is taken back in vain harms nobody.
    """
    conflict = look.seen.mesh.conflict
    if conflict is None or look.run.phase is Phase.PENDING:
        return None
    return look.decide(Kind.HOLD, conflict.reason, f"{look.at_weight}: held, {conflict.message}", stalled=True)


def mesh_missing(look: Look) -> Decision | None:
    """Objects that the shift needs are not there, or not fit: say which, touch nothing."""
    problem = look.mesh_problem
    if problem is None or may_create(look):
        return None
    return look.decide(Kind.HOLD, problem.reason, problem.message, stalled=True, again=SOON)


def canary_not_ready(look: Look) -> Decision | None:
    """Nothing behind the canary: with weight on it users fail for certain (503 UH or NC), so it goes back at once."""
    run, canary = look.run, look.canary
    if run.phase is Phase.PENDING:
        return None
    if look.seen.mesh.canary_labels is None:
        reason, lack = "SubsetLost", f"subset {canary} is no longer in the DestinationRule"
    elif look.seen.endpoints.canary_ready == 0:
        reason, lack = "CanaryLost", f"subset {canary} has no ready pod left"
    else:
        return None
    if run.desired == 0 and run.confirmed == 0 and not run.extras.cohorts:
        return look.decide(Kind.WAIT, "CanaryNotReady", f"waiting: {lack}", again=SOON)
    message = f"{look.weight_to(0)}: {lack}"
    return look.decide(Kind.ROLL_BACK, reason, message, run=run.roll_back(reason, message, look.seen.now))


RULES: tuple[Callable[[Look], Decision | None], ...] = (
    deleted,
    commanded,
    no_run,
    ended,
    restoring,
    another_goes_first,
    mesh_missing,
    weights_drifted,
    canary_not_ready,
    baseline_lost,
    subsets_changed,
    regression_proven,
    worse_than_before,
    query_limit_exceeded,
    group_failed,
    misspecified,
    paused,
    run_changed,
    not_obeyed,
    creating,
    preparing,
    set_extras,
    apply_weight,
    promoted_by_person,
    promoting,
    gate_closed,
    telemetry_missing,
    waiting,
    group_behind,
    timed_out,
    advance,
)
