"""After the flip: the promise against a number, and what wakes it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshshift.core import record
from meshshift.core.aftermath import Aftermath
from meshshift.core.judge import Evidence, Indicator, JudgeSettings, SuccessRate
from meshshift.core.question import tolerated
from meshshift.core.telemetry import Tick, Traffic
from tests.core.test_judge_worlds import INDICATORS, SETTINGS, STABLE_RATE, World

RUNS = 400
TICKS = 40


def flipped_back(world: World, rate: float) -> bool:
    after = Aftermath.begin(world.warmed())
    for place in range(TICKS):
        after = after.see(world.tick(place * 15.0, 1.0, rate), SETTINGS)
        if after.is_proven(SETTINGS):
            return True
    return False


@pytest.mark.parametrize("requests", [150, 1500])
def test_a_version_within_tolerance_of_before_is_taken_back_no_more_often_than_promised(requests: int) -> None:
    rate = tolerated(SETTINGS).at(STABLE_RATE)
    taken_back = sum(flipped_back(World(seed, requests), rate) for seed in range(RUNS))
    assert taken_back <= 12, "at most 4 are to be expected; 12 would come once in a thousand"


def test_a_version_that_fails_clearly_more_than_before_is_taken_back() -> None:
    assert sum(flipped_back(World(seed), 10 * STABLE_RATE) for seed in range(50)) == 50


def test_what_was_learned_from_few_requests_is_taken_at_its_upper_end() -> None:
    few, many = (Aftermath.begin(World(1, requests).warmed()).watches[0].before for requests in (20, 100_000))
    assert few > 2 * STABLE_RATE
    assert many < 1.2 * STABLE_RATE


def test_nothing_learned_before_asks_nothing_after() -> None:
    after = Aftermath.begin(Evidence.begin(INDICATORS, SETTINGS, at=0.0))
    assert (after.watches, after.evidence, after.is_proven(SETTINGS)) == ((), 1.0, False)
    assert after.is_calm(SETTINGS)


def test_no_traffic_is_no_evidence() -> None:
    before = Aftermath.begin(World(1).warmed())
    after = before.see(Tick(0.0, 15.0, Traffic(), Traffic()), SETTINGS)
    assert after.evidence == pytest.approx(before.evidence)


def test_one_terrible_tick_alarms_and_a_second_one_decides() -> None:
    world = World(1)
    once = Aftermath.begin(world.warmed()).see(world.tick(0.0, 1.0, 0.5), SETTINGS)
    assert (once.is_calm(SETTINGS), once.is_proven(SETTINGS)) == (False, False)
    assert once.see(world.tick(15.0, 1.0, 0.5), SETTINGS).is_proven(SETTINGS)


def test_shares_of_several_indicators_add_up_to_one_allowance() -> None:
    halves = tuple(Indicator(name, 0.5, SuccessRate()) for name in ("errors", "others"))
    world = World(1)
    evidence = Evidence.begin(halves, JudgeSettings(), at=0.0)
    for place in range(8):
        evidence = evidence.warm(world.tick(place * 15.0, 0.0, 0.0))
    after = Aftermath.begin(evidence)
    assert sum(watch.share for watch in after.watches) == pytest.approx(1.0)
    loud = replace(after.watches[0], alarm=replace(after.watches[0].alarm, reserve=200.0))
    assert Aftermath((loud, after.watches[1])).is_proven(SETTINGS)
    quieter = replace(loud, alarm=replace(loud.alarm, reserve=180.0))
    assert not Aftermath((quieter, after.watches[1])).is_proven(SETTINGS)


def test_it_survives_a_restart_exactly() -> None:
    world = World(1)
    after = Aftermath.begin(world.warmed()).see(world.tick(0.0, 1.0, 0.02), SETTINGS)
    assert record.decode(Aftermath, record.encode(after)) == after
