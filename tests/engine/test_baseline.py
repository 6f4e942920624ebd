"""A baseline through the whole engine: prepared, given weight beside the canary, compared, lost, taken away."""

from __future__ import annotations

from typing import Any

import pytest

from meshshift.engine.ports import QueryError
from tests.engine.history import weights
from tests.engine.simulation import Behaviour, Simulation, bookinfo, pod, route, rule, shift
from tests.engine.test_drift import ended
from tests.engine.test_make_before_break import first, routed, subsets

BASELINE = "v1-baseline"
LABELLED = {"subset": BASELINE, "labels": {"version": BASELINE}}
SETTLE = 7.0
COLD = Behaviour(failing=0.05, slow=0.05)


def world(**spec: Any) -> Simulation:
    """reviews with stable, canary and baseline ready, and subsets for all three."""
    simulation = bookinfo(settle=SETTLE)
    simulation.mesh.put(pod(BASELINE))
    simulation.mesh.put(rule("v1", "v2", BASELINE))
    simulation.mesh.put(shift(**{"baseline": {"subset": BASELINE}} | spec))
    return simulation


def without_subset(**spec: Any) -> Simulation:
    """The baseline's subset is still to be added."""
    simulation = world(baseline=LABELLED, **spec)
    simulation.mesh.put(rule("v1", "v2"))
    return simulation


def given(simulation: Simulation) -> tuple[int, ...]:
    """The weights of stable, canary and baseline."""
    found = weights(simulation.mesh.peek("VirtualService", "reviews"))
    return tuple(found.get(name, 0) for name in ("v1", "v2", BASELINE))


def courses(simulation: Simulation) -> list[tuple[int, ...]]:
    """Will hold every division of the traffic, in order."""
    seen: list[tuple[int, ...]] = []
    simulation.checks.append(lambda s: seen.append(given(s)) if not seen or seen[-1] != given(s) else None)
    return seen


def at(*wanted: int) -> Any:
    return lambda simulation: given(simulation) == wanted


def set_to(simulation: Simulation, stable: int, canary: int, baseline: int) -> None:
    """kubectl edit of all three weights."""
    parts = {"v1": stable, "v2": canary, BASELINE: baseline}

    def change(document: Any) -> None:
        document["spec"]["http"][-1]["route"] = route(parts)["spec"]["http"][-1]["route"]

    simulation.mesh.edit("VirtualService", "reviews", change)


def lose_baseline(simulation: Simulation) -> None:
    simulation.mesh.remove("Pod", f"reviews-{BASELINE}-0")


# The course.


def test_the_baseline_gets_the_canarys_weight_and_half_of_what_is_left_beyond_a_third() -> None:
    simulation = world()
    seen = courses(simulation)
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded"
    assert seen == [(100, 0, 0), (90, 5, 5), (50, 25, 25), (25, 50, 25), (0, 100, 0)]


def test_what_fails_like_the_baseline_is_promoted_although_stable_is_better() -> None:
    simulation = world()
    simulation.traffic.versions |= {"v2": COLD, BASELINE: COLD}
    simulation.run(1800, until=ended)
    assert simulation.phase == "Succeeded"


def test_what_fails_like_that_without_a_baseline_is_rolled_back() -> None:
    simulation = bookinfo()
    simulation.mesh.put(shift())
    simulation.traffic.versions["v2"] = COLD
    simulation.run(1800, until=ended)
    assert simulation.phase == "RolledBack"


def test_what_fails_more_than_the_baseline_is_rolled_back_although_stable_is_as_bad() -> None:
    simulation = world()
    simulation.traffic.versions |= {"v2": COLD, "v1": COLD}
    simulation.run(900, until=ended)
    assert (simulation.phase, given(simulation)) == ("RolledBack", (100, 0, 0))
    assert "on baseline" in simulation.status["message"]


def test_the_status_tells_the_baselines_share() -> None:
    simulation = world()
    simulation.run(300, until=lambda s: s.weight == 25)
    simulation.run(12)
    shares = simulation.status["weights"]
    assert shares["baseline"] == {"observed": 25, "measured": 25}
    assert (shares["observed"], shares["measured"]) == (25, 25)


def test_the_status_of_a_shift_without_a_baseline_tells_of_none() -> None:
    simulation = bookinfo()
    simulation.mesh.put(shift())
    simulation.run(60)
    assert "baseline" not in simulation.status["weights"]


