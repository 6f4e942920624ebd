"""What is known about stable: how often it fails, and in clumps of what size.

Both steer the bets and are learned from the past only.  The failure rate cannot break a promise: a wrong one merely
bets badly.  The clump size phi can: outcomes that fail together are not independent, so the logarithm of every
e-value is divided by phi, which makes a clump count as one failure.  It is measured as Pearson's X2 between two
halves of the reporting proxies in the same seconds; a shared outage hits both halves alike and therefore does not
look like clumping.

Callers differ, though: where all failures come through one of them, the halves differ in every window, and that is no
clumping either.  So X2 is taken around the split of failures that was seen so far, which begins at the split of the
traffic and counts as `SPLIT_WEIGHT` failures; the uncertainty of that split widens the variance it is measured by.
"""

from dataclasses import dataclass, replace
from math import sqrt

from meshshift.core.evidence import Counts

HALF_LIFE = 120.0
"""Seconds after which what stable did counts half."""

SPLIT_WEIGHT = 10.0
"""Failures that the split of the traffic counts for, in what is expected of the split of failures."""

_LOWEST, _HIGHEST = 1e-6, 0.5
_LEAST_PART = 0.2
_LEAST_BAD = 1e-9


@dataclass(frozen=True, slots=True)
class Baseline:
    """Stable's decayed requests (`seen`) and bad requests, and X2 summed over ticks with a failure.

    `looks`: what that sum would be on average if failures came one by one.  `first` and `both`: bad requests so far in
    one half of the proxies, and in both.
    """

    seen: float = 0.0
    bad: float = 0.0
    looks: float = 0.0
    chi2: float = 0.0
    first: float = 0.0
    both: float = 0.0

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
        learned = self._split(*halves) if halves else self
        return replace(learned, seen=self.seen * keep + stable.total, bad=self.bad * keep + stable.bad)

    def _split(self, one: Counts, other: Counts) -> "Baseline":
        """Add a window's X2 around the split as known before it, then learn from it.

        The widened variance allows for callers that differ.  Where they do not, X2 of single failures is less than 1
        on average, for only `both` of the `weight` failures behind the share have any error: it is (1 + bad * both /
        weight**2) / (1 + bad / weight), and that is what a look counts.  Otherwise a first clump of 20 would pass for
        one of 7.

        Nothing is learned if nothing failed or one half has hardly any traffic.
        """
        total, bad = one.total + other.total, one.bad + other.bad
        part = one.total / total if total > 0.0 else 0.0
        if bad < _LEAST_BAD or not _LEAST_PART <= part <= 1.0 - _LEAST_PART:
            return self
        weight = self.both + SPLIT_WEIGHT
        share = (self.first + SPLIT_WEIGHT * part) / weight
        variance = bad * share * (1.0 - share) * (1.0 + bad / weight)
        return replace(
            self,
            looks=self.looks + (weight**2 + bad * self.both) / (weight * (weight + bad)),
            chi2=self.chi2 + (one.bad - bad * share) ** 2 / variance,
            first=self.first + one.bad,
            both=self.both + bad,
        )
