from __future__ import annotations

import math

import pytest

from meshshift.core import words
from meshshift.core.checking import CheckFinding, Standing
from meshshift.core.evidence import Counts
from meshshift.core.judge import Assessment, Finding


def finding(name: str = "success-rate", **changes: object) -> Finding:
    values: dict[str, object] = {
        "name": name,
        "canary": Counts(1204, 1),
        "stable": Counts(22000, 24),
        "worse": 0.1,
        "worse_bar": 2.3,
        "proof": 1.4,
        "proof_bar": 1.3,
        "calm": True,
        "requests_needed": 0.0,
        "dispersion": 1.0,
        "note": "",
    }
    return Finding(**{**values, **changes})  # type: ignore[arg-type]


def assessment(*findings: Finding, worse: float = 0.0, culprit: str | None = None) -> Assessment:
    return Assessment(findings, culprit is not None, culprit is None, worse, culprit)


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        (Counts(0, 0), "no requests"),
        (Counts(100, 0), "0%"),
        (Counts(1204, 1), "0.08%"),
        (Counts(1_000_000, 1), "<0.01%"),
        (Counts(1000, 51), "5.1%"),
    ],
)
def test_rates_are_percent_with_two_digits_that_matter(counts: Counts, shown: str) -> None:
    assert words.rate(counts) == shown


def test_an_advance_gives_its_numbers() -> None:
    assert words.proven(assessment(finding())) == (
        "success-rate proven not worse after 1,204 requests (canary 0.08%, stable 0.11%)"
    )


def test_several_indicators_are_told_apart() -> None:
    text = words.proven(assessment(finding(), finding("latency")))
    assert text.startswith("success-rate and latency proven not worse")
    assert "latency: canary 0.08%" in text


def test_a_canary_without_weight_is_told_of_by_what_its_header_routes_brought() -> None:
    assert words.harmless(assessment(finding())) == "nothing worse in 1,204 requests (canary 0.08%, stable 0.11%)"
    assert words.harmless(assessment(finding(canary=Counts(0, 0)))) == "nothing to prove yet"
    assert words.harmless(assessment()) == "nothing to prove yet"


def test_what_is_missing_is_counted_in_requests() -> None:
    late = finding(canary=Counts(312, 0), requests_needed=388.0)
    assert words.unproven(assessment(late, finding("latency"))) == (
        "success-rate not yet proven (312 of ~700 requests)"
    )


def test_the_proof_that_takes_longest_sets_the_number() -> None:
    soon, late = (finding(name, canary=Counts(312, 0), requests_needed=n) for name, n in (("a", 9.0), ("b", 388.0)))
    assert words.unproven(assessment(soon, late)) == "a and b not yet proven (312 of ~700 requests)"


def test_few_requests_do_not_sound_like_a_moment() -> None:
    """One look adds a third of a proof at the most, however many requests it brings."""
    soon, late = (finding(name, requests_needed=9.0, looks=looks) for name, looks in (("a", 2), ("b", 3)))
    assert words.unproven(assessment(soon, late)).endswith("(1,204 of ~1,213 requests, in 3 looks or more)")
    last = words.unproven(assessment(finding(requests_needed=9.0, looks=1)))
    assert last.endswith("(1,204 of ~1,213 requests)")


def test_what_cannot_be_proven_is_said() -> None:
    assert "cannot be proven" in words.unproven(assessment(finding(requests_needed=math.inf)))
    assert "watching" in words.unproven(assessment(finding(calm=False)))


def test_a_rollback_names_the_culprit_its_numbers_and_the_bar() -> None:
    bad = finding("latency", canary=Counts(941, 48), stable=Counts(2870, 3))
    assert words.regression(assessment(finding(), bad, worse=3.21, culprit="latency"), 0.01) == (
        "latency proven worse: 5.1% of 941 requests bad on the canary, 0.10% of 2,870 requests bad on stable "
        "(odds 1,622 : 1, needed 100 : 1)"
    )


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-1, "0 s"), (0.2, "1 s"), (40, "40 s"), (150, "2 min"), (3900, "1 h 5 min")]
)
def test_durations_read_as_people_say_them(seconds: float, shown: str) -> None:
    assert words.duration(seconds) == shown


@pytest.mark.parametrize(
    ("log10", "shown"), [(-1.0, "0.1 : 1"), (0.3, "2 : 1"), (2.0, "100 : 1"), (9.0, "over 1,000,000 : 1")]
)
def test_evidence_is_told_as_odds(log10: float, shown: str) -> None:
    assert words.odds(log10) == shown


def check(**changes: object) -> CheckFinding:
    values: dict[str, object] = {
        "name": "checkout",
        "standing": Standing.FAILED,
        "value": 0.31,
        "lowest": None,
        "highest": 0.2,
        "unit": "",
        "failures": 2,
        "limit": 3,
        "failed": 0.31,
        "problem": "",
    }
    return CheckFinding(**{**values, **changes})  # type: ignore[arg-type]


def test_a_failed_check_gives_value_bound_and_count() -> None:
    assert words.missing(check()) == "checkout is 0.31, above 0.2 (2 of 3 failures)"
    low = check(name="errors", lowest=99.5, highest=None, value=97.25, unit="%")
    assert words.missing(low) == "errors is 97.2%, below 99.5% (2 of 3 failures)"


def test_a_passed_check_gives_value_and_bounds() -> None:
    assert words.passed(check(value=0.12)) == "checkout is 0.12, at most 0.2"
    assert words.passed(check(value=0.12, lowest=-1.0)) == "checkout is 0.12, at least -1 and at most 0.2"


def test_a_limit_is_reached_by_the_last_failure_whatever_passed_since() -> None:
    spent = check(standing=Standing.PASSED, value=0.1, failures=3)
    assert words.limit_reached(spent) == "checkout is 0.31, above 0.2, for the 3rd time"


@pytest.mark.parametrize(("value", "shown"), [(0.20001, "0.20001"), (0.2004, "0.2004"), (0.25, "0.25"), (1e9, "1e+09")])
def test_a_value_is_never_rounded_onto_the_bound_it_breaks(value: float, shown: str) -> None:
    assert words.missing(check(value=value)).startswith(f"checkout is {shown}, above 0.2 ")


@pytest.mark.parametrize(
    ("count", "shown"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")]
)
def test_ordinals(count: int, shown: str) -> None:
    assert words.ordinal(count) == shown


def test_silence_and_errors_give_their_reason() -> None:
    assert words.missing(check(standing=Standing.SILENT, problem="no data: x")) == "checkout: no data: x"
    assert words.missing(check(standing=Standing.UNCHECKED)) == "checkout not yet checked at this weight"
