"""Replica care: pods before weight, and the old version goes down once nobody needs it."""

from __future__ import annotations

from typing import Any

import pytest

from meshshift.engine.failures import Refused, Transient
from meshshift.engine.ports import QueryError
from tests.engine.history import weights
from tests.engine.replicas import FULL, SCALE, arranged, deployment
from tests.engine.simulation import Document, Simulation, pod, route, rule, shift


def replicas(simulation: Simulation, version: str) -> int:
    return int(simulation.mesh.peek("Deployment", f"reviews-{version}")["spec"]["replicas"])


def ready(simulation: Simulation, version: str) -> int:
    status: Document = simulation.mesh.peek("Deployment", f"reviews-{version}").get("status", {})
    return int(status.get("readyReplicas", 0))


def in_phase(phase: str) -> Any:
    return lambda simulation: simulation.phase == phase


def scaled_to(version: str, count: int) -> Any:
    return lambda simulation: replicas(simulation, version) == count


def message(simulation: Simulation) -> str:
    return str(simulation.status["message"])


def test_each_weight_comes_after_its_replicas_and_the_old_version_goes_in_the_end() -> None:
    simulation = arranged()
    seen: set[tuple[float, int]] = set()
    simulation.checks.append(lambda s: seen.add((s.weight, ready(s, "v2"))))
    simulation.run(600, until=in_phase("Succeeded"))
    assert simulation.phase == "Succeeded"
    for weight, pods in seen:
        assert pods * 100 >= weight * FULL, (weight, pods)
    assert {pods for weight, pods in seen if weight == 25} == {1, 2}
    assert replicas(simulation, "v1") == FULL
    ended = simulation.now
    simulation.run(600, until=scaled_to("v1", 0))
    assert simulation.now - ended >= 120
    simulation.run(30)
    assert simulation.reasons()[-1] == "ScaledDown"
    assert (simulation.status["reason"], simulation.phase) == ("Promoted", "Succeeded")
    assert replicas(simulation, "v2") == FULL
    simulation.run(1200)
    assert simulation.reasons().count("ScaledDown") == simulation.reasons().count("Promoted") == 1


def test_a_red_black_flip_needs_the_full_number_and_the_preview_the_least() -> None:
    black = {
        "redBlack": {
            "preview": {"match": [{"headers": {"x-test": {"exact": "1"}}}]},
            "prePromotion": {"duration": "20s"},
        }
    }
    simulation = arranged(strategy=black, scale={**SCALE, "minReplicas": 2})
    seen: list[tuple[float, int]] = []
    simulation.checks.append(lambda s: seen.append((s.weight, ready(s, "v2"))))
    simulation.run(600, until=in_phase("Succeeded"))
    assert simulation.phase == "Succeeded"
    assert min(pods for weight, pods in seen if weight == 100) == FULL
    assert 2 in {pods for weight, pods in seen if weight == 0}


def test_a_baseline_has_the_pods_for_its_share_before_it_gets_it() -> None:
    steps = [{"setWeight": 10}, {"setWeight": 33}, {"setWeight": 60}]
    strategy = {"canary": {"steps": steps, "minStepDuration": "10s"}}
    simulation = arranged(baseline={"subset": "v1-baseline"}, strategy=strategy)
    simulation.mesh.put(pod("v1-baseline"))
    simulation.mesh.put(rule("v1", "v2", "v1-baseline"))
    seen: set[tuple[int, int]] = set()

    def look(world: Simulation) -> None:
        given = weights(world.mesh.peek("VirtualService", "reviews")).get("v1-baseline", 0)
        pods = [each for (kind, *_), each in world.mesh.objects.items() if kind == "Pod"]
        seen.add((given, sum(each["metadata"]["labels"]["version"] == "v1-baseline" for each in pods)))

    simulation.checks.append(look)
    simulation.run(600, until=lambda s: s.status.get("reason") == "BaselineScaling")
    told = "1 of 2 pods of subset v1-baseline, the baseline, ready (33% of 4); scale its Deployment to 2"
    assert message(simulation).endswith(told)
    simulation.run(60)
    assert (simulation.weight, simulation.status["reason"]) == (10, "BaselineScaling")
    simulation.mesh.put(pod("v1-baseline", number=1))
    simulation.run(900, until=in_phase("Succeeded"))
    assert simulation.phase == "Succeeded"
    assert {given for given, _ in seen} >= {10, 33, 20}
    assert all(pods * 100 >= given * FULL for given, pods in seen), seen