def test_rolling_goes_with_a_baseline_too() -> None:
    simulation = world(strategy={"rolling": {"by": 20, "every": "10s"}})
    seen = courses(simulation)
    simulation.run(1800, until=ended)
    assert seen == [(100, 0, 0), (60, 20, 20), (30, 40, 30), (20, 60, 20), (10, 80, 10), (0, 100, 0)]


# Make before break.


def test_an_added_baseline_settles_before_it_gets_weight() -> None:
    simulation = without_subset()
    added = first(simulation, lambda s: BASELINE in subsets(s))
    weighted = first(simulation, lambda s: given(s)[2] > 0)
    simulation.run(300, until=at(90, 5, 5))
    assert weighted[0] - added[0] >= SETTLE


def test_nothing_begins_without_a_ready_baseline_and_says_so() -> None:
    simulation = world()
    simulation.mesh.put(pod(BASELINE, ready=False))
    simulation.run(120)
    assert given(simulation) == (100, 0, 0)
    assert (simulation.status["reason"], simulation.phase) == ("BaselineNotReady", "Pending")
    simulation.mesh.put(pod(BASELINE))
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded"


@pytest.mark.parametrize("word", ["good", "abort"])
def test_an_added_baseline_goes_at_the_end_whatever_the_end(word: str) -> None:
    simulation = without_subset()
    simulation.run(300, until=at(50, 25, 25))
    if word == "abort":
        simulation.command("abort")
    away = first(simulation, lambda s: given(s)[2] == 0 and s.now > 0)
    unrouted = first(simulation, lambda s: BASELINE not in routed(s))
    removed = first(simulation, lambda s: BASELINE not in subsets(s))
    simulation.run(900, until=ended)
    assert (set(subsets(simulation)), routed(simulation)) == ({"v1", "v2"}, ["v1", "v2"])
    assert unrouted[0] - away[0] >= SETTLE
    assert removed[0] - unrouted[0] >= SETTLE


def test_added_canary_and_added_baseline_both_go_on_the_way_back() -> None:
    simulation = without_subset(canary={"subset": "v2", "labels": {"version": "v2"}})
    simulation.mesh.put(rule("v1"))
    simulation.mesh.put(route({"v1": None}))
    simulation.run(300, until=at(50, 25, 25))
    simulation.command("abort")
    simulation.run(300, until=ended)
    assert (set(subsets(simulation)), routed(simulation)) == ({"v1"}, ["v1"])


def test_a_baseline_that_was_there_before_stays() -> None:
    simulation = world()
    simulation.run(900, until=ended)
    assert (set(subsets(simulation)), given(simulation)) == ({"v1", "v2", BASELINE}, (0, 100, 0))


def test_an_added_baseline_that_somebody_else_sends_to_stays() -> None:
    simulation = without_subset()
    simulation.run(300, until=at(50, 25, 25))
    theirs: dict[str, Any] = {"host": "reviews", "subset": BASELINE}

    def add_route(document: Any) -> None:
        match = [{"uri": {"prefix": "/compare"}}]
        document["spec"]["http"].insert(0, {"name": "theirs", "match": match, "route": [{"destination": theirs}]})

    simulation.mesh.edit("VirtualService", "reviews", add_route)
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded"
    assert BASELINE in subsets(simulation)


def test_a_missing_rule_is_created_with_all_three_subsets() -> None:
    labelled = {
        arm: {"subset": name, "labels": {"version": name}} for arm, name in (("stable", "v1"), ("canary", "v2"))
    }
    simulation = world(create="IfMissing", baseline=LABELLED, **labelled)
    simulation.mesh.remove("DestinationRule", "reviews")
    simulation.mesh.remove("VirtualService", "reviews")
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded"
    assert set(subsets(simulation)) == {"v1", "v2", BASELINE}


# What is lost, and what others do.


@pytest.mark.parametrize("loss", ["pod", "subset"])
def test_a_lost_baseline_gives_all_traffic_back_and_a_new_run_waits_for_it(loss: str) -> None:
    simulation = world()
    simulation.run(300, until=at(50, 25, 25))
    old = simulation.status["runId"]
    if loss == "pod":
        lose_baseline(simulation)
    else:
        simulation.mesh.put(rule("v1", "v2"))
    simulation.run(2)
    assert given(simulation) == (100, 0, 0)
    assert "BaselineLost" in simulation.reasons()
    simulation.run(60)
    assert given(simulation) == (100, 0, 0)
    simulation.mesh.put(pod(BASELINE))
    simulation.mesh.put(rule("v1", "v2", BASELINE))
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded"
    assert simulation.status["runId"] != old


