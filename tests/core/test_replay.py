from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.judge import Indicator, JudgeSettings, SuccessRate
from meshshift.core.mesh.routes import VirtualServiceSelector
from meshshift.core.observation import Timing
from meshshift.core.replay import Moment, Playback, gaps, silenced, stretches
from meshshift.core.run import Hold, Phase
from meshshift.core.spec import Analysis, Gate, OnFailure, OnInconclusive, Pause, Scale, SetWeight, ShiftSpec, Subset
from meshshift.core.telemetry import NoData, Tick, Traffic

T0 = 1_700_000_000.0 // 15 * 15
SPEC = ShiftSpec(
    service="reviews",
    stable=Subset("v1"),
    canary=Subset("v2"),
    steps=(SetWeight(5), SetWeight(100)),
    min_step=0.0,
    analysis=Analysis(
        JudgeSettings(), (Indicator("success-rate", 1.0, SuccessRate()),), 0.0, 1800.0, OnInconclusive.HOLD
    ),
)
WARM = tuple(Tick(T0 - 60 + 15 * k, T0 - 45 + 15 * k, stable=Traffic(15_000.0, 15.0)) for k in range(4))


def tick(number: int, canary: float, stable: float, *, failing: float = 0.001, lost: float = 0.0) -> Tick:
    start = T0 + 15 * number
    arms = Traffic(canary, failing * canary), Traffic(stable, 0.001 * stable)
    return Tick(start, start + 15, *arms, unattributed=Traffic(lost, lost))


def at_five(spec: ShiftSpec = SPEC, recorded: tuple[tuple[float, int], ...] = ()) -> Playback:
    """A playback that has given the canary its first weight."""
    playback = Playback(spec, "bookinfo", Timing(lag=0.0), T0, T0, recorded)
    for _ in range(9):
        playback, _ = playback.look(None, () if playback.run and playback.run.warmed else WARM)
        if playback.run and playback.run.applied and playback.run.desired:
            return playback
    raise AssertionError(playback)


def play(playback: Playback, ticks: list[Tick]) -> Playback:
    for one in ticks:
        due = False
        while not due and not playback.over:
            due = playback.run is not None and playback.now >= one.end and playback.run.evidence.until < one.end
            playback, _ = playback.look(one if due else None, ())
    return playback


def test_the_mesh_obeys_and_the_clock_waits_for_the_next_window() -> None:
    playback = at_five()
    assert playback.weight == 5
    later, decision = playback.look(None, ())
    assert decision.reason == "NotYetProven"
    assert later.now == T0 + 15


def test_a_failing_canary_ends_the_replay_on_its_way_back() -> None:
    playback = play(at_five(), [tick(k, 750, 14_250, failing=0.2) for k in range(20)])
    assert playback.over
    assert playback.run is not None
    assert playback.run.phase is Phase.ROLLING_BACK


def test_a_regression_that_would_wait_for_a_person_ends_the_replay() -> None:
    playback = play(
        at_five(replace(SPEC, on_failure=OnFailure.PAUSE)), [tick(k, 750, 14_250, failing=0.2) for k in range(20)]
    )
    assert playback.over
    assert playback.run is not None
    assert playback.run.hold is Hold.REGRESSION


def test_a_good_canary_ends_the_replay_with_all_traffic() -> None:
    playback = play(at_five(), [tick(k, 750, 14_250) for k in range(40)])
    assert playback.over
    assert playback.run is not None
    assert (playback.run.phase, playback.weight) == (Phase.PROMOTING, 100)


def test_pods_that_become_ready_later_are_waited_for() -> None:
    playback = Playback(SPEC, "bookinfo", Timing(lag=0.0), T0 + 100, T0)
    for _ in range(99):
        playback, _ = playback.look(None, () if playback.run and playback.run.warmed else WARM)
        if playback.run and playback.run.desired:
            break
    assert playback.now >= T0 + 100


def silent_canary(recorded: tuple[tuple[float, int], ...]) -> Playback:
    """The canary got nothing that was counted, and one request in twenty reached nobody."""
    return play(at_five(recorded=recorded), [tick(k, 0, 14_250, lost=750) for k in range(20)])


def test_what_reached_nobody_is_the_canarys_if_it_was_to_get_it() -> None:
    playback = silent_canary(((T0 - 1, 5),))
    assert playback.run is not None
    assert playback.run.phase is Phase.ROLLING_BACK
    assert playback.run.evidence.canary_requests > 0


