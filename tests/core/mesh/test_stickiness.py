"""Cookies that keep users on a version: what is handed out, who is believed, and that nothing of it stays."""

import re
from copy import deepcopy
from typing import Any

import jsonpatch
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meshshift.core.mesh.cohorts import NOTHING, Cohort, Extras, StringMatch, extra_patches, joined
from meshshift.core.mesh.documents import Document, Patch, Problem, Reason
from meshshift.core.mesh.route_edits import weight_patches
from meshshift.core.mesh.routes import FoundRoutes, find_routes
from meshshift.core.mesh.stickiness import SET_COOKIE, Cookies, Stickiness, bare
from tests.core.mesh.sample_documents import TARGET, applied, to, virtual_service, virtual_services

COOKIES = Cookies(Stickiness("version", 3600), "run-1")
OTHER = Cookies(Stickiness("version", 3600), "run-2")
STICKY = Extras(cookies=COOKIES)
PAIR = [to("v1", 95), to("v2", 5)]
names = st.text("!#$%&'*+.^_`|~-aZ09", min_size=1, max_size=12)


def found(document: Document) -> FoundRoutes:
    routes = find_routes([document], TARGET)
    assert not isinstance(routes, Problem), routes
    return routes


def edits(document: Document, wanted: Extras, percent: int | None = None) -> tuple[Patch, ...] | Problem:
    routes = found(document)
    others = extra_patches(routes.routes, routes.inserted, wanted, TARGET, percent)
    if percent is None or isinstance(others, Problem):
        return others
    weights = weight_patches(routes.routes, percent)
    return weights if isinstance(weights, Problem) else joined(weights, others)


def edited(document: Document, wanted: Extras, percent: int | None = None) -> Document:
    patches = edits(document, wanted, percent)
    assert not isinstance(patches, Problem), patches
    assert len(patches) <= 1
    return applied(document, patches)


def http(document: Document) -> list[dict[str, Any]]:
    routes: list[dict[str, Any]] = document["spec"]["http"]
    return routes


def test_each_version_hands_out_its_cookie_and_routes_ahead_take_whoever_brings_it_there() -> None:
    route = {"name": "default", "timeout": "2s", "match": [{"uri": {"prefix": "/api"}}], "route": PAIR}
    stable, canary, managed = http(edited(virtual_service(route), STICKY))
    assert (stable["name"], stable["route"]) == ("meshshift/bookinfo/reviews/sticky/stable", [to("v1")])
    assert (canary["name"], canary["route"]) == ("meshshift/bookinfo/reviews/sticky/canary", [to("v2")])
    for pin, entry in zip((stable, canary), managed["route"], strict=True):
        cookie = entry["headers"]["response"]["add"][SET_COOKIE]
        pair, *attributes = cookie.split("; ")
        assert attributes == ["Path=/", "Max-Age=3600", "HttpOnly", "SameSite=Lax"]
        (match,) = pin["match"]
        assert match["uri"] == {"prefix": "/api"}
        assert re.fullmatch(match["headers"]["cookie"]["regex"], pair)
        assert pin["timeout"] == "2s"


def test_a_cohort_comes_first_then_cookies_then_weights() -> None:
    testers = Cohort("testers", ((("x-canary", StringMatch("exact", "true")),),))
    listed = http(edited(virtual_service({"name": "default", "route": PAIR}), Extras((testers,), cookies=COOKIES)))
    assert [each["name"].removeprefix("meshshift/bookinfo/reviews/") for each in listed] == [
        "testers",
        "sticky/stable",
        "sticky/canary",
        "default",
    ]
    assert listed[0]["route"] == [to("v2")], "testers get no cookie: without the header they are like anybody else"


@given(
    names, st.sampled_from(("stable", "canary")), st.sampled_from(("a=1; ", "a=1;", "")), st.sampled_from(("; b=2", ""))
)
def test_a_cookie_is_known_anywhere_in_the_header(name: str, side: Any, before: str, after: str) -> None:
    cookies = Cookies(Stickiness(name, 60), "run-1")
    pair = cookies.header(side).partition(";")[0]
    other = "stable" if side == "canary" else "canary"
    assert re.fullmatch(cookies.expression(side), before + pair + after)
    assert not re.fullmatch(cookies.expression(other), before + pair + after)  # type: ignore[arg-type]
    assert not re.fullmatch(Cookies(Stickiness(name, 60), "run-2").expression(side), before + pair + after)
    assert not re.fullmatch(cookies.expression(side), f"{before}x{pair}{after}")
    assert not re.fullmatch(cookies.expression(side), f"{before}{pair}0{after}")


