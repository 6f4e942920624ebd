"""When telemetry is read: windows end on a grid that all shifts of the same interval share, so they share queries.

A window is read `lag` seconds after its end, because the last scrape before an instant is only complete one scrape
later.  A window that would be shorter than half an interval is joined to the next one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of time, unix seconds."""

    start: float
    end: float


WARM_WINDOWS = 20
"""Windows before the shift that stable's rate, the traffic and the clump size are learned from, if there are any."""

LEAST_WARM_WINDOWS = 4
"""How many of them, the latest, there have to be before a shift may begin."""


def next_tick(until: float, interval: float, lag: float) -> float:
    """The instant at which the window that begins at `until` can be read."""
    return _end_after(until, interval) + lag


def due_window(until: float, interval: float, now: float, lag: float) -> Window | None:
    """The window to read now, all that has come since `until`; None while it is too early."""
    end = math.floor((now - lag) / interval) * interval
    return Window(until, end) if end >= _end_after(until, interval) else None


def last_window(interval: float, instant: float) -> Window:
    """The last whole window before `instant`."""
    end = math.floor(instant / interval) * interval
    return Window(end - interval, end)


def warm_windows(interval: float, now: float, lag: float) -> tuple[Window, ...]:
    """The last whole windows before `now`, oldest first."""
    last = math.floor((now - lag) / interval)
    return tuple(Window((last - k - 1) * interval, (last - k) * interval) for k in reversed(range(WARM_WINDOWS)))


def _end_after(until: float, interval: float) -> float:
    return math.ceil((until + interval / 2) / interval) * interval
