"""An unreachable canary must count against it: the requests that reached nobody, and whose they were.

When a connection fails Istio cannot name the destination: the series says `destination_workload="unknown"`, and a
canary that refuses every connection would vanish from its own statistics.  But the weight says how many requests it was
to get.  What the canary's count lacks by more than chance explains, and what failed without reaching anybody in the
same ticks, is the canary's.

"More than chance" is `SIGMAS` standard deviations of the sum of binomials since the weight was set, which a healthy
canary exceeds about once in 30,000 looks, and then only failures that really happened are counted, at most as many as
are missing.  Traffic that reaches stable by routes which are not shifted looks like a lack too: there the guard errs on
the side of the users.

Where cookies keep users on a version, the weight says less: those who met stable stay there when the weight rises, and
that is no lack.  At a run's first weight nobody has met either version, so what the canary is to get is that weight;
later it is the share that it was seen to have before, as those who met it stay as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from meshshift.core.telemetry import Slow, Tick, Traffic

SIGMAS = 4.0


@dataclass(frozen=True, slots=True)
class Deficit:
    """Sums since the weight was set, in requests.

    Expected at the canary, the variance of that, counted there, failed without reaching anybody, and how many of those
    were counted against the canary so far.  `total`: counted anywhere.  `share`: the canary's part (0..1) of those that
    were counted before the weight was set, 0 if there was no weight before.
    """

    expected: float = 0.0
    variance: float = 0.0
    counted: float = 0.0
    lost: float = 0.0
    blamed: float = 0.0
    total: float = 0.0
    share: float = 0.0

    def anew(self) -> Deficit:
        """Nothing counted yet at the weight that is set now."""
        return Deficit(share=self.counted / self.total if self.counted else self.share)

    def sticky(self, weight: float) -> float:
        """What the canary is to get at a weight (both 0..1) while users stay on the version that they have met."""
        return min(weight, self.share) if self.share else weight

    def see(self, tick: Tick, weight: float) -> tuple[Deficit, Tick]:
        """Add a tick at a canary share of `weight` (0..1); returns it with the canary's part added to it."""
        requests = tick.answered + tick.unattributed.failed
        seen = Deficit(
            self.expected + weight * requests,
            self.variance + weight * (1.0 - weight) * requests,
            self.counted + tick.canary.total,
            self.lost + tick.unattributed.failed,
            self.blamed,
            self.total + requests,
            self.share,
        )
        lacking = seen.expected - seen.counted - SIGMAS * math.sqrt(seen.variance)
        newly = max(0.0, min(seen.lost, lacking) - seen.blamed)
        newly = min(newly, tick.unattributed.failed)
        if newly <= 0.0:
            return seen, tick
        return replace(seen, blamed=seen.blamed + newly), replace(tick, canary=_with_failures(tick.canary, newly))


def _with_failures(traffic: Traffic, count: float) -> Traffic:
    """The traffic with `count` more requests that failed; a failed one was not in time either."""
    return replace(
        traffic,
        total=traffic.total + count,
        failed=traffic.failed + count,
        timed=traffic.timed + count,
        slow=tuple(Slow(slow.boundary, slow.count + count, slow.halves) for slow in traffic.slow),
    )
