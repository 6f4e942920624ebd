"""Which Services a change wakes: those that have opted in, and those that own something still."""

from __future__ import annotations

from typing import Any

from meshshift.adapters.kube import (
    DEPLOYMENTS,
    DESTINATION_RULES,
    PODS,
    SERVICES,
    SHIFT_POLICIES,
    TRAFFIC_SHIFTS,
    VIRTUAL_SERVICES,
)
from meshshift.engine.queue import WorkQueue
from meshshift.engine.world import Key, World
from meshshift.operator.enrolments import Enrolments
from meshshift.operator.watches import Deaf, Feed
from tests.engine.enrolment import UID, pod, service
from tests.engine.in_place import deployment
from tests.engine.simulation import KEY, Document, route, rule, shift
from tests.operator.waking import woken

OPTED_IN = {"meshshift.io/strategy": "canary", "meshshift.io/policy": "careful"}
OWNER = [{"apiVersion": "v1", "kind": "Service", "name": "reviews", "uid": UID}]


class Watched:
    """A feed whose queue of Services can be emptied."""

    def __init__(self, *annotations: dict[str, str]) -> None:
        self.world = World()
        self.queue: WorkQueue[Key] = WorkQueue(lambda: 0.0)
        shifts: WorkQueue[Key] = WorkQueue(lambda: 0.0)
        self.feed = Feed(self.world, shifts, Deaf(), Enrolments(self.world, self.queue))
        self.version = 1
        for each in annotations:
            self.tell(SERVICES, service(each))

    def tell(self, resource: Any, document: Document, *, gone: bool = False, **metadata: Any) -> None:
        self.version += 1
        versioned = {"namespace": "bookinfo", "resourceVersion": str(self.version), **metadata}
        self.feed.take(resource, {**document, "metadata": {**document["metadata"], **versioned}}, gone=gone)

    async def woken(self) -> list[Key]:
        return await woken(self.queue)


def one_pod(version: str = "v1", **labels: str) -> Document:
    document = pod(version, 0, template="one", ready=True, created=0.0)
    document["metadata"]["labels"] |= labels
    return document


async def test_everything_around_a_service_that_opted_in_wakes_it() -> None:
    watched = Watched(OPTED_IN)
    assert await watched.woken() == [KEY]
    policy = {"kind": "ShiftPolicy", "metadata": {"name": "careful"}, "spec": {}}
    for resource, document in (
        (VIRTUAL_SERVICES, route({"v1": 100})),
        (DESTINATION_RULES, rule("v1")),
        (PODS, one_pod()),
        (TRAFFIC_SHIFTS, shift()),
        (SHIFT_POLICIES, policy),
    ):
        watched.tell(resource, document)
        assert await watched.woken() == [KEY], resource.plural
        watched.tell(resource, document, gone=True)
        assert await watched.woken() == [KEY], f"{resource.plural} that are gone"


async def test_other_objects_and_services_that_did_not_opt_in_wake_nobody() -> None:
    watched = Watched({"team": "reviews"})
    for resource, document in ((VIRTUAL_SERVICES, route({"v1": 100})), (PODS, one_pod()), (TRAFFIC_SHIFTS, shift())):
        watched.tell(resource, document)
    assert await watched.woken() == []
    watched = Watched(OPTED_IN)
    await watched.woken()
    watched.tell(PODS, one_pod(app="ratings"))
    watched.tell(PODS, one_pod(), namespace="elsewhere")
    watched.tell(SHIFT_POLICIES, {"kind": "ShiftPolicy", "metadata": {"name": "other"}, "spec": {}})
    assert await watched.woken() == []


async def test_a_service_that_was_released_unseen_is_found_by_what_it_owns_whichever_is_listed_first() -> None:
    watched = Watched()
    watched.tell(VIRTUAL_SERVICES, route({"v1": 100}), ownerReferences=OWNER)
    watched.tell(SERVICES, service())
    assert await watched.woken() == [KEY]
    watched = Watched()
    watched.tell(SERVICES, service())
    assert await watched.woken() == []
    watched.tell(VIRTUAL_SERVICES, route({"v1": 100}), ownerReferences=OWNER)
    assert await watched.woken() == [KEY]


async def test_an_annotation_that_comes_or_goes_and_a_deletion_are_told() -> None:
    watched = Watched({"team": "reviews"})
    assert await watched.woken() == []
    watched.tell(SERVICES, service(OPTED_IN))
    assert await watched.woken() == [KEY]
    watched.tell(SERVICES, service())
    assert await watched.woken() == [KEY]
    watched.tell(PODS, one_pod())
    assert await watched.woken() == [], "its pods matter no more"
    watched.tell(SERVICES, service(OPTED_IN))
    await watched.woken()
    watched.tell(SERVICES, service(OPTED_IN), gone=True)
    assert await watched.woken() == [KEY]


async def test_how_far_its_shift_has_come_wakes_it_also_when_the_news_is_our_own() -> None:
    watched = Watched(OPTED_IN)
    watched.tell(TRAFFIC_SHIFTS, shift())
    await watched.woken()
    document = watched.world.shifts.objects[KEY]
    own = {**document, "metadata": {**document["metadata"], "resourceVersion": "50"}}
    watched.world.shifts.put(own)
    watched.feed.take(TRAFFIC_SHIFTS, own, gone=False)
    assert await watched.woken() == [KEY]


async def test_a_deployment_wakes_the_services_that_select_its_pods_and_the_one_it_is_paused_for() -> None:
    watched = Watched(OPTED_IN)
    await watched.woken()
    watched.tell(DEPLOYMENTS, deployment())
    assert await watched.woken() == [KEY]
    watched.tell(DEPLOYMENTS, deployment(), namespace="elsewhere")
    assert await watched.woken() == []
    held = deployment()
    held["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    watched.tell(DEPLOYMENTS, held, annotations={"meshshift.io/paused-for": "reviews"})
    assert await watched.woken() == [KEY]
    watched.tell(SERVICES, service({}))
    assert KEY in await watched.woken(), "it has opted out, and its Deployment is still to be let go"


async def test_a_service_that_is_gone_is_woken_as_long_as_a_deployment_is_paused_for_it() -> None:
    watched = Watched()
    held = {"meshshift.io/paused-for": "reviews"}
    watched.tell(DEPLOYMENTS, deployment(), annotations=held)
    assert await watched.woken() == [KEY], "a controller that was not there when the Service went"
    made = {**rule("v1"), "metadata": {"name": "reviews", "ownerReferences": OWNER}}
    begun = {**shift(), "metadata": {"name": "reviews", "ownerReferences": OWNER}}
    for resource, owned in ((TRAFFIC_SHIFTS, begun), (DESTINATION_RULES, made)):
        watched.tell(resource, owned)
        await watched.woken()
        watched.tell(resource, owned, gone=True)
        assert await watched.woken() == [KEY], f"{resource.plural} of the Service that is gone"
    watched.tell(DEPLOYMENTS, deployment(), gone=True, annotations=held)
    watched.tell(DESTINATION_RULES, made)
    await watched.woken()
    watched.tell(DESTINATION_RULES, made, gone=True)
    assert await watched.woken() == []
