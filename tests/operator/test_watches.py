"""Which shifts a change wakes, and what the caches hold after it."""

from __future__ import annotations

from typing import Any

from meshshift.adapters.kube import DESTINATION_RULES, PODS, SERVICES, SHIFT_POLICIES, TRAFFIC_SHIFTS, VIRTUAL_SERVICES
from meshshift.engine.queue import WorkQueue
from meshshift.engine.world import Key, World
from meshshift.operator.watches import Feed
from tests.engine.simulation import HOST, KEY, governed, pod, policy, route, rule, shift
from tests.operator.waking import woken


def versioned(document: dict[str, Any], version: int, **metadata: Any) -> dict[str, Any]:
    return {
        **document,
        "metadata": {**document["metadata"], "namespace": "bookinfo", "resourceVersion": str(version), **metadata},
    }


class Ears:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.spoke: list[str] = []
        self.lost: list[tuple[str, int]] = []

    def heard(self, resource: str) -> None:
        self.spoke.append(resource)

    def missed(self, resource: str, changes: int) -> None:
        self.lost.append((resource, changes))


class Watched:
    """A feed whose queue can be emptied."""

    def __init__(self) -> None:
        self.world = World()
        self.queue: WorkQueue[Key] = WorkQueue(lambda: 0.0)
        self.listener = Ears()
        self.feed = Feed(self.world, self.queue, self.listener)
        self.feed.take(TRAFFIC_SHIFTS, versioned(shift(), 1), gone=False)

    async def woken(self) -> list[Key]:
        return await woken(self.queue)


async def test_every_object_of_the_service_wakes_its_shift() -> None:
    watched = Watched()
    service = {"kind": "Service", "metadata": {"name": "reviews"}, "spec": {}}
    assert await watched.woken() == [KEY]
    for resource, document in (
        (VIRTUAL_SERVICES, route({"v1": 100})),
        (DESTINATION_RULES, rule("v1")),
        (SERVICES, service),
        (PODS, pod("v1")),
    ):
        watched.feed.take(resource, versioned(document, 2), gone=False)
        assert await watched.woken() == [KEY], resource.plural
        watched.feed.take(resource, versioned(document, 3), gone=True)
        assert await watched.woken() == [KEY], resource.plural
    assert watched.listener.spoke[-1] == "pods"


async def test_objects_of_other_services_wake_nobody() -> None:
    watched = Watched()
    await watched.woken()
    other = versioned(route({"v1": 100}), 2)
    other["spec"] = {"hosts": ["ratings"], "http": [{"route": [{"destination": {"host": "ratings"}}]}]}
    watched.feed.take(VIRTUAL_SERVICES, other, gone=False)
    watched.feed.take(SERVICES, {"metadata": {"name": "ratings", "namespace": "bookinfo"}}, gone=False)
    elsewhere = versioned(pod("v1"), 2, namespace="elsewhere")
    watched.feed.take(PODS, elsewhere, gone=False)
    assert await watched.woken() == []


async def test_a_route_that_moves_away_wakes_the_shift_it_leaves() -> None:
    watched = Watched()
    watched.feed.take(VIRTUAL_SERVICES, versioned(route({"v1": 100}), 2), gone=False)
    await watched.woken()
    moved = versioned(route({"v1": 100}), 3)
    moved["spec"] = {"hosts": ["ratings"], "http": []}
    watched.feed.take(VIRTUAL_SERVICES, moved, gone=False)
    assert await watched.woken() == [KEY]
    assert watched.world.virtual_services.of(HOST) == []


async def test_a_pod_that_only_got_a_new_version_wakes_nobody() -> None:
    watched = Watched()
    watched.feed.take(PODS, versioned(pod("v1"), 2), gone=False)
    await watched.woken()
    watched.feed.take(PODS, versioned(pod("v1"), 3), gone=False)
    assert await watched.woken() == []
    watched.feed.take(PODS, versioned(pod("v1", ready=False), 4), gone=False)
    assert await watched.woken() == [KEY]


async def test_a_fresh_list_drops_what_is_gone_but_nothing_newer() -> None:
    watched = Watched()
    watched.feed.take(VIRTUAL_SERVICES, versioned(route({"v1": 100}), 5), gone=False)
    watched.feed.replace(VIRTUAL_SERVICES, [], "4")
    assert watched.world.virtual_services.of(HOST), "created after the list was read"
    watched.feed.replace(VIRTUAL_SERVICES, [], "6")
    assert watched.world.virtual_services.of(HOST) == []


