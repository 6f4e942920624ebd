"""What an edit may do to a VirtualService, whatever it looks like."""

from copy import deepcopy
from fractions import Fraction
from typing import Any

import jsonpatch
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meshshift.core.mesh.documents import Document, Patch, Problem, Reason
from meshshift.core.mesh.route_edits import drop_patches, weight_patches
from meshshift.core.mesh.routes import find_routes
from meshshift.core.mesh.weighted_route import WeightedRoute, at_percent, smallest_percent
from tests.core.mesh.sample_documents import TARGET, applied, is_ours, to, virtual_service, virtual_services

percents = st.integers(0, 100)
PROTOCOLS = ("http", "tls", "tcp")


def routes_of(document: Document) -> tuple[WeightedRoute, ...]:
    found = find_routes([document], TARGET)
    assume(not isinstance(found, Problem))
    assert not isinstance(found, Problem)
    return found.routes


def patches_for(document: Document, percent: int) -> tuple[Patch, ...]:
    patches = weight_patches(routes_of(document), percent)
    assume(not isinstance(patches, Problem))
    assert not isinstance(patches, Problem)
    return patches


def at(document: Document, percent: int) -> Document:
    return applied(document, patches_for(document, percent))


Place = tuple[str, int]


def place_of(route: WeightedRoute) -> Place:
    return route.protocol, route.index


def entries_at(document: Document, place: Place) -> list[Any]:
    entries: list[Any] = document["spec"][place[0]][place[1]]["route"]
    return entries


def weights(document: Document, route: WeightedRoute) -> dict[str | None, int]:
    """Raw weights of one route: ours by subset, everybody else's under None."""
    entries = entries_at(document, place_of(route))
    result: dict[str | None, int] = {"v1": 0, "v2": 0, None: 0}
    for entry in entries:
        subset = entry["destination"]["subset"] if is_ours(entry) else None
        result[subset] += 100 if len(entries) == 1 else entry.get("weight", 0)
    return result


def foreign_part(document: Document, edited: set[Place], *, with_weights: bool) -> Document:
    """The document without what an edit may touch."""
    rest = deepcopy(document)
    for place in edited:
        entries = [entry for entry in entries_at(rest, place) if not is_ours(entry)]
        for entry in () if with_weights else entries:
            entry.pop("weight", None)
        rest["spec"][place[0]][place[1]]["route"] = entries
    return rest


@given(virtual_services(), percents)
def test_pair_weights_sum_to_their_share(document: Document, percent: int) -> None:
    after = at(document, percent)
    for route in routes_of(document):
        old, new = weights(document, route), weights(after, route)
        share = Fraction(100 * (old["v1"] + old["v2"]), sum(old.values()))
        pair = Fraction(100 * (new["v1"] + new["v2"]), sum(new.values()))
        assert abs(pair - share) < 1
        if sum(old.values()) == 100:
            assert pair == share


@given(virtual_services(), percents)
def test_canary_never_gets_more_than_the_step_allows(document: Document, percent: int) -> None:
    after = at(document, percent)
    for route in routes_of(document):
        new = weights(after, route)
        assert 100 * new["v2"] <= percent * (new["v1"] + new["v2"])
        assert percent == 0 or new["v2"] > 0
        assert percent < 100 or new["v1"] == 0


@given(virtual_services(), percents)
def test_nothing_foreign_changes(document: Document, percent: int) -> None:
    untouched = deepcopy(document)
    after = at(document, percent)
    assert document == untouched
    routes = routes_of(document)
    edited = {place_of(route) for route in routes}
    assert foreign_part(after, edited, with_weights=False) == foreign_part(document, edited, with_weights=False)
    whole = [place_of(route) for route in routes if sum(weights(document, route).values()) == 100]
    for place in whole:
        rest = [entry for entry in entries_at(document, place) if not is_ours(entry)]
        assert [entry for entry in entries_at(after, place) if not is_ours(entry)] == rest


