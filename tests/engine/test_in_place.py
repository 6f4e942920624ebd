"""One Deployment updated in place: nobody meets a template that was not proven, and nobody's request is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from meshshift.core.in_place.deployments import COPY
from tests.engine.in_place import InPlace, running
from tests.engine.in_place_stories import STORIES, Story, adopted, assert_ends_and_rests, play, shifting, until
from tests.engine.simulation import Behaviour


def at_home(simulation: InPlace) -> bool:
    """Is the Deployment rolling out what a copy has proven?"""
    return not simulation.original["spec"].get("paused") and COPY in (simulation.subset("stable") or {})


def test_a_deployment_is_adopted_without_a_change_for_anybody() -> None:
    simulation = adopted()
    assert simulation.mesh.calls == ["create DestinationRule", "create VirtualService", "patch Deployment", "event"]
    assert simulation.original["metadata"]["annotations"]["meshshift.io/paused-for"] == "reviews"
    assert simulation.weights() == {"stable": 100}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_it_comes_to_its_end(story: Story) -> None:
    assert_ends_and_rests(story, 600)


def test_the_deployment_is_resumed_once_and_for_what_is_proven() -> None:
    assert play(next(story for story in STORIES if story.name == "rejected, then good")).resumed == ["v4"]


def test_what_is_rejected_says_so_on_the_deployment() -> None:
    simulation = play(next(story for story in STORIES if story.name == "bad"))
    digest, _, why = simulation.rejected.partition(" ")
    assert len(digest) == 8
    assert "success-rate proven worse" in why
    simulation.mesh.edit(
        "Deployment",
        "reviews",
        lambda document: document["metadata"]["annotations"].pop("meshshift.io/rejected"),
        spec=False,
    )
    simulation.behaviours.clear()
    until(simulation, lambda s: s.at_rest("v3"))


def test_a_template_that_never_comes_up_is_rejected() -> None:
    simulation = adopted()
    simulation.mesh.edit("Deployment", "reviews", lambda document: document["spec"].update(progressDeadlineSeconds=60))
    simulation.run(5)
    simulation.set_image("v6")
    until(simulation, lambda s: "progress" in s.rejected and s.at_rest("v1"), 200)
    assert not simulation.exists, "no shift was begun"


def test_a_deployment_that_is_resumed_mid_run_is_paused_again_at_once() -> None:
    simulation = adopted()
    simulation.set_image("v2")
    until(simulation, shifting)
    simulation.resume_by_hand()
    simulation.run(2)
    assert simulation.original["spec"]["paused"]
    until(simulation, lambda s: s.at_rest("v2"))


def test_a_deployment_that_is_resumed_at_rest_rolls_out_and_is_paused_again() -> None:
    simulation = play(next(story for story in STORIES if story.name == "bad"))
    simulation.behaviours.clear()
    simulation.proven.add("v3")
    simulation.resume_by_hand()
    until(simulation, lambda s: s.at_rest("v3"), 60)
    assert simulation.rejected == ""


def test_another_template_while_the_deployment_comes_home_is_held_and_tried_out() -> None:
    simulation = adopted()
    simulation.set_image("v2")
    until(simulation, at_home)
    simulation.set_image("v3", failing=0.3)
    simulation.run(2)
    assert simulation.original["spec"]["paused"], "v3 must not roll out although the Deployment was resumed for v2"
    until(simulation, lambda s: bool(s.rejected) and not s.weights()["canary"])
    simulation.run(60)
    assert simulation.tags() == {"v2": 1.0}, "the copy of v2 serves"
    assert len(simulation.copies()) == 1
    simulation.set_image("v2")
    until(simulation, lambda s: s.at_rest("v2"))


def test_a_copy_follows_the_size_of_the_deployment() -> None:
    simulation = adopted()
    simulation.set_image("v2")
    until(simulation, shifting)
    simulation.scale(4)
    [copy] = simulation.copies()
    until(simulation, lambda s: s.mesh.peek("Deployment", copy)["spec"]["replicas"] == 4, 10)
    until(simulation, lambda s: s.at_rest("v2", 4))


def test_the_original_and_the_copy_count_their_own_pods_only() -> None:
    simulation = adopted()
    simulation.set_image("v2")
    until(simulation, shifting)
    [name] = simulation.copies()
    copy = simulation.mesh.peek("Deployment", name)
    labels = copy["spec"]["template"]["metadata"]["labels"]
    assert copy["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert {"app": "reviews"}.items() <= labels.items(), "the Service selects the copy's pods"
    original = simulation.original["spec"]["template"]["metadata"]["labels"]
    assert not copy["spec"]["selector"]["matchLabels"].items() <= original.items()
    [owner] = copy["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Deployment", simulation.original["metadata"]["uid"])
    assert "controller" not in owner


def test_with_the_deployment_its_copies_go() -> None:
    simulation = adopted()
    simulation.checks.clear()
    simulation.set_image("v2")
    until(simulation, shifting)
    simulation.mesh.remove("Deployment", "reviews")
    simulation.run(30)
    assert simulation.copies() == []


def test_a_template_that_was_never_proven_is_not_rolled_out_by_letting_go() -> None:
    simulation = play(next(story for story in STORIES if story.name == "bad"))
    simulation.annotate(workload=None, strategy=None)
    simulation.run(60)
    assert simulation.original["spec"]["paused"]
    assert simulation.runs() == {"v1": 2}
    assert "meshshift.io/paused-for" not in simulation.original["metadata"]["annotations"]
    assert "LeftPaused" in {reason for reason, _ in simulation.mesh.events.values()}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["spec"].update(strategy={"type": "Recreate"}), "RecreateStrategy"),
        (lambda d: None, "SeveralDeployments"),
    ],
)
def test_what_cannot_be_done_in_place_is_refused_and_touches_nothing(
    change: Callable[[dict[str, object]], None], reason: str
) -> None:
    simulation = running()
    simulation.mesh.edit("Deployment", "reviews", change)
    if reason == "SeveralDeployments":
        second = simulation.mesh.get("Deployment", "reviews")
        second["metadata"] |= {"name": "reviews-b", "uid": "uid-b"}
        simulation.mesh.put(second)
    simulation.opt_in(workload="in-place")
    simulation.run(30)
    assert simulation.mesh.calls == ["event"]
    assert simulation.reason == reason


def test_routes_that_name_a_subset_of_somebody_else_are_left_alone() -> None:
    simulation = running()
    rule = {"kind": "DestinationRule", "metadata": {"name": "reviews"}}
    simulation.mesh.put(
        {**rule, "spec": {"host": "reviews", "subsets": [{"name": "v1", "labels": {"app": "reviews"}}]}}
    )
    destination = {"destination": {"host": "reviews", "subset": "v1"}}
    spec = {"hosts": ["reviews"], "http": [{"route": [destination]}]}
    simulation.mesh.put({"kind": "VirtualService", "metadata": {"name": "reviews"}, "spec": spec})
    simulation.opt_in(workload="in-place")
    simulation.run(30)
    assert simulation.reason == "RoutesElsewhere"
    assert simulation.mesh.calls == ["event"]


def test_a_controller_that_does_not_watch_deployments_says_so() -> None:
    simulation = running()
    simulation.world.watches_deployments = False
    simulation.opt_in(workload="in-place")
    simulation.run(10)
    assert simulation.reason == "InPlaceOff"
    assert simulation.mesh.calls == ["event"]


def at_call(simulation: InPlace, call: str, act: Callable[[], object]) -> None:
    """Do something just before the next such call is carried out."""
    done: list[int] = []

    def interrupt(name: str, number: int, moment: str) -> None:
        if name == call and moment == "before" and not done:
            done.append(number)
            act()

    simulation.mesh.interrupt = interrupt


def test_only_the_template_that_was_read_is_resumed() -> None:
    simulation = adopted()
    simulation.set_image("v2")
    until(simulation, lambda s: s.phase == "Succeeded")
    simulation.behaviours["v3"] = Behaviour(failing=0.3)
    at_call(simulation, "patch Deployment", lambda: simulation.set_image("v3"))
    simulation.run(1)
    until(simulation, lambda s: bool(s.rejected) and not s.weights()["canary"])
    assert simulation.resumed == []


@pytest.mark.parametrize("call", ["create Deployment", "create TrafficShift", "delete Deployment"])
def test_nothing_builds_on_a_subset_or_route_that_has_not_settled(call: str) -> None:
    simulation = adopted(running(settle=8.0))
    written: dict[str, float] = {}

    def interrupt(name: str, number: int, moment: str) -> None:
        if moment == "after":
            written[name] = simulation.now
        elif name == call:
            latest = max(written.get(f"patch {kind}", 0.0) for kind in ("DestinationRule", "VirtualService"))
            assert simulation.now - latest >= 8.0

    simulation.mesh.interrupt = interrupt
    simulation.set_image("v2")
    until(simulation, lambda s: s.at_rest("v2"))
    assert call in written


def test_a_shift_begins_when_all_pods_of_the_copy_are_available() -> None:
    simulation = adopted()
    simulation.scale(4)
    simulation.run(10)

    def interrupt(name: str, number: int, moment: str) -> None:
        if (name, moment) == ("create TrafficShift", "before"):
            [copy] = simulation.copies()
            assert simulation.mesh.peek("Deployment", copy)["status"]["availableReplicas"] == 4

    simulation.mesh.interrupt = interrupt
    simulation.set_image("v2")
    until(simulation, lambda s: s.exists, 60)


def all_to_canary(service: dict[str, Any]) -> None:
    host = service["spec"]["http"][0]["route"][0]["destination"]["host"]
    service["spec"]["http"][0]["route"] = [
        {"destination": {"host": host, "subset": subset}, "weight": weight}
        for subset, weight in (("stable", 0), ("canary", 100))
    ]


def test_traffic_that_somebody_gives_a_copy_is_left_to_them() -> None:
    simulation = adopted()
    simulation.checks.clear()
    simulation.set_image("v2")
    until(simulation, lambda s: simulation.subset("canary") is not None)
    simulation.mesh.edit("VirtualService", "reviews", all_to_canary)
    simulation.run(60)
    assert simulation.reason == "CanaryHasTraffic"
    assert simulation.runs() == {"v1": 2}


def test_traffic_that_somebody_gives_a_rejected_copy_is_no_proof() -> None:
    simulation = adopted()
    simulation.checks.clear()
    simulation.set_image("v3", failing=0.3)

    def given() -> None:
        simulation.mesh.edit("VirtualService", "reviews", all_to_canary)
        simulation.sync()

    at_call(simulation, "patch Deployment", given)
    until(simulation, lambda s: s.reason == "CanaryHasTraffic")
    simulation.run(60)
    assert simulation.resumed == []


def test_what_nobody_wants_any_more_is_given_up() -> None:
    assert play(next(story for story in STORIES if story.name == "set back mid-run")).proven == {"v1"}


def test_a_copy_that_somebody_sends_to_stays() -> None:
    simulation = adopted()
    simulation.set_image("v3", failing=0.3)
    until(simulation, lambda s: s.phase == "RollingBack")

    def pin(service: dict[str, Any]) -> None:
        destination = {**service["spec"]["http"][0]["route"][0]["destination"], "subset": "canary"}
        match = [{"headers": {"x-tester": {"exact": "yes"}}}]
        service["spec"]["http"].insert(0, {"name": "testers", "match": match, "route": [{"destination": destination}]})

    simulation.mesh.edit("VirtualService", "reviews", pin)
    until(simulation, lambda s: s.reason == "CopyInUse", 60)
    assert len(simulation.copies()) == 1


def test_another_deployment_of_the_copys_name_is_not_deleted() -> None:
    simulation = adopted()
    simulation.set_image("v3", failing=0.3)

    def replaced() -> None:
        [name] = simulation.copies()
        other = simulation.mesh.get("Deployment", name)
        simulation.mesh.put({**other, "metadata": {**other["metadata"], "uid": "somebody's", "ownerReferences": []}})

    at_call(simulation, "delete Deployment", replaced)
    until(simulation, lambda s: bool(s.rejected))
    simulation.run(10)
    assert len(simulation.copies()) == 1, "it is somebody else's"
