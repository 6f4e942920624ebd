from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.mesh.cohorts import Cohort, Extras, StringMatch
from meshshift.core.spec import Gate, Pause, SetHeaderRoute, SetMirror, SetWeight
from meshshift.core.steps import Ramp, complete, describe, expand_ramp, extras_at, next_weight


def weights(ramp: Ramp) -> list[int]:
    return [step.percent for step in expand_ramp(ramp)]


def test_ramps_grow_by_factor_or_by_points() -> None:
    assert weights(Ramp(start=1, factor=2, max=50)) == [1, 2, 4, 8, 16, 32, 50]
    assert weights(Ramp(start=5, by=20, max=100)) == [5, 25, 45, 65, 85, 100]


@given(
    start=st.integers(1, 100),
    top=st.integers(1, 100),
    growth=st.one_of(st.builds(dict, factor=st.floats(1.0001, 1e6)), st.builds(dict, by=st.integers(1, 100))),
)
def test_a_ramp_ascends_strictly_and_ends_at_its_top(start: int, top: int, growth: dict[str, float]) -> None:
    found = weights(Ramp(start=min(start, top), max=top, **growth))  # type: ignore[arg-type]
    assert found == sorted(set(found))
    assert found[-1] == top
    assert len(found) <= 100


@pytest.mark.parametrize("ramp", [Ramp(), Ramp(by=5, factor=2.0)])
def test_a_ramp_grows_in_exactly_one_way(ramp: Ramp) -> None:
    with pytest.raises(ValueError, match="exactly one of `by` and `factor`"):
        expand_ramp(ramp)


def test_every_shift_ends_with_all_traffic() -> None:
    assert complete([SetWeight(5)]) == (SetWeight(5), SetWeight(100))
    assert complete([SetWeight(100), Pause(5)]) == (SetWeight(100), Pause(5))
    assert complete([]) == (SetWeight(100),)


def test_the_next_weight_looks_past_pauses() -> None:
    steps = (SetWeight(5), Pause(None), SetWeight(50))
    assert [next_weight(steps, index) for index in (-1, 0, 1, 2)] == [5, 50, 50, None]


def test_steps_have_names() -> None:
    assert [describe(step) for step in (SetWeight(5), Pause(None), Pause(90), Gate("https://qa.example/?a"))] == [
        "setWeight 5%",
        "pause until promoted",
        "pause 90 s",
        "gate qa.example",
    ]


def test_what_the_steps_put_in_is_in_force_until_they_take_it_out() -> None:
    testers = Cohort("testers", ((("x-canary", StringMatch("exact", "true")),),))
    steps = (SetHeaderRoute(testers), SetMirror(20), SetWeight(50), SetHeaderRoute(Cohort("testers", ())), SetMirror(0))
    assert [extras_at(steps, index) for index in range(-1, 5)] == [
        Extras((), 0),
        Extras((testers,), 0),
        Extras((testers,), 20),
        Extras((testers,), 20),
        Extras((), 20),
        Extras((), 0),
    ]
    assert extras_at((SetWeight(50),), 0) == Extras((), None), "mirrors of others stay where the steps set none"
