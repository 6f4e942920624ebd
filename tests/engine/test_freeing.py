"""A Service is deleted before its Deployment was let go: nothing is rolled out unproven, and nothing held for ever."""

from __future__ import annotations

import pytest

from meshshift.core.in_place.freeing import GRACE
from tests.engine.enrolment import service
from tests.engine.in_place import InPlace, running
from tests.engine.in_place_stories import (
    SERVICE_GOES,
    Story,
    adopted,
    assert_ends_and_rests,
    coming_home,
    proven,
    shifting,
    told,
    until,
)
from tests.engine.simulation import Document

LONG = GRACE + 60.0


def free(simulation: InPlace) -> bool:
    """Is nothing left on the Deployment, and nothing beside it?"""
    annotations = simulation.original["metadata"].get("annotations") or {}
    ours = [each for each in annotations if each.startswith("meshshift.io/")]
    return not simulation.original["spec"].get("paused") and not ours and not simulation.copies()


def left_paused(simulation: InPlace) -> list[str]:
    return [message for reason, message in simulation.mesh.events.values() if reason == "LeftPaused"]


def rejected() -> InPlace:
    """A Deployment at rest at v1, with v3 rejected."""
    simulation = adopted()
    simulation.set_image("v3", failing=0.3)
    until(simulation, lambda s: bool(s.rejected) and s.at_rest("v1"))
    return simulation


@pytest.mark.parametrize("story", SERVICE_GOES, ids=lambda story: story.name)
def test_it_comes_to_its_end(story: Story) -> None:
    assert_ends_and_rests(story, 900)


def test_a_deployment_that_was_let_go_is_nobody_elses_business() -> None:
    simulation = adopted()
    simulation.delete_service()
    until(simulation, free, LONG)
    calls = len(simulation.mesh.calls)
    simulation.set_image("v2")
    until(simulation, lambda s: s.runs() == {"v2": 2}, 30)
    simulation.run(600)
    assert len(simulation.mesh.calls) == calls


def test_a_service_may_come_back_before_anything_is_undone() -> None:
    simulation = adopted()
    annotations = simulation.mesh.peek("Service", "reviews")["metadata"]["annotations"]
    simulation.keep_mesh()
    simulation.delete_service()
    calls = len(simulation.mesh.calls)
    simulation.run(GRACE - 10)
    simulation.set_image("v3", failing=0.3)
    simulation.run(5)
    assert len(simulation.mesh.calls) == calls, told(simulation)
    simulation.create_service(annotations)
    until(simulation, lambda s: bool(s.rejected))
    assert simulation.resumed == []


@pytest.mark.parametrize("restarts", [False, True])
def test_a_controller_that_was_not_there_lets_the_deployment_go(restarts: bool) -> None:
    simulation = adopted()
    simulation.delete_service()
    simulation.restart()
    if restarts:
        simulation.run(GRACE - 5)
        simulation.restart()
        simulation.run(GRACE - 5)
        assert simulation.original["spec"]["paused"], "what is not remembered is waited for again"
    until(simulation, free, LONG)


def test_a_service_that_no_watch_tells_of_is_looked_for() -> None:
    simulation = adopted()
    annotations = simulation.mesh.peek("Service", "reviews")["metadata"]["annotations"]
    simulation.delete_service()
    simulation.run(5)
    simulation.watches = False
    simulation.create_service(annotations)
    simulation.run(LONG)
    assert simulation.original["spec"]["paused"]
    assert simulation.held_for == "reviews"


@pytest.mark.parametrize("kept", [False, True], ids=["objects made for it", "objects of others"])
def test_a_template_that_was_never_proven_stays_held(kept: bool) -> None:
    simulation = adopted()
    simulation.set_image("v2")
    until(simulation, shifting)
    if kept:
        simulation.keep_mesh()
    simulation.delete_service()
    until(simulation, lambda s: bool(left_paused(s)), LONG)
    assert simulation.original["spec"]["paused"]
    assert simulation.held_for == "reviews", "a Service of the same name takes it over as it is"
    assert (simulation.runs(), simulation.copies(), simulation.exists) == ({"v1": 2}, [], False)
    if kept:
        assert simulation.subset("stable") == {}, "all pods of whatever Service comes"
        assert simulation.weights() == {"stable": 100, "canary": 0}


def test_what_keeps_a_deployment_held_is_said_once_on_the_deployment() -> None:
    simulation = rejected()
    about: list[Document] = []
    hear = simulation.mesh.told

    def listen(kind: str, document: Document) -> None:
        hear(kind, document) if document["kind"] != "Event" else about.append(document)

    simulation.mesh.told = listen
    simulation.delete_service()
    until(simulation, lambda s: bool(left_paused(s)), LONG)
    simulation.run(600)
    for _ in range(2):
        simulation.restart()
        simulation.run(LONG)
    [event] = [each for each in about if each["reason"] == "LeftPaused"]
    assert event["involvedObject"] == {"kind": "Deployment", "name": "reviews"}
    for words in (
        "spec.paused: true",
        "was rejected (",
        "success-rate",
        "kubectl rollout resume deployment/reviews -n bookinfo",
    ):
        assert words in event["message"]


