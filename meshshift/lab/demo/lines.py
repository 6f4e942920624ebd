"""The scenario as plain lines, for logs, pipes and continuous integration: one for each turn, one now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meshshift.lab.demo.frame import clock, load_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshshift.api.status import HistoryEntry
    from meshshift.lab.demo.frame import Frame

PROGRESS_EVERY = 5.0
"""Seconds without a turn after which a line says how things stand."""


class Lines:
    """A Display that only ever appends."""

    def __init__(self) -> None:
        self._told: list[tuple[str, HistoryEntry]] = []
        self._last = 0.0
        self._asides: dict[str, str] = {}
        self._width = 0
        self._time = ""

    def say(self, text: str) -> None:
        """Print the text."""
        click.echo(text)

    def show(self, frames: Sequence[Frame]) -> None:
        """Print the turns that were not printed yet, or progress if it is time."""
        self._width = max(len(frame.act.of) for frame in frames)
        now, spoke = frames[0].elapsed, False
        self._time = clock(now)
        for frame in frames:
            spoke = self._show_aside(frame) or spoke
            spoke = self._show_turns(frame) or spoke
        if spoke:
            self._last = now
        elif now - self._last >= PROGRESS_EVERY:
            self._last = now
            for frame in frames:
                self._line(frame, "…", _weight(frame), self._progress(frame, last=frame is frames[-1]))

    def finish(self) -> None:
        """Begin the next act with a clean slate."""
        self._told.clear()
        self._last = 0.0

    def _show_turns(self, frame: Frame) -> bool:
        fresh = [entry for _, entry in frame.turns() if (frame.act.service, entry) not in self._told]
        for entry in fresh:
            self._told.append((frame.act.service, entry))
            weight = "" if entry.weight is None else f"{entry.weight}%"
            self._line(frame, str(entry.phase), weight, f"{entry.reason}: {entry.message}")
        return bool(fresh)

    def _show_aside(self, frame: Frame) -> bool:
        before = self._asides.get(frame.act.service, "")
        changed = bool(frame.aside) != bool(before)
        if changed:
            self._line(frame, "scenario", "", frame.aside or "Prometheus answers again")
        self._asides[frame.act.service] = frame.aside
        return changed

    def _line(self, frame: Frame, phase: str, weight: str, text: str) -> None:
        click.echo(f"{self._time:>5}  {frame.act.of:<{self._width}}{phase:<11} {weight:>4}  {text}")

    @staticmethod
    def _progress(frame: Frame, *, last: bool) -> str:
        message = frame.status.message or "no status yet"
        return f"{message} | {load_line(frame)}" if last else message


def _weight(frame: Frame) -> str:
    return "" if frame.status.weights is None else f"{frame.status.weights.desired}%"