def test_a_lost_baseline_does_not_begin_anew_what_a_person_was_holding() -> None:
    simulation = world()
    simulation.run(300, until=at(50, 25, 25))
    simulation.command("pause")
    simulation.run(5)
    lose_baseline(simulation)
    simulation.run(60)
    simulation.mesh.put(pod(BASELINE))
    simulation.run(300)
    assert (simulation.phase, given(simulation)) == ("RolledBack", (100, 0, 0))
    assert "retry" in simulation.status["message"]


def test_a_baseline_that_vanishes_after_all_traffic_has_moved_changes_nothing() -> None:
    simulation = world(strategy={"canary": {"steps": [{"setWeight": 50}, {"setWeight": 100}, {"pause": {}}]}})
    simulation.run(900, until=lambda s: s.phase == "Paused" and s.weight == 100)
    lose_baseline(simulation)
    simulation.run(60)
    assert given(simulation) == (0, 100, 0)


def test_a_baseline_that_selects_other_pods_begins_a_new_run() -> None:
    simulation = world()
    simulation.run(300, until=at(50, 25, 25))

    def change(document: Any) -> None:
        document["spec"]["subsets"][2]["labels"]["track"] = "baseline"

    simulation.mesh.put(pod(BASELINE) | {"metadata": _tracked(pod(BASELINE)["metadata"])})
    simulation.mesh.edit("DestinationRule", "reviews", change)
    simulation.run(30)
    assert "SubsetChanged" in simulation.reasons()
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded"


def _tracked(metadata: Any) -> Any:
    return metadata | {"labels": metadata["labels"] | {"track": "baseline"}}


def test_a_hand_edit_of_the_baselines_weight_alone_is_drift() -> None:
    simulation = world()
    simulation.run(300, until=at(50, 25, 25))
    set_to(simulation, 75, 25, 0)
    simulation.run(30)
    assert (simulation.phase, simulation.status["reason"]) == ("Paused", "Drifted")
    assert "gives v2 25% and v1-baseline 0%, but 25% and 25% was set" in simulation.status["message"]
    assert given(simulation) == (75, 25, 0)
    simulation.command("resume")
    simulation.run(5)
    assert given(simulation) == (50, 25, 25)


def test_enforce_sets_all_three_again() -> None:
    simulation = world(onDrift="Enforce")
    simulation.run(300, until=at(50, 25, 25))
    set_to(simulation, 70, 25, 5)
    simulation.run(15, until=at(50, 25, 25))
    assert given(simulation) == (50, 25, 25)


def test_enforce_gives_a_lost_baseline_no_weight() -> None:
    simulation = world(onDrift="Enforce")
    simulation.run(300, until=at(50, 25, 25))
    lose_baseline(simulation)
    set_to(simulation, 60, 40, 0)
    seen = courses(simulation)
    simulation.run(30)
    assert seen[-1] == (100, 0, 0)
    assert all(parts[2] == 0 for parts in seen)


def test_adopt_takes_the_canarys_weight_over_and_divides_the_rest() -> None:
    simulation = world(onDrift="Adopt")
    simulation.run(300, until=at(50, 25, 25))
    set_to(simulation, 60, 40, 0)
    simulation.run(15, until=at(30, 40, 30))
    assert given(simulation) == (30, 40, 30)
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded"


def test_a_shift_mid_way_is_adopted_with_its_baseline() -> None:
    simulation = world()
    set_to(simulation, 80, 20, 0)
    simulation.run(60)
    assert simulation.status["reason"] == "WeightsMidWay"
    simulation.command("resume")
    simulation.run(60, until=at(60, 20, 20))
    assert given(simulation) == (60, 20, 20)


def test_a_baseline_with_weight_before_the_beginning_holds_the_shift() -> None:
    simulation = world()
    set_to(simulation, 80, 0, 20)
    simulation.run(60)
    assert simulation.status["reason"] == "WeightsMidWay"
    assert BASELINE in simulation.status["message"]
    set_to(simulation, 100, 0, 0)
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded"


