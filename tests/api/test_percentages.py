from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.api.percentages import parse_percent


@pytest.mark.parametrize(("value", "percent"), [(99.5, 99.5), (99, 99.0), ("99.5%", 99.5), ("5%", 5.0)])
def test_numbers_and_strings_with_a_sign_are_read(value: object, percent: float) -> None:
    assert parse_percent(value) == percent


@pytest.mark.parametrize(
    "value", ["99.5", "99,5%", " 99%", "99%\n", "1e2%", "-1%", "NaN%", "٩٩%", True, None, [99], {"a": 1}]
)
def test_anything_else_is_refused_with_an_example(value: object) -> None:
    with pytest.raises(ValueError, match="write percent as a number"):
        parse_percent(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not a finite number"):
        parse_percent(value)


@given(st.decimals(0, 1000, places=4))
def test_both_spellings_mean_the_same(number: object) -> None:
    assert parse_percent(f"{number}%") == parse_percent(float(str(number)))
