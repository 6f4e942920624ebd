from __future__ import annotations

from typing import Any

from meshshift.engine.world import Table, World
from tests.engine.simulation import HOST, pod, route, rule, shift


def versioned(document: dict[str, Any], version: int) -> dict[str, Any]:
    metadata = {**document["metadata"], "namespace": "bookinfo", "resourceVersion": str(version)}
    return {**document, "metadata": metadata}


def test_an_older_version_never_replaces_a_newer_one() -> None:
    table = Table()
    assert table.put(versioned(route({"v1": 100}), 9))
    assert not table.put(versioned(route({"v1": 0}), 8))
    assert table.put(versioned(route({"v1": 50}), 10))


def test_a_list_from_before_a_deletion_does_not_bring_the_object_back() -> None:
    table = Table()
    table.put(versioned(route({"v1": 100}), 9))
    table.drop(versioned(route({"v1": 100}), 11))
    assert not table.put(versioned(route({"v1": 100}), 9))
    assert table.put(versioned(route({"v1": 100}), 12))


def test_objects_are_found_by_the_host_they_speak_of_and_no_longer() -> None:
    world = World()
    world.virtual_services.put(versioned(route({"v1": 100}), 1))
    world.destination_rules.put(versioned(rule("v1"), 1))
    assert len(world.virtual_services.of(HOST)) == len(world.destination_rules.of(HOST)) == 1
    moved = versioned(route({"v1": 100}), 2)
    moved["spec"] = {"hosts": ["other"], "http": [{"route": [{"destination": {"host": "other"}}]}]}
    world.virtual_services.put(moved)
    assert world.virtual_services.of(HOST) == []
    world.destination_rules.drop(versioned(rule("v1"), 3))
    assert world.destination_rules.of(HOST) == []


def test_pods_are_found_by_all_their_labels() -> None:
    world = World()
    world.pods.put(versioned(pod("v1"), 1))
    assert len(list(world.pods.labelled("bookinfo", {"app": "reviews", "version": "v1"}))) == 1
    assert list(world.pods.labelled("bookinfo", {"version": "v2"})) == []
    assert list(world.pods.labelled("elsewhere", {"version": "v1"})) == []
    world.pods.drop(versioned(pod("v1"), 2))
    assert list(world.pods.labelled("bookinfo", {"version": "v1"})) == []


def test_a_shift_is_found_by_its_service() -> None:
    world = World()
    world.shifts.put(versioned(shift(), 1))
    assert world.shifts_on([HOST]) == [("bookinfo", "reviews")]
    assert world.shifts_on(["ratings.bookinfo.svc.cluster.local"]) == []
