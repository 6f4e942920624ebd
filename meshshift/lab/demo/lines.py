"""The scenario as plain lines, for logs, pipes and continuous integration: one for each turn, one now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from meshshift.lab.demo.frame import clock, load_line

if TYPE_CHECKING:
    from meshshift.api.status import HistoryEntry
    from meshshift.lab.demo.frame import Frame

PROGRESS_EVERY = 5.0
"""Seconds without a turn after which a line says how things stand."""


class Lines:
    """A Display that only ever appends."""

    def __init__(self) -> None:
        self._told: list[HistoryEntry] = []
        self._last = 0.0
        self._aside = ""

    def say(self, text: str) -> None:
        """Print the text."""
        click.echo(text)

    def show(self, frame: Frame) -> None:
        """Print the turns that were not printed yet, or progress if it is time."""
        spoke = self._show_aside(frame)
        for _, entry in frame.turns():
            if entry not in self._told:
                self._told.append(entry)
                weight = "" if entry.weight is None else f"{entry.weight}%"
                self._line(frame, str(entry.phase), weight, f"{entry.reason}: {entry.message}")
                spoke = True
        if spoke:
            self._last = frame.elapsed
        elif frame.elapsed - self._last >= PROGRESS_EVERY:
            self._last = frame.elapsed
            weight = "" if frame.status.weights is None else f"{frame.status.weights.desired}%"
            self._line(frame, "…", weight, f"{frame.status.message or 'no status yet'} | {load_line(frame)}")

    def finish(self) -> None:
        """Begin the next act with a clean slate."""
        self._told.clear()
        self._last = 0.0

    def _show_aside(self, frame: Frame) -> bool:
        changed = bool(frame.aside) != bool(self._aside)
        if changed:
            self._line(frame, "scenario", "", frame.aside or "Prometheus answers again")
        self._aside = frame.aside
        return changed

    def _line(self, frame: Frame, phase: str, weight: str, text: str) -> None:
        click.echo(f"{clock(frame.elapsed):>5}  {phase:<11} {weight:>4}  {text}")
