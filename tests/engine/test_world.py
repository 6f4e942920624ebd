from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.mesh.documents import Target
from meshshift.core.mesh.routes import VirtualServiceSelector, find_routes
from meshshift.engine.world import HostTable, Key, Table, World
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


def routed(name: str, *http: dict[str, Any], namespace: str = "bookinfo", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "resourceVersion": "1"}
    return {"metadata": metadata, "spec": {"hosts": [HOST], "http": list(http), **spec}}


def to(subset: str, host: str = HOST) -> dict[str, Any]:
    return {"route": [{"destination": {"host": host, "subset": subset}}]}


def around(*documents: dict[str, Any], named: tuple[Key, ...] = ()) -> list[str]:
    world = World()
    for document in documents:
        world.virtual_services.put(document)
    return [each["metadata"]["name"] for each in world.services_around(HOST, named)]


def test_a_wildcard_speaks_of_every_host_it_covers_until_it_is_gone() -> None:
    table = HostTable(lambda each: frozenset(each["hosts"]))
    wide = {"metadata": {"name": "wide"}, "hosts": ["*.bookinfo.svc.cluster.local"]}
    table.put(wide)
    table.put({"metadata": {"name": "one"}, "hosts": [HOST]})
    table.put({"metadata": {"name": "other"}, "hosts": ["*.staging.svc.cluster.local", "a.b"]})
    assert [each["metadata"]["name"] for each in table.of(HOST)] == ["one", "wide"]
    assert [each["metadata"]["name"] for each in table.of("*.local")] == ["one", "other", "wide"]
    table.drop(wide)
    assert [each["metadata"]["name"] for each in table.of(HOST)] == ["one"]


def test_what_decides_over_a_host_is_around_it_and_nothing_else() -> None:
    found = around(
        routed("apex", to("v1"), hosts=["shop"]),
        routed("delegate", to("v1"), hosts=[]),
        routed("rival-of-apex", to("v1", "ratings"), hosts=["shop.bookinfo.svc.cluster.local"]),
        routed("rival-of-root", to("v1", "ratings"), hosts=["*.example.com"]),
        routed("root", {"delegate": {"name": "delegate", "namespace": "bookinfo"}}, hosts=["a.example.com"]),
        routed("unrelated", to("v1", "ratings"), hosts=["ratings"]),
        routed("edge", to("v1", "ratings"), hosts=["*"], gateways=["public"]),
    )
    assert found == ["apex", "delegate", "rival-of-apex", "rival-of-root", "root"]


def test_a_named_root_brings_its_delegates() -> None:
    root = routed("root", {"delegate": {"name": "lent"}}, hosts=["a.example.com"])
    lent = routed("lent", to("v1", "other"), hosts=[])
    assert around(root, lent) == []
    assert around(root, lent, named=(("bookinfo", "root"), ("bookinfo", "missing"))) == ["lent", "root"]


def test_what_decides_over_a_host_wakes_its_shift() -> None:
    world = World()
    world.shifts.put(versioned(shift(), 1))
    world.virtual_services.put(routed("lent", to("v1"), hosts=[]))
    world.virtual_services.put(routed("root", {"delegate": {"name": "lent"}}, hosts=["a.example.com"]))
    world.virtual_services.put(routed("rival", to("v1", "b"), hosts=["*.example.com"]))
    world.destination_rules.put({"metadata": {"name": "wide", "namespace": "web"}, "spec": {"host": "*.local"}})
    key = ("bookinfo", "reviews")
    assert world.shifts_on(world.destination_rules.hosts(("web", "wide"))) == [key]
    for name in ("lent", "root", "rival"):
        assert world.shifts_on(world.virtual_services.hosts(("bookinfo", name))) == [key], name
    assert world.shifts_on(["*.staging.svc.cluster.local", "c.example.org", "bookinfo/other"]) == []


names = st.sampled_from(["a", "b", "c", "d"])
hosts = st.lists(
    st.sampled_from([HOST, "reviews", "shop", "*.bookinfo.svc.cluster.local", "a.example.com"]), max_size=2
)
entries = st.sampled_from(["v1", "v2"]).map(to) | st.builds(
    lambda name, namespace: {"delegate": {"name": name, "namespace": namespace}},
    names,
    st.sampled_from(["bookinfo", "web"]),
)


@st.composite
def meshes(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = {}
    for name, namespace in draw(st.lists(st.tuples(names, st.sampled_from(["bookinfo", "web"])), max_size=6)):
        optional: dict[str, Any] = {}
        if draw(st.booleans()):
            optional["gateways"] = draw(st.sampled_from([["public"], ["mesh", "public"]]))
        if draw(st.booleans()):
            optional["exportTo"] = draw(st.sampled_from([["."], ["*"], ["web"], ["~"]]))
        document = routed(
            name, *draw(st.lists(entries, max_size=2)), namespace=namespace, hosts=draw(hosts), **optional
        )
        document["metadata"]["creationTimestamp"] = draw(
            st.sampled_from(["2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z"])
        )
        found[namespace, name] = document
    return [found[key] for key in sorted(found)]


@given(meshes(), st.booleans())
def test_what_is_around_a_host_says_as_much_as_the_whole_mesh(mesh: list[dict[str, Any]], naming: bool) -> None:
    world, target = World(), Target("reviews", "bookinfo", "v1", "v2")
    for document in mesh:
        world.virtual_services.put(document)
    only = [VirtualServiceSelector("bookinfo", "a")] if naming else []
    near = world.services_around(HOST, [(each.namespace, each.name) for each in only])
    assert find_routes(near, target, only) == find_routes(mesh, target, only)
