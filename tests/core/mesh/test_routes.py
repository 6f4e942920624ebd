"""Which routes are found, which are left alone, and what is said when none is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.mesh.documents import Problem, Reason
from meshshift.core.mesh.route_edits import weight_patches
from meshshift.core.mesh.routes import FoundRoutes, VirtualServiceSelector, find_routes
from tests.core.mesh.sample_documents import TARGET, applied, json_values, to, virtual_service, virtual_services

TESTERS = {"name": "testers", "match": [{"headers": {"x-canary": {"exact": "1"}}}], "route": [to("v2")]}
DEFAULT = {"name": "default", "route": [to("v1")]}


def found(*documents: Any, only: tuple[VirtualServiceSelector, ...] = ()) -> FoundRoutes:
    result = find_routes(documents, TARGET, only)
    assert isinstance(result, FoundRoutes), result
    return result


def problem(*documents: Any, only: tuple[VirtualServiceSelector, ...] = ()) -> Problem:
    result = find_routes(documents, TARGET, only)
    assert isinstance(result, Problem), result
    return result


def named(*routes: str, name: str = "reviews") -> tuple[VirtualServiceSelector, ...]:
    return (VirtualServiceSelector("bookinfo", name, routes),)


def test_every_virtual_service_that_routes_to_stable_is_found() -> None:
    gateway = virtual_service(
        {"route": [to("v1", host=TARGET.host)]}, name="shop", namespace="ingress", hosts=["shop.example.com"]
    )
    routes = found(virtual_service(DEFAULT), gateway).routes
    assert [str(route) for route in routes] == [
        'VirtualService bookinfo/reviews route "default"',
        "VirtualService ingress/shop route http[0]",
    ]


def test_a_matched_route_to_the_canary_alone_is_left_alone_and_said_so() -> None:
    result = found(virtual_service(TESTERS, DEFAULT))
    assert [route.name for route in result.routes] == ["default"]
    assert [(each.name, each.why.reason) for each in result.skipped] == [("testers", Reason.PINNED_TO_CANARY)]


def test_a_matched_route_to_the_canary_is_a_pin_even_when_nothing_else_is_there() -> None:
    assert problem(virtual_service(TESTERS)).reason is Reason.NOT_ROUTED


@pytest.mark.parametrize("name", ["", 5, None])
def test_an_empty_or_senseless_name_is_no_name(name: Any) -> None:
    (route,) = found(virtual_service({**DEFAULT, "name": name})).routes
    assert route.name is None
    assert str(route) == "VirtualService bookinfo/reviews route http[0]"


def test_a_pin_is_shifted_when_somebody_names_it() -> None:
    assert [route.name for route in found(virtual_service(TESTERS, DEFAULT), only=named("testers")).routes] == [
        "testers"
    ]


def test_a_preview_of_the_canary_is_not_the_end_of_a_shift() -> None:
    preview = virtual_service({"route": [to("v2")]}, name="preview", hosts=["preview.example.com"])
    assert [route.owner.name for route in found(preview, virtual_service(DEFAULT)).routes] == ["reviews"]
    assert [route.percent for route in found(preview).routes] == [100]


def test_routes_are_those_named_and_no_others() -> None:
    document = virtual_service({**DEFAULT, "name": "a"}, {**DEFAULT, "name": "b"}, {"route": [to("v1")]})
    assert [route.index for route in found(document, only=named("b")).routes] == [1]
    assert [route.index for route in found(document, only=named()).routes] == [0, 1, 2]
    assert [route.index for route in found(document, only=named("b") + named("a", "b")).routes] == [0, 1]
    assert [route.index for route in found(document, only=named("b") + named()).routes] == [0, 1, 2]


def test_a_named_virtual_service_hides_the_others() -> None:
    both = (virtual_service(DEFAULT), virtual_service(DEFAULT, name="shop"))
    assert [route.owner.name for route in found(*both, only=named(name="shop")).routes] == ["shop"]


def test_a_missing_virtual_service_is_named() -> None:
    result = problem(virtual_service(DEFAULT), only=named(name="shop"))
    assert result.reason is Reason.VIRTUAL_SERVICE_MISSING
    assert result.message.startswith("VirtualService bookinfo/shop does not exist")


def test_a_missing_route_lists_the_routes_that_exist() -> None:
    result = problem(virtual_service(DEFAULT, {"route": [to("v1")]}), only=named("defalt"))
    assert result.reason is Reason.ROUTE_MISSING
    assert 'no http route named "defalt"; name one of its routes: "default", http[1] (unnamed)' in result.message


def test_a_named_route_to_somebody_else_is_refused() -> None:
    ratings = {"name": "ratings", "route": [to("v1", host="ratings")]}
    result = problem(virtual_service(DEFAULT, ratings), only=named("ratings"))
    assert result.reason is Reason.NOT_ROUTED
    assert 'route "ratings" sends neither to subset "v1" nor to subset "v2"' in result.message
    assert problem(virtual_service(ratings), only=named()).reason is Reason.NOT_ROUTED


def test_nothing_for_the_host_is_another_reason_than_no_route_to_the_subset() -> None:
    other = virtual_service({"route": [to("v1", host="ratings")]}, hosts=["ratings"])
    assert problem(other).reason is Reason.NO_VIRTUAL_SERVICE
    assert problem(virtual_service({"route": [to("v7")]})).reason is Reason.NOT_ROUTED
    assert problem(virtual_service({"delegate": {"name": "x"}})).reason is Reason.NOT_ROUTED


def test_one_subset_twice_on_a_route_is_refused() -> None:
    result = problem(virtual_service({"route": [to("v1", 50), to("v1", 50, host=TARGET.host)]}))
    assert result.reason is Reason.DUPLICATE_DESTINATION
    assert 'subset "v1"' in result.message


def test_a_route_that_gives_the_pair_nothing_is_skipped_unless_named() -> None:
    idle = {"name": "idle", "route": [to("v1", 0), to(host="ratings", weight=100)]}
    assert [each.why.reason for each in found(virtual_service(idle, DEFAULT)).skipped] == [Reason.NO_WEIGHT]
    assert problem(virtual_service(idle, DEFAULT), only=named("idle")).reason is Reason.NO_WEIGHT


def test_weights_that_are_all_zero_are_refused() -> None:
    assert problem(virtual_service({"route": [to("v1"), to("v2")]})).reason is Reason.NO_WEIGHT


def test_a_share_that_parts_of_100_cannot_say_is_refused() -> None:
    result = problem(virtual_service({"route": [to("v1", 999), to(host="ratings", weight=1)]}))
    assert result.reason is Reason.WEIGHT_TOO_SMALL
    assert "weights that add up to 1000, and 1 of them" in result.message


def test_an_unstored_document_cannot_be_guarded_and_is_refused() -> None:
    document = virtual_service(DEFAULT)
    del document["metadata"]["resourceVersion"]
    assert "metadata.resourceVersion is missing" in problem(document).message


def test_a_malformed_document_of_somebody_else_stops_nobody() -> None:
    broken = virtual_service(name="broken", hosts=["elsewhere.example.com"])
    broken["spec"]["http"] = "oops"
    assert len(found(broken, virtual_service(DEFAULT)).routes) == 1
    assert problem(broken, only=named(name="broken")).reason is Reason.MALFORMED


@pytest.mark.parametrize(
    ("http", "message"),
    [
        ("oops", 'spec.http is "oops"; write a list of routes'),
        ([7], "spec.http[0] is 7; write an object with a route"),
        ([{"route": {}}], "spec.http[0].route is {}; write a list of destinations"),
        ([{"route": ["x"]}], 'spec.http[0].route[0] is "x"; write an object with a destination'),
        ([{"route": [{}]}], "spec.http[0].route[0].destination.host is null; write the service's host"),
        ([{"route": [to("v1", "10")]}], 'spec.http[0].route[0].weight is "10"; write a whole number'),  # type: ignore[arg-type]
        ([{"route": [to("v1", -1)]}], "spec.http[0].route[0].weight is -1; write a whole number"),
        ([{"route": [to("v1", 2**31)]}], "spec.http[0].route[0].weight is 2147483648; write a whole number"),
        ([{"route": [to("v1", True)]}], "spec.http[0].route[0].weight is true; write a whole number"),
        ([{"route": [to(5)]}], "spec.http[0].route[0].destination.subset is 5; write a subset's name"),  # type: ignore[arg-type]
    ],
)
def test_a_malformed_document_of_ours_names_the_field_the_value_and_the_fix(http: Any, message: str) -> None:
    document = virtual_service()
    document["spec"]["http"] = http
    result = problem(document)
    assert result.reason is Reason.MALFORMED
    assert f"VirtualService bookinfo/reviews: {message}" in result.message


@given(st.lists(json_values, max_size=3), st.booleans())
def test_no_document_raises(documents: list[Any], explicit: bool) -> None:
    assert isinstance(find_routes(documents, TARGET, named("x") if explicit else ()), Problem)


@given(virtual_services(), json_values, st.integers(0, 100), st.data())
def test_no_damage_to_a_document_raises(document: Any, damage: Any, percent: int, data: st.DataObject) -> None:
    node, spots = document, []
    for _ in range(data.draw(st.integers(1, 7))):
        keys = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
        if not keys:
            break
        spots.append((node, data.draw(st.sampled_from(keys))))
        node = node[spots[-1][1]]
    parent, key = spots[-1]
    parent[key] = damage
    result = find_routes([document], TARGET)
    if isinstance(result, FoundRoutes):
        patches = weight_patches(result.routes, percent)
        if isinstance(patches, tuple):
            applied(document, patches)
