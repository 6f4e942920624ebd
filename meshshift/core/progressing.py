"""The rules of a run under way: what forbids an increase, what it waits for, and the increase itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshshift.core import words
from meshshift.core.capacity import carried
from meshshift.core.checking import Standing
from meshshift.core.control import clearing
from meshshift.core.decision import Decision, Kind
from meshshift.core.look import SOON
from meshshift.core.mesh.documents import Problem
from meshshift.core.mesh.weighted_route import at_percent
from meshshift.core.observation import TelemetryFailure
from meshshift.core.run import Hold, Outcome, Phase, Skip
from meshshift.core.spec import Analyse, Method, OnFailure, OnInconclusive, Pause, SetWeight
from meshshift.core.steps import FULL, describe
from meshshift.core.telemetry import BadData, NoData

if TYPE_CHECKING:
    from meshshift.core.look import Look
    from meshshift.core.run import Run


def regression_proven(look: Look) -> Decision | None:
    """The canary is proven worse than tolerated: back, or hold if that is what the user wants."""
    if look.run.phase is not Phase.PROGRESSING or look.run.hold is Hold.REGRESSION or not look.assessment.regression:
        return None
    why = words.regression(look.assessment, look.run.evidence.settings.false_rollback)
    return _turn_back(look, "RegressionProven", why)


def worse_than_before(look: Look) -> Decision | None:
    """All traffic has moved, and fails more than stable did before: back, or hold if that is what the user wants."""
    run, settings = look.run, look.run.evidence.settings
    if run.phase is not Phase.PROGRESSING or run.hold is Hold.REGRESSION or run.after is None:
        return None
    if not run.after.is_proven(settings):
        return None
    return _turn_back(look, "WorseThanBefore", words.worse_than_before(run.after, settings.false_rollback))


def query_limit_exceeded(look: Look) -> Decision | None:
    """A check has failed as often as it may: back, or hold if that is what the user wants."""
    spent = next((check for check in look.checks if check.spent), None)
    if look.run.phase is not Phase.PROGRESSING or look.run.hold is Hold.REGRESSION or spent is None:
        return None
    return _turn_back(look, "FailureLimitReached", words.limit_reached(spent))


def _turn_back(look: Look, reason: str, why: str) -> Decision:
    if look.run.spec.on_failure is OnFailure.PAUSE:
        run = replace(look.run, hold=Hold.REGRESSION, outcome=Outcome(reason, f"{look.at_weight}: {why}"))
        message = f"{look.at_weight}: {why}; paused by onFailure: Pause"
        return look.decide(Kind.PAUSE, reason, message, run=run, phase=Phase.PAUSED, stalled=True)
    message = f"{look.weight_to(0)}: {why}"
    return look.decide(Kind.ROLL_BACK, reason, message, run=look.run.roll_back(reason, message, look.seen.now))


def set_extras(look: Look) -> Decision | None:
    """Bring header routes, mirrors and cookies to what is asked for, then take note that they are there.

    Cookies wait for a weight that is still to be written and go with it in one edit: ahead of it they would keep all
    who come meanwhile on the version that they meet, behind it users would have met one and come back to the other.
    """
    run, edits = look.run, look.extra_edits
    if run.extras.cookies and not at_percent(look.routes, run.desired):
        return None
    if isinstance(edits, Problem):
        return look.decide(Kind.HOLD, edits.reason, edits.message, stalled=True, again=SOON)
    if edits:
        message = f"{look.at_weight}: {describe(run.current)}" if run.current else "header routes and mirrors go"
        # A promotion is over once all of it has settled, which cannot begin before it is gone.
        restless = replace(run, settle_until=None) if run.phase is Phase.PROMOTING else None
        return look.decide(Kind.APPLY, "SettingRoutes", message, run=restless, edits=edits, again=0.0)
    if run.extras_set != run.step and run.extras.any:
        return look.decide(
            Kind.APPLY,
            "RoutesSet",
            f"{look.at_weight}: header routes and mirrors are set",
            run=replace(run, extras_set=run.step),
        )
    return None


def apply_weight(look: Look) -> Decision | None:
    """Bring the mesh to the intent, then take note that it is there.

    An increase that could not be written at once is not carried out later in blindness, unless a person asked for it.
    """
    run = look.run
    if not at_percent(look.routes, run.desired):
        edits = look.as_intended
        if isinstance(edits, Problem):
            return look.decide(Kind.HOLD, edits.reason, edits.message, stalled=True)
        if not run.by_person and any(route.raised_by(run.desired) for route in look.routes):
            unreadable = telemetry_unreadable(look)
            if unreadable:
                return unreadable
        short = _short(look)
        if short:
            return short
        message = f"setting {look.canary} to {run.desired}%"
        return look.decide(Kind.APPLY, "SettingWeight", message, edits=edits, again=0.0)
    if not run.applied:
        message = f"{look.canary} is at {run.desired}%"
        return look.decide(Kind.APPLY, "WeightSet", message, run=run.confirm(look.seen.now))
    return None


def _short(look: Look) -> Decision | None:
    """Pods that were ready when the step began may be gone by now: an increase asks for them once more."""
    if all(route.percent >= look.run.desired for route in look.routes):
        return None
    found = carried(look, look.run)
    return found if isinstance(found, Decision) else None


def promoted_by_person(look: Look) -> Decision | None:
    """A person's promotion stands in for the proof and the waiting, never for ready pods or settled subsets."""
    run, seen = look.run, look.seen
    if run.skip is None:
        return None
    if run.upcoming is None:
        return None if isinstance(run.current, SetWeight) else _finish(look)
    step = run.step + 1
    if run.skip is Skip.FULL:
        full = next(i for i, s in enumerate(run.spec.steps) if isinstance(s, SetWeight) and s.percent == FULL)
        step = max(step, full)
    entered = carried(look, run.enter(step, seen.now))
    if isinstance(entered, Decision):
        return entered
    message = f"{words.move(run.desired, entered.desired)}: promoted by a person"
    return look.decide(Kind.PROMOTE, "PromotedByPerson", message, run=entered)