def test_copies_that_a_mirror_sends_count_like_weight() -> None:
    steps = {"canary": {"steps": [{"setMirror": {"percentage": 60}}, {"setWeight": 10}], "minStepDuration": "10s"}}
    simulation = arranged(strategy=steps)
    mirrored: list[int] = []

    def watch(seen: Simulation) -> None:
        if "mirrors" in seen.mesh.peek("VirtualService", "reviews")["spec"]["http"][-1]:
            mirrored.append(ready(seen, "v2"))

    simulation.checks.append(watch)
    simulation.run(600, until=lambda s: s.weight == 10)
    assert simulation.weight == 10
    assert min(mirrored) == 3


def test_what_the_canary_has_already_is_not_taken_from_it() -> None:
    simulation = arranged(canary=3)
    counts: set[int] = set()
    simulation.checks.append(lambda s: counts.add(replicas(s, "v2")))
    simulation.run(600, until=in_phase("Succeeded"))
    assert counts == {3, FULL}


def test_after_a_rollback_the_canary_goes_back_to_what_it_had() -> None:
    simulation = arranged(canary=1)
    simulation.run(600, until=lambda s: s.weight == 50)
    simulation.command("abort")
    simulation.run(60, until=in_phase("RolledBack"))
    assert (replicas(simulation, "v2"), replicas(simulation, "v1")) == (2, FULL)
    simulation.run(100)
    assert replicas(simulation, "v2") == 2
    simulation.run(200, until=scaled_to("v2", 1))
    simulation.run(20)
    assert (replicas(simulation, "v2"), simulation.status["reason"]) == (1, "Aborted")
    assert simulation.reasons()[-1] == "ScaledDown"


def test_an_undo_brings_the_old_version_up_before_traffic_goes_back() -> None:
    simulation = arranged()
    simulation.run(900, until=lambda s: s.phase == "Succeeded" and replicas(s, "v1") == 0)
    simulation.run(20)
    assert ready(simulation, "v1") == 0
    simulation.command("undo")
    back: list[int] = []

    def watch(seen: Simulation) -> None:
        if seen.weight < 100:
            back.append(ready(seen, "v1"))

    simulation.checks.append(watch)
    simulation.run(120, until=in_phase("RolledBack"))
    assert simulation.phase == "RolledBack"
    assert min(back) == FULL
    simulation.run(400, until=scaled_to("v2", 0))
    assert replicas(simulation, "v1") == FULL


def test_an_undo_before_the_scale_down_ends_it() -> None:
    simulation = arranged()
    simulation.run(600, until=in_phase("Succeeded"))
    simulation.run(60)
    simulation.command("undo")
    simulation.run(900)
    assert (simulation.phase, replicas(simulation, "v1"), replicas(simulation, "v2")) == ("RolledBack", FULL, 0)


def silent(simulation: Simulation) -> None:
    simulation.prometheus = QueryError("PrometheusUnreachable", "Prometheus cannot be reached")


def unused(simulation: Simulation) -> None:
    simulation.traffic.rps = 0.0


def somebody_calls(simulation: Simulation) -> None:
    """By another way than the routes of this mesh: a header route elsewhere, a gateway, the pods' own address."""
    simulation.shares = lambda: {"v2": 0.99, "v1": 0.01}  # type: ignore[method-assign]


def another_route(simulation: Simulation) -> None:
    other = route({"v1": 1})
    other["metadata"]["name"] = "legacy"
    other["spec"]["hosts"] = ["legacy.example.com"]
    simulation.mesh.put(other)


def another_shift(simulation: Simulation) -> None:
    other = shift(service="ratings", scale={"canary": "reviews-v1", "stable": "ratings-v1"})
    other["metadata"]["name"] = "ratings"
    simulation.mesh.put({**other, "status": {"phase": "Progressing"}})


def an_autoscaler(simulation: Simulation) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "reviews-v1"}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 9}
    simulation.mesh.put({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "reviews-hpa"}, "spec": spec})


def held(simulation: Simulation) -> None:
    simulation.mesh.edit("TrafficShift", "reviews", lambda each: each["spec"].update(paused=True))


