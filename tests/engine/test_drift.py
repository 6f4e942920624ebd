"""What becomes of a run whose weights or subsets somebody else writes, in simulated time, through the whole engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meshshift.api.status import rfc3339
from meshshift.engine.failures import Transient
from meshshift.engine.ports import QueryError
from tests.engine.simulation import Behaviour, Simulation, bookinfo, failing_call, pod, route, rule, shift

if TYPE_CHECKING:
    from collections.abc import Callable

ENDED = {"Succeeded", "RolledBack", "Failed"}


def ended(simulation: Simulation) -> bool:
    return simulation.phase in ENDED


def at_weight(percent: float) -> Callable[[Simulation], bool]:
    return lambda simulation: simulation.weight == percent


def begun(**spec: object) -> Simulation:
    simulation = bookinfo()
    simulation.mesh.put(shift(**spec))
    return simulation


def written(weights: dict[str, int | None], manager: str = "argocd-controller") -> dict[str, Any]:
    """The VirtualService as `manager` has just written it."""
    document = route(weights)
    document["metadata"]["managedFields"] = [
        {"manager": manager, "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:http": {}}}}
    ]
    return document


def condition(simulation: Simulation, kind: str) -> str:
    return str(next(each["status"] for each in simulation.status["conditions"] if each["type"] == kind))


# Pause: the default.


def test_a_hand_edit_pauses_and_says_which_route_which_weight_and_who() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    simulation.mesh.put(written({"v1": 60, "v2": 40}))
    simulation.run(30)
    assert (simulation.phase, simulation.weight) == ("Paused", 40)
    assert condition(simulation, "Drifted") == "True"
    message = simulation.status["message"]
    assert 'VirtualService bookinfo/reviews route "default" gives v2 40%, but 25% was set' in message
    assert "argocd-controller" in message
    assert simulation.status["virtualServices"] == [
        {"name": "bookinfo/reviews", "routes": 1, "observed": 40.0, "state": "Drifted"}
    ]


def test_a_weight_that_is_set_back_goes_on_by_itself_and_is_not_blamed_for_the_gap() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    simulation.mesh.put(route({"v1": 100, "v2": 0}))
    simulation.run(120)
    assert simulation.phase == "Paused"
    simulation.mesh.put(route({"v1": 75, "v2": 25}))
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded"
    assert "Drifted" in simulation.reasons()


def test_what_is_lost_under_somebody_elses_weights_is_not_the_canarys() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    simulation.mesh.put(route({"v1": 100, "v2": 0}))
    simulation.traffic.versions["v1"] = Behaviour(unreachable=0.02)
    simulation.run(60)
    simulation.traffic.versions["v1"] = Behaviour()
    simulation.run(20)
    simulation.mesh.put(route({"v1": 75, "v2": 25}))
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded", simulation.status["message"]


# Enforce.


def test_enforce_sets_the_weight_again_within_a_second() -> None:
    simulation = begun(onDrift="Enforce")
    simulation.run(200, until=at_weight(25))
    simulation.mesh.put(written({"v1": 60, "v2": 40}))
    simulation.run(1)
    assert simulation.weight == 25
    assert simulation.reasons()[-1] == "DriftEnforced"
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded"


def test_two_owners_writing_in_turn_end_in_a_pause_that_names_the_other() -> None:
    simulation = begun(onDrift="Enforce")
    simulation.run(200, until=at_weight(25))
    for _ in range(4):
        simulation.mesh.put(written({"v1": 100, "v2": 0}))
        simulation.run(8)
    assert (simulation.phase, simulation.weight) == ("Paused", 0)
    assert simulation.status["reason"] == "DriftFight"
    assert condition(simulation, "Drifted") == "True"
    assert "argocd-controller" in simulation.status["message"]
    simulation.run(3600)
    assert simulation.weight == 0, "a fight does not begin again by itself"
    simulation.command("resume")
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded"


def test_an_answer_that_the_api_server_does_not_take_is_no_fight() -> None:
    simulation = begun(onDrift="Enforce")
    simulation.run(200, until=at_weight(25))
    simulation.mesh.put(written({"v1": 100, "v2": 0}))
    down = True
    simulation.mesh.interrupt = failing_call("patch VirtualService", Transient("503"), lambda: down)
    simulation.run(60)
    assert (simulation.weight, simulation.status["reason"]) == (0, "DriftEnforced")
    down = False
    simulation.run(10)
    assert (simulation.weight, simulation.phase) == (25, "Progressing")
    for _ in range(2):
        simulation.mesh.put(written({"v1": 100, "v2": 0}))
        simulation.run(8)
        assert simulation.weight == 25
    simulation.mesh.put(written({"v1": 100, "v2": 0}))
    simulation.run(8)
    assert (simulation.weight, simulation.status["reason"]) == (0, "DriftFight")


def test_edits_far_apart_are_no_fight() -> None:
    steps = {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}], "minStepDuration": "10s"}}
    simulation = begun(onDrift="Enforce", strategy=steps)
    simulation.run(200, until=at_weight(25))
    for _ in range(5):
        simulation.mesh.put(written({"v1": 100, "v2": 0}))
        simulation.run(400)
        assert simulation.weight == 25


def test_enforce_lowers_at_once_but_never_raises_while_prometheus_cannot_be_read() -> None:
    simulation = begun(onDrift="Enforce")
    simulation.run(200, until=at_weight(25))
    simulation.prometheus = QueryError("Unreachable", "connection refused")
    simulation.run(40)
    simulation.mesh.put(written({"v1": 40, "v2": 60}))
    simulation.run(2)
    assert simulation.weight == 25
    simulation.mesh.put(written({"v1": 100, "v2": 0}))
    simulation.run(60)
    assert simulation.weight == 0
    assert "with the next telemetry that can be read" in simulation.status["message"]
    simulation.prometheus = None
    simulation.run(8)
    assert simulation.weight == 25


def test_enforce_gives_no_weight_to_a_canary_without_ready_pods() -> None:
    simulation = begun(onDrift="Enforce")
    simulation.run(200, until=at_weight(25))
    simulation.mesh.put(pod("v2", ready=False))
    simulation.mesh.put(written({"v1": 90, "v2": 10}))
    seen: list[float] = []
    simulation.checks.append(lambda s: seen.append(s.weight))
    simulation.run(60, until=ended)
    assert max(seen) <= 10
    assert (simulation.phase, simulation.status["reason"]) == ("RolledBack", "CanaryLost")


def test_enforce_does_not_raise_what_has_been_proven_worse() -> None:
    simulation = begun(onDrift="Enforce", onFailure="Pause")
    simulation.run(200, until=at_weight(25))
    simulation.traffic.versions["v2"] = Behaviour(failing=0.5)
    simulation.run(60, until=lambda s: s.phase == "Paused")
    simulation.mesh.put(written({"v1": 95, "v2": 5}))
    simulation.run(60)
    assert simulation.weight == 5


# In the look that brings the proof the drift comes first, so it must leave the decision to the rules behind it.


def turned_back(**spec: Any) -> tuple[Simulation, float]:
    """A run at 25 % whose canary has just begun to fail, and the instant at which it will be turned back."""
    instants: list[float] = []
    for _ in range(2):
        simulation = begun(onDrift="Enforce", **spec)
        simulation.run(200, until=at_weight(25))
        simulation.traffic.versions["v2"] = Behaviour(failing=0.5)
        if instants:
            break
        simulation.run(60, until=lambda s: s.phase == "RollingBack" or ended(s))
        assert simulation.reasons()[-1] in {"RegressionProven", "FailureLimitReached"}
        instants.append(simulation.now)
    return simulation, instants[0]


THRESHOLD = {
    "method": "Threshold",
    "interval": "5s",
    "warmup": "0s",
    "indicators": [{"name": "errors", "successRate": {"objective": 99}}],
}


def test_enforce_does_not_raise_in_the_look_that_brings_the_proof() -> None:
    for spec in ({}, {"analysis": THRESHOLD}):
        simulation, turn = turned_back(**spec)
        simulation.run(turn - simulation.now - 2)
        simulation.mesh.put(written({"v1": 95, "v2": 5}))
        seen: list[float] = []
        simulation.checks.append(lambda s, seen=seen: seen.append(s.weight))  # type: ignore[misc]
        simulation.run(60, until=ended)
        assert simulation.phase == "RolledBack"
        assert max(seen) <= 5, spec


def test_enforce_does_not_raise_in_the_look_that_proves_it_worse_than_before() -> None:
    turn = 0.0
    for simulation in (bookinfo(), bookinfo()):
        flip = {"redBlack": {"postPromotion": {"duration": "10m"}}}
        simulation.mesh.put(shift(onDrift="Enforce", strategy=flip))
        simulation.run(120, until=at_weight(100))
        simulation.run(30)
        simulation.traffic.versions["v2"] = Behaviour(failing=0.05)
        if not turn:
            simulation.run(120, until=lambda s: s.phase == "RollingBack" or ended(s))
            turn = simulation.now
    simulation.run(turn - simulation.now - 1)
    simulation.mesh.put(written({"v1": 50, "v2": 50}))
    seen: list[float] = []
    simulation.checks.append(lambda s: seen.append(s.weight))
    simulation.run(30, until=ended)
    assert (simulation.status["reason"], max(seen)) == ("WorseThanBefore", 50)


def test_enforce_does_not_raise_in_the_look_that_turns_back_for_another_reason() -> None:
    def repoint(simulation: Simulation) -> None:
        simulation.mesh.put(rule("v1", "v2"))
        simulation.mesh.edit(
            "DestinationRule", "reviews", lambda each: each["spec"]["subsets"][1].update(labels={"app": "reviews"})
        )

    def turn_back(simulation: Simulation) -> None:
        other = shift(group={"name": "shop"}, service="ratings")
        entry = {"phase": "RollingBack", "reason": "Aborted", "message": "aborted", "weight": 0}
        other["metadata"]["name"] = "other"
        other["status"] = {"phase": "RolledBack", "history": [{**entry, "at": rfc3339(simulation.now)}]}
        simulation.mesh.put(other)

    for happens, reason in ((repoint, "SubsetChanged"), (turn_back, "GroupRolledBack")):
        simulation = begun(onDrift="Enforce", group={"name": "shop"})
        simulation.run(200, until=at_weight(25))
        ticks: list[float] = []
        simulation.run(30, until=lambda s, ticks=ticks: ticked(s, ticks))  # type: ignore[misc]
        simulation.run(4)
        happens(simulation)
        simulation.mesh.put(written({"v1": 95, "v2": 5}))
        seen: list[float] = []
        simulation.checks.append(lambda s, seen=seen: seen.append(s.weight))  # type: ignore[misc]
        simulation.run(4)
        assert reason in simulation.reasons()
        assert max(seen) <= 5, reason


def ticked(simulation: Simulation, seen: list[float]) -> bool:
    """Has a window just been judged?"""
    run = simulation.journal.decisions[-1].run
    assert run is not None
    seen.append(run.evidence.until)
    return run.evidence.judging and seen[-1] > seen[0]


# Adopt.


def test_adopt_goes_on_from_the_weight_that_was_written() -> None:
    simulation = begun(onDrift="Adopt")
    simulation.run(200, until=at_weight(5))
    simulation.mesh.put(written({"v1": 70, "v2": 30}))
    seen: list[float] = []
    simulation.checks.append(lambda s: seen.append(s.weight) if not seen or seen[-1] != s.weight else None)
    simulation.run(900, until=ended)
    assert seen == [30, 50, 100]
    assert "DriftAdopted" in simulation.reasons()


def test_adopt_takes_no_weight_for_an_abort_and_all_of_it_for_a_promotion() -> None:
    simulation = begun(onDrift="Adopt")
    simulation.run(200, until=at_weight(25))
    simulation.mesh.put(written({"v1": 100, "v2": 0}))
    simulation.run(60, until=ended)
    assert (simulation.phase, simulation.weight) == ("RolledBack", 0)
    assert simulation.status["reason"] == "DriftAdopted"

    simulation = begun(onDrift="Adopt")
    simulation.run(200, until=at_weight(25))
    simulation.mesh.put(written({"v1": 0, "v2": 100}))
    simulation.run(60, until=ended)
    assert (simulation.phase, simulation.weight) == ("Succeeded", 100)


def test_an_adopted_weight_is_judged_like_any_other() -> None:
    simulation = begun(onDrift="Adopt")
    simulation.run(200, until=at_weight(5))
    simulation.traffic.versions["v2"] = Behaviour(failing=0.3)
    simulation.mesh.put(written({"v1": 50, "v2": 50}))
    simulation.run(60, until=ended)
    assert simulation.phase == "RolledBack"


def test_adopting_in_turn_with_another_writer_is_a_fight_too() -> None:
    simulation = begun(onDrift="Adopt")
    simulation.run(200, until=at_weight(25))
    for weight in (10, 30, 10, 30):
        simulation.mesh.put(written({"v1": 100 - weight, "v2": weight}))
        simulation.run(5)
    assert simulation.status["reason"] == "DriftFight"


def test_nothing_is_adopted_while_a_regression_is_held() -> None:
    simulation = begun(onDrift="Adopt", onFailure="Pause")
    simulation.run(200, until=at_weight(25))
    simulation.traffic.versions["v2"] = Behaviour(failing=0.5)
    simulation.run(60, until=lambda s: s.phase == "Paused")
    simulation.mesh.put(written({"v1": 60, "v2": 40}))
    simulation.run(30)
    assert (simulation.phase, simulation.status["reason"]) == ("Paused", "Drifted")
    assert simulation.status["weights"]["desired"] == 25


# A mesh that is mid-way before the run begins.


def test_a_mesh_mid_way_waits_for_a_person_and_begins_there_when_told_to_resume() -> None:
    simulation = bookinfo()
    simulation.mesh.put(route({"v1": 70, "v2": 30}))
    simulation.mesh.put(shift())
    simulation.run(60)
    assert (simulation.phase, simulation.weight) == ("Pending", 30)
    assert "resume to begin from there" in simulation.status["message"]
    simulation.command("resume")
    seen: list[float] = []
    simulation.checks.append(lambda s: seen.append(s.weight) if not seen or seen[-1] != s.weight else None)
    simulation.run(900, until=ended)
    assert seen == [30, 50, 100]


def test_a_mesh_mid_way_is_adopted_when_the_spec_says_so() -> None:
    simulation = bookinfo()
    simulation.mesh.put(route({"v1": 70, "v2": 30}))
    simulation.mesh.put(shift(onDrift="Adopt"))
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded"
    assert "WeightAdopted" in simulation.reasons()


# Subsets.


def test_a_subset_that_selects_other_pods_ends_the_run_and_begins_a_new_one() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    first = simulation.status["runId"]

    def repoint(document: dict[str, Any]) -> None:
        document["spec"]["subsets"][1]["labels"] = {"app": "reviews"}

    seen: list[float] = []
    simulation.checks.append(lambda s: seen.append(s.weight) if not seen or seen[-1] != s.weight else None)
    simulation.mesh.edit("DestinationRule", "reviews", repoint)
    simulation.run(900, until=lambda s: s.status["runId"] != first and ended(s))
    assert seen[:3] == [25, 0, 5]
    assert "SubsetChanged" in simulation.reasons()


def test_a_subset_that_a_reapply_took_away_takes_the_traffic_back() -> None:
    for policy in ("Pause", "Enforce", "Adopt"):
        simulation = begun(onDrift=policy)
        simulation.run(200, until=at_weight(25))
        simulation.mesh.put(rule("v1"))
        simulation.run(2)
        assert simulation.weight == 0
        assert "SubsetLost" in simulation.reasons()


# Undo.


def test_undo_takes_a_finished_shift_back() -> None:
    simulation = begun()
    simulation.run(900, until=ended)
    simulation.command("undo")
    simulation.run(2)
    assert simulation.weight == 0
    simulation.run(60, until=ended)
    assert (simulation.phase, simulation.status["reason"]) == ("RolledBack", "Undone")
    simulation.command("retry")
    simulation.run(900, until=lambda s: s.phase == "Succeeded")
    assert simulation.weight == 100


def test_undo_is_refused_where_it_would_break_traffic() -> None:
    def lose_pods(simulation: Simulation) -> None:
        simulation.mesh.put(pod("v1", ready=False))

    def lose_subset(simulation: Simulation) -> None:
        simulation.mesh.put(rule("v2"))

    def move_on(simulation: Simulation) -> None:
        simulation.mesh.put(route({"v1": 10, "v2": 90}))

    for change, why in (
        (lose_pods, "subset v1 has no ready pod"),
        (lose_subset, 'no subset "v1"'),
        (move_on, "the mesh is not as the shift left it"),
    ):
        simulation = begun()
        simulation.run(900, until=ended)
        change(simulation)
        before = simulation.weight
        simulation.command("undo")
        simulation.run(10)
        assert simulation.status["lastCommand"]["result"].startswith("refused:"), why
        assert why in simulation.status["lastCommand"]["result"]
        assert (simulation.phase, simulation.weight) == ("Succeeded", before)


def test_undo_under_way_is_answered_with_abort() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    simulation.command("undo")
    simulation.run(2)
    assert "abort takes back one that is under way" in simulation.status["lastCommand"]["result"]
    assert simulation.weight == 25


# Deletion, bounded in time.


def test_a_deleted_shift_that_cannot_give_traffic_back_is_let_go_after_ten_minutes() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    simulation.mesh.put(pod("v1", ready=False))
    simulation.delete()
    simulation.run(590)
    assert simulation.exists
    assert simulation.status["reason"] == "StableNotReady"
    simulation.run(30)
    assert not simulation.exists
    assert simulation.weight == 25
    assert any(reason == "LeftBehind" for reason, _ in simulation.mesh.events.values())


def test_a_deletion_that_happened_while_nobody_watched_still_gets_its_time() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    simulation.delete()
    simulation.now += 3600
    simulation.run(60)
    assert not simulation.exists
    assert simulation.weight == 0


def test_the_way_back_gives_no_weight_to_a_stable_subset_that_is_gone() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    simulation.mesh.put(rule("v2"))
    simulation.command("abort")
    simulation.run(30)
    assert (simulation.weight, simulation.status["reason"]) == (25, "StableSubsetMissing")
    simulation.mesh.put(rule("v1", "v2"))
    simulation.run(30, until=ended)
    assert (simulation.weight, simulation.phase) == (0, "RolledBack")


# Two shifts of one service.


def another(phase: str, *, step: int = 0, weight: int = 0, created: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    document = shift(canary={"subset": "v3"})
    document["metadata"] = {"name": "other", "creationTimestamp": created}
    document["status"] = {"phase": phase, "step": {"index": step, "of": 4}, "weights": {"desired": weight}}
    return document


def test_a_second_shift_of_the_same_service_waits_until_the_first_is_over() -> None:
    simulation = bookinfo()
    simulation.mesh.put(another("Progressing", step=1, weight=5, created="2026-02-01T00:00:00Z"))
    simulation.mesh.put(shift())
    simulation.run(60)
    assert (simulation.phase, simulation.weight) == ("Pending", 0)
    assert simulation.status["reason"] == "AnotherShift"
    assert "bookinfo/other" in simulation.status["message"]
    simulation.mesh.put(another("RolledBack", step=1))
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded"


def test_a_shift_that_waits_for_its_pods_keeps_nobody_waiting() -> None:
    simulation = bookinfo()
    waiting = another("Pending", created="")
    waiting["status"]["reason"] = "CanaryNotReady"
    simulation.mesh.put(waiting)
    simulation.mesh.put(shift())
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded"


def test_undo_is_refused_while_another_shift_is_under_way() -> None:
    simulation = begun()
    simulation.run(900, until=ended)
    simulation.mesh.put(another("Progressing", step=1, weight=5))
    simulation.command("undo")
    simulation.run(5)
    assert "TrafficShift bookinfo/other shifts reviews" in simulation.status["lastCommand"]["result"]
    assert simulation.weight == 100


@pytest.mark.parametrize(("failing", "end"), [(0.0, "Succeeded"), (0.3, "RolledBack")])
def test_the_record_of_an_end_does_not_claim_what_the_mesh_has_stopped_to_say(failing: float, end: str) -> None:
    simulation = begun()
    simulation.traffic.versions["v2"] = Behaviour(failing=failing)
    simulation.run(900, until=lambda s: s.phase == end)
    said, events = simulation.status["message"], simulation.reasons()
    simulation.mesh.put(route({"v1": 70, "v2": 30}))
    simulation.run(10)
    assert simulation.status["weights"]["observed"] == 30
    now = 'Since then the weights were changed: VirtualService bookinfo/reviews route "default" gives v2 30%'
    assert simulation.status["message"] == f"{said}. {now}"
    assert (simulation.phase, simulation.weight, simulation.reasons()) == (end, 30, events)
    simulation.mesh.put(route({"v1": 0, "v2": 100} if end == "Succeeded" else {"v1": 100, "v2": 0}))
    simulation.run(10)
    assert simulation.status["message"] == said
