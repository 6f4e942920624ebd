"""Alarm and proofs keep their promise tick by tick: from any state, a tick is expected to add nothing to the wealth.

By exact enumeration of all outcomes of a small tick, with everything on: fresh starts, caps, clumping, warm-up.
"""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshshift.core.alarm import LEAST_RESERVE, PRIOR, RUNGS, Alarm, Proofs
from meshshift.core.baseline import Baseline
from meshshift.core.evidence import Counts
from meshshift.core.indicator import JudgeSettings
from meshshift.core.question import CAUTION, Question, rung_margin, suspicious
from meshshift.core.record import decode, encode
from meshshift.core.telemetry import Tick, Traffic

N_C, N_S = 10, 14
SETTINGS = JudgeSettings()
FAR = 200.0
TOPPED_UP = 1e-9 + LEAST_RESERVE

wealth = st.floats(1e-9, 5)
alarms = st.builds(Alarm, wealth, st.tuples(*[wealth] * len(PRIOR)))
proofs = st.builds(Proofs, wealth, st.tuples(*[st.floats(1e-9, 399)] * RUNGS))
baselines = st.builds(
    lambda seen, rate, looks, phi: Baseline(seen, seen * rate, looks, looks * phi),
    st.floats(1, 1e5),
    st.floats(0, 0.6),
    st.floats(0, 50),
    st.floats(0, 20),
)
stable_rates = st.floats(0, 0.6)
seconds = st.floats(1, 2000)
parts = st.sampled_from([1.0, 1.0, 0.9, 0.3, 0.0])
"""How far a canary is from the null's edge; mostly on it, where a broken promise shows first."""


def chances(requests: int, rate: float) -> list[float]:
    """The binomial distribution; scipy's overflows at rates as small as hypothesis likes them."""
    return [math.comb(requests, bad) * rate**bad * (1 - rate) ** (requests - bad) for bad in range(requests + 1)]


def outcomes(p_c: float, p_s: float) -> list[tuple[float, Traffic, Traffic]]:
    return [
        (chance_c * chance_s, Traffic(N_C, f_c), Traffic(N_S, f_s))
        for f_c, chance_c in enumerate(chances(N_C, p_c))
        for f_s, chance_s in enumerate(chances(N_S, p_s))
    ]


@settings(max_examples=60)
@given(alarms, baselines, stable_rates, parts, seconds, st.booleans())
def test_a_canary_within_tolerance_is_not_expected_to_feed_the_alarm(
    alarm: Alarm, baseline: Baseline, p_s: float, part: float, length: float, warming_up: bool
) -> None:
    p_c = min(1.0, part * (1.25 * p_s + 0.0005))
    question = Question(None, baseline, alarm=alarm)
    expected = 0.0
    for chance, canary, stable in outcomes(p_c, p_s):
        after = question.see(Tick(0.0, length, canary, stable), SETTINGS, FAR, None, warming_up).alarm
        assert after is not None
        expected += chance * after.value
    assert expected <= alarm.value * (1 + 1e-9) + TOPPED_UP


@settings(max_examples=60)
@given(alarms, baselines, stable_rates, parts, seconds, st.booleans())
def test_a_canary_no_worse_than_stable_is_not_expected_to_seem_unlike_it(
    alarm: Alarm, baseline: Baseline, p_s: float, part: float, length: float, warming_up: bool
) -> None:
    question = Question(None, baseline, alarm=Alarm(), unlike=alarm)
    expected = 0.0
    for chance, canary, stable in outcomes(part * p_s, p_s):
        after = question.see(Tick(0.0, length, canary, stable), SETTINGS, FAR, None, warming_up).unlike
        expected += chance * after.value
    assert expected <= alarm.value * (1 + 1e-9) + TOPPED_UP


@given(alarms, alarms, alarms, st.sampled_from([0.01, 1.0, 1e3, 1e6]), st.sampled_from([1.1, 2.0, FAR, 1e6]))
def test_the_evidence_keeps_within_all_that_it_rests_on(
    alarm: Alarm, objective: Alarm, unlike: Alarm, times: float, far: float
) -> None:
    unlike = Alarm(unlike.reserve * times, tuple(stake * times for stake in unlike.stakes))
    evidence = Question(None, alarm=alarm, objective=objective, unlike=unlike).evidence(far)
    assert evidence <= min(alarm.value, objective.value, suspicious(far) + unlike.value / CAUTION)
    assert suspicious(far) < far


