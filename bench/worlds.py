"""Worlds in which judges are compared: a service, its traffic, what goes wrong with it and when.

Every count is drawn, never expected: requests per window are Poisson, so that one request per second is one request
per second and some windows are empty; failures are binomial, or clumps of a given size that reach one arm through one
proxy and add to its traffic, like the retries of one broken call.  Two halves of the reporting proxies are drawn
apart, as the telemetry of a real mesh would split them.  A world is a frozen value, all randomness comes from the
generator that is passed in, and time is counted in windows of the product's default interval.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from bench.latency import LIKE_STABLE, Shape, histogram
from meshshift.core.evidence import Counts
from meshshift.core.telemetry import Tick, Traffic

INTERVAL = 15.0
"""Seconds of one window: the product's default `analysis.interval`."""

_HALVES = 2


@dataclass(frozen=True, slots=True)
class Incident:
    """Failure rates that hold for a while instead of the world's own; None leaves an arm as it is.

    `start` and `length` are in windows since the shift began; with `every` it comes again after so many windows.
    """

    start: int
    length: int = 1
    canary: float | None = None
    stable: float | None = None
    every: int = 0

    def covers(self, place: int) -> bool:
        """Whether it holds in this window."""
        since = place - self.start
        return since >= 0 and (since % self.every if self.every else since) < self.length


@dataclass(frozen=True, slots=True)
class World:
    """A service and its canary.

    `rps` is the service's traffic in requests per second, `stable` and `canary` are failure rates as fractions,
    `clump` the number of requests that fail together, `lopsided` the part of the failures that the first half of the
    proxies sees (half of them unless one caller asks for what is broken).  The canary is like stable before window
    `late` and below the weight `late_weight` (a fraction), and as bad as `canary` says afterwards.  With `latency` the
    arms also report histograms; a canary of that shape is the world's regression.
    """

    rps: float
    stable: float
    canary: float
    clump: int = 1
    lopsided: float = 0.5
    late: int = 0
    late_weight: float = 0.0
    incidents: tuple[Incident, ...] = ()
    latency: Shape | None = None

    def rates(self, place: int, weight: float) -> tuple[float, float]:
        """Failure rates of canary and stable in a window."""
        regressed = place >= self.late and weight >= self.late_weight
        canary, stable = (self.canary if regressed else self.stable), self.stable
        for incident in self.incidents:
            if incident.covers(place):
                canary = canary if incident.canary is None else incident.canary
                stable = stable if incident.stable is None else incident.stable
        return canary, stable

    def tick(self, rng: np.random.Generator, at: float, place: int, weight: float) -> Tick:
        """Draw one window that begins at `at` (seconds), the canary having this share of the traffic."""
        requests = self.rps * INTERVAL
        canary_rate, stable_rate = self.rates(place, weight)
        return Tick(
            at,
            at + INTERVAL,
            canary=self._arm(rng, requests * weight, canary_rate, self.latency) if weight > 0.0 else Traffic(),
            stable=self._arm(rng, requests * (1.0 - weight), stable_rate, LIKE_STABLE if self.latency else None),
        )

    def _arm(self, rng: np.random.Generator, requests: float, rate: float, shape: Shape | None) -> Traffic:
        one, other = (
            self._half(rng, requests / _HALVES, min(1.0, _HALVES * part * rate))
            for part in (self.lopsided, 1.0 - self.lopsided)
        )
        both = one + other
        if shape is None:
            return Traffic(both.total, both.bad, halves=(one, other))
        slow = histogram(rng, shape, one, other)
        return Traffic(both.total, both.bad, halves=(one, other), timed=both.total, slow=slow)

    def _half(self, rng: np.random.Generator, requests: float, rate: float) -> Counts:
        if self.clump == 1:
            total = int(rng.poisson(requests))
            return Counts(float(total), float(rng.binomial(total, rate)))
        bad = self.clump * int(rng.poisson(requests * rate / self.clump))
        return Counts(float(rng.poisson(requests * (1.0 - rate)) + bad), float(bad))


def generator(name: str, repetition: int) -> np.random.Generator:
    """The randomness of one repetition: the same for the same name, whatever else is run and in how many processes."""
    return np.random.default_rng([zlib.crc32(name.encode()), repetition])