def test_a_template_that_is_resumed_by_hand_rolls_out_and_is_let_go() -> None:
    simulation = rejected()
    simulation.delete_service()
    until(simulation, lambda s: bool(left_paused(s)), LONG)
    simulation.proven.add("v3")
    simulation.resume_by_hand()
    until(simulation, lambda s: free(s) and s.runs() == {"v3": 2}, 30)


@pytest.mark.parametrize("tag", ["v1", "v2"])
def test_one_without_pods_stays_held_until_it_has_some(tag: str) -> None:
    simulation = adopted()
    simulation.checks.clear()
    simulation.delete_service()
    simulation.scale(0)
    simulation.set_image(tag)
    until(simulation, lambda s: bool(left_paused(s)), LONG)
    assert "there are none" in left_paused(simulation)[0]
    simulation.scale(2)
    simulation.run(30)
    assert simulation.runs() == {"v1": 2}
    assert free(simulation) == (tag == "v1")


def test_what_a_copy_has_proven_is_rolled_out_before_the_copy_goes() -> None:
    simulation = adopted()
    simulation.set_image("v2")
    until(simulation, proven)
    simulation.keep_mesh()
    simulation.delete_service()
    until(simulation, free, LONG)
    simulation.run(10)
    assert simulation.resumed == ["v2"]
    assert simulation.runs() == {"v2": 2}
    assert simulation.subset("stable") == {}


def test_only_the_template_that_was_read_is_resumed() -> None:
    simulation = adopted()
    simulation.delete_service()
    simulation.run(5)
    done: list[str] = []

    def interrupt(call: str, number: int, moment: str) -> None:
        if (call, moment) == ("patch Deployment", "before") and not done:
            done.append(call)
            simulation.set_image("v2")

    simulation.mesh.interrupt = interrupt
    until(simulation, lambda s: bool(left_paused(s)), LONG)
    assert done
    assert simulation.resumed == []


def test_a_copy_stays_if_the_deployment_is_held_half_way() -> None:
    simulation = adopted()
    simulation.set_image("v2")
    until(simulation, coming_home)
    simulation.set_image("v4")
    until(simulation, lambda s: shifting(s) and set(s.runs()) == {"v1", "v4"})
    serving = simulation.subset("stable")
    simulation.keep_mesh()
    simulation.delete_service()
    until(simulation, lambda s: bool(left_paused(s)), LONG)
    assert simulation.subset("stable") == serving, "its pods alone have what was proven, and nothing else"
    annotations = {"strategy": "canary", "workload": "in-place", "steps": "50", "step-duration": "10s"}
    simulation.create_service({f"meshshift.io/{name}": value for name, value in annotations.items()})
    until(simulation, lambda s: s.at_rest("v4"))


def test_with_its_deployment_gone_as_well_nothing_is_left_to_do() -> None:
    simulation = adopted()
    simulation.set_image("v2")
    until(simulation, shifting)
    simulation.delete_service()
    simulation.mesh.remove("Deployment", "reviews")
    simulation.run(LONG)
    assert not [key for key in simulation.mesh.objects if key[0] != "Event"], simulation.mesh.objects.keys()
    assert simulation.acts.forgotten


def test_a_shift_that_outlives_its_service_goes_first() -> None:
    simulation = adopted()
    simulation.set_image("v2")
    until(simulation, shifting)
    simulation.keep_mesh("VirtualService", "DestinationRule", "TrafficShift")
    simulation.delete_service()
    simulation.run(LONG)
    assert len(simulation.copies()) == 1
    assert "ShiftLeft" in {reason for reason, _ in simulation.mesh.events.values()}
    simulation.delete()
    until(simulation, lambda s: bool(left_paused(s)) and not s.copies(), LONG)


def test_another_service_that_asks_for_it_inherits_the_deployment() -> None:
    simulation = adopted()
    wishes = {"meshshift.io/strategy": "canary", "meshshift.io/workload": "in-place"}
    other = service(wishes)
    other["metadata"] |= {"name": "reviews-next", "uid": "uid-next"}
    simulation.mesh.put(other)
    simulation.set_image("v2")
    until(simulation, shifting)
    simulation.delete_service()
    until(simulation, lambda s: s.held_for == "reviews-next", 10)
    simulation.run(LONG)
    assert simulation.original["spec"]["paused"]
    assert left_paused(simulation) == []


def test_a_copy_that_served_goes_once_the_routes_without_it_have_settled() -> None:
    simulation = adopted(running(settle=8.0))
    simulation.set_image("v2")
    until(simulation, proven)
    simulation.keep_mesh()
    simulation.delete_service()
    written: dict[str, float] = {}

    def interrupt(call: str, number: int, moment: str) -> None:
        if moment == "before" and call == "delete Deployment":
            assert simulation.now - written["patch DestinationRule"] >= 8.0
        written[call] = simulation.now

    simulation.mesh.interrupt = interrupt
    until(simulation, free, LONG)
    assert "delete Deployment" in written