def test_headers_of_others_are_kept_beside_the_cookie_and_restored_to_the_letter() -> None:
    for headers in (
        {"request": {"set": {"x": "1"}}},
        {"response": {"set": {"x": "1"}}},
        {"response": {"add": {"x": "1"}}, "request": {"remove": ["y"]}},
        {"response": {"remove": ["set-cookie"]}},
    ):
        document = virtual_service({"route": [to("v1", 95, headers=headers), to("v2", 5)]})
        sticky = edited(document, STICKY)
        entry = http(sticky)[-1]["route"][0]
        assert bare(entry) == to("v1", 95, headers=headers)
        assert http(sticky)[0]["route"] == [to("v1", headers=headers)], "the route for sticky users hands out none"
        assert edited(sticky, NOTHING) == document


def test_the_canarys_entry_and_its_cookie_are_added_in_one_patch() -> None:
    document = virtual_service({"route": [to("v1")]})
    managed = http(edited(document, STICKY, 20))[-1]
    assert [each["weight"] for each in managed["route"]] == [80, 20]
    assert all(SET_COOKIE in each["headers"]["response"]["add"] for each in managed["route"])
    assert edits(edited(document, STICKY, 20), STICKY, 20) == ()


def test_an_entry_that_nobody_appends_is_given_no_cookie() -> None:
    document = virtual_service({"route": [to("v2")], "name": "default"})
    wanted = edits(document, STICKY, 100)
    assert not isinstance(wanted, Problem)
    assert [each["destination"]["subset"] for each in http(applied(document, wanted))[-1]["route"]] == ["v2"]


def test_the_stable_users_route_copies_to_the_canary_as_the_managed_one_does() -> None:
    document = virtual_service({"route": PAIR})
    stable, canary, managed = http(edited(document, Extras(mirror=30, cookies=COOKIES)))
    assert stable["mirrors"] == managed["mirrors"] != []
    assert "mirrors" not in canary


def test_cookies_of_another_run_are_replaced() -> None:
    document = virtual_service({"route": PAIR})
    assert edited(edited(document, STICKY), Extras(cookies=OTHER)) == edited(document, Extras(cookies=OTHER))


def test_a_cookie_that_an_earlier_pair_left_is_taken_out() -> None:
    left = http(edited(virtual_service({"route": [to("v1", 95), to("v2", 5)]}), STICKY))[-1]["route"][1]
    entry = {**left, "destination": {"host": "reviews", "subset": "v3"}, "weight": 0}
    document = virtual_service({"route": [to("v1", 100), to("v2", 0), entry]})
    assert http(edited(document, NOTHING))[0]["route"] == [to("v1", 100), to("v2", 0), to("v3", 0)]


def _adding(name: str) -> dict[str, Any]:
    return {"response": {"add": {name: "a=1"}}}


def _setting(name: str) -> dict[str, Any]:
    return {"response": {"set": {name: "a=1"}}}


@pytest.mark.parametrize(
    ("route", "reason", "word"),
    [
        ({"route": [*PAIR, to(weight=20, host="legacy")]}, Reason.NOT_STICKY, "take them off the route"),
        (
            {"route": [to("v1", 9, headers=_adding("Set-Cookie")), to("v2", 5)]},
            Reason.SET_COOKIE_TAKEN,
            "added there once",
        ),
        ({"route": [to("v1", 95), to("v2", 5, headers=_setting(SET_COOKIE))]}, Reason.SET_COOKIE_TAKEN, '"v2"'),
        ({"route": PAIR, "headers": _setting("set-cookie")}, Reason.SET_COOKIE_TAKEN, "headers.response sets"),
        ({"route": PAIR, "headers": {"response": {"remove": ["Set-Cookie"]}}}, Reason.SET_COOKIE_TAKEN, "removes"),
        ({"route": [to("v1", 95, headers={"response": {}}), to("v2", 5)]}, Reason.DESTINATION_HEADERS, "delete it"),
        ({"route": [to("v1", 95, headers="x"), to("v2", 5)]}, Reason.DESTINATION_HEADERS, '"x"'),
        (
            {"route": PAIR, "match": [{"headers": {"cookie": {"regex": "beta=1"}}}]},
            Reason.HEADER_TAKEN,
            "leave stickiness out",
        ),
    ],
)
def test_what_cannot_be_sticky_is_a_problem_and_nothing_is_written(route: Any, reason: Reason, word: str) -> None:
    problem = edits(virtual_service(route), STICKY)
    assert isinstance(problem, Problem)
    assert problem.reason is reason
    assert word in problem.message


def delegated(*matches: dict[str, Any], own: dict[str, Any] | None = None) -> list[Document]:
    """A root that delegates by these matches, and the delegate that holds the pair."""
    entry = {"delegate": {"name": "reviews"}, **({"match": list(matches)} if matches else {})}
    delegate = virtual_service({"route": PAIR, **({"match": [own]} if own else {})})
    del delegate["spec"]["hosts"]
    return [virtual_service(entry, name="shop"), delegate]


