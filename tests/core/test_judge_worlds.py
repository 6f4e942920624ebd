"""Seeded worlds: the promises as frequencies.

With n runs and a bound b the count of broken promises is at most Poisson(n b); each test allows the count that a judge
sitting exactly on its bound would exceed once in a thousand.
"""

import numpy as np
import pytest

from meshshift.core.evidence import Counts
from meshshift.core.judge import Evidence, Indicator, JudgeSettings, SuccessRate
from meshshift.core.telemetry import Tick, Traffic

STABLE_RATE = 0.005
SETTINGS = JudgeSettings()
INDICATORS = (Indicator("success-rate", 1.0, SuccessRate()),)


class World:
    """A service with so many requests per tick on average; requests fail alone, or in clumps of a given size."""

    def __init__(self, seed: int, requests: int = 1500, clump: int = 1) -> None:
        self.rng = np.random.default_rng(seed)
        self.requests = requests
        self.clump = clump

    def arm(self, requests: float, rate: float) -> Traffic:
        halves = [self.half(requests / 2, rate) for _ in range(2)]
        both = halves[0] + halves[1]
        return Traffic(both.total, both.bad, halves=(halves[0], halves[1]))

    def half(self, requests: float, rate: float) -> Counts:
        clumps = int(self.rng.poisson(requests / self.clump))
        return Counts(float(self.clump * clumps), float(self.clump * self.rng.binomial(clumps, rate)))

    def tick(self, at: float, weight: float, canary_rate: float, stable_rate: float = STABLE_RATE) -> Tick:
        canary = self.arm(self.requests * weight, canary_rate) if weight else Traffic()
        return Tick(at, at + 15.0, canary, self.arm(self.requests * (1 - weight), stable_rate))

    def warmed(self, windows: int = 8) -> Evidence:
        evidence = Evidence.begin(INDICATORS, SETTINGS, at=0.0)
        for place in range(windows):
            evidence = evidence.warm(self.tick(place * 15.0, 0.0, 0.0))
        return evidence


def rolled_back(world: World, weight: float, canary_rate: float, ticks: int) -> bool:
    evidence = world.warmed()
    for place in range(ticks):
        stable_rate = STABLE_RATE if place % 40 < 35 else 0.1
        rate = canary_rate if stable_rate == STABLE_RATE else 1.25 * stable_rate + 0.0005
        evidence = evidence.see(world.tick(evidence.until, weight, rate, stable_rate), warming_up=place < 4)
        if evidence.assess(weight, None).regression:
            return True
    return False


@pytest.mark.parametrize("requests", [150, 1500])
def test_false_rollbacks_on_the_margin_stay_within_the_promise_through_shared_outages(requests: int) -> None:
    on_the_margin = 1.25 * STABLE_RATE + 0.0005
    count = sum(rolled_back(World(seed, requests), 0.1, on_the_margin, ticks=120) for seed in range(200))
    assert count <= 7, "200 runs at 1 %"


def test_a_canary_like_stable_is_hardly_ever_rolled_back() -> None:
    count = sum(rolled_back(World(seed), 0.25, STABLE_RATE, ticks=120) for seed in range(100))
    assert count == 0


def test_false_promotions_on_the_budget_stay_within_the_promise() -> None:
    beyond = 1.5 * STABLE_RATE + SETTINGS.harm_budget

    def promoted(world: World) -> bool:
        evidence = world.warmed()
        for _ in range(120):
            evidence = evidence.see(world.tick(evidence.until, 0.5, beyond))
            assessment = evidence.assess(0.5, 1.0)
            if assessment.regression:
                return False
            if assessment.allowed:
                return True
        return False

    assert sum(promoted(World(seed)) for seed in range(200)) <= 20, "200 runs at 5 %"


def test_clumps_that_were_measured_before_the_run_cause_no_rollbacks() -> None:
    count = sum(
        rolled_back(World(seed, requests=15000, clump=20), 0.1, 1.25 * STABLE_RATE + 0.0005, ticks=60)
        for seed in range(200)
    )
    assert count <= 7, "200 runs at 1 %"


def test_five_points_more_failures_at_100_rps_are_rolled_back_within_a_few_ticks() -> None:
    def ticks_until_rollback(world: World) -> int:
        evidence = world.warmed()
        for place in range(40):
            evidence = evidence.see(world.tick(evidence.until, 0.05, STABLE_RATE + 0.05))
            if evidence.assess(0.05, 0.1).regression:
                return place + 1
        return 99

    needed = sorted(ticks_until_rollback(World(seed)) for seed in range(60))
    assert needed[30] <= 4
    assert needed[-1] <= 12


def test_a_good_canary_climbs_the_ramp_in_minutes() -> None:
    def minutes(world: World) -> float:
        evidence, weights = world.warmed(), [0.05, 0.1, 0.25, 0.5, 1.0]
        start, step = evidence.until, 0
        while evidence.until < start + 3600 and weights[step] < 1:
            for _ in range(4):
                evidence = evidence.see(world.tick(evidence.until, weights[step], STABLE_RATE))
            step += evidence.assess(weights[step], weights[step + 1]).allowed
        return (evidence.until - start) / 60

    needed = sorted(minutes(World(seed)) for seed in range(30))
    assert needed[15] <= 6


def test_requests_needed_foretells_the_wait() -> None:
    """On average over worlds the forecast made at the start is right within a factor of two."""
    forecast, actual = [], []
    for seed in range(40):
        world = World(seed)
        evidence = world.warmed()
        forecast.append(evidence.assess(0.1, 1.0).findings[0].requests_needed)
        for _ in range(200):
            if evidence.assess(0.1, 1.0).allowed:
                break
            evidence = evidence.see(world.tick(evidence.until, 0.1, STABLE_RATE))
        actual.append(evidence.canary_requests)
    assert 0.5 < float(np.mean(actual)) / float(np.mean(forecast)) < 2.0
