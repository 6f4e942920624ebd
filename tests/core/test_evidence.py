import json
import math
from decimal import Decimal, getcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from meshshift.core.evidence import MOST_REQUESTS, Counts, Margin, Rates, log_e_value

GOLDEN = Path(__file__).parents[1] / "data" / "telemetry" / "e_values.json"

MARGINS = [
    Margin(1.25, 0.0005),
    Margin(1.5, 0.005),
    Margin(1.5, 0.08),
    Margin(1.0, 0.0),
    Margin(3.0, 0.01),
    Margin(0.5, 0.1),
]
SIZES = [(1, 1), (3, 20), (40, 2), (12, 12), (60, 200), (200, 9)]
STABLE_RATES = [0.0, 0.001, 0.02, 0.2]


def expected_e(n_c: int, n_s: int, p_c: float, p_s: float, alternative: Rates, margin: Margin) -> float:
    """E[e] by going through every possible outcome."""
    chances_c, chances_s = binom.pmf(range(n_c + 1), n_c, p_c), binom.pmf(range(n_s + 1), n_s, p_s)
    return sum(
        math.exp(log_e_value(Counts(n_c, f_c), Counts(n_s, f_s), alternative, margin))
        * float(chances_c[f_c] * chances_s[f_s])
        for f_c in range(n_c + 1)
        for f_s in range(n_s + 1)
        if chances_c[f_c] * chances_s[f_s] > 0
    )


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize(("n_c", "n_s"), SIZES)
def test_a_canary_within_the_margin_is_expected_to_raise_no_evidence(margin: Margin, n_c: int, n_s: int) -> None:
    for p_s in STABLE_RATES:
        for inside in (1.0, 0.6, 0.0):
            p_c = min(1.0, margin.at(p_s) * inside)
            for guess in (p_s, 0.05):
                alternative = Rates(min(0.9, 3 * margin.at(guess) + 0.01), guess)
                assert expected_e(n_c, n_s, p_c, p_s, alternative, margin) <= 1 + 1e-9


@pytest.mark.parametrize("margin", [margin for margin in MARGINS if margin.absolute > 0])
@pytest.mark.parametrize(("n_c", "n_s"), SIZES)
def test_a_canary_beyond_the_margin_is_expected_to_prove_nothing(margin: Margin, n_c: int, n_s: int) -> None:
    for p_s in STABLE_RATES:
        for beyond in (0.0, 0.05, 0.5):
            p_c = min(1.0, margin.at(p_s) + beyond)
            for guess in (p_s, 0.03):
                assert expected_e(n_c, n_s, p_c, p_s, Rates(min(guess, margin.at(guess)), guess), margin) <= 1 + 1e-9


@pytest.mark.parametrize("objective", [0.5, 0.1, 0.005, 0.0])
def test_a_canary_that_meets_an_objective_is_expected_to_raise_no_evidence(objective: float) -> None:
    for n_c in (1, 7, 150):
        for p_c in (objective, objective / 2):
            alternative = Rates(min(0.9, 3 * objective + 0.01), 0.3)
            assert expected_e(n_c, 5, p_c, 0.3, alternative, Margin(0.0, objective)) <= 1 + 1e-9


def failures_among(chances: list[float]) -> list[float]:
    """The distribution of the number of failures when every request has its own chance (Poisson binomial)."""
    distribution = [1.0]
    for chance in chances:
        distribution = [
            (distribution[k] if k < len(distribution) else 0.0) * (1 - chance)
            + (distribution[k - 1] * chance if k else 0.0)
            for k in range(len(distribution) + 1)
        ]
    return distribution


@pytest.mark.parametrize(("direction", "alternative"), [("worse", Rates(0.6, 0.1)), ("proof", Rates(0.1, 0.1))])
def test_only_the_average_rates_of_a_tick_matter(direction: str, alternative: Rates) -> None:
    """An outage within the tick: some requests fail for certain, others never; the averages lie on the margin."""
    margin = Margin(1.5, 0.05)
    stable = [1.0] * 4 + [0.0] * 26 + [0.2] * 10
    p_s = sum(stable) / len(stable)
    hit = margin.at(p_s) * 20
    canary = [1.0] * int(hit) + [hit - int(hit)] + [0.0] * (19 - int(hit))
    assert sum(canary) / 20 == pytest.approx(margin.at(p_s)), direction
    expected = sum(
        math.exp(log_e_value(Counts(20, f_c), Counts(40, f_s), alternative, margin)) * chance_c * chance_s
        for f_c, chance_c in enumerate(failures_among(canary))
        for f_s, chance_s in enumerate(failures_among(stable))
    )
    assert expected <= 1 + 1e-9


def test_the_projection_is_what_keeps_the_promise() -> None:
    """The plain ratio against stable's guessed rate breaks it: the exact enumeration above can tell."""
    margin, alternative, p_s = Margin(1.0, 0.0), Rates(0.3, 0.1), 0.3
    naive = sum(math.exp(f * math.log(0.3 / 0.1) - 50 * 0.2) * binom.pmf(f, 50, p_s) for f in range(51))
    assert naive > 100
    assert expected_e(50, 50, p_s, p_s, alternative, margin) <= 1


