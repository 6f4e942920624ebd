"""The benchmark's own promises, in miniature: its worlds are what they say, its rules do what their peers do."""

from dataclasses import replace
from math import comb, log

import numpy as np
import pytest

from bench.judge import COSTS, RARE, TABLES
from bench.latency import BOUNDARIES, LIKE_STABLE, Shape, slower
from bench.oracle import oracle
from bench.promises import BUDGET, TOLERATED
from bench.rare import Rarity
from bench.rules import PEERS, PRODUCT, MannWhitney, Threshold
from bench.runs import Case, Summary, run
from bench.shifts import BEGIN, PLANS, RAMP, End, Outcome, Rule, Verdict, simulate
from bench.wald import bound
from bench.words import SECTIONS
from bench.worlds import INTERVAL, Incident, World, generator
from meshshift.core.judge import JudgeSettings
from meshshift.core.telemetry import Tick, Traffic

GOOD = World(100.0, 0.005, 0.005)


def summary(world: World, rule: Rule | None = PRODUCT, runs: int = 8, lag: int = 0) -> Summary:
    return run([Case("one", world, runs, rule, lag=lag)], processes=1)["one"]


def flagger(strikes: int) -> Threshold:
    return Threshold("flagger", "flagger", 0.99, strikes, every=1, window=1)


def argo(limit: int) -> Threshold:
    return Threshold("argo", "argo", 0.99, limit, every=1, window=1)


def window(place: int, requests: float, failed: float) -> Tick:
    at = BEGIN + place * INTERVAL
    return Tick(at, at + INTERVAL, Traffic(requests, failed), Traffic(1000.0, 5.0))


def verdicts(rule: Rule, failed: list[float], requests: float = 100.0) -> list[Verdict]:
    judge = rule.begin(GOOD, RAMP)
    return [judge.see(window(place, requests, bad), 0.1, 0.25, 0.0) for place, bad in enumerate(failed)]


def test_the_same_seed_gives_the_same_outcomes_in_any_number_of_processes() -> None:
    cases = [Case("a", GOOD, 30), Case("b", replace(GOOD, canary=0.05), 30), Case("c", GOOD, 50, None)]
    assert run(cases, processes=1) == run(list(reversed(cases)), processes=2)


def test_another_name_gives_other_shifts_and_a_name_twice_is_refused() -> None:
    found = run([Case("a", GOOD, 5), Case("b", GOOD, 5)], processes=1)
    assert found["a"].requests != found["b"].requests
    with pytest.raises(ValueError, match="a name of its own"):
        run([Case("a", GOOD, 5), Case("a", GOOD, 5)], processes=1)


def test_a_good_canary_is_promoted_and_a_bad_one_rolled_back() -> None:
    good, bad = summary(GOOD), summary(replace(GOOD, canary=0.055), runs=100)
    assert (good.promoted, good.rolled_back) == (8, 0)
    assert (bad.promoted, bad.rolled_back) == (0, 100)
    assert bad.rollback <= 45.0
    assert bad.failed < 20.0


def test_a_shared_incident_blames_neither_arm_with_us_and_the_canary_with_a_threshold() -> None:
    world = replace(GOOD, incidents=(Incident(2, 8, canary=0.2, stable=0.2),))
    assert summary(world).promoted == 8
    assert summary(world, PEERS[0]).rolled_back == 8


def test_reading_a_scrape_late_costs_one_window_of_a_catastrophe() -> None:
    world = replace(GOOD, canary=0.5, rps=1000.0)
    assert (summary(world).rollback, summary(world, lag=1).rollback) == (30.0, 45.0)


def test_one_request_per_second_is_one_request_per_second() -> None:
    world, rng = World(1.0, 0.005, 0.005), generator("rate", 0)
    totals = [world.tick(rng, 0.0, 0, 0.1).canary.total for _ in range(4000)]
    assert np.mean(totals) == pytest.approx(1.5, abs=0.1)
    assert np.var(totals) == pytest.approx(1.5, abs=0.2)


@pytest.mark.parametrize("clump", [1, 5, 20])
def test_clumps_change_the_spread_of_failures_but_not_their_mean(clump: int) -> None:
    world, rng = World(10.0, 0.01, 0.01, clump=clump), generator("clumps", clump)
    ticks = [world.tick(rng, 0.0, 0, 0.1) for _ in range(6000)]
    failed = [tick.stable.failed for tick in ticks]
    expected = 10.0 * INTERVAL * 0.9 * 0.01
    assert np.mean(failed) == pytest.approx(expected, rel=0.1)
    assert np.var(failed) / np.mean(failed) == pytest.approx(clump, rel=0.15)
    assert sum(t.canary.failed for t in ticks) / sum(t.canary.total for t in ticks) == pytest.approx(0.01, rel=0.2)


def test_lopsided_failures_come_to_one_caller_and_are_no_fewer() -> None:
    world, rng = replace(GOOD, lopsided=1.0), generator("lopsided", 0)
    halves = [half for _ in range(300) if (half := world.tick(rng, 0.0, 0, 0.1).stable.halves)]
    assert sum(other.bad for _, other in halves) == 0.0
    found = sum(one.bad for one, _ in halves) / sum(one.total + other.total for one, other in halves)
    assert found == pytest.approx(0.005, rel=0.1)


