"""Which histogram boundaries a latency indicator looks at.  Nothing is ever interpolated inside a bucket.

With a threshold, the two boundaries that enclose it: rolling back needs requests slower than the upper one, advancing
needs them within the lower one; both are certain whatever happened in between.  Without a threshold, the boundaries
just above stable's own p90, p95 and p99, chosen once from traffic seen before the comparison begins and frozen for
the run.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from meshshift.core.telemetry import Traffic

QUANTILES = (0.90, 0.95, 0.99)

PLENTY, ENOUGH = 1000.0, 100.0
"""Requests of stable from which the boundaries are chosen: in the window before the run, and at the least."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Stable's latency as learned so far.

    Timed requests, and per boundary in seconds those that failed or were slower.
    """

    timed: float = 0.0
    slow: tuple[tuple[float, float], ...] = ()

    def add(self, stable: Traffic) -> "Histogram":
        """Take in one window."""
        counted = dict(self.slow)
        for slow in stable.slow:
            counted[slow.boundary] = counted.get(slow.boundary, 0.0) + slow.count
        return Histogram(self.timed + stable.timed, tuple(sorted(counted.items())))

    def tail(self) -> tuple[float, ...]:
        """The smallest boundaries that hold 90, 95 and 99 % of the requests.

        The largest of all if stable is slower than that.
        """
        chosen = {
            next((boundary for boundary, slow in self.slow if slow <= self.timed * (1.0 - quantile)), self.slow[-1][0])
            for quantile in QUANTILES
        }
        return tuple(sorted(chosen))


def around(threshold: float, boundaries: Sequence[float]) -> tuple[float | None, float | None]:
    """The largest boundary not above the threshold and the smallest not below it (seconds).

    None where there is none.
    """
    below = max((boundary for boundary in boundaries if boundary <= threshold), default=None)
    above = min((boundary for boundary in boundaries if boundary >= threshold), default=None)
    return below, above
