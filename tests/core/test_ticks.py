from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.ticks import WARM_WINDOWS, due_window, last_window, next_tick, warm_windows

INSTANTS = st.floats(1e9, 2e9)
INTERVALS = st.sampled_from([1.0, 2.0, 5.0, 15.0, 60.0])
LAGS = st.floats(0.0, 60.0)


@given(until=INSTANTS, interval=INTERVALS, lag=LAGS, ahead=st.floats(0, 600))
def test_a_window_is_read_only_once_its_last_scrape_is_complete(
    until: float, interval: float, lag: float, ahead: float
) -> None:
    now = until + ahead
    window = due_window(until, interval, now, lag)
    assert window is None or (window.start == until and window.end <= now - lag)


@given(until=INSTANTS, interval=INTERVALS, lag=LAGS)
def test_a_window_is_due_exactly_when_next_tick_says(until: float, interval: float, lag: float) -> None:
    due = next_tick(until, interval, lag)
    assert due_window(until, interval, due + 0.01, lag) is not None
    assert due_window(until, interval, due - 0.01, lag) is None


@given(until=INSTANTS, interval=INTERVALS, lag=LAGS, ahead=st.floats(0, 600))
def test_windows_are_at_least_half_an_interval(until: float, interval: float, lag: float, ahead: float) -> None:
    window = due_window(until, interval, until + ahead, lag)
    assert window is None or window.end - window.start >= interval / 2 - 1e-3


@given(first=INSTANTS, second=st.floats(0, 30), interval=INTERVALS, lag=LAGS)
def test_shifts_of_one_interval_share_their_instants(first: float, second: float, interval: float, lag: float) -> None:
    now = first + second + 10 * interval + lag
    windows = [due_window(until, interval, now, lag) for until in (first, first + second)]
    assert len({window.end for window in windows if window}) == 1


def test_windows_before_a_run_are_whole_and_adjacent() -> None:
    windows = warm_windows(15.0, 1_000_000_007.0, 15.0)
    assert [window.end - window.start for window in windows] == [15.0] * WARM_WINDOWS
    assert all(a.end == b.start for a, b in pairwise(windows))
    assert windows[-1].end <= 1_000_000_007.0 - 15.0


@given(now=INSTANTS, interval=INTERVALS, lag=LAGS)
def test_evidence_that_is_passed_over_up_to_the_last_window_has_that_window_due(
    now: float, interval: float, lag: float
) -> None:
    last = last_window(interval, now - lag)
    assert due_window(last.start, interval, now, lag) == last