@pytest.mark.parametrize(
    ("doubt", "told"),
    [
        (silent, "Prometheus cannot be reached"),
        (unused, "telemetry shows no traffic at all"),
        (somebody_calls, "requests through Service reviews in the last 60 s"),
        (another_route, "VirtualService bookinfo/legacy spec.http[0].route[0] sends to it"),
        (another_shift, "TrafficShift bookinfo/ratings needs it"),
        (an_autoscaler, "HorizontalPodAutoscaler reviews-hpa sets them"),
        (held, "spec.paused is false"),
    ],
)
def test_every_doubt_keeps_the_old_version(doubt: Any, told: str) -> None:
    simulation = arranged()
    simulation.run(600, until=in_phase("Succeeded"))
    doubt(simulation)
    simulation.run(900)
    assert replicas(simulation, "v1") == FULL
    assert told in message(simulation)
    assert "ScaledDown" not in simulation.reasons()


def test_telemetry_that_comes_back_lets_it_go() -> None:
    simulation = arranged()
    simulation.run(600, until=in_phase("Succeeded"))
    silent(simulation)
    simulation.run(600)
    simulation.prometheus = None
    simulation.run(400, until=scaled_to("v1", 0))
    assert replicas(simulation, "v1") == 0


def test_an_autoscaler_of_the_canary_is_not_fought() -> None:
    simulation = arranged(canary=1)
    an_autoscaler(simulation)
    simulation.mesh.edit(
        "HorizontalPodAutoscaler", "reviews-hpa", lambda each: each["spec"]["scaleTargetRef"].update(name="reviews-v2")
    )
    simulation.run(400)
    assert (simulation.status["reason"], replicas(simulation, "v2"), simulation.weight) == ("AutoscalerOwns", 1, 25)
    assert "set its minReplicas to 2 or more" in message(simulation)
    simulation.mesh.edit("Deployment", "reviews-v2", lambda each: each["spec"].update(replicas=FULL))
    simulation.run(300, until=in_phase("Succeeded"))
    assert simulation.phase == "Succeeded"


def test_pods_that_never_come_are_told_and_no_weight_is_given() -> None:
    simulation = arranged(analysis={"interval": "5s", "warmup": "0s", "stepTimeout": "1m"})
    simulation.run(60, until=lambda s: s.weight == 5)
    simulation.mesh.edit("Deployment", "reviews-v1", lambda each: each["spec"].update(replicas=40))
    for number in range(1, 10):
        simulation.checks.append(
            lambda s, name=f"reviews-v2-{number}": (  # type: ignore[misc]
                s.mesh.remove("Pod", name) if s.mesh.peek("Pod", name) else None
            )
        )
    simulation.run(300)
    assert simulation.weight == 5
    assert "1 of 10 replicas of Deployment reviews-v2 ready (25% of 40)" in message(simulation)
    stalled = {each["type"]: each["status"] for each in simulation.status["conditions"]}["Stalled"]
    assert stalled == "True"


@pytest.mark.parametrize("forbidden", ["autoscalers", "read Deployment"])
def test_traffic_goes_back_although_the_deployments_cannot_be_read(forbidden: str) -> None:
    simulation = arranged()
    simulation.run(600, until=lambda s: s.weight == 25)
    down = Refused("deployments.apps is forbidden")

    def forbid(call: str, number: int, moment: str) -> None:
        if call == forbidden:
            raise down

    simulation.mesh.interrupt = forbid
    simulation.run(40)
    assert simulation.status["reason"] == "DeploymentUnreadable"
    assert "give the controller the rights in manifests/components/scale" in message(simulation)
    assert simulation.weight == 25
    simulation.command("abort")
    simulation.run(60, until=in_phase("RolledBack"))
    assert (simulation.phase, simulation.weight) == ("RolledBack", 0)


def test_an_edit_that_is_refused_is_told_once_and_the_record_stays() -> None:
    simulation = arranged()
    simulation.run(600, until=in_phase("Succeeded"))

    def forbid(call: str, number: int, moment: str) -> None:
        if call.startswith("patch Deployment") and moment == "before":
            raise Refused("deployments/scale is forbidden")

    simulation.mesh.interrupt = forbid
    simulation.run(900)
    assert replicas(simulation, "v1") == FULL
    assert simulation.phase == "Succeeded"
    assert simulation.reasons()[-2:] == ["Promoted", "EditRefused"]
    simulation.mesh.interrupt = lambda call, number, moment: None
    simulation.run(120)
    assert (replicas(simulation, "v1"), simulation.reasons()[-1]) == (0, "ScaledDown")