rates = st.floats(0, 1) | st.sampled_from([0.0, 1e-300, 1e-15, 1e-12, 0.5, 1.0])
sizes = st.floats(0, MOST_REQUESTS) | st.sampled_from([0.0, 5e-324, 1.0, 1e12, MOST_REQUESTS])
factors = st.just(0.0) | st.floats(1e-6, 1e6)


@st.composite
def counts(draw: st.DrawFn) -> Counts:
    total = draw(sizes)
    return Counts(total, total * draw(rates))


@settings(max_examples=1000)
@given(counts(), counts(), rates, rates, factors, rates | st.floats(0, 1e6))
def test_evidence_is_always_finite(
    c: Counts, s: Counts, q_c: float, q_s: float, relative: float, absolute: float
) -> None:
    assert math.isfinite(log_e_value(c, s, Rates(q_c, q_s), Margin(relative, absolute)))


def test_one_arm_says_nothing_about_a_comparison() -> None:
    alternative, margin = Rates(0.2, 0.01), Margin(1.25, 0.0005)
    assert log_e_value(Counts(0, 0), Counts(100, 50), alternative, margin) == 0
    assert log_e_value(Counts(100, 50), Counts(0, 0), alternative, margin) == 0


def test_an_objective_needs_no_stable_traffic() -> None:
    alternative, margin = Rates(0.2, 0.01), Margin(0.0, 0.005)
    alone = log_e_value(Counts(100, 50), Counts(0, 0), alternative, margin)
    assert alone > 50
    assert log_e_value(Counts(100, 50), Counts(1000, 900), alternative, margin) == alone


def test_an_alternative_on_the_margin_bets_nothing() -> None:
    assert log_e_value(Counts(100, 50), Counts(100, 1), Rates(0.25, 0.125), Margin(1.0, 0.125)) == 0
    assert log_e_value(Counts(100, 50), Counts(100, 1), Rates(0.0, 0.0), Margin(1.5, 0.0)) == 0


def test_rounding_a_rate_up_never_changes_the_half_plane() -> None:
    """(0, 1e-20) lies below p_c = p_s / 2; with both rates raised to 1e-15 it would lie above."""
    assert log_e_value(Counts(100, 50), Counts(100, 0), Rates(0.0, 1e-20), Margin(0.5, 0.0)) == 0


def test_evidence_points_where_the_counts_point() -> None:
    worse, proof, margin = Rates(0.1, 0.01), Rates(0.01, 0.01), Margin(1.5, 0.01)
    assert log_e_value(Counts(100, 10), Counts(900, 9), worse, margin) > 5
    assert log_e_value(Counts(100, 1), Counts(900, 9), worse, margin) < -3
    assert log_e_value(Counts(100, 10), Counts(900, 9), proof, margin) < -5
    assert log_e_value(Counts(1000, 10), Counts(9000, 90), proof, margin) > 3


@given(st.floats(1, 1e12), st.floats(1, 1e12), st.floats(1e-12, 0.5), st.floats(1.1, 100), st.floats(1, 3))
def test_arithmetic_holds_at_any_scale(n_c: float, n_s: float, q_s: float, multiple: float, rho: float) -> None:
    """Against 60 digits: off by no more than the last bits of the expected numbers of failures."""
    getcontext().prec = 60
    margin = Margin(rho, q_s / 10)
    q_c = multiple * margin.at(q_s)
    canary, stable = Counts(n_c, n_c * min(q_c, 1.0)), Counts(n_s, n_s * q_s)
    nc, ns, fc, fs, qc, qs, r, d = (
        Decimal(x) for x in (n_c, n_s, canary.bad, stable.bad, q_c, q_s, margin.relative, margin.absolute)
    )
    a, b, c = r * (r * nc + ns), r * nc * (d - qc) + ns * (d - r * qs), ns * qs * d
    x = (-b + (b * b + 4 * a * c).sqrt()) / (2 * a)
    p = r * x + d
    exact = float(fc * (qc / p).ln() - nc * (qc - p) + fs * (qs / x).ln() - ns * (qs - x))
    slack = 1e-9 + 2e-15 * (n_c * q_c + n_s * q_s)
    assert log_e_value(canary, stable, Rates(q_c, q_s), margin) == pytest.approx(exact, abs=slack)


@pytest.mark.parametrize("case", json.loads(GOLDEN.read_text()))
def test_evidence_agrees_with_an_independent_implementation(case: dict[str, list[float]]) -> None:
    alternative, margin = Rates(*case["alternative"]), Margin(*case["margin"])
    found = log_e_value(Counts(*case["canary"]), Counts(*case["stable"]), alternative, margin)
    assert found == pytest.approx(
        case["log_e"], rel=1e-9, abs=1e-3 if max(case["canary"] + case["stable"]) > 1e9 else 1e-9
    )


@pytest.mark.parametrize(("total", "bad"), [(1, 2), (-1, -1), (5, -1), (math.nan, 0), (5, math.nan), (math.inf, 1)])
def test_counts_that_cannot_be_are_refused(total: float, bad: float) -> None:
    with pytest.raises(ValueError, match="0 <= bad <= total"):
        Counts(total, bad)


@pytest.mark.parametrize("relative", [-1.0, 1e-9, 1e9, math.nan])
def test_a_margin_without_meaning_is_refused(relative: float) -> None:
    with pytest.raises(ValueError, match="relative"):
        Margin(relative, 0.1)
    with pytest.raises(ValueError, match="absolute"):
        Margin(1.0, -0.1)