def promoting(look: Look) -> Decision | None:
    """All traffic is on the canary: let that settle, then it is done.  There is nothing left to compare it with."""
    run, now = look.run, look.seen.now
    if run.phase is not Phase.PROMOTING:
        return None
    message = f"{look.canary} has all traffic; settling"
    if run.settle_until is None:
        settling = replace(run, settle_until=now + look.seen.timing.settle)
        return look.decide(Kind.PROMOTE, "Promoting", message, run=settling, again=look.seen.timing.settle)
    if now < run.settle_until:
        return look.decide(Kind.PROMOTE, "Promoting", message, again=run.settle_until - now)
    cleared = clearing(look)
    if cleared is not None:
        return cleared
    took = words.duration(now - run.started)
    message = f"{look.canary} serves all traffic of {run.spec.service}, {took} after the shift began"
    outcome = Outcome("Promoted", message)
    done = replace(run.end(Phase.SUCCEEDED, now, outcome), added_baseline=False)
    return look.decide(Kind.END, "Promoted", message, run=done, again=0.0)


def telemetry_unreadable(look: Look) -> Decision | None:
    """Prometheus cannot be asked, or answers with what no counter can be."""
    found = look.seen.telemetry
    if isinstance(found, TelemetryFailure):
        return look.decide(Kind.HOLD, "TelemetryUnavailable", f"{look.at_weight}: held, {found.message}", again=SOON)
    if isinstance(found, BadData):
        return look.decide(Kind.HOLD, "TelemetryUnusable", f"{look.at_weight}: held, {found.reason}", again=SOON)
    return None


def telemetry_missing(look: Look) -> Decision | None:
    """No increase on evidence that is not current: Prometheus silent, or no traffic.  Neither is a failure."""
    run, seen = look.run, look.seen
    found = seen.telemetry
    unreadable = telemetry_unreadable(look)
    if unreadable:
        return unreadable
    broken = next((check for check in look.checks if check.standing is Standing.ERROR), None)
    if broken is not None:
        message = f"{look.at_weight}: held, {words.missing(broken)}"
        return look.decide(Kind.HOLD, "CheckError", message, again=SOON)
    counted = bool(run.spec.analysis.indicators)
    if isinstance(found, NoData) and counted and not _is_timed_out(look):
        return look.decide(Kind.HOLD, "NoTraffic", f"{look.at_weight}: held, {found.reason}", again=SOON)
    if not run.warmed and counted:
        return look.decide(
            Kind.WAIT, "Learning", f"{look.at_weight}: learning how {run.spec.stable.name} does", again=1.0
        )
    if found is None and look.stale:
        age = words.duration(seen.now - run.evidence.until)
        message = f"{look.at_weight}: held, the last telemetry is {age} old"
        return look.decide(Kind.HOLD, "TelemetryStale", message)
    return None


def waiting(look: Look) -> Decision | None:
    """Pauses, the least time on a weight, and the warm-up of the canary's pods."""
    run, now = look.run, look.seen.now
    if isinstance(run.current, Pause) and run.current.seconds is None:
        message = f"{look.at_weight}: waiting for a person: annotate with meshshift.io/command: promote, or abort"
        return look.decide(Kind.PAUSE, "PauseStep", message, phase=Phase.PAUSED)
    until = _not_before(look)
    if now >= until:
        return None
    reason = "PauseStep" if isinstance(run.current, Pause) else "Analysing" if _analyses(run) else "Dwell"
    message = f"{_ahead(look)} in {words.duration(until - now)}" + (f": {_state(look)}" if run.desired else "")
    return look.decide(Kind.WAIT, reason, message, again=look.until_tick(until))