def test_a_deployment_that_the_subset_does_not_select_is_not_touched() -> None:
    simulation = arranged(scale={**SCALE, "canary": "reviews-v3"})
    simulation.mesh.put(deployment("v3", 0))
    simulation.run(60)
    assert simulation.status["reason"] == "DeploymentLabelsDiffer"
    assert 'subset "v2" selects {"version": "v2"}; name the Deployment of that subset' in message(simulation)
    assert replicas(simulation, "v3") == 0


def test_a_deployment_that_is_not_there_is_named() -> None:
    simulation = arranged(scale={**SCALE, "canary": "reviews-v9"})
    simulation.run(60)
    assert 'spec.scale.canary: there is no Deployment "reviews-v9"' in message(simulation)


def next_shift(simulation: Simulation) -> None:
    """The same TrafficShift goes on to v3."""
    simulation.mesh.put(deployment("v3", 0))
    change = {"stable": {"subset": "v2"}, "canary": {"subset": "v3"}}
    change |= {"scale": {**SCALE, "canary": "reviews-v3", "stable": "reviews-v2"}}
    subsets = [{"name": version, "labels": {"version": version}} for version in ("v1", "v2", "v3")]
    simulation.mesh.edit("DestinationRule", "reviews", lambda each: each["spec"].update(subsets=subsets))
    simulation.mesh.edit("TrafficShift", "reviews", lambda each: each["spec"].update(change))
    simulation.mesh.edit(
        "VirtualService",
        "reviews",
        lambda each: each["spec"]["http"][-1].update(
            route=route({"v1": 0, "v2": 100, "v3": 0})["spec"]["http"][-1]["route"]
        ),
    )


def test_a_new_run_takes_over_what_is_owed() -> None:
    simulation = arranged()
    simulation.run(600, until=in_phase("Succeeded"))
    simulation.run(20)
    next_shift(simulation)
    simulation.run(30)
    simulation.run(600, until=in_phase("Succeeded"))
    assert simulation.shares() == {"v3": 1.0}
    assert (replicas(simulation, "v1"), replicas(simulation, "v2")) == (FULL, FULL)
    simulation.run(600)
    assert [replicas(simulation, version) for version in ("v1", "v2", "v3")] == [0, 0, FULL]
    assert simulation.reasons().count("ScaledDown") == 2


def test_a_new_run_that_needs_the_old_version_keeps_it() -> None:
    simulation = arranged()
    simulation.run(600, until=in_phase("Succeeded"))
    simulation.run(20)
    back = {"stable": {"subset": "v2"}, "canary": {"subset": "v1"}}
    back |= {"scale": {**SCALE, "canary": "reviews-v1", "stable": "reviews-v2"}}
    least: list[int] = []
    simulation.mesh.edit("TrafficShift", "reviews", lambda each: each["spec"].update(back))
    simulation.checks.append(lambda s: least.append(replicas(s, "v1")))
    simulation.run(60)
    simulation.run(600, until=in_phase("Succeeded"))
    assert min(least) == FULL
    assert simulation.shares() == {"v1": 1.0}


def test_another_spec_under_way_leaves_no_replicas_behind() -> None:
    simulation = arranged()
    simulation.run(600, until=lambda s: s.weight == 50)
    steps = {"canary": {"steps": [{"setWeight": 10}], "minStepDuration": "10s"}}
    simulation.mesh.edit("TrafficShift", "reviews", lambda each: each["spec"].update(strategy=steps))
    simulation.run(30)
    simulation.command("abort")
    simulation.run(600)
    assert (simulation.phase, replicas(simulation, "v2"), replicas(simulation, "v1")) == ("RolledBack", 0, FULL)


def test_a_pause_scales_nothing() -> None:
    simulation = arranged(paused=True)
    simulation.run(120)
    assert replicas(simulation, "v2") == 0


def test_what_cannot_be_read_for_a_moment_is_read_again() -> None:
    simulation = arranged()
    fails = iter([True] * 6)

    def fail(call: str, number: int, moment: str) -> None:
        if call == "read Deployment" and next(fails, False):
            raise Transient("the server has failed")

    simulation.mesh.interrupt = fail
    simulation.run(600, until=in_phase("Succeeded"))
    assert simulation.phase == "Succeeded"
