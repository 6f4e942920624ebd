from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.deficit import Deficit
from meshshift.core.telemetry import Slow, Tick, Traffic


def tick(canary: float, stable: float, lost: float = 0.0) -> Tick:
    slow = (Slow(0.5, 0.0),)
    return Tick(
        0.0,
        15.0,
        canary=Traffic(total=canary, timed=canary, slow=slow),
        stable=Traffic(total=stable, timed=stable, slow=slow),
        unattributed=Traffic(total=lost, failed=lost),
    )


def test_a_dead_canary_is_blamed_for_what_reached_nobody() -> None:
    deficit, judged = Deficit().see(tick(0, 900, lost=100), 0.1)
    assert judged.canary.failed == judged.canary.total > 50
    assert judged.canary.timed == judged.canary.total
    assert judged.canary.counts(0.5).bad == judged.canary.failed
    assert deficit.blamed == judged.canary.failed


def test_a_slow_trickle_adds_up_over_ticks() -> None:
    deficit, blamed = Deficit(), 0.0
    for _ in range(20):
        deficit, judged = deficit.see(tick(0, 95, lost=5), 0.05)
        blamed += judged.canary.failed
    assert 40 < blamed <= 100
    assert blamed == deficit.blamed


def test_a_dead_stable_is_not_the_canarys_fault() -> None:
    _, judged = Deficit().see(tick(100, 0, lost=900), 0.1)
    assert judged.canary.failed == 0


def test_failures_without_a_lack_are_nobodys() -> None:
    _, judged = Deficit().see(tick(100, 880, lost=20), 0.1)
    assert judged.canary.failed == 0


def test_a_lack_without_failures_is_no_failure() -> None:
    _, judged = Deficit().see(tick(0, 1000), 0.5)
    assert judged.canary.total == 0


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6)), max_size=20), st.floats(0.0, 1.0))
def test_never_more_is_blamed_than_was_lost(ticks: list[tuple[float, float, float]], weight: float) -> None:
    deficit, lost = Deficit(), 0.0
    for canary, stable, gone in ticks:
        deficit, judged = deficit.see(tick(canary, stable, gone), weight)
        lost += gone
        assert judged.canary.failed <= gone * (1 + 1e-9) + 1e-6
        assert deficit.blamed <= lost * (1 + 1e-9) + 1e-6


def test_a_healthy_canary_is_almost_never_blamed() -> None:
    chance = random.Random(7)  # noqa: S311 - a simulation
    blamed = 0
    for _ in range(300):
        deficit = Deficit()
        for _ in range(40):
            canary = sum(chance.random() < 0.1 for _ in range(200))
            deficit, judged = deficit.see(tick(canary, 198 - canary, lost=2), 0.1)
            blamed += judged.canary.failed > 0
    assert blamed <= 6


def test_with_cookies_the_first_weight_is_expected_and_later_the_share_before_it() -> None:
    deficit = Deficit()
    assert deficit.sticky(0.05) == 0.05
    deficit, _ = deficit.see(tick(40, 960), deficit.sticky(0.05))
    assert deficit.sticky(0.05) == 0.05
    later = deficit.anew()
    assert later == Deficit(share=0.04)
    assert later.sticky(0.5) == 0.04
    assert later.sticky(0.01) == 0.01, "never more than the weight"
    assert later.anew() == later, "nothing was counted, so nothing was learned"


def test_the_baselines_requests_count_in_what_was_to_come() -> None:
    seen = replace(tick(0, 800, lost=100), baseline=Traffic(total=100.0))
    deficit, judged = Deficit().see(seen, 0.1)
    assert deficit.expected == 100.0
    assert judged.canary.failed > 50


def test_a_baseline_that_refuses_every_connection_is_not_the_canarys_fault() -> None:
    seen = replace(tick(100, 800, lost=100), baseline=Traffic())
    _, judged = Deficit().see(seen, 0.1)
    assert judged.canary.failed == 0
