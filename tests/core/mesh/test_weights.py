"""Rounding never favours the canary and never loses a part."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.mesh.weights import normalise, split

some_weights = st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=6).filter(any)


@given(st.integers(0, 1000), st.integers(0, 100))
def test_the_canary_gets_the_most_that_the_step_allows_and_no_more(total: int, percent: int) -> None:
    stable, canary = split(total, percent)
    assert stable + canary == total
    assert 100 * canary <= total * percent < 100 * (canary + 1)


@given(st.integers(0, 1000))
def test_the_ends_of_a_shift_are_exact(total: int) -> None:
    assert split(total, 0) == (total, 0)
    assert split(total, 100) == (0, total)


@pytest.mark.parametrize(("total", "percent", "message"), [(-1, 5, "total is -1"), (9, -1, "-1"), (9, 101, "101")])
def test_a_split_outside_of_its_ranges_names_the_value(total: int, percent: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split(total, percent)


@given(some_weights, st.integers(1, 1000))
def test_normalised_weights_add_up_and_keep_their_shares(weights: list[int], total: int) -> None:
    parts = normalise(weights, total)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(weight * total, sum(weights))) < 1
        assert weight or not part


@given(some_weights)
def test_weights_that_add_up_already_stay(weights: list[int]) -> None:
    assert normalise(weights, sum(weights)) == tuple(weights)


@pytest.mark.parametrize(
    ("weights", "parts"),
    [([1, 1, 1], (34, 33, 33)), ([2, 1], (67, 33)), ([1], (100,)), ([1, 1, 1, 3], (17, 17, 16, 50))],
)
def test_leftover_parts_go_to_the_largest_remainders_first(weights: list[int], parts: tuple[int, ...]) -> None:
    assert normalise(weights) == parts


@pytest.mark.parametrize("weights", [[], [0], [0, 0], [5, -1]])
def test_weights_without_a_share_to_keep_are_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="must be 0 or more"):
        normalise(weights)
