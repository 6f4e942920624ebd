"""The rule of a gate: somebody outside says when the shift goes on.

It stands behind every rule that takes traffic back or holds the shift, so a gate is only asked while none of them
speaks, and a gate that is slow holds none of them up.  An open gate is leave, not proof: the next weight still needs
the evidence.  Whatever is not clearly a yes is never one: a gate that cannot be reached ends as one that refuses.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshshift.core import words
from meshshift.core.decision import Decision, Kind
from meshshift.core.gate_call import Answered, GateState, Question, Word
from meshshift.core.run import Hold, Outcome, Phase
from meshshift.core.spec import Gate, OnFailure

if TYPE_CHECKING:
    from meshshift.core.gate_call import Reply
    from meshshift.core.look import Look

ASKING_AGAIN = 1.0
"""Seconds until an answer that is on its way is looked for again."""


def gate_closed(look: Look) -> Decision | None:
    """Ask the gate that is due, and do as it says; silent once it is open."""
    run, gate = look.run, look.run.current
    state = run.gate or GateState()
    if run.phase is not Phase.PROGRESSING or not isinstance(gate, Gate) or state.opened:
        return None
    reply = look.seen.reply
    if reply is not None:
        return _answered(look, gate, state, reply)
    if state.asked is not None and 0 <= look.seen.now - state.asked < gate.interval:
        return _between(look, gate, state)
    message = f"{look.at_weight}: asking the gate {gate.host}"
    asked = look.decide(Kind.WAIT, "AskingGate", message, again=ASKING_AGAIN)
    return replace(asked, asks=_question(look, gate, state))


def _question(look: Look, gate: Gate, state: GateState) -> Question:
    run, spec = look.run, look.run.spec
    return Question(
        gate=gate,
        run=run.id,
        step=run.step + 1,
        of=len(spec.steps),
        attempt=state.answers + 1,
        weight=run.desired,
        strategy=spec.strategy,
        service=spec.service,
        stable=spec.stable.name,
        canary=spec.canary.name,
    )


def _answered(look: Look, gate: Gate, before: GateState, reply: Reply) -> Decision:
    failed = reply.word is Word.FAILED
    state = GateState(
        answers=before.answers + isinstance(reply, Answered),
        failures=before.failures + 1 if failed else 0,
        asked=look.seen.now,
        opened=reply.word is Word.OPEN,
        said=str(reply),
    )
    if reply.word is Word.REFUSED:
        return _refused(look, gate, state, "GateRefused", f"the gate {gate.host} refused: {reply}")
    if state.failures > gate.retries:
        why = f"the gate {gate.host} failed for the {words.ordinal(state.failures)} time: {reply}"
        return _refused(look, gate, state, "GateFailed", why)
    run = replace(look.run, gate=state)
    if state.opened:
        message = f"{look.at_weight}: the gate {gate.host} is open ({reply})"
        return look.decide(Kind.WAIT, "GateOpened", message, run=run)
    told = _between(look, gate, state)
    return replace(told, run=run)


def _between(look: Look, gate: Gate, state: GateState) -> Decision:
    """Neither yes nor no yet: say what was said, and when it is asked again."""
    due = (look.seen.now if state.asked is None else state.asked) + gate.interval
    again, every = look.until_tick(due), words.duration(gate.interval)
    if state.failures:
        more = f"{state.failures} of {gate.retries + 1} attempts failed"
        message = f"{look.at_weight}: no word from the gate {gate.host}: {state.said}; {more}, again after {every}"
        return look.decide(Kind.WAIT, "GateFailing", message, again=again)
    message = f"{look.at_weight}: the gate {gate.host} says wait ({state.said}); asked every {every}"
    return look.decide(Kind.WAIT, "GateWaiting", message, again=again)


def _refused(look: Look, gate: Gate, state: GateState, reason: str, why: str) -> Decision:
    """As `onFailure` of the gate says, or else that of the shift; a resumed one begins to ask anew."""
    run = look.run
    if (gate.on_failure or run.spec.on_failure) is OnFailure.ROLLBACK:
        message = f"{look.weight_to(0)}: {why}"
        return look.decide(Kind.ROLL_BACK, reason, message, run=run.roll_back(reason, message, look.seen.now))
    outcome = Outcome(reason, f"{look.at_weight}: {why}")
    held = replace(run, hold=Hold.GATE, outcome=outcome, gate=GateState(answers=state.answers))
    message = f"{outcome.message}; paused by onFailure: Pause"
    return look.decide(Kind.PAUSE, reason, message, run=held, phase=Phase.PAUSED, stalled=True)