@given(virtual_services(), percents)
def test_foreign_shares_stay_within_one_part_of_100(document: Document, percent: int) -> None:
    after = at(document, percent)
    for route in routes_of(document):
        old, new = (entries_at(each, place_of(route)) for each in (document, after))
        totals = [sum(weights(each, route).values()) for each in (document, after)]
        for before, now in zip(*([entry for entry in each if not is_ours(entry)] for each in (old, new)), strict=True):
            shares = [Fraction(100 * e.get("weight", 0), t) for e, t in zip((before, now), totals, strict=True)]
            assert abs(shares[0] - shares[1]) < 1
            assert (shares[0] == 0) == (shares[1] == 0)


@given(virtual_services(), percents)
def test_patch_is_idempotent(document: Document, percent: int) -> None:
    assert patches_for(at(document, percent), percent) == ()


@given(virtual_services(), percents)
def test_the_mesh_says_a_percentage_exactly_when_there_is_nothing_to_write(document: Document, percent: int) -> None:
    routes = routes_of(document)
    assert at_percent(routes, percent) == (weight_patches(routes, percent) == ())


@given(virtual_services(whole=st.just(100)), st.lists(percents, min_size=1, max_size=4))
def test_there_and_back_restores_every_weight(document: Document, steps: list[int]) -> None:
    start = at(document, 0)
    there = start
    for percent in steps:
        there = at(there, percent)
    back = at(there, 0)
    for route in routes_of(start):
        assert weights(back, route) == weights(start, route)
    had_canary = {place_of(route) for route in routes_of(start) if route.has_canary}
    ours = [each for each in routes_of(back) if place_of(each) not in had_canary]
    tidy = applied(back, drop_patches(ours, {"v2"}))
    for protocol in PROTOCOLS:
        for index, route in enumerate(start["spec"].get(protocol, ())):
            only = route.get("route", ())
            if len(only) == 1:
                only[0].pop("weight", None)
                tidy["spec"][protocol][index]["route"][0].pop("weight", None)
    assert _without_zeros(tidy) == _without_zeros(start)


def _without_zeros(document: Document) -> Document:
    """A weight of 0 may be left out: the same document to Istio."""
    bare = deepcopy(document)
    for route in (route for protocol in PROTOCOLS for route in bare["spec"].get(protocol, ())):
        for entry in route.get("route", ()):
            if not entry.get("weight", 0):
                entry.pop("weight", None)
    return bare


def _insert_ahead(routes: list[Any], index: int) -> None:
    routes[index]["route"].insert(0, {"destination": {"host": "intruder"}, "weight": 1})


def _remove_first(routes: list[Any], index: int) -> None:
    del routes[index]["route"][0]


def _retarget(routes: list[Any], index: int) -> None:
    for entry in routes[index]["route"]:
        entry["destination"]["subset"] = "v9"


def _insert_route_ahead(routes: list[Any], index: int) -> None:
    routes.insert(index, {"route": [{"destination": {"host": "intruder"}}]})


def _remove_route(routes: list[Any], index: int) -> None:
    del routes[index:]


EDITS = (_insert_ahead, _remove_first, _retarget, _insert_route_ahead, _remove_route)


@given(virtual_services(), percents, st.sampled_from(EDITS), st.data())
def test_patch_refuses_a_moved_destination(document: Document, percent: int, edit: Any, data: st.DataObject) -> None:
    (patch, *_) = patches_for(document, percent) or (None,)
    assume(patch is not None)
    assert patch is not None
    written = [each["path"].split("/") for each in patch.operations if each["path"].startswith("/spec")]
    protocol, index = data.draw(st.sampled_from(sorted({(steps[2], int(steps[3])) for steps in written})))
    moved = deepcopy(document)
    edit(moved["spec"][protocol], index)
    stored = deepcopy(moved)
    with pytest.raises(jsonpatch.JsonPatchException):
        jsonpatch.apply_patch(moved, list(patch.operations))
    assert moved == stored


@given(virtual_services(), percents)
def test_patch_refuses_another_version_of_the_object(document: Document, percent: int) -> None:
    for patch in patches_for(document, percent):
        newer = deepcopy(document)
        newer["metadata"]["resourceVersion"] += "0"
        with pytest.raises(jsonpatch.JsonPatchTestFailed):
            jsonpatch.apply_patch(newer, list(patch.operations))


@given(virtual_services(), percents)
def test_only_weights_and_our_own_entries_are_ever_written(document: Document, percent: int) -> None:
    for patch in patches_for(document, percent):
        assert patch.operations[0]["path"] == "/metadata/resourceVersion"
        for each in patch.operations:
            assert each["op"] == "test" or each["path"].endswith("/weight") or is_ours(each["value"])


