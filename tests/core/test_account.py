"""The account says what the judge goes by, number for number."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.account import balance
from meshshift.core.evidence import Margin
from meshshift.core.judge import Evidence, Indicator, JudgeSettings, SuccessRate
from meshshift.core.run import Phase, Run, begin
from meshshift.core.spec import Analysis, OnInconclusive, SetWeight, ShiftSpec, Subset
from meshshift.core.telemetry import Tick, Traffic

T0 = 1_700_000_000.0


def run(*failing: float, rps: float = 1000.0, objective: float | None = None, **judge: float) -> Run:
    """A run at 5% of 25%, after one tick for each canary failure rate; stable fails 0.2%."""
    settings = JudgeSettings(**judge)
    indicators = (Indicator("success-rate", 1.0, SuccessRate(objective)),)
    analysis = Analysis(settings, indicators, 0.0, 1800.0, OnInconclusive.HOLD)
    steps = (SetWeight(5), SetWeight(25), SetWeight(100))
    spec = ShiftSpec("reviews", Subset("v1"), Subset("v2"), steps, 0.0, analysis)
    evidence = Evidence.begin(indicators, settings, at=T0)
    requests = rps * 15.0
    evidence = evidence.warm(Tick(T0 - 15, T0, stable=Traffic(requests, 0.002 * requests)))
    for number, rate in enumerate(failing):
        start, few, many = T0 + 15 * number, 0.05 * requests, 0.95 * requests
        evidence = evidence.see(Tick(start, start + 15, Traffic(few, rate * few), Traffic(many, 0.002 * many)))
    return replace(begin("r", spec, "h", evidence, T0), phase=Phase.PROGRESSING, step=0, desired=5)


@given(st.lists(st.sampled_from([0.0, 0.002, 0.01, 0.1, 1.0]), max_size=8), st.sampled_from([1.0, 30.0, 1000.0]))
def test_the_account_agrees_with_the_assessment(failing: list[float], rps: float) -> None:
    there = run(*failing, rps=rps)
    assessment, found = there.evidence.assess(0.05, 0.25), balance(there)
    assert found is not None
    assert (found.odds >= found.bar) == assessment.regression
    shown = all(each.proof is None or each.proof.odds >= each.proof.bar * (1 - 1e-9) for each in found.accounts)
    assert (shown and all(each.calm for each in found.accounts) and not assessment.regression) == assessment.allowed


def test_the_margins_are_those_of_the_settings() -> None:
    found = balance(run(tolerance=0.5, harm_budget=0.01, objective=0.99))
    assert found is not None
    (account,) = found.accounts
    assert account.margin == Margin(1.5, 0.001)
    assert account.allowed == pytest.approx(0.01)
    assert account.proof is not None
    assert account.proof.margin == Margin(2.0, 0.04)


@given(st.sampled_from([0.001, 0.005, 0.02]), st.sampled_from([5, 10, 40, 90]))
def test_what_a_weight_may_cost_keeps_within_the_budget(budget: float, percent: int) -> None:
    there = run(harm_budget=budget, spare_requests=0.0)
    steps = (SetWeight(1), SetWeight(percent), SetWeight(100))
    found = balance(replace(there, desired=1, spec=replace(there.spec, steps=steps)))
    assert found is not None
    proof = found.accounts[0].proof
    assert proof is not None
    assert budget / 2 < proof.harm <= budget * (1 + 1e-9) or proof.margin.absolute == budget * 128


def test_before_anything_was_judged_there_is_no_account() -> None:
    assert balance(replace(run(), phase=Phase.PENDING)) is None


@pytest.mark.parametrize("phase", [Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.SUCCEEDED])
def test_a_run_that_is_over_has_no_next_weight(phase: Phase) -> None:
    found = balance(replace(run(0.002), phase=phase))
    assert found is not None
    assert found.next_weight is None
    assert found.accounts[0].proof is None


@given(st.integers(0, 6), st.sampled_from([10.0, 300.0, 100_000.0]))
def test_a_proof_takes_at_least_the_looks_that_are_said(seen: int, rps: float) -> None:
    found = balance(run(*[0.002] * seen, rps=rps))
    assert found is not None
    proof = found.accounts[0].proof
    if proof is None:
        return
    for further in range(proof.looks):
        later = run(*[0.002] * (seen + further), rps=rps).evidence.assess(0.05, 0.25).findings[0]
        assert later.proof is None or later.proof < later.proof_bar


def test_with_much_traffic_the_looks_are_what_is_waited_for() -> None:
    found = balance(run(rps=100_000.0))
    assert found is not None
    proof = found.accounts[0].proof
    assert proof is not None
    assert proof.looks == 3
