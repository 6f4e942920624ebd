"""One moment of a scenario: everything that a display needs, and nothing that it would have to ask for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from meshshift.lab.demo.tally import NO_TRAFFIC, Traffic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshshift.api.status import HistoryEntry, StatusModel
    from meshshift.lab.demo.story import Act


@dataclass(frozen=True, slots=True)
class Frame:
    """What is so at one moment.

    `number` of `of` acts; `began`: unix time at which this act's shift was applied; `elapsed`: seconds since then;
    `traffic`: since the scenario began; `per_second`: requests of late; `aside`: what the scenario does to the mesh;
    `earlier`: the history of the acts before.
    """

    act: Act
    number: int
    of: int
    began: float
    elapsed: float
    status: StatusModel
    traffic: Traffic = NO_TRAFFIC
    per_second: float = 0.0
    aside: str = ""
    earlier: tuple[HistoryEntry, ...] = ()

    def turns(self) -> tuple[tuple[float, HistoryEntry], ...]:
        """The turns of this act, each with the seconds since the shift was applied; history has whole seconds."""
        own = (entry for entry in self.status.history if entry not in self.earlier)
        return tuple((max(0.0, datetime.fromisoformat(entry.at).timestamp() - self.began), entry) for entry in own)


class Display(Protocol):
    """Where a scenario is told."""

    def say(self, text: str) -> None:
        """Tell something that stays on the screen."""

    def show(self, frames: Sequence[Frame]) -> None:
        """Tell how things are, one frame for each shift that is under way; called often."""

    def finish(self) -> None:
        """What was shown last stays; the next thing shown begins anew."""


def clock(seconds: float) -> str:
    """Minutes and seconds: `1:05`."""
    whole = int(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: `a, b and c`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def times(count: int) -> str:
    """How often, in words: `once`, `3 times`."""
    return "once" if count == 1 else f"{count} times"


def load_line(frame: Frame) -> str:
    """The traffic in one line of plain words."""
    traffic = frame.traffic
    return (
        f"{frame.per_second:.0f} requests/s, {traffic.sent:,} sent, {traffic.failed_by_app:,} errors of the app, "
        f"failed because of shifting: {traffic.lost:,}"
    )
