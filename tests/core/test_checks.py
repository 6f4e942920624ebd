from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.checks import Check, CheckState, Error, Fail, Pass, Query, Result, judge_answer, judge_tick
from meshshift.core.indicator import Latency, SuccessRate
from meshshift.core.telemetry import NoData, Series, Slow, Tick, Traffic

QUERY = Query("x", minimum=-1.0, maximum=0.2)
RATE = SuccessRate(0.99)


def one(value: float) -> tuple[Series, ...]:
    return (Series.of({}, value),)


def tick(total: float = 0.0, failed: float = 0.0, **traffic: object) -> Tick:
    return Tick(0.0, 15.0, canary=Traffic(total, failed, **traffic))  # type: ignore[arg-type]


def timed(total: float, *slow: tuple[float, float]) -> Tick:
    return tick(timed=total, slow=tuple(Slow(boundary, count) for boundary, count in slow))


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (0.2, Pass(0.2)),
        (-1.0, Pass(-1.0)),
        (0.21, Fail(0.21, 0.2)),
        (-1.5, Fail(-1.5, -1.0)),
    ],
)
def test_a_bound_itself_passes(value: float, result: Result) -> None:
    assert judge_answer(QUERY, one(value)) == result


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_division_by_no_requests_is_no_data(value: float) -> None:
    result = judge_answer(QUERY, one(value))
    assert isinstance(result, NoData)
    assert str(value) in result.reason


def test_an_empty_result_is_no_data() -> None:
    assert isinstance(judge_answer(QUERY, ()), NoData)


def test_several_series_are_an_error_that_shows_some_and_says_what_to_do() -> None:
    result = judge_answer(QUERY, [Series.of({"pod": f"p{index}"}, 0.1) for index in range(5)])
    assert isinstance(result, Error)
    assert result.reason == (
        'the query gives 5 series ({pod="p0"}, {pod="p1"}, {pod="p2"}, …), not one number: wrap it in sum() or max()'
    )


@given(st.lists(st.floats(), max_size=3))
def test_only_one_finite_number_passes_or_fails(values: list[float]) -> None:
    result = judge_answer(QUERY, [Series.of({"n": str(n)}, value) for n, value in enumerate(values)])
    counts = len(values) == 1 and math.isfinite(values[0])
    assert isinstance(result, Pass | Fail) == counts


@pytest.mark.parametrize(
    ("total", "failed", "result"),
    [
        (200, 2, Pass(99.0)),
        (200, 3, Fail(98.5, 99.0)),
        (1, 0, Pass(100.0)),
        (0, 0, NoData("no data: no request to the canary in 15 s")),
    ],
)
def test_a_rate_is_held_against_its_objective_alone(total: float, failed: float, result: Result) -> None:
    assert judge_tick(RATE, tick(total, failed)) == result


@given(total=st.integers(1, 10**9), objective=st.sampled_from([0.9, 0.95, 0.99, 0.995, 0.999, 0.9999]))
def test_exactly_the_allowed_share_passes_whatever_rounding_does(total: int, objective: float) -> None:
    bad = total * (1.0 - objective)
    assert isinstance(judge_tick(SuccessRate(objective), tick(total, bad)), Pass)
    assert isinstance(judge_tick(SuccessRate(objective), tick(total, min(total, bad * 1.001))), Fail)


LATENCY = Latency(0.3, 0.99)


def test_latency_fails_at_the_boundary_above_and_passes_at_the_one_below() -> None:
    assert judge_tick(LATENCY, timed(100, (0.25, 1), (0.5, 0))) == Pass(99.0)
    assert judge_tick(LATENCY, timed(100, (0.25, 9), (0.5, 2))) == Fail(98.0, 99.0)


def test_one_boundary_is_enough_for_the_answer_it_can_give() -> None:
    assert judge_tick(LATENCY, timed(100, (0.25, 1))) == Pass(99.0)
    assert judge_tick(LATENCY, timed(100, (0.5, 5))) == Fail(95.0, 99.0)
    assert isinstance(judge_tick(LATENCY, timed(100, (0.25, 5))), NoData)


def test_a_threshold_inside_a_bucket_that_decides_is_not_guessed() -> None:
    result = judge_tick(LATENCY, timed(100, (0.25, 5), (0.5, 0)))
    assert isinstance(result, NoData)
    assert result.reason == (
        "no data: 95% are within 0.25 s and 100% are within 0.5 s; set the threshold to a boundary of the histogram"
    )


@pytest.mark.parametrize("found", [timed(0), timed(100), timed(100, (0.5, 0))])
def test_latency_without_requests_or_boundaries_is_no_data(found: Tick) -> None:
    assert isinstance(judge_tick(LATENCY, found), NoData)


def test_failures_add_up_and_passes_do_not_take_them_back() -> None:
    state = CheckState("x")
    results: tuple[Result, ...] = (Fail(1, 0), Pass(0), NoData("n"), Error("e"), Fail(2, 0))
    for at, result in enumerate(results, start=1):
        state = state.take(result, float(at))
    assert (state.failures, state.failed, state.passed, state.at) == (2, 2, False, 5.0)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 6),
            st.sampled_from([Pass(0.1), Fail(0.3, 0.2), NoData("nothing"), Error("down")]),
        )
    )
)
def test_an_instant_counts_once_and_in_order(results: list[tuple[int, Result]]) -> None:
    state, counted = CheckState("x"), 0
    for at, result in results:
        fresh = at > state.at
        after = state.take(result, float(at))
        if isinstance(result, Error) or not fresh:
            assert after == state
        else:
            assert after.at == at
            assert after.passed == isinstance(result, Pass)
            assert bool(after.silence) == isinstance(result, NoData)
            counted += isinstance(result, Fail)
        state = after
    assert state.failures == counted


@given(
    st.builds(
        CheckState,
        name=st.text(max_size=5),
        at=st.floats(0, 2e9),
        value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        passed=st.booleans(),
        silence=st.text(max_size=20),
        failures=st.integers(0, 1000),
        failed=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    )
)
def test_a_state_survives_being_written_exactly(state: CheckState) -> None:
    assert CheckState.from_json(json.loads(json.dumps(state.to_json(), allow_nan=False))) == state


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        ["x", 1.0, None, True, "", 1],
        ["x", "1", None, True, "", 1, None],
        ["x", 1.0, math.nan, True, "", 1, None],
        ["x", 1.0, None, 1, "", 1, None],
        ["x", 1.0, None, True, "", -1, None],
        ["x", 1.0, None, True, "", 1.5, None],
        ["x", True, None, True, "", 1, None],
    ],
)
def test_what_is_no_state_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match="state of a check"):
        CheckState.from_json(data)


@pytest.mark.parametrize("bounds", [(None, None), (1.0, 0.0), (math.nan, None), (None, math.inf)])
def test_a_query_needs_bounds_in_order(bounds: tuple[float | None, float | None]) -> None:
    with pytest.raises(ValueError, match="give one of them"):
        Query("x", *bounds)


def test_a_check_needs_a_bound_and_a_limit() -> None:
    with pytest.raises(ValueError, match="no objective"):
        Check("errors", 3, SuccessRate())
    with pytest.raises(ValueError, match="use 1 or more"):
        Check("errors", 0, RATE)


def test_a_long_reason_is_kept_short() -> None:
    assert len(CheckState("x").take(NoData("y" * 10_000), 1.0).silence) <= 160
