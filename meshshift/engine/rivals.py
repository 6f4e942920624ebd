"""Which of several TrafficShifts of one service goes first.

A run knows only its own pair of subsets.  To two runs at once each other's weights would look like somebody's edits,
and each would be judged by traffic that the other moves.  So one goes at a time: the one that has traffic under way,
else the oldest that can go.  What counts is what the statuses say, which every controller reads the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshshift.api.status import StatusModel
from meshshift.core.run import Phase
from meshshift.engine.world import key_of

if TYPE_CHECKING:
    from meshshift.engine.world import Document, World

_OUTSIDE = {"CanaryNotReady", "StableNotReady", "NoTraffic", "TelemetryUnavailable", "PausedBySpec", "PausedByPerson"}
"""Reasons to wait that may last for ever: others need not wait with it."""
_ENDED = {Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.FAILED}


def rival_of(shift: Document, world: World) -> str | None:
    """The other shift of the same service that goes before this one, as namespace/name; None if there is none."""
    others = [each for each in world.shifts.of(world.host_of(shift)) if key_of(each) != key_of(shift)]
    first = [each for each in others if _is_under_way(each) or (_is_waiting(each) and _age(each) < _age(shift))]
    return "/".join(key_of(min(first, key=_age))) if first else None


def _is_under_way(shift: Document) -> bool:
    """Has it moved traffic, or is it moving it back?"""
    status = StatusModel.from_wire(shift.get("status"))
    moved = bool(status.step and status.step.index) or bool(status.weights and status.weights.desired)
    return status.phase is Phase.ROLLING_BACK or (status.phase not in {None, Phase.PENDING, *_ENDED} and moved)


def _is_waiting(shift: Document) -> bool:
    """Is it about to begin?  One that is stuck, or on its way out, keeps nobody waiting."""
    status = StatusModel.from_wire(shift.get("status"))
    stalled = status.condition("Stalled")
    stuck = (stalled is not None and stalled.status == "True") or status.reason in _OUTSIDE
    return status.phase not in _ENDED and not stuck and not shift["metadata"].get("deletionTimestamp")


def _age(shift: Document) -> tuple[str, tuple[str, str]]:
    return shift["metadata"].get("creationTimestamp") or "", key_of(shift)
