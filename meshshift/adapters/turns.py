"""What is new about a decision: an engine that looks every few seconds mostly decides the same again.

Metrics count and logs tell what changed, not that time passed.  Two sources say what changed.  Within one pass, the run
that was observed (as stored) and the run that was decided (stored since) are at hand: what differs between them
happened now, whichever process made the passes before.  Across passes, the last decision about each shift is
remembered; it is the only memory here, and losing it costs nothing but the comparison of one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshshift.core.run import Phase

if TYPE_CHECKING:
    from meshshift.core.decision import Decision
    from meshshift.core.observation import Observation
    from meshshift.core.run import Run
    from meshshift.engine.ports import Key


@dataclass(frozen=True, slots=True)
class _Turn:
    """What people would call the same decision."""

    kind: str
    reason: str
    run_id: str | None
    weight: int | None


class TurnFilter:
    """Tells decisions that are new from those that repeat the shift's last one."""

    def __init__(self) -> None:
        self._last: dict[Key, _Turn] = {}

    def is_new(self, key: Key, observation: Observation | None, decision: Decision) -> bool:
        """Does this decision say something that the one before about the same shift did not?

        A command is carried out once, so its decision is always new; what it interrupted is not new when it goes on.
        A shift that is seen for the first time may be an old one in the hands of a restarted controller: its decision
        is new only if it changes the run's course.
        """
        run, last = decision.run, self._last.get(key)
        turn = _Turn(decision.kind, decision.reason, run.id if run else None, run.desired if run else None)
        changes = observation is None or _course(observation.run) != _course(run)
        if decision.command is not None:
            if changes:
                self._last[key] = turn
            return True
        self._last[key] = turn
        return changes if last is None else turn != last

    def forget(self, key: Key) -> None:
        """The shift is gone."""
        self._last.pop(key, None)


def turned_back(observation: Observation | None, decision: Decision) -> str | None:
    """The reason why this very pass turned the run back to stable; None if it did not."""
    before, after = observation.run if observation else None, decision.run
    if before is None or after is None or after.phase is not Phase.ROLLING_BACK or before.phase is after.phase:
        return None
    return after.outcome.reason if after.outcome else decision.reason


def ended_run(observation: Observation | None, decision: Decision) -> tuple[Run, str] | None:
    """The run that this very pass brought to its end, and how: a final phase, `Superseded` or `Deleted`."""
    before, after = observation.run if observation else None, decision.run
    if before is None or before.phase.ended:
        return None
    if decision.release:
        return before, "Deleted"
    if after is not None and after.id != before.id:
        return before, "Superseded"
    if after is not None and after.phase.ended:
        return before, after.phase
    return None


def _course(run: Run | None) -> tuple[object, ...] | None:
    """Everything about a run that changes by decision, nothing that changes with each look."""
    if run is None:
        return None
    return run.id, run.phase, run.step, run.desired, run.confirmed, run.hold, run.skip, run.outcome