@settings(max_examples=60)
@given(alarms, baselines, stable_rates, parts, st.floats(0.001, 0.5), seconds, st.booleans())
def test_a_canary_that_meets_the_objective_is_not_expected_to_feed_its_alarm(
    alarm: Alarm, baseline: Baseline, p_s: float, part: float, allowed: float, length: float, warming_up: bool
) -> None:
    question = Question(None, baseline, objective=alarm)
    expected = 0.0
    for chance, canary, stable in outcomes(part * allowed, p_s):
        after = question.see(Tick(0.0, length, canary, stable), SETTINGS, FAR, allowed, warming_up).objective
        assert after is not None
        expected += chance * after.value
    assert expected <= alarm.value * (1 + 1e-9) + TOPPED_UP


@pytest.mark.parametrize(("allowed", "requests"), [(0.005, 400), (0.1, 200), (0.3, 60)])
def test_exactly_on_the_objective_a_long_tick_adds_nothing_either(allowed: float, requests: int) -> None:
    """Without caps or clumps, and large enough that a margin off by a tenth would show."""
    question = Question(None, Baseline(1000, 5), objective=Alarm())
    expected = 0.0
    for bad, chance in enumerate(chances(requests, allowed)):
        window = Tick(0.0, 15.0, Traffic(requests, bad))
        after = question.see(window, SETTINGS, 1e12, allowed, warming_up=False).objective
        assert after is not None
        expected += chance * after.value
    assert 0.3 < expected <= 1 + TOPPED_UP


@settings(max_examples=60)
@given(proofs, baselines, stable_rates, st.floats(0, 1), st.integers(0, RUNGS - 1), seconds)
def test_a_canary_beyond_a_rung_is_not_expected_to_prove_it(
    proof: Proofs, baseline: Baseline, p_s: float, beyond: float, rung: int, length: float
) -> None:
    p_c = rung_margin(SETTINGS, rung).at(p_s) + beyond
    if p_c > 1:
        return
    question = Question(None, baseline, proofs=proof)
    expected = 0.0
    for chance, canary, stable in outcomes(p_c, p_s):
        after = question.see(Tick(0.0, length, canary, stable), SETTINGS, FAR, None, warming_up=False).proofs
        assert after is not None
        expected += chance * after.value(rung)
    assert expected <= proof.value(rung) * (1 + 1e-9) + TOPPED_UP


@given(alarms, st.lists(st.floats(-1e4, 1e4), min_size=len(PRIOR), max_size=len(PRIOR)), seconds, st.floats(1, 1e9))
def test_one_tick_raises_the_alarm_only_so_far(alarm: Alarm, logs: list[float], length: float, far: float) -> None:
    after = alarm.update(logs, length, far)
    assert after.value <= max(far ** (2 / 3), 1.0) * alarm.value * (1 + 1e-9) + TOPPED_UP
    assert math.isfinite(after.value)
    assert after.value > 0


@given(proofs, st.lists(st.floats(-1e4, 1e4), min_size=RUNGS, max_size=RUNGS), seconds)
def test_a_proof_takes_three_ticks_from_nothing_and_stays_bounded(
    proof: Proofs, logs: list[float], length: float
) -> None:
    after = proof.update(logs, length, 0.05)
    for rung in range(RUNGS):
        assert after.stakes[rung] <= min(20 ** (1 / 3) * (proof.stakes[rung] + proof.reserve), 400) * (1 + 1e-9)
    fresh = Proofs()
    for _ in range(2):
        fresh = fresh.update([1e4] * RUNGS, 15.0, 0.05)
    assert fresh.value(0) < 20


@given(alarms, proofs, baselines)
def test_wealth_survives_json_exactly(alarm: Alarm, proof: Proofs, baseline: Baseline) -> None:
    question = Question(0.25, baseline, alarm=alarm, objective=None, proofs=proof)
    assert decode(Question, json.loads(json.dumps(encode(question)))) == question


def test_stakes_are_counted() -> None:
    with pytest.raises(ValueError, match="stakes has 2 items: expected 5"):
        Alarm(0.5, (0.1, 0.1))
    with pytest.raises(ValueError, match="stakes has 0 items: expected 8"):
        replace(Proofs(), stakes=())


@given(st.floats(1, 1e6), st.floats(0, 1))
def test_halves_that_fail_alike_show_no_clumps(requests: float, rate: float) -> None:
    half = Counts(requests, requests * rate)
    baseline = Baseline()
    for _ in range(20):
        baseline = baseline.learn(half + half, (half, half), 15.0)
    assert baseline.dispersion == 1


def test_halves_that_fail_in_turns_show_the_clump() -> None:
    baseline = Baseline()
    for turn in range(40):
        halves = Counts(500, 20 * (turn % 2)), Counts(1000, 40 * (turn % 4 == 0))
        baseline = baseline.learn(halves[0] + halves[1], halves, 15.0)
    assert 15 < baseline.dispersion < 60


def test_a_half_with_hardly_any_traffic_teaches_nothing() -> None:
    halves = Counts(10, 10), Counts(1000, 0)
    assert Baseline().learn(halves[0] + halves[1], halves, 15.0).looks == 0
