from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from meshshift.lab.rollout import Generation, plan

COUNTS = st.one_of(st.integers(0, 5), st.integers(0, 100).map(lambda share: f"{share}%"))


def limit(value: int | str, of: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    exact = of * int(value[:-1]) / 100
    return math.ceil(exact) if up else math.floor(exact)


@given(
    desired=st.integers(0, 12),
    surge=COUNTS,
    unavailable=COUNTS,
    old=st.lists(st.integers(0, 8), max_size=3),
    data=st.data(),
)
def test_a_rolling_update_keeps_its_limits_and_comes_to_an_end(
    desired: int, surge: int | str, unavailable: int | str, old: list[int], data: st.DataObject
) -> None:
    strategy = {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    above, below = limit(surge, desired, up=True), limit(unavailable, desired, up=False)
    below = 1 if above == below == 0 else below
    wanted = {"new": 0} | {f"old{index}": count for index, count in enumerate(old)}
    ready = dict(wanted)
    start = sum(wanted.values())
    for _ in range(60):
        before = sum(ready.values())
        generations = {name: Generation(name, wanted[name], ready[name], ready[name], ready[name]) for name in wanted}
        wanted = plan(desired, strategy, generations.pop("new"), list(generations.values()))
        assert sum(wanted.values()) <= max(start, desired + above, desired), "never more pods than the surge allows"
        ready = {name: min(ready[name], wanted[name]) for name in wanted}
        assert sum(ready.values()) >= min(before, desired - below), "never fewer ready pods than promised"
        if ready["new"] < wanted["new"]:
            ready["new"] += data.draw(st.integers(1, wanted["new"] - ready["new"]))
    assert wanted == {name: desired if name == "new" else 0 for name in wanted}


def running(name: str, wanted: int, available: int | None = None) -> Generation:
    held = wanted if available is None else available
    return Generation(name, wanted, wanted, held, held)


def test_recreate_waits_for_the_old_pods_to_go() -> None:
    strategy = {"type": "Recreate"}
    assert plan(3, strategy, running("new", 0), [running("old", 3)]) == {"old": 0, "new": 0}
    assert plan(3, strategy, running("new", 0), [running("old", 0)]) == {"old": 0, "new": 3}


def test_a_paused_deployment_keeps_its_version_and_follows_its_replicas() -> None:
    assert plan(5, {}, None, [running("older", 0), running("old", 3)], paused=True) == {"older": 0, "old": 5}
    assert plan(0, {}, None, [running("old", 3)], paused=True) == {"old": 0}
    assert plan(3, {}, None, [running("older", 0), running("old", 0)], paused=True) == {"older": 0, "old": 3}


def test_one_that_is_paused_half_way_shares_its_replicas_out() -> None:
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert plan(4, strategy, running("new", 1), [running("old", 4)], paused=True) == {"old": 4, "new": 1}
    assert plan(9, strategy, running("new", 1), [running("old", 4)], paused=True) == {"old": 8, "new": 2}
    assert plan(2, strategy, running("new", 1), [running("old", 4)], paused=True) == {"old": 3, "new": 0}
    assert plan(4, strategy, running("new", 4), [running("old", 1)], paused=True) == {"old": 0, "new": 4}


def test_pods_that_are_not_available_yet_hold_old_and_new_side_by_side() -> None:
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert plan(3, strategy, running("new", 1, 0), [running("old", 3)]) == {"old": 3, "new": 1}


def test_a_long_min_ready_time_lets_a_second_change_take_the_serving_pods() -> None:
    """Seen on kube-controller-manager 1.36: with all pods counted as unavailable, the oldest ones go first."""
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": "100%"}}
    old = [running("serving", 3, 0), running("rejected", 1, 0)]
    assert plan(3, strategy, running("new", 0), old)["serving"] == 0