def stuck(documents: list[Document], wanted: Extras = STICKY) -> tuple[Patch, ...] | Problem:
    routes = find_routes(documents, TARGET)
    assert not isinstance(routes, Problem), routes
    assert routes.conflict is None
    return extra_patches(routes.routes, routes.inserted, wanted, TARGET)


BETA = {"headers": {"cookie": {"regex": ".*beta=1.*"}}}
API = {"uri": {"prefix": "/api"}}


@pytest.mark.parametrize(
    ("documents", "reason", "word"),
    [
        (delegated(BETA), Reason.HEADER_TAKEN, "delegate by another condition, or leave stickiness out"),
        (delegated({"headers": {"cookie": {"prefix": "beta"}}}), Reason.HEADER_TAKEN, 'header "cookie"'),
        (delegated(API, BETA), Reason.HEADER_TAKEN, "VirtualService bookinfo/shop http[0], which delegates to"),
        (delegated({"sourceNamespace": "shop"}), Reason.DELEGATE_IGNORED, "sourceNamespace"),
    ],
)
def test_a_root_that_istio_cannot_join_with_a_cookie_is_a_problem(
    documents: list[Document], reason: Reason, word: str
) -> None:
    problem = stuck(documents)
    assert isinstance(problem, Problem)
    assert problem.reason is reason
    assert word in problem.message
    assert stuck(documents, NOTHING) == (), "what is there can always be taken out"


@pytest.mark.parametrize(
    "documents",
    [
        delegated(),
        delegated(API),
        delegated({"headers": {"x-shop": {"exact": "beta"}}}),
        delegated({**API, "headers": {"x-shop": {"regex": "b.*"}}}),
        delegated({"uri": {"prefix": "/other"}, **BETA}, API, own={"uri": {"prefix": "/api/reviews"}}),
    ],
)
def test_a_root_with_other_conditions_is_none(documents: list[Document]) -> None:
    assert not isinstance(stuck(documents), Problem)


def test_a_tcp_route_cannot_be_sticky() -> None:
    document = virtual_service({"route": PAIR}, tcp=[{"match": [{"port": 9000}], "route": [to("v1", 100)]}])
    problem = edits(document, STICKY)
    assert isinstance(problem, Problem)
    assert problem.reason is Reason.NOT_STICKY
    assert "tcp" in problem.message


def test_a_canary_entry_that_somebody_took_out_mid_way_is_no_obstacle() -> None:
    document = edited(virtual_service({"route": PAIR}), STICKY)
    del http(document)[-1]["route"][1]
    assert http(edited(document, NOTHING, 0)) == [{"route": [to("v1", 95)]}]


def test_a_cookie_is_written_and_taken_out_only_where_it_is_meant_to_be() -> None:
    document = virtual_service({"route": PAIR})
    for before, wanted in ((document, STICKY), (edited(document, STICKY), NOTHING)):
        patches = edits(before, wanted)
        assert not isinstance(patches, Problem)
        for change in (_another_version, _another_destination):
            with pytest.raises(jsonpatch.JsonPatchTestFailed):
                applied(change(before), patches)


def _another_version(document: Document) -> Document:
    changed = deepcopy(document)
    changed["metadata"]["resourceVersion"] = "another"
    return changed


def _another_destination(document: Document) -> Document:
    changed = deepcopy(document)
    http(changed)[-1]["route"].reverse()
    return changed


@given(virtual_services(whole=st.just(100)), st.integers(1, 100))
def test_weights_and_cookies_written_together_are_what_each_would_be_alone(document: Document, percent: int) -> None:
    assume(not isinstance(find_routes([document], TARGET), Problem))
    assume(not isinstance(edits(document, STICKY, percent), Problem))
    together = edited(document, STICKY, percent)
    assert edited(together, NOTHING) == edited(document, NOTHING, percent)
    assert edited(edited(document, NOTHING, percent), STICKY) == together


def test_every_route_and_every_virtual_service_is_written_once() -> None:
    api = {"name": "api", "match": [{"uri": {"prefix": "/api"}}], "route": deepcopy(PAIR)}
    shop = virtual_service(api, {"name": "rest", "route": PAIR}, name="shop")
    routes = find_routes([shop, virtual_service({"name": "default", "route": PAIR})], TARGET)
    assert not isinstance(routes, Problem)
    patches = extra_patches(routes.routes, routes.inserted, STICKY, TARGET)
    assert not isinstance(patches, Problem)
    assert sorted(patch.target.name for patch in patches) == ["reviews", "shop"]
    sticky = applied(shop, tuple(patch for patch in patches if patch.target.name == "shop"))
    assert [each["name"].removeprefix("meshshift/bookinfo/reviews/") for each in http(sticky)] == [
        "sticky/stable/1",
        "sticky/canary/1",
        "api",
        "sticky/stable/2",
        "sticky/canary/2",
        "rest",
    ]
    assert edited(sticky, NOTHING) == shop
