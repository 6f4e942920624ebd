"""Latency as Istio reports it: counts on the boundaries of a histogram, nothing in between.

Stable answers in 40 ms at the median, lognormally spread; a canary is a multiple of that, for all of its requests or
for some of them.  The boundaries are those of Istio's `istio_request_duration_milliseconds` from 1 ms to 10 s.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import erf, log, sqrt

import numpy as np
from numpy.typing import NDArray

from meshshift.core.evidence import Counts
from meshshift.core.telemetry import Slow

BOUNDARIES = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""

MEDIAN = 0.04
"""Seconds in which stable answers half of its requests."""

SPREAD = 0.8
"""Standard deviation of the logarithm of the latency: p90 is then 112 ms, p99 is 257 ms."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`part` of the requests (a fraction) take `factor` times as long as stable's."""

    factor: float = 1.0
    part: float = 1.0


LIKE_STABLE = Shape()


def slower(shape: Shape, boundary: float) -> float:
    """Fraction of the requests that take longer than `boundary` (seconds)."""
    return shape.part * _tail(boundary / shape.factor) + (1.0 - shape.part) * _tail(boundary)


def histogram(rng: np.random.Generator, shape: Shape, one: Counts, other: Counts) -> tuple[Slow, ...]:
    """Draw the latencies of the answers that did not fail; those that failed are slow at every boundary."""
    halves = [_slow(rng, shape, half) for half in (one, other)]
    return tuple(
        Slow(boundary, a + b, (Counts(one.total, a), Counts(other.total, b)))
        for boundary, a, b in zip(BOUNDARIES, *halves, strict=True)
    )


def _slow(rng: np.random.Generator, shape: Shape, counts: Counts) -> list[float]:
    drawn = rng.multinomial(int(counts.total - counts.bad), _buckets(shape))
    found: list[float] = (drawn[::-1].cumsum()[::-1][1:] + counts.bad).tolist()
    return found


@lru_cache(maxsize=64)
def _buckets(shape: Shape) -> NDArray[np.float64]:
    """Chances of the buckets, the last one beyond every boundary."""
    edges = np.array([1.0, *(slower(shape, boundary) for boundary in BOUNDARIES), 0.0])
    chances: NDArray[np.float64] = np.clip(edges[:-1] - edges[1:], 0.0, 1.0)
    return chances


def _tail(seconds: float) -> float:
    return 0.5 * (1.0 - erf(log(seconds / MEDIAN) / SPREAD / sqrt(2.0)))