@given(virtual_services(whole=st.just(100)))
def test_the_smallest_percent_works_and_the_one_below_does_not(document: Document) -> None:
    for route in routes_of(document):
        enough = smallest_percent(route)
        assert isinstance(weight_patches([route], enough), tuple)
        if enough > 1:
            too_small = weight_patches([route], enough - 1)
            assert isinstance(too_small, Problem)
            assert too_small.reason is Reason.WEIGHT_TOO_SMALL
            assert f"at least {enough} %" in too_small.message


def found_in(document: Document) -> tuple[WeightedRoute, ...]:
    found = find_routes([document], TARGET)
    assert not isinstance(found, Problem)
    return found.routes


def test_a_step_too_small_for_one_route_writes_nowhere() -> None:
    document = virtual_service({"route": [to("v1")]}, {"route": [to("v1", 5), to(host="ratings", weight=95)]})
    assert isinstance(weight_patches(found_in(document), 5), Problem)


def test_a_percentage_outside_of_0_to_100_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="percent is 101"):
        weight_patches(found_in(virtual_service({"route": [to("v1")]})), 101)


def test_routes_of_one_virtual_service_share_a_patch_and_others_have_their_own() -> None:
    documents = [
        virtual_service({"route": [to("v1")]}, {"route": [to("v1")]}),
        virtual_service({"route": [to("v1")]}, name="shop"),
    ]
    found = find_routes(documents, TARGET)
    assert not isinstance(found, Problem)
    patches = weight_patches(found.routes, 10)
    assert isinstance(patches, tuple)
    assert [(patch.target.name, len(patch.operations)) for patch in patches] == [("reviews", 7), ("shop", 4)]


def test_stable_is_tested_even_where_its_weight_happens_to_stay() -> None:
    (patch,) = weight_patches(found_in(virtual_service({"route": [to("v1", 95)]})), 5)  # type: ignore[misc]
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        applied(virtual_service({"route": [to("v9", 95)]}), (patch,))


def test_stable_headers_are_never_given_to_the_canary() -> None:
    document = virtual_service({"route": [to("v1", headers={"request": {"set": {"x-version": "v1"}}}), to("v2", 0)]})
    document["spec"]["http"][0]["route"][0]["weight"] = 100
    after = applied(document, weight_patches(found_in(document), 30) or ())  # type: ignore[arg-type]
    assert "headers" not in after["spec"]["http"][0]["route"][1]


@pytest.mark.parametrize("entry", [{"weight": 1}, {"headers": {"request": {"remove": ["x"]}}}])
def test_a_canary_entry_that_carries_traffic_or_headers_is_not_dropped(entry: dict[str, Any]) -> None:
    document = virtual_service({"route": [to("v1", 99), to("v2", **entry)]})
    assert drop_patches(found_in(document), {"v2"}) == ()


def test_a_canary_entry_without_stable_is_not_dropped() -> None:
    assert drop_patches(found_in(virtual_service({"route": [to("v2")]})), {"v2"}) == ()


def test_a_dropped_entry_is_tested_to_be_still_at_zero() -> None:
    document = virtual_service({"route": [to("v1", 100), to("v2", 0)]})
    (patch,) = drop_patches(found_in(document), {"v2"})
    assert applied(document, (patch,)) == virtual_service({"route": [to("v1", 100)]})
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        applied(virtual_service({"route": [to("v1", 95), to("v2", 5)]}), (patch,))


def test_an_entry_is_dropped_only_from_the_version_that_was_read() -> None:
    document = virtual_service({"route": [to("v1", 100), to("v2", 0)]})
    (patch,) = drop_patches(found_in(document), {"v2"})
    moved = deepcopy(document)
    moved["metadata"]["resourceVersion"] = "2"
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        applied(moved, (patch,))


def test_an_entry_of_others_without_a_weight_is_not_given_one() -> None:
    document = virtual_service({"route": [to("v1", 100), to(host="ratings")]})
    patches = weight_patches(found_in(document), 5)
    assert not isinstance(patches, Problem)
    assert applied(document, patches)["spec"]["http"][0]["route"][1] == to(host="ratings")
