from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.api.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15s", 15), ("2m", 120), ("1h30m", 5400), ("500ms", 0.5), ("1.5h", 5400), ("0s", 0), ("1m1m", 120)],
)
def test_gos_notation_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "15", "s", "-5s", "+5s", "5 s", "1d", "5us", "1e3s", ".5s", "\uff15s", "5s\n", "inf", "NaN"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write a duration such as"):
        parse_duration(text)


def test_more_than_thirty_days_are_refused() -> None:
    assert parse_duration("720h") == 30 * 86400
    with pytest.raises(ValueError, match="longer than 30 days"):
        parse_duration("720h1ms")


@given(st.integers(0, 30 * 86400 * 1000))
def test_the_canonical_spelling_reads_back(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == pytest.approx(milliseconds / 1000, abs=1e-9)


@given(st.integers(0, 30 * 86400 * 1000))
def test_one_length_of_time_has_one_canonical_spelling(milliseconds: int) -> None:
    once = format_duration(parse_duration(f"{milliseconds}ms"))
    assert format_duration(parse_duration(once)) == once
