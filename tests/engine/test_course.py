"""The course of a shift from beginning to end, in simulated time, through the whole engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from meshshift.core.telemetry import Series
from meshshift.engine.ports import QueryError
from tests.engine.simulation import START, Behaviour, Simulation, bookinfo, pod, route, rule, shift


def ended(simulation: Simulation) -> bool:
    return simulation.phase in {"Succeeded", "RolledBack", "Failed"}


def begun(**spec: object) -> Simulation:
    simulation = bookinfo()
    simulation.mesh.put(shift(**spec))
    return simulation


def at_weight(percent: float) -> Callable[[Simulation], bool]:
    return lambda simulation: simulation.weight == percent


def test_a_good_canary_is_promoted() -> None:
    simulation = begun()
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded", simulation.status
    assert simulation.weight == 100
    assert simulation.reasons()[:2] == ["Started", "FirstStep"]
    assert simulation.reasons()[-1] == "Promoted"
    ready = next(c for c in simulation.status["conditions"] if c["type"] == "Ready")
    assert ready["status"] == "True"


def test_a_failing_canary_is_rolled_back_with_numbers() -> None:
    simulation = begun()
    simulation.traffic.versions["v2"] = Behaviour(failing=0.05)
    simulation.run(600, until=ended)
    assert simulation.phase == "RolledBack"
    assert simulation.weight == 0
    assert "success-rate proven worse" in simulation.status["message"]
    assert "5.0%" in simulation.status["message"]


def test_a_slow_canary_is_rolled_back_by_latency() -> None:
    simulation = begun()
    simulation.traffic.versions["v2"] = Behaviour(slow=0.2)
    simulation.run(900, until=ended)
    assert simulation.phase == "RolledBack"
    assert "latency proven worse" in simulation.status["message"]


def test_weight_follows_the_steps_in_order() -> None:
    simulation = begun()
    seen: list[float] = []
    simulation.checks.append(lambda s: seen.append(s.weight) if not seen or seen[-1] != s.weight else None)
    simulation.run(600, until=ended)
    assert seen == [0, 5, 25, 50, 100]


def test_a_rolling_shift_takes_equal_steps_and_is_judged() -> None:
    simulation = begun(strategy={"rolling": {"every": "10s", "by": 30}})
    seen: list[float] = []
    simulation.checks.append(lambda s: seen.append(s.weight) if not seen or seen[-1] != s.weight else None)
    simulation.run(600, until=ended)
    assert seen == [0, 30, 60, 90, 100]
    assert simulation.status["strategy"] == "rolling"

    simulation = begun(strategy={"rolling": {"every": "10s", "by": 30}})
    simulation.traffic.versions["v2"] = Behaviour(failing=0.3)
    simulation.run(600, until=ended)
    assert (simulation.phase, simulation.weight) == ("RolledBack", 0)


def test_pause_without_duration_waits_for_promote() -> None:
    steps = [{"setWeight": 5}, {"pause": {}}, {"setWeight": 50}]
    simulation = begun(strategy={"canary": {"steps": steps, "minStepDuration": "10s"}})
    simulation.run(300)
    assert (simulation.phase, simulation.weight) == ("Paused", 5)
    simulation.command("promote")
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded"
    assert simulation.status["lastCommand"]["command"] == "promote"
    assert simulation.status["lastCommand"]["by"] == "kubectl-annotate"


def test_pause_with_duration_goes_on_by_itself() -> None:
    steps = [{"setWeight": 5}, {"pause": {"duration": "60s"}}, {"setWeight": 50}]
    simulation = begun(strategy={"canary": {"steps": steps, "minStepDuration": "10s"}})
    simulation.run(40, until=at_weight(5))
    entered = simulation.now
    simulation.run(300, until=at_weight(50))
    assert simulation.weight == 50
    assert simulation.now - entered >= 60


def test_promote_full_goes_straight_to_all() -> None:
    simulation = begun()
    simulation.run(100, until=at_weight(5))
    simulation.command("promote-full")
    simulation.run(20, until=ended)
    assert (simulation.phase, simulation.weight) == ("Succeeded", 100)


def test_abort_gives_traffic_back_at_once() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    simulation.command("abort")
    simulation.run(2)
    assert simulation.weight == 0
    simulation.run(60, until=ended)
    assert simulation.phase == "RolledBack"
    assert simulation.status["reason"] == "Aborted"


def test_retry_starts_again_with_fresh_evidence() -> None:
    simulation = begun()
    simulation.traffic.versions["v2"] = Behaviour(failing=0.5)
    simulation.run(300, until=ended)
    first = simulation.status["runId"]
    simulation.traffic.versions["v2"] = Behaviour()
    simulation.command("retry")
    simulation.run(900, until=lambda s: s.phase == "Succeeded")
    assert simulation.phase == "Succeeded"
    assert simulation.status["runId"] != first


def test_restart_goes_back_and_begins_again_with_fresh_evidence() -> None:
    simulation = begun()
    simulation.run(300, until=at_weight(25))
    first = simulation.status["runId"]
    seen: list[float] = []
    simulation.checks.append(lambda s: seen.append(s.weight) if not seen or seen[-1] != s.weight else None)
    simulation.command("restart")
    simulation.run(900, until=lambda s: s.phase == "Succeeded")
    assert (simulation.phase, seen) == ("Succeeded", [25, 0, 5, 25, 50, 100])
    assert simulation.status["runId"] != first
    assert [each for each in simulation.reasons() if each in {"Restarted", "Started", "SpecChanged"}] == [
        "Started",
        "Restarted",
        "Started",
    ]


def test_restart_after_a_rollback_is_a_retry() -> None:
    simulation = begun()
    simulation.traffic.versions["v2"] = Behaviour(failing=0.5)
    simulation.run(300, until=ended)
    simulation.traffic.versions["v2"] = Behaviour()
    simulation.command("restart")
    simulation.run(900, until=lambda s: s.phase == "Succeeded")
    assert simulation.reasons().count("Retried") == 1


def test_restart_does_not_take_a_success_back_nor_turn_a_way_back() -> None:
    simulation = begun()
    simulation.run(600, until=ended)
    simulation.command("restart")
    simulation.run(5)
    assert (simulation.weight, simulation.phase) == (100, "Succeeded")
    assert "undo gives the traffic back" in simulation.status["lastCommand"]["result"]
    simulation = begun()
    simulation.run(300, until=at_weight(25))
    simulation.command("abort")
    simulation.run(20, until=lambda s: s.phase == "RollingBack")
    simulation.command("restart")
    simulation.run(60)
    assert (simulation.weight, simulation.phase) == (0, "RolledBack")
    assert "retry begins again" in simulation.status["lastCommand"]["result"]


def test_a_command_that_cannot_be_done_is_answered() -> None:
    simulation = begun()
    simulation.run(600, until=ended)
    simulation.command("abort")
    simulation.run(5)
    assert simulation.status["lastCommand"]["result"].startswith("refused: nothing to abort")
    assert simulation.phase == "Succeeded"
    simulation.command("abrot")
    simulation.run(5)
    assert "'abrot' is not a command; use one of promote" in simulation.status["lastCommand"]["result"]


def test_an_abort_or_a_pause_that_comes_before_the_first_look_is_kept() -> None:
    simulation = begun()
    simulation.command("abort")
    simulation.run(60)
    assert (simulation.phase, simulation.weight, simulation.status["reason"]) == ("RolledBack", 0, "Aborted")
    simulation.command("retry")
    simulation.run(600, until=lambda s: s.phase == "Succeeded")
    assert simulation.phase == "Succeeded"

    simulation = begun()
    simulation.command("pause")
    simulation.run(60)
    assert (simulation.phase, simulation.weight) == ("Paused", 0)
    simulation.command("resume")
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded"


def test_pause_command_holds_the_weight_and_resume_goes_on() -> None:
    simulation = begun()
    simulation.run(100, until=at_weight(5))
    simulation.command("pause")
    simulation.run(400)
    assert (simulation.phase, simulation.weight) == ("Paused", 5)
    simulation.command("resume")
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded"


def test_a_paused_canary_that_regresses_is_still_rolled_back() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    simulation.mesh.edit("TrafficShift", "reviews", lambda s: s["spec"].update(paused=True))
    simulation.run(30)
    assert simulation.phase == "Paused"
    simulation.traffic.versions["v2"] = Behaviour(failing=0.5)
    simulation.run(120, until=ended)
    assert simulation.phase == "RolledBack"


def test_on_failure_pause_holds_for_a_person() -> None:
    simulation = begun(onFailure="Pause")
    simulation.traffic.versions["v2"] = Behaviour(failing=0.2)
    simulation.run(300, until=lambda s: s.phase == "Paused")
    simulation.run(60)
    assert (simulation.phase, simulation.weight) == ("Paused", 5)
    assert simulation.status["reason"] == "RegressionProven"
    simulation.traffic.versions["v2"] = Behaviour()
    simulation.command("resume")
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded"


@pytest.mark.parametrize(
    ("policy", "phase", "weight"), [("Hold", "Progressing", 5), ("Rollback", "RolledBack", 0), ("Advance", "", None)]
)
def test_inconclusive_follows_the_policy(policy: str, phase: str, weight: float | None) -> None:
    canary = {"steps": [{"setWeight": 5}, {"setWeight": 50}], "minStepDuration": "10s"}
    analysis = {
        "interval": "5s",
        "warmup": "0s",
        "stepTimeout": "60s",
        "onInconclusive": policy,
        "spareRequests": 0,
    }
    simulation = begun(strategy={"canary": canary}, analysis=analysis)
    simulation.traffic.rps = 2.0
    simulation.run(150)
    if weight is None:
        assert simulation.weight > 5
    else:
        assert (simulation.phase, simulation.weight) == (phase, weight)
        assert "stepTimeout" in simulation.status["message"]


def test_prometheus_outage_holds_and_goes_on() -> None:
    simulation = begun()
    simulation.run(100, until=at_weight(5))
    simulation.prometheus = QueryError("Unreachable", "Prometheus is unreachable: connection refused")
    simulation.run(300)
    assert simulation.weight == 5
    assert simulation.phase == "Progressing"
    assert "unreachable" in simulation.status["message"]
    simulation.prometheus = None
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded"


def test_no_traffic_holds_and_says_so() -> None:
    simulation = begun()
    simulation.run(100, until=at_weight(5))
    simulation.traffic.rps = 0.0
    simulation.run(300)
    assert simulation.weight == 5
    assert simulation.phase == "Progressing"


def test_nothing_is_shifted_without_a_ready_canary() -> None:
    simulation = begun()
    simulation.mesh.put(pod("v2", ready=False))
    simulation.run(120)
    assert simulation.weight == 0
    assert simulation.status["reason"] == "CanaryNotReady"
    simulation.mesh.put(pod("v2"))
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded"


def test_losing_every_canary_pod_rolls_back() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    simulation.mesh.put(pod("v2", ready=False))
    simulation.run(2)
    assert simulation.weight == 0
    simulation.run(30, until=ended)
    assert simulation.status["reason"] == "CanaryLost"


def test_missing_subset_is_added_settled_and_removed_on_rollback() -> None:
    simulation = begun(canary={"subset": "v2", "labels": {"version": "v2"}})
    simulation.mesh.put(rule("v1"))
    simulation.mesh.put(route({"v1": None}))
    added: list[float] = []
    weighted: list[float] = []

    def watch(s: Simulation) -> None:
        subsets = [each["name"] for each in s.mesh.get("DestinationRule", "reviews")["spec"]["subsets"]]
        if "v2" in subsets and not added:
            added.append(s.now)
        if s.weight and not weighted:
            weighted.append(s.now)
        assert not (s.weight and "v2" not in subsets), "weight on a subset that is not there"

    simulation.checks.append(watch)
    simulation.traffic.versions["v2"] = Behaviour(failing=0.3)
    simulation.run(300, until=ended)
    assert weighted[0] - added[0] >= simulation.timing.settle
    assert simulation.phase == "RolledBack"
    assert simulation.mesh.get("DestinationRule", "reviews")["spec"] == rule("v1")["spec"]
    destinations = simulation.mesh.get("VirtualService", "reviews")["spec"]["http"][0]["route"]
    assert [each["destination"]["subset"] for each in destinations] == ["v1"]


def test_missing_objects_are_created_only_if_allowed() -> None:
    simulation = begun()
    for kind in ("VirtualService", "DestinationRule"):
        simulation.mesh.remove(kind, "reviews")
    simulation.run(30)
    stalled = next(c for c in simulation.status["conditions"] if c["type"] == "Stalled")
    assert stalled["status"] == "True"
    assert not any(call.startswith("create") for call in simulation.mesh.calls)


def test_create_if_missing_makes_the_rule_before_the_route() -> None:
    labels = {"version": "v1"}, {"version": "v2"}
    simulation = begun(
        create="IfMissing", stable={"subset": "v1", "labels": labels[0]}, canary={"subset": "v2", "labels": labels[1]}
    )
    for kind in ("VirtualService", "DestinationRule"):
        simulation.mesh.remove(kind, "reviews")
    simulation.run(600, until=ended)
    creations = [call for call in simulation.mesh.calls if call.startswith("create")]
    assert creations == ["create DestinationRule", "create VirtualService"]
    assert simulation.phase == "Succeeded", simulation.status["message"]


def test_deletion_restores_traffic_and_lets_the_object_go() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    simulation.delete()
    simulation.run(60)
    assert not simulation.exists
    assert simulation.weight == 0


def test_deletion_leaves_traffic_if_told_so() -> None:
    simulation = begun(onDelete="Leave")
    simulation.run(200, until=at_weight(25))
    simulation.delete()
    simulation.run(10)
    assert not simulation.exists
    assert simulation.weight == 25


def test_deletion_after_success_touches_nothing() -> None:
    simulation = begun()
    simulation.run(600, until=ended)
    simulation.delete()
    simulation.run(10)
    assert not simulation.exists
    assert simulation.weight == 100


def test_a_hand_edit_is_reported_and_not_fought() -> None:
    simulation = begun()
    simulation.run(100, until=at_weight(5))
    simulation.mesh.put(route({"v1": 60, "v2": 40}))
    simulation.run(60)
    assert (simulation.phase, simulation.weight) == ("Paused", 40)
    assert simulation.status["reason"] == "Drifted"
    simulation.command("resume")
    simulation.run(3)
    assert simulation.weight == 5
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded"


def test_a_changed_spec_goes_back_before_it_begins_anew() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    first = simulation.status["runId"]
    steps = {"canary": {"steps": [{"setWeight": 10}], "minStepDuration": "10s"}}
    seen: list[float] = []
    simulation.checks.append(lambda s: seen.append(s.weight) if not seen or seen[-1] != s.weight else None)
    simulation.mesh.edit("TrafficShift", "reviews", lambda s: s["spec"].update(strategy=steps))
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded"
    assert simulation.status["runId"] != first
    assert seen == [25, 0, 10, 100]


def test_an_invalid_spec_touches_nothing_and_says_why() -> None:
    simulation = begun(canary={"subset": "v1"})
    simulation.run(10)
    assert simulation.phase == "Failed"
    assert simulation.status["reason"] == "InvalidSpec"
    assert "canary.subset" in simulation.status["message"]
    assert not any(call.startswith("patch") for call in simulation.mesh.calls)


def test_a_finished_shift_that_is_applied_again_changes_nothing() -> None:
    simulation = begun()
    simulation.mesh.put(route({"v1": 0, "v2": 100}))
    simulation.run(30)
    assert (simulation.phase, simulation.weight) == ("Succeeded", 100)
    assert simulation.status["reason"] == "AlreadyShifted"


def test_shared_outage_blames_neither() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    for version in ("v1", "v2"):
        simulation.traffic.versions[version] = Behaviour(failing=0.3)
    simulation.run(120)
    for version in ("v1", "v2"):
        simulation.traffic.versions[version] = Behaviour()
    simulation.run(1800, until=ended)
    assert simulation.phase == "Succeeded"


def test_an_added_subset_that_somebody_else_uses_stays() -> None:
    simulation = begun(canary={"subset": "v2", "labels": {"version": "v2"}})
    simulation.mesh.put(rule("v1"))
    simulation.mesh.put(route({"v1": None}))
    simulation.run(200, until=at_weight(5))
    pinned = {
        "match": [{"headers": {"x-me": {"exact": "1"}}}],
        "route": [{"destination": {"host": "reviews", "subset": "v2"}}],
    }
    simulation.mesh.edit("VirtualService", "reviews", lambda d: d["spec"]["http"].insert(0, pinned))
    simulation.command("abort")
    simulation.run(60, until=ended)
    assert simulation.phase == "RolledBack"
    subsets = [each["name"] for each in simulation.mesh.get("DestinationRule", "reviews")["spec"]["subsets"]]
    assert subsets == ["v1", "v2"]


def test_a_subset_in_another_rule_of_the_host_is_found() -> None:
    simulation = begun()
    simulation.mesh.put(rule("v1"))
    other = rule("v2")
    other["metadata"]["name"] = "reviews-more"
    simulation.mesh.put(other)
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded", simulation.status["message"]


def test_a_counter_that_is_not_a_number_holds_and_is_passed_over() -> None:
    simulation = begun()
    simulation.run(100, until=at_weight(5))
    counted = simulation.traffic.counts["v1", "200"]
    simulation.traffic.counts["v1", "200"] = float("nan")
    simulation.run(20, until=lambda s: s.status["reason"] == "TelemetryUnusable")
    simulation.run(8)
    assert (simulation.status["reason"], simulation.weight) == ("TelemetryUnusable", 5)
    simulation.traffic.counts["v1", "200"] = counted
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded", simulation.status["message"]


def test_losing_the_subset_rolls_back() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    simulation.mesh.put(rule("v1"))
    simulation.run(2)
    assert simulation.weight == 0
    assert simulation.reasons()[-1] == "SubsetLost"


def test_a_canary_that_refuses_every_connection_is_rolled_back_although_no_series_names_it() -> None:
    simulation = begun()
    simulation.traffic.versions["v2"] = Behaviour(unreachable=1.0)
    simulation.run(120, until=ended)
    assert simulation.phase == "RolledBack", simulation.status["message"]
    assert "success-rate proven worse" in simulation.status["message"]


def test_a_gap_in_the_past_only_shortens_what_is_learned_from() -> None:
    simulation = bookinfo()
    gap = next(i for i, (instant, _) in enumerate(simulation.traffic.readings) if instant > START + 5)
    simulation.traffic.readings = simulation.traffic.readings[gap:]
    simulation.mesh.put(shift())
    simulation.run(60, until=at_weight(5))
    assert simulation.weight == 5


def test_a_service_that_has_just_begun_is_learned_from_first() -> None:
    simulation = bookinfo()
    simulation.traffic.readings = simulation.traffic.readings[-3:]
    simulation.mesh.put(shift())
    simulation.run(4)
    assert (simulation.phase, simulation.weight) == ("Pending", 0)
    simulation.run(60, until=at_weight(5))
    assert simulation.weight == 5


def test_a_look_between_the_windows_raises_nothing_while_counters_are_not_numbers() -> None:
    simulation = begun()
    simulation.run(100, until=at_weight(5))
    simulation.command("pause")
    simulation.run(60)
    simulation.traffic.counts["v1", "200"] = float("nan")
    simulation.run(30)
    for _ in range(10):
        simulation.command("resume")
        simulation.run(1)
    assert simulation.weight == 5, simulation.status["message"]


def owned_by(*managers: str) -> list[dict[str, object]]:
    return [
        {"manager": manager, "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:http": {}}}}
        for manager in managers
    ]


def test_a_run_that_has_ended_gives_up_the_ownership_of_what_it_wrote() -> None:
    simulation = begun()
    for kind in ("VirtualService", "DestinationRule"):
        simulation.mesh.edit(kind, "reviews", lambda each: each["metadata"].update(managedFields=owned_by("meshshift")))
    simulation.run(100, until=at_weight(25))
    simulation.mesh.edit(
        "VirtualService",
        "reviews",
        lambda each: each["metadata"].update(managedFields=owned_by("kubectl", "meshshift")),
    )
    simulation.run(600, until=ended)
    simulation.run(3)
    assert simulation.mesh.get("VirtualService", "reviews")["metadata"]["managedFields"] == owned_by("kubectl")
    assert simulation.mesh.get("DestinationRule", "reviews")["metadata"]["managedFields"] == [{}]
    assert simulation.phase == "Succeeded"


def test_queries_alone_judge_a_service_without_requests_that_could_be_counted() -> None:
    analysis = {
        "method": "Threshold",
        "interval": "5s",
        "warmup": "0s",
        "indicators": [{"name": "resets", "query": {"promql": "sum(x)", "max": 0.2}, "failureLimit": 2}],
    }
    for value, phase in ((0.1, "Succeeded"), (0.9, "RolledBack")):
        simulation = Simulation()
        for document in bookinfo().mesh.objects.values():
            simulation.mesh.put(document)
        simulation.traffic.rps = 0.0
        simulation.answer = lambda s, at, value=value: (Series.of({}, value),)  # type: ignore[misc]
        simulation.mesh.put(shift(analysis=analysis))
        simulation.run(600, until=ended)
        assert simulation.phase == phase, simulation.status


def test_a_rival_that_istio_obeys_mid_way_stops_the_shift_and_not_the_way_back() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    older = route({"v1": 100, "v2": 0})
    older["metadata"] = {"name": "older", "creationTimestamp": "2020-01-01T00:00:00Z"}
    older["spec"]["http"][0]["route"] = [{"destination": {"host": "elsewhere"}}]
    current = simulation.mesh.get("VirtualService", "reviews")
    current["metadata"]["creationTimestamp"] = "2021-01-01T00:00:00Z"
    simulation.mesh.put(current)
    simulation.mesh.put(older)
    simulation.run(120)
    assert simulation.status["reason"] == "VirtualServiceShadowed", simulation.status
    assert "bookinfo/older" in simulation.status["message"]
    simulation.command("abort")
    simulation.run(60, until=ended)
    assert simulation.phase == "RolledBack"