@pytest.mark.parametrize("recorded", [(), ((T0 - 1, 0),), ((T0 + 999_999, 5),)])
def test_what_reached_nobody_is_nobodys_if_the_canary_was_not_known_to_get_it(
    recorded: tuple[tuple[float, int], ...],
) -> None:
    playback = silent_canary(recorded)
    assert playback.run is not None
    assert not playback.over
    assert playback.run.evidence.canary_requests == 0


def test_what_reached_nobody_adds_up_over_windows() -> None:
    """Too few in any one window to be more than chance, too many in six."""
    ticks = [tick(k, 650, 14_250, lost=100) for k in range(6)]
    one, six = (play(at_five(recorded=((T0 - 1, 5),)), listed) for listed in (ticks[:1], ticks))
    assert one.lacking[1].blamed == 0
    assert six.lacking[1].blamed > 0


def test_a_window_in_which_the_weight_changed_blames_nobody() -> None:
    playback = play(at_five(recorded=((T0 - 1, 5), (T0 + 7, 50))), [tick(0, 0, 14_250, lost=750)])
    assert playback.run is not None
    assert playback.run.evidence.canary_requests == 0


def test_nobody_waits_for_a_person_in_a_replay() -> None:
    waiting = replace(
        SPEC,
        steps=(SetWeight(5), Pause(None), Pause(60.0), SetWeight(100)),
        paused=True,
        virtual_services=(VirtualServiceSelector("other", "x"),),
        destination_rule="named",
    )
    free, remarks = silenced(waiting)
    assert free.steps == (SetWeight(5), Pause(0.0), Pause(60.0), SetWeight(100))
    assert not free.paused
    assert remarks == (
        "the pause in step 2 waits for a person: taken as promoted at once",
        "spec.paused is true: taken as false",
    )
    assert at_five(free).weight == 5
    assert silenced(SPEC) == (SPEC, ())


def test_no_replicas_are_waited_for_in_a_replay() -> None:
    free, remarks = silenced(replace(SPEC, scale=Scale("reviews-v2", "reviews-v1")))
    assert free == SPEC
    assert remarks == ("scale is left out: replicas are taken as ready at once",)


def test_no_gate_is_asked_in_a_replay() -> None:
    gate = Gate("https://qa.example/ok")
    free, remarks = silenced(replace(SPEC, steps=(gate, SetWeight(5), gate, SetWeight(100))))
    assert free.steps == (Pause(0.0), SetWeight(5), Pause(0.0), SetWeight(100))
    assert remarks == ("the gate in step 1, 3 is not asked: taken as open at once",)


def test_a_measured_weight_that_moves_begins_a_new_stretch() -> None:
    ticks = [tick(k, 500, 9_500) for k in range(3)] + [tick(k, 2_500, 7_500) for k in range(3, 5)]
    first, second = stretches(ticks)
    assert (first.start, first.end, first.share) == (T0, T0 + 45, 0.05)
    assert (second.start, second.end, second.share) == (T0 + 45, T0 + 75, 0.25)


def test_silence_is_a_stretch_of_its_own() -> None:
    assert [each.share for each in stretches([tick(0, 5, 95), tick(1, 0, 0), tick(2, 5, 95)])] == [0.05, None, 0.05]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30))
def test_few_requests_do_not_look_like_a_change_of_weight(counts: list[int]) -> None:
    """However the few requests of a canary at 50% fall, one request more or less is chance."""
    ticks = [tick(k, 10 + count % 3, 10) for k, count in enumerate(counts)]
    assert len(stretches(ticks)) == 1


def test_chance_is_no_change_of_weight() -> None:
    """At 5% of 200 requests a window has 5 to 15 for the canary."""
    ticks = [tick(k, canary, 200.0 - canary) for k, canary in enumerate([10, 5, 15, 8, 13, 6, 12] * 3)]
    assert len(stretches(ticks)) == 1


def test_no_request_is_lost_between_stretches() -> None:
    ticks = [tick(k, 40.0 * k, 10_000 - 40.0 * k) for k in range(30)]
    found = stretches(ticks)
    assert sum(each.canary for each in found) == sum(each.canary.total for each in ticks)
    assert all(before.end == after.start for before, after in pairwise(found))


def test_gaps_last_until_data_are_back() -> None:
    decision = at_five().look(None, ())[1]
    nothing = NoData("no fresh data")
    readings: list[Tick | NoData | None] = [tick(0, 5, 95), nothing, None, nothing, tick(3, 5, 95), nothing]
    found = gaps(Moment(T0 + 15 * k, reading, decision) for k, reading in enumerate(readings))
    assert [(gap.start - T0, gap.end - T0, gap.reason) for gap in found] == [
        (15, 60, "no fresh data"),
        (75, 75, "no fresh data"),
    ]