def timed_out(look: Look) -> Decision | None:
    """The step's time is up without proof in either direction."""
    if _may_advance(look) or not _is_timed_out(look):
        return None
    analysis = look.run.spec.analysis
    aim = "proven" if analysis.method is Method.SEQUENTIAL else "passed"
    why = f"not {aim} within stepTimeout {words.duration(analysis.step_timeout)}: {_state(look)}"
    match analysis.on_inconclusive:
        case OnInconclusive.HOLD:
            message = f"{_ahead(look)}: {why}; held until {aim}, or until promote or abort"
            return look.decide(Kind.HOLD, "StepTimeout", message, stalled=True)
        case OnInconclusive.ROLLBACK:
            message = f"{look.weight_to(0)}: {why}"
            turned = look.run.roll_back("StepTimeout", message, look.seen.now)
            return look.decide(Kind.ROLL_BACK, "StepTimeout", message, run=turned)
        case OnInconclusive.ADVANCE:
            return _enter_next(look, "StepTimeout", why)


def advance(look: Look) -> Decision:
    """Nothing forbids it any more: the next step, if it is proven; the last rule, so it always speaks."""
    run = look.run
    if not _may_advance(look):
        kind, reason = _lack(look)
        return look.decide(kind, reason, f"{_ahead(look)}: {_state(look)}")
    if run.upcoming is None:
        return _finish(look)
    if isinstance(run.upcoming, Pause):
        return _enter_next(look, "Pausing", "the steps pause here")
    if not isinstance(run.upcoming, SetWeight):
        return _enter_next(look, "NextStep", describe(run.upcoming))
    reason = "ProvenNotWorse" if run.spec.analysis.method is Method.SEQUENTIAL else "ChecksPassed"
    return _enter_next(look, reason, _state(look) if run.desired else words.harmless(look.assessment))


def _finish(look: Look) -> Decision:
    settle = look.seen.now + look.seen.timing.settle
    done = replace(look.run, phase=Phase.PROMOTING, settle_until=settle, skip=None)
    return look.decide(Kind.PROMOTE, "Promoting", f"{look.canary} has all traffic; settling", run=done)


def _may_advance(look: Look) -> bool:
    run = look.run
    if run.after is not None and not run.after.is_calm(run.evidence.settings):
        return False
    if _analyses(run) and not all(check.standing is Standing.PASSED for check in look.checks):
        return False
    if run.desired == 0 or _analyses(run):
        calm = all(finding.calm for finding in look.assessment.findings)
        return calm and (run.desired == 0 or not isinstance(run.upcoming, SetWeight) or look.allowed)
    return not isinstance(run.upcoming, SetWeight) or look.allowed


def _analyses(run: Run) -> bool:
    return isinstance(run.current, Analyse)


def _is_timed_out(look: Look) -> bool:
    run = look.run
    since = run.step_since if run.gate is None or run.gate.asked is None else max(run.step_since, run.gate.asked)
    return look.seen.now - since > run.spec.analysis.step_timeout


def _enter_next(look: Look, reason: str, why: str) -> Decision:
    entered = carried(look, look.run.enter(look.run.step + 1, look.seen.now))
    if isinstance(entered, Decision):
        return entered
    paused = entered.desired == look.run.desired
    change = look.at_weight if paused else words.move(look.run.desired, entered.desired)
    return look.decide(Kind.ADVANCE, reason, f"{change}: {why}", run=entered)


def _not_before(look: Look) -> float:
    """The instant before which the step under way may not be left."""
    run = look.run
    if isinstance(run.current, Pause | Analyse):
        return run.step_since + (run.current.seconds or 0.0)
    if run.upcoming is None or run.desired == 0:
        return run.step_since
    held = (run.weight_since or look.seen.now) + run.spec.min_step
    ready = look.seen.endpoints.fresh_since
    return max(held, ready + run.spec.analysis.warmup) if ready is not None else held


def _ahead(look: Look) -> str:
    return look.at_weight if look.goal is None else look.weight_to(look.goal)


def _lack(look: Look) -> tuple[Kind, str]:
    """What keeps the next weight back, in CamelCase; only the lack of data is not of the canary's making."""
    if not look.assessment.allowed:
        return Kind.WAIT, "NotYetProven"
    standings = {check.standing for check in look.checks}
    if Standing.FAILED in standings:
        return Kind.WAIT, "CheckFailed"
    return (Kind.HOLD, "CheckNoData") if Standing.SILENT in standings else (Kind.WAIT, "NotYetChecked")


def _state(look: Look) -> str:
    """What speaks for the next weight or, while it is not allowed, what is missing."""
    if look.run.after is not None:
        return words.since(look.run.after)
    proof = words.proven if look.assessment.allowed else words.unproven
    judged = [proof(look.assessment)] if look.run.spec.analysis.method is Method.SEQUENTIAL else []
    if look.allowed:
        return "; ".join([*judged, *map(words.passed, look.checks)])
    missing = [words.missing(check) for check in look.checks if check.standing is not Standing.PASSED]
    return "; ".join([*([] if look.assessment.allowed else judged), *missing])
