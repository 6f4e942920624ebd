"""What a person's word does to a run.

A command changes only the run's state, never the mesh: the rules that follow carry it out, so every guard that protects
users (settled subsets, ready pods) also holds for what a person asks for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshshift.core.decision import CommandResult, Decision, Kind
from meshshift.core.drift import one_weight, places, told
from meshshift.core.judge import Evidence
from meshshift.core.mesh.weighted_route import is_at
from meshshift.core.observation import CommandName
from meshshift.core.preparing import start
from meshshift.core.run import Hold, Outcome, Phase, Run, Skip
from meshshift.core.steps import FULL

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.core.look import Look
    from meshshift.core.observation import Command


def commanded(look: Look) -> Decision | None:
    """Carry out the command annotation once; what cannot be done is answered, not ignored."""
    command = look.seen.command
    if command is None:
        return None
    if command.name is None:
        known = ", ".join(CommandName)
        return _refuse(look, command, f"{command.text!r} is not a command; use one of {known}")
    if look.started is None:
        return _before_the_run(look, command)
    return _HANDLERS[command.name](look, command)


def _before_the_run(look: Look, command: Command) -> Decision:
    """A word that is older than the first look; one that forbids the run is kept, all others come too early."""
    begun = start(look, f"{command.text} by {command.by}, before the shift began")
    if command.name is CommandName.ABORT and begun.run is not None:
        message = f"aborted by {command.by} before it began; retry begins it"
        ended = begun.run.end(Phase.ROLLED_BACK, look.seen.now, Outcome("Aborted", message))
        result = CommandResult(command, message)
        return Decision(Kind.END, "Aborted", message, ended.phase, ended, 0.0, stalled=True, command=result)
    if command.name is CommandName.PAUSE and begun.run is not None:
        held = replace(begun.run, hold=Hold.PERSON, held_by=command.by)
        result = CommandResult(command, f"paused by {command.by}")
        return replace(begun, run=held, command=result)
    return _refuse(look, command, "no run has begun yet; give the command again once status.phase is there")


def _promote(look: Look, command: Command) -> Decision:
    run = look.run
    if run.phase.ended or run.phase is Phase.ROLLING_BACK:
        return _refuse(look, command, f"nothing to promote: the shift is {run.phase}; use retry to begin again")
    skip = Skip.FULL if command.name is CommandName.PROMOTE_FULL else Skip.STEP
    what = "straight to 100%" if skip is Skip.FULL else "on to the next step"
    return _accept(look, command, replace(run, skip=skip, hold=None), Kind.PROMOTE, f"promoted by {command.by}, {what}")


def _pause(look: Look, command: Command) -> Decision:
    run = look.run
    if run.phase.ended or run.phase is Phase.ROLLING_BACK:
        return _refuse(look, command, f"nothing to pause: the shift is {run.phase}")
    held = replace(run, hold=Hold.PERSON, held_by=command.by)
    return _accept(look, command, held, Kind.PAUSE, f"paused by {command.by}")


def _resume(look: Look, command: Command) -> Decision:
    run = look.run
    if run.hold is Hold.REGRESSION:
        analysis = run.spec.analysis
        evidence = Evidence.begin(analysis.indicators, analysis.judge, at=look.seen.now)
        began, after = look.seen.now, run.after and run.after.afresh()
        fresh = replace(run, evidence=evidence, after=after, checks=(), warmed=False, step_since=began)
        fresh = replace(fresh, hold=None, outcome=None)
        return _accept(look, command, fresh, Kind.WAIT, f"resumed by {command.by} with fresh evidence")
    if run.phase is Phase.PENDING and look.strange_routes:
        return _adopt(look, command)
    if look.drifted:
        anew = replace(run, hold=None, confirmed=None, weight_since=None, drifts=(), answered=(), extras_set=None)
        return _accept(look, command, anew, Kind.APPLY, f"{run.desired}% is set again, as {command.by} said")
    if run.hold is Hold.GATE:
        asked = replace(run, hold=None, outcome=None, step_since=look.seen.now)
        return _accept(look, command, asked, Kind.WAIT, f"resumed by {command.by}: the gate is asked again")
    if run.hold is Hold.PERSON:
        return _accept(look, command, replace(run, hold=None), Kind.WAIT, f"resumed by {command.by}")
    hint = "set spec.paused to false" if look.seen.spec.paused else "use promote to end a pause step"
    return _refuse(look, command, f"nothing to resume: nobody paused the shift by command; {hint}")


def _adopt(look: Look, command: Command) -> Decision:
    """Begin where somebody else has left the weights."""
    percent = one_weight(look)
    if percent is None:
        return _refuse(look, command, "the routes must say one whole percent; set their weights first")
    message = f"{command.by} lets the run begin at {percent}%"
    return _accept(look, command, replace(look.run, adopts=True), Kind.WAIT, message)


def _abort(look: Look, command: Command) -> Decision:
    run = look.run
    if run.phase.ended or run.phase is Phase.ROLLING_BACK:
        return _refuse(look, command, f"nothing to abort: the shift is {run.phase}")
    message = f"{look.weight_to(0)}: aborted by {command.by}"
    turned = run.roll_back("Aborted", message, look.seen.now)
    return _accept(look, command, turned, Kind.ROLL_BACK, message, reason="Aborted")


def _undo(look: Look, command: Command) -> Decision:
    """Back to stable after a success, as long as the mesh is still as the shift left it."""
    run, spec, seen = look.run, look.run.spec, look.seen
    if run.phase is not Phase.SUCCEEDED:
        hint = "abort takes back one that is under way" if not run.phase.ended else "retry begins again"
        return _refuse(look, command, f"nothing to undo: the shift is {run.phase}; {hint}")
    if seen.rival is not None:
        return _refuse(look, command, f"TrafficShift {seen.rival} shifts {spec.service}; abort that one first")
    if look.mesh_problem is not None:
        return _refuse(look, command, look.mesh_problem.message)
    if astray := [route for route in look.routes if not is_at(route, FULL)]:
        why = f"the mesh is not as the shift left it ({places(astray)}); edit the weights yourself"
        return _refuse(look, command, why)
    if seen.endpoints.stable_ready == 0 and (spec.scale is None or run.scaling is None):
        return _refuse(look, command, f"subset {spec.stable.name} has no ready pod; start its pods first")
    message = f"{look.weight_to(0)}: undone by {command.by}"
    turned = run.roll_back("Undone", message, seen.now)
    return _accept(look, command, turned, Kind.ROLL_BACK, message, reason="Undone")


def _retry(look: Look, command: Command) -> Decision:
    if look.run.phase not in {Phase.ROLLED_BACK, Phase.FAILED}:
        return _refuse(
            look, command, f"nothing to retry: the shift is {look.run.phase}; only one that failed is retried"
        )
    if look.seen.unspecified is not None:
        return _refuse(look, command, look.seen.unspecified.message)
    message = f"a new run begins, as {command.by} said"
    return replace(start(look, message, reason="Retried"), command=CommandResult(command, message))


def _restart(look: Look, command: Command) -> Decision:
    """Back to stable, then a new run of the shift as it is now: fresh evidence, and the policy as it is by now."""
    run = look.run
    if run.phase is Phase.SUCCEEDED:
        return _refuse(look, command, "the shift has Succeeded; undo gives the traffic back, then retry begins again")
    if run.phase is Phase.ROLLING_BACK:
        return _refuse(look, command, "the shift is on its way back; retry begins again once it is there")
    if run.phase.ended:
        return _retry(look, command)
    if look.seen.unspecified is not None:
        return _refuse(look, command, look.seen.unspecified.message)
    if run.phase is Phase.PENDING and look.strange_routes:
        return _refuse(look, command, f"{told(look)}; resume begins from there, abort goes back to stable")
    stable = run.spec.stable.name
    message = f"{look.weight_to(0)}: restarted by {command.by}; back to {stable}, then a new run"
    turned = run.roll_back("Restarted", message, look.seen.now, restart=True)
    return _accept(look, command, turned, Kind.ROLL_BACK, message, reason="Restarted")


def _accept(look: Look, command: Command, run: Run, kind: Kind, message: str, *, reason: str = "Commanded") -> Decision:
    return look.decide(kind, reason, message, run=run, again=0.0, command=CommandResult(command, message))


def _refuse(look: Look, command: Command, why: str) -> Decision:
    message = f"command {command.text} by {command.by} refused: {why}"
    phase = look.started.phase if look.started else Phase.PENDING
    result = CommandResult(command, f"refused: {why}")
    return Decision(Kind.HOLD, "CommandRefused", message, phase, look.started, 0.0, command=result)


_HANDLERS: dict[CommandName, Callable[[Look, Command], Decision]] = {
    CommandName.PROMOTE: _promote,
    CommandName.PROMOTE_FULL: _promote,
    CommandName.PAUSE: _pause,
    CommandName.RESUME: _resume,
    CommandName.ABORT: _abort,
    CommandName.RETRY: _retry,
    CommandName.RESTART: _restart,
    CommandName.UNDO: _undo,
}
