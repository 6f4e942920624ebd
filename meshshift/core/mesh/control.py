"""How a route's share is divided when a baseline stands beside stable and canary.

The baseline is fresh pods of the stable version: the control with which the canary is compared (Kayenta's idea: same
age, same cold caches, same size).  It gets as much as the canary, so that both arms bear the same load, up to a third
of the traffic each.  From there on stable and baseline halve what the canary leaves: the baseline's pods are as many as
the canary's and must never get more than these, and stable's pods have to stay warm and numerous enough to take all
traffic back at any instant (an autoscaler takes away what gets no traffic).  At 0 and at 100 percent there is nothing
to compare, and the baseline gets nothing.
"""

from dataclasses import dataclass

from meshshift.core.mesh.weights import split


@dataclass(frozen=True, slots=True)
class Shares:
    """The weights of the three subsets on one route; together the share that the route gives the service."""

    stable: int
    canary: int
    baseline: int = 0

    @property
    def total(self) -> int:
        """All three together."""
        return self.stable + self.canary + self.baseline

    def like(self, other: "Shares") -> bool:
        """The same parts of the whole, exactly, whatever the two wholes are."""
        pairs = ((self.stable, other.stable), (self.canary, other.canary), (self.baseline, other.baseline))
        return all(mine * other.total == theirs * self.total for mine, theirs in pairs)


def share(total: int, percent: int, *, controlled: bool) -> Shares:
    """Divide `total` (a weight of 0 or more) so that the canary gets `percent` (0 to 100) of it, rounded down.

    With `controlled`, the baseline gets as much as the canary, at most half of what the canary leaves, rounded down:
    rounding costs the canary and the baseline, never stable.  Raises ValueError outside of the ranges.
    """
    rest, canary = split(total, percent)
    baseline = min(canary, rest // 2) if controlled else 0
    return Shares(rest - baseline, canary, baseline)
