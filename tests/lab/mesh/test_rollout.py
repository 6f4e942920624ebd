from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.lab.rollout import Generation, deployment_status, plan, pod, replica_set, template_hash

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
        generations = {name: Generation(name, wanted[name], ready[name]) for name in wanted}
        wanted = plan(desired, strategy, generations.pop("new"), list(generations.values()))
        assert sum(wanted.values()) <= max(start, desired + above, desired), "never more pods than the surge allows"
        ready = {name: min(ready[name], wanted[name]) for name in wanted}
        assert sum(ready.values()) >= min(before, desired - below), "never fewer ready pods than promised"
        if ready["new"] < wanted["new"]:
            ready["new"] += data.draw(st.integers(1, wanted["new"] - ready["new"]))
    assert wanted == {name: desired if name == "new" else 0 for name in wanted}


def test_recreate_waits_for_the_old_pods_to_go() -> None:
    strategy = {"type": "Recreate"}
    assert plan(3, strategy, Generation("new", 0, 0), [Generation("old", 3, 3)]) == {"old": 0, "new": 0}
    assert plan(3, strategy, Generation("new", 0, 0), [Generation("old", 0, 0)]) == {"old": 0, "new": 3}


def deployment(**status: Any) -> dict[str, Any]:
    labels = {"app": "reviews", "version": "v2"}
    return {
        "metadata": {"name": "reviews-v2", "namespace": "bookinfo", "uid": "u-1", "generation": 4},
        "spec": {
            "replicas": 4,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app"}]}},
        },
        "status": status,
    }


def test_pods_carry_what_istio_adds_and_who_owns_them() -> None:
    owner = replica_set(deployment(), 2)
    owner["metadata"]["uid"] = "u-2"
    made = pod(owner, "abcde")
    assert made["metadata"]["name"] == f"{owner['metadata']['name']}-abcde"
    assert made["metadata"]["labels"] == {
        "app": "reviews",
        "version": "v2",
        "pod-template-hash": owner["metadata"]["labels"]["pod-template-hash"],
        "service.istio.io/canonical-name": "reviews",
        "service.istio.io/canonical-revision": "v2",
    }
    [reference] = made["metadata"]["ownerReferences"]
    assert (reference["kind"], reference["uid"], reference["controller"]) == ("ReplicaSet", "u-2", True)
    assert owner["metadata"]["ownerReferences"][0]["uid"] == "u-1"


def test_a_changed_template_has_another_hash() -> None:
    assert template_hash({"a": 1, "b": 2}) == template_hash({"b": 2, "a": 1}) != template_hash({"a": 1, "b": 3})


@pytest.mark.parametrize(("ready", "available"), [(4, "True"), (3, "True"), (2, "False")])
def test_available_means_all_but_a_quarter(ready: int, available: str) -> None:
    status = deployment_status(deployment(), Generation("reviews-v2-x", 4, ready), 4, ready, "now")
    assert {row["type"]: row["status"] for row in status["conditions"]}["Available"] == available
    assert status["observedGeneration"] == 4


def test_a_condition_keeps_its_time_until_it_changes() -> None:
    first = deployment_status(deployment(), Generation("reviews-v2-x", 4, 4), 4, 4, "t1")
    second = deployment_status(deployment(**first), Generation("reviews-v2-x", 4, 4), 4, 4, "t2")
    assert second == first
    third = deployment_status(deployment(**first), Generation("reviews-v2-x", 4, 1), 4, 1, "t3")
    assert {row["type"]: row["lastTransitionTime"] for row in third["conditions"]} == {
        "Available": "t3",
        "Progressing": "t1",
    }
