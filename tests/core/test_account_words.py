from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from meshshift.core import account_words as words
from meshshift.core.account import Account, Balance, CheckAccount, Proof
from meshshift.core.checks import Check, CheckState, Query
from meshshift.core.evidence import Counts, Margin

PROOF = Proof(0.1, Margin(1.5, 0.04), 0.004, 3.2, 20.0, 61.4, 2)
ACCOUNT = Account(
    name="success-rate",
    slower_than=None,
    asked=True,
    canary=Counts(122, 1),
    stable=Counts(2573, 5),
    margin=Margin(1.25, 0.0005),
    allowed=None,
    odds=0.5,
    bar=200.0,
    calm=True,
    proof=PROOF,
    note="",
)


def together(account: Account = ACCOUNT, weight: float = 0.05, goal: float | None = 0.1) -> Balance:
    return Balance((account,), (), True, account.odds, 100.0, weight, goal)


@pytest.mark.parametrize(("fraction", "shown"), [(0.005, "0.5 points"), (0.01, "1 point"), (0.64, "64 points")])
def test_points_are_of_a_hundred(fraction: float, shown: str) -> None:
    assert words.points(fraction) == shown


def test_both_arms_are_told_with_exact_counts() -> None:
    assert words.counted(ACCOUNT) == "the canary fails 0.82% (1 of 122 requests), stable 0.19% (5 of 2,573)"


def test_a_latency_says_what_counts_as_slow() -> None:
    assert words.counted(replace(ACCOUNT, slower_than=0.25)).startswith(
        "the canary fails or takes over 250 ms for 0.82%"
    )


def test_silence_of_an_arm_is_not_a_rate() -> None:
    silent = replace(ACCOUNT, canary=Counts(0, 0))
    assert words.counted(silent) == "the canary has no request yet, stable 0.19% (5 of 2,573)"
    assert words.counted(replace(silent, stable=Counts(0, 0))) == "the canary has no request yet, stable has none"


def test_the_way_up_says_margin_evidence_and_requests() -> None:
    assert words.promotion(ACCOUNT, together()) == (
        "To go to 10% it must be shown to cost the whole service less than 0.4 points, that is to fail less than "
        "1.5 × stable + 4 points: evidence 3.2 : 1 of 20 : 1, about 61 more requests if it stays as good as stable, "  # noqa: RUF001
        "in 2 looks or more."
    )


@pytest.mark.parametrize(
    ("account", "end"),
    [
        (replace(ACCOUNT, proof=replace(PROOF, odds=25.0)), "shown, evidence 25 : 1 of 20 : 1."),
        (replace(ACCOUNT, calm=False), "evidence 3.2 : 1 of 20 : 1, and nothing can be shown while it is suspicious."),
        (replace(ACCOUNT, canary=Counts(0, 0)), "evidence 3.2 : 1 of 20 : 1, no request to the canary counted yet."),
        (replace(ACCOUNT, proof=replace(PROOF, requests=inf)), "and it cannot be shown at these rates."),
        (
            replace(ACCOUNT, proof=replace(PROOF, requests=0.2, looks=1)),
            "about 1 more requests if it stays as good as stable.",
        ),
        (replace(ACCOUNT, proof=None), "To go to 10% nothing has to be shown: so few requests are at stake."),
    ],
)
def test_what_stands_in_the_way_is_said(account: Account, end: str) -> None:
    assert words.promotion(account, together(account)).endswith(end)


def test_the_first_weight_is_on_faith_and_the_last_needs_nothing() -> None:
    assert "on faith" in words.promotion(ACCOUNT, together(weight=0.0))
    assert words.promotion(ACCOUNT, together(goal=None)) == ""


def test_the_way_back_says_what_it_takes() -> None:
    start = "To be rolled back: evidence 200 : 1 that it fails more than 1.25 × stable + 0.05 points"  # noqa: RUF001
    assert words.rollback(ACCOUNT) == f"{start}; now 0.5 : 1."
    assert (
        words.rollback(replace(ACCOUNT, allowed=0.005)) == f"{start} and more than its objective's 0.5%; now 0.5 : 1."
    )
    assert words.rollback(replace(ACCOUNT, odds=300.0, calm=False), ended=True) == f"{start}; at the end 300 : 1."


def test_suspicion_is_said_until_it_is_proof() -> None:
    alarmed = replace(ACCOUNT, odds=14.0, calm=False)
    assert words.rollback(alarmed).endswith("now 14 : 1. It is suspicious: no more weight while that lasts.")
    assert words.rollback(replace(alarmed, odds=200.0)).endswith("now 200 : 1.")


def test_all_indicators_together_give_the_verdict_at_the_bar() -> None:
    assert words.combined(together()) == "evidence 0.5 : 1 of the 100 : 1 that roll back: not proven worse"
    assert words.combined(together(replace(ACCOUNT, odds=100.0))).endswith(": proven worse")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (CheckState("errors"), "must be at most 0.2; not answered yet; 0 of 3 failures; 3 more and it is rolled back"),
        (
            CheckState("errors", 1.0, 0.31, failures=2, failed=0.31),
            "must be at most 0.2; it is 0.31; 2 of 3 failures (the last at 0.31); 1 more and it is rolled back",
        ),
        (
            CheckState("errors", 1.0, 0.1, silence="no data", failures=1, failed=0.4),
            "must be at most 0.2; no number now (no data); 1 of 3 failures (the last at 0.4); "
            "2 more and it is rolled back",
        ),
        (
            CheckState("errors", 1.0, 0.4, failures=3, failed=0.4),
            "must be at most 0.2; it is 0.4; 3 of 3 failures (the last at 0.4)",
        ),
    ],
)
def test_a_check_says_its_bounds_its_answer_and_what_is_left(state: CheckState, said: str) -> None:
    assert words.checked(CheckAccount(Check("errors", 3, Query("up", maximum=0.2)), state)) == said
