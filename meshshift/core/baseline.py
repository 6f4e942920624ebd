"""What is known about stable: how often it fails, and in clumps of what size.

Both steer the bets and are learned from the past only.  The failure rate cannot break a promise: a wrong one merely
bets badly.  The clump size phi can: outcomes that fail together are not independent, so the logarithm of every
e-value is divided by phi, which makes a clump count as one failure.  It is measured as Pearson's X2 between two
halves of the reporting proxies in the same seconds; a shared outage hits both halves alike and therefore does not
look like clumping.
"""

from dataclasses import dataclass
from math import sqrt

from meshshift.core.evidence import Counts

HALF_LIFE = 120.0
"""Seconds after which what stable did counts half."""

_LOWEST, _HIGHEST = 1e-6, 0.5
_LEAST_PART = 0.2
_LEAST_BAD = 1e-9


@dataclass(frozen=True, slots=True)
class Baseline:
    """Stable's decayed requests (`seen`) and bad requests, and X2 summed over `looks` ticks with a failure."""

    seen: float = 0.0
    bad: float = 0.0
    looks: float = 0.0
    chi2: float = 0.0

    @property
    def rate(self) -> float:
        """Stable's failure rate as known so far, a fraction within 1e-6..0.5."""
        return min(max((self.bad + 0.5) / (self.seen + 1.0), _LOWEST), _HIGHEST)

    @property
    def dispersion(self) -> float:
        """Phi, at least 1: used once X2 exceeds its mean by two standard deviations (its variance is 2 per look)."""
        return self.chi2 / self.looks if self.chi2 > self.looks + 2.0 * sqrt(2.0 * self.looks) else 1.0

    def learn(self, stable: Counts, halves: tuple[Counts, Counts] | None, seconds: float) -> "Baseline":
        """Take in one window of stable's traffic, forgetting old rates (not old clumps)."""
        keep = 0.5 ** (seconds / HALF_LIFE)
        chi2 = _pearson(*halves) if halves else None
        return Baseline(
            seen=self.seen * keep + stable.total,
            bad=self.bad * keep + stable.bad,
            looks=self.looks if chi2 is None else self.looks + 1.0,
            chi2=self.chi2 + (chi2 or 0.0),
        )


def _pearson(one: Counts, other: Counts) -> float | None:
    """X2 of bad requests in two halves, in proportion to their requests.

    None if nothing failed or one half has hardly any traffic.
    """
    both = one + other
    part = one.total / both.total if both.total > 0.0 else 0.0
    if both.bad < _LEAST_BAD or not _LEAST_PART <= part <= 1.0 - _LEAST_PART:
        return None
    return (one.bad - both.bad * part) ** 2 / (both.bad * part * (1.0 - part))