async def test_an_old_deletion_does_not_hide_what_was_created_since() -> None:
    watched = Watched()
    watched.feed.take(VIRTUAL_SERVICES, versioned(route({"v1": 100}), 5), gone=False)
    await watched.woken()
    watched.feed.take(VIRTUAL_SERVICES, versioned(route({"v1": 90}), 4), gone=True)
    assert watched.world.virtual_services.of(HOST)
    assert await watched.woken() == []
    watched.feed.take(VIRTUAL_SERVICES, versioned(route({"v1": 90}), 6), gone=True)
    assert watched.world.virtual_services.of(HOST) == []


async def test_what_only_lists_tell_of_was_missed_by_the_watch() -> None:
    watched = Watched()
    watched.feed.replace(PODS, [versioned(pod("v1"), 5), versioned(pod("v2"), 6)], "7")
    watched.feed.take(PODS, versioned(pod("v1"), 5), gone=False)
    assert watched.listener.lost == [], "the watch may still tell of it"
    watched.feed.replace(PODS, [versioned(pod("v1"), 5), versioned(pod("v2"), 6)], "8")
    assert watched.listener.lost == [("pods", 1)]
    watched.feed.replace(PODS, [], "9")
    watched.feed.replace(PODS, [], "10")
    assert watched.listener.lost == [("pods", 1), ("pods", 2)], "deletions count as well"


async def test_a_list_of_nothing_is_heard() -> None:
    watched = Watched()
    watched.feed.replace(SERVICES, [], "9")
    assert watched.listener.spoke[-1] == "services"


def test_an_object_that_is_listed_a_second_time_tells_that_the_watch_began_anew() -> None:
    watched = Watched()
    first, second, third = (versioned(pod(version), 5) for version in ("v1", "v2", "v3"))
    listed = watched.feed.is_listed_again
    assert [listed(PODS, each) for each in (first, second)] == [False, False]
    assert [listed(PODS, each) for each in (third, second, first)] == [False, True, False], "once for each list"
    assert [listed(PODS, each) for each in (first, second)] == [True, False]


def placed(name: str, namespace: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "resourceVersion": "2"}, "spec": spec}


async def test_a_wildcard_rule_a_root_and_a_rival_wake_the_shift_they_decide_over() -> None:
    watched = Watched()
    await watched.woken()
    delegate = versioned(route({"v1": 100}), 2)
    del delegate["spec"]["hosts"]
    delegating = {"delegate": {"name": "reviews", "namespace": "bookinfo"}}
    root = placed("root", "edge", hosts=["a.example"], http=[delegating])
    rival = placed("rival", "edge", hosts=["*.example"], http=[{}])
    wide = placed("wide", "web", host="*.local")
    for resource, document in (
        (VIRTUAL_SERVICES, delegate),
        (VIRTUAL_SERVICES, root),
        (VIRTUAL_SERVICES, rival),
        (DESTINATION_RULES, wide),
    ):
        watched.feed.take(resource, document, gone=False)
        assert await watched.woken() == [KEY], document["metadata"]["name"]
    for resource, document in ((DESTINATION_RULES, wide), (VIRTUAL_SERVICES, rival), (VIRTUAL_SERVICES, root)):
        watched.feed.take(resource, document, gone=True)
        assert await watched.woken() == [KEY], document["metadata"]["name"]


async def test_a_policy_wakes_the_shifts_that_name_it_and_no_others() -> None:
    watched = Watched()
    other = governed("calm")
    other["metadata"] = {"name": "ratings"}
    watched.feed.take(TRAFFIC_SHIFTS, versioned(governed(), 2), gone=False)
    watched.feed.take(TRAFFIC_SHIFTS, versioned(other, 3), gone=False)
    await watched.woken()
    watched.feed.take(SHIFT_POLICIES, versioned(policy(), 4), gone=False)
    assert await watched.woken() == [KEY]
    assert watched.world.policy_of(versioned(governed(), 2)) is not None
    watched.feed.take(SHIFT_POLICIES, versioned(policy(), 5, namespace="elsewhere"), gone=False)
    assert await watched.woken() == []
    watched.feed.take(SHIFT_POLICIES, versioned(policy(), 6), gone=True)
    assert await watched.woken() == [KEY]
    assert watched.world.policy_of(versioned(governed(), 2)) is None
