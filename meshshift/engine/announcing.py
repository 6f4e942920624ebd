"""The turns of a shift's history, each with a name of its own.

A turn is told as an Event, and to whoever the spec names.  Its name is made from what the history says of it, so any
process that reads the same history tells the same turn under the same name, and a repetition can be recognised.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from meshshift.core.notices import Mark, Turn, is_refusal, transition

if TYPE_CHECKING:
    from meshshift.api.status import HistoryEntry, StatusModel
    from meshshift.core.run import Run
    from meshshift.engine.ports import Document, Key


def turn_name(key: Key, uid: str, entry: HistoryEntry) -> str:
    """The name of the Event that records a turn."""
    identity = f"{uid}/{entry.at}/{entry.phase}/{entry.reason}/{entry.weight}"
    return f"{key[1][:200]}.{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def turn_of(shift: Document, status: StatusModel, place: int, name: str, run: Run | None) -> Turn:
    """The turn at `place` of the history; `run` is the present one.

    A turn of an earlier run is told without its subsets: the history does not say them, and the spec may have changed.
    """
    history = status.history
    entry, metadata = history[place], shift["metadata"]
    marks = [Mark(each.phase, each.reason, each.weight) for each in history]
    before = next((mark for mark in reversed(marks[:place]) if not is_refusal(mark)), None)
    present = not any(mark.begins for mark in marks[place + 1 :])
    service, stable, canary = _subject(shift, run)
    return Turn(
        id=name,
        at=entry.at,
        transition=transition(marks[place], before),
        phase=entry.phase,
        reason=entry.reason,
        message=entry.message,
        weight=entry.weight,
        namespace=metadata["namespace"],
        name=metadata["name"],
        service=service,
        stable=stable if present else "",
        canary=canary if present else "",
        run=run.id if run and present else "",
    )


def _subject(shift: Document, run: Run | None) -> tuple[str, str, str]:
    """Service, stable and canary: those of the run, or, before there is one, whatever the spec says."""
    if run is not None:
        return run.spec.service, run.spec.stable.name, run.spec.canary.name
    spec = shift.get("spec")
    if not isinstance(spec, dict):
        return "", "", ""
    subsets = (spec.get("stable"), spec.get("canary"))
    names = [spec.get("service"), *(each.get("subset") if isinstance(each, dict) else None for each in subsets)]
    service, stable, canary = (name if isinstance(name, str) else "" for name in names)
    return service, stable, canary
