from __future__ import annotations

import math

import pytest

from meshshift.core import words
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


def test_what_is_missing_is_counted_in_requests() -> None:
    late = finding(canary=Counts(312, 0), requests_needed=388.0)
    assert words.unproven(assessment(late, finding("latency"))) == (
        "success-rate not yet proven (312 of ~700 requests)"
    )


def test_the_proof_that_takes_longest_sets_the_number() -> None:
    soon, late = (finding(name, canary=Counts(312, 0), requests_needed=n) for name, n in (("a", 9.0), ("b", 388.0)))
    assert words.unproven(assessment(soon, late)) == "a and b not yet proven (312 of ~700 requests)"


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