def test_others_on_the_route_keep_their_share() -> None:
    simulation = world()

    def change(document: Any) -> None:
        document["spec"]["http"][-1]["route"] = [
            {"destination": {"host": "reviews", "subset": "v1"}, "weight": 80},
            {"destination": {"host": "legacy"}, "weight": 20},
        ]

    simulation.mesh.edit("VirtualService", "reviews", change)
    seen = courses(simulation)
    simulation.run(900, until=ended)
    assert seen == [(80, 0, 0), (72, 4, 4), (40, 20, 20), (20, 40, 20), (0, 80, 0)]


def test_a_route_too_small_for_a_baseline_is_refused_before_the_first_weight() -> None:
    simulation = world(strategy={"canary": {"steps": [{"setWeight": 50}, {"setWeight": 90}]}})

    def change(document: Any) -> None:
        document["spec"]["http"][-1]["route"] = [
            {"destination": {"host": "reviews", "subset": "v1"}, "weight": 10},
            {"destination": {"host": "legacy"}, "weight": 90},
        ]

    simulation.mesh.edit("VirtualService", "reviews", change)
    simulation.run(120)
    assert given(simulation) == (10, 0, 0)
    assert simulation.status["reason"] == "WeightTooSmall"


def test_nothing_rises_while_prometheus_cannot_be_read_not_even_the_baseline() -> None:
    simulation = world(onDrift="Enforce")
    simulation.run(300, until=at(50, 25, 25))
    simulation.prometheus = QueryError("PrometheusUnreachable", "gone")
    set_to(simulation, 75, 25, 0)
    simulation.run(30)
    assert given(simulation) == (75, 25, 0)


def test_undo_gives_stable_everything() -> None:
    simulation = without_subset()
    simulation.run(900, until=ended)
    simulation.command("undo")
    simulation.run(60, until=at(100, 0, 0))
    simulation.run(60, until=ended)
    assert (simulation.phase, routed(simulation)) == ("RolledBack", ["v1", "v2"])


def test_a_deletion_gives_everything_back_and_takes_the_added_baseline_along() -> None:
    simulation = without_subset()
    simulation.run(300, until=at(50, 25, 25))
    simulation.delete()
    simulation.run(120, until=lambda s: not s.exists)
    assert (simulation.exists, routed(simulation), set(subsets(simulation))) == (False, ["v1", "v2"], {"v1", "v2"})


def test_a_shift_without_its_baseline_is_a_new_run_from_the_beginning() -> None:
    simulation = world()
    simulation.run(300, until=at(50, 25, 25))
    seen = courses(simulation)
    simulation.mesh.edit("TrafficShift", "reviews", lambda each: each["spec"].pop("baseline"))
    simulation.run(900, until=ended)
    assert seen == [(50, 25, 25), (100, 0, 0), (95, 5, 0), (75, 25, 0), (50, 50, 0), (0, 100, 0)]


def test_a_baseline_lost_while_the_intent_is_persisted_gets_no_weight() -> None:
    simulation = world()
    simulation.run(300, until=at(90, 5, 5))
    seen = courses(simulation)
    struck: list[float] = []

    def slow_write(call: str, number: int, moment: str) -> None:
        if (call, moment) == ("status", "after") and simulation.status["reason"] == "SettingWeight" and not struck:
            struck.append(simulation.now)
            lose_baseline(simulation)
            simulation.sync()

    simulation.mesh.interrupt = slow_write
    simulation.run(120, until=lambda s: bool(struck))
    simulation.run(30)
    assert struck
    assert seen == [(90, 5, 5), (100, 0, 0)]


def test_a_query_asks_for_the_baseline_as_the_control() -> None:
    query = {"promql": 'errors{a="{{control}}",b=~"{{controlWorkload}}"} / errors{a="{{canary}}"}', "max": 2}
    checked = {"interval": "5s", "warmup": "0s", "indicators": [{"name": "checkout", "query": query}]}
    simulation = world(analysis={"method": "Threshold", **checked})
    simulation.run(60, until=lambda s: bool(s.asked))
    promql, _ = simulation.asked[0]
    assert promql == 'errors{a="v1-baseline",b=~"(reviews-v1-baseline)"} / errors{a="v2"}'
