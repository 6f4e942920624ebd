"""What counts as clumping, and what does not."""

from __future__ import annotations

import random
import statistics

from meshshift.core.baseline import Baseline
from meshshift.core.evidence import Counts

WINDOWS = 80


def learned(split: float, *, clump: int, seed: int = 3) -> Baseline:
    """Windows with about 20 failures in clumps, of which a share of `split` comes through the first half."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    baseline = Baseline()
    for _ in range(WINDOWS):
        clumps = sum(chance.random() < 0.5 for _ in range(40 // clump)) or 1
        first = sum(clump for _ in range(clumps) if chance.random() < split)
        halves = Counts(1000, first), Counts(1000, clumps * clump - first)
        baseline = baseline.learn(Counts(2000, clumps * clump), halves, 15.0)
    return baseline


def test_failures_one_by_one_are_no_clumps() -> None:
    assert learned(0.5, clump=1).dispersion < 1.5


def test_callers_that_see_different_failures_are_no_clumps() -> None:
    for split in (0.02, 0.3, 0.98):
        assert learned(split, clump=1).dispersion < 1.5, split


def test_clumps_are_recognised_by_their_size() -> None:
    assert 3.0 < learned(0.5, clump=5).dispersion < 7.0
    assert 3.0 < learned(0.3, clump=5).dispersion < 7.0


def test_a_first_clump_is_known_at_its_size() -> None:
    halves = Counts(1000, 20), Counts(1000, 0)
    assert round(Baseline().learn(Counts(2000, 20), halves, 15.0).dispersion, 9) == 20.0


def test_looks_are_what_x2_would_be_without_clumps() -> None:
    """Also in the first windows, and with few failures or many."""
    for bad, windows in ((2, 3), (20, 1), (20, 5), (500, 3)):
        chance = random.Random(bad)  # noqa: S311 - a simulation
        ends = []
        for _ in range(1500 if bad < 500 else 300):
            baseline = Baseline()
            for _ in range(windows):
                first = sum(chance.random() < 0.3 for _ in range(bad))
                halves = Counts(600, first), Counts(1400, bad - first)
                baseline = baseline.learn(Counts(2000, bad), halves, 15.0)
            ends.append(baseline)
        ratio = statistics.fmean(one.chi2 for one in ends) / ends[0].looks
        assert 0.8 < ratio < 1.2, (bad, windows, ratio)


def test_a_shared_outage_is_no_clump() -> None:
    baseline = learned(0.5, clump=1)
    chance = random.Random(5)  # noqa: S311 - a simulation
    for _ in range(20):
        first, second = (sum(chance.random() < 0.3 for _ in range(1000)) for _ in range(2))
        baseline = baseline.learn(Counts(2000, first + second), (Counts(1000, first), Counts(1000, second)), 15.0)
    assert baseline.dispersion < 1.5