def test_a_late_regression_begins_when_the_world_says() -> None:
    late, heavy = replace(GOOD, canary=0.5, late=3), replace(GOOD, canary=0.5, late_weight=0.25)
    assert [late.rates(place, 1.0)[0] for place in (2, 3)] == [0.005, 0.5]
    assert [heavy.rates(0, weight)[0] for weight in (0.1, 0.25)] == [0.005, 0.5]


def test_an_incident_comes_again_and_goes_again() -> None:
    incident = Incident(2, 2, canary=0.5, every=5)
    assert [incident.covers(place) for place in range(10)] == [False, False, True, True, False] * 2


def test_latency_falls_into_buckets_with_the_chances_of_its_shape() -> None:
    shape, rng = Shape(2.0), generator("latency", 0)
    world = World(1000.0, 0.0, 0.0, latency=shape)
    ticks = [world.tick(rng, 0.0, 0, 0.5) for _ in range(20)]
    for place, boundary in enumerate(BOUNDARIES):
        for arms, expected in (
            ([t.canary for t in ticks], slower(shape, boundary)),
            ([t.stable for t in ticks], slower(LIKE_STABLE, boundary)),
        ):
            found = sum(arm.slow[place].count for arm in arms) / sum(arm.timed for arm in arms)
            assert found == pytest.approx(expected, abs=0.005)


def test_flagger_rolls_back_at_the_check_after_the_last_strike_and_counts_over_the_whole_shift() -> None:
    wait, on, back = Verdict.WAIT, Verdict.ADVANCE, Verdict.ROLL_BACK
    assert verdicts(flagger(2), [5, 0, 5, 0]) == [wait, on, wait, back]


def test_flagger_counts_a_minute_without_traffic_as_failed() -> None:
    assert verdicts(flagger(1), [0, 0], requests=0.0)[-1] is Verdict.ROLL_BACK


def test_argo_aborts_with_more_failures_than_its_limit_and_at_once() -> None:
    assert verdicts(argo(1), [5, 0, 5]) == [Verdict.WAIT, Verdict.WAIT, Verdict.ROLL_BACK]
    assert verdicts(argo(0), [5]) == [Verdict.ROLL_BACK]


def test_mann_whitney_needs_five_windows_and_then_sees_a_steady_difference() -> None:
    found = verdicts(MannWhitney(every=1), [5.0 + place for place in range(8)])
    assert found.index(Verdict.ROLL_BACK) == 4
    assert Verdict.ROLL_BACK not in verdicts(MannWhitney(every=1), [0.5] * 8)


def test_the_oracle_rolls_back_about_one_in_a_hundred_on_the_margin_and_every_disaster() -> None:
    on_the_margin = oracle(replace(GOOD, canary=TOLERATED.at(0.005)), RAMP, 2000, "margin")
    assert 5 <= sum(one.end is End.ROLLED_BACK for one in on_the_margin) <= 45
    disaster = oracle(replace(GOOD, canary=0.5), RAMP, 100, "disaster")
    assert {(one.end, one.seconds) for one in disaster} == {(End.ROLLED_BACK, INTERVAL)}


def test_walds_bound_is_that_of_a_single_arm_where_the_other_is_known() -> None:
    """Against an absolute margin above a stable that is on its own rate anyway, only the canary's divergence counts."""
    margin = replace(TOLERATED, relative=1e-6, absolute=0.02)
    single = 0.05 * log(0.05 / 0.02) + 0.95 * log(0.95 / 0.98)
    assert bound(0.05, 0.005, margin, 0.01) == pytest.approx(log(100.0) / single, rel=1e-3)


def test_walds_bound_grows_towards_the_margin_from_either_side() -> None:
    rollback = [bound(canary, 0.005, TOLERATED, 0.005) for canary in (0.055, 0.025, 0.015, 0.01)]
    assert rollback == sorted(rollback)
    assert bound(0.005, 0.005, BUDGET, 0.05) < bound(0.01, 0.005, BUDGET, 0.05)


def test_an_indicator_with_half_the_allowance_alone_has_the_bar_of_one_with_half_the_share() -> None:
    indicator = PRODUCT.indicators[0]
    assert indicator.far(PRODUCT.settings) == pytest.approx(replace(indicator, share=0.5).far(JudgeSettings()))


@pytest.mark.parametrize("plan", PLANS.values())
def test_every_plan_leads_up_to_all_traffic(plan: tuple[float, ...]) -> None:
    assert list(plan) == sorted(set(plan))
    assert simulate(replace(GOOD, rps=1000.0), plan, PRODUCT, generator("plan", 0)).end is End.PROMOTED
    assert plan[-1] == 1.0


def test_a_rare_rollback_is_weighed_back_to_its_true_chance() -> None:
    """Rolled back is who has 4 of 20 failures or more; at 2 % that is 1 in 1,700, by the binomial distribution."""
    rng, rates = generator("rare", 0), (0.05, 0.2, 0.5)
    drawn = [
        Outcome(End.ROLLED_BACK if failed >= 4 else End.PROMOTED, 15.0, 20.0, float(failed))
        for rate in rates
        for failed in rng.binomial(20, rate, 2000)
    ]
    true = sum(comb(20, failed) * 0.02**failed * 0.98 ** (20 - failed) for failed in range(4, 21))
    found = Rarity.of(drawn, 0.02, rates)
    assert abs(found.chance - true) < 3 * found.error < 0.2 * true


def test_every_table_has_its_words() -> None:
    assert {*TABLES, RARE, COSTS} == SECTIONS.keys()
