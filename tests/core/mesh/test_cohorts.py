"""What a shift puts into a VirtualService for a while, and that nothing of it stays."""

from copy import deepcopy

import jsonpatch
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meshshift.core.mesh.cohorts import NOTHING, Cohort, Extras, StringMatch, extra_patches, joined
from meshshift.core.mesh.documents import Document, Patch, Problem, Reason
from meshshift.core.mesh.route_edits import weight_patches
from meshshift.core.mesh.routes import FoundRoutes, find_routes
from meshshift.core.mesh.stickiness import Cookies, Stickiness
from tests.core.mesh.sample_documents import TARGET, applied, to, virtual_service, virtual_services

TESTERS = Cohort("testers", ((("x-canary", StringMatch("exact", "true")),),))
STAFF = Cohort(
    "staff",
    (
        (("x-team", StringMatch("prefix", "checkout-")), ("x-role", StringMatch("exact", "dev"))),
        (("cookie", StringMatch("regex", "(.*; )?staff=1(;.*)?")),),
    ),
)
wishes = st.builds(
    Extras,
    st.lists(st.sampled_from([TESTERS, STAFF]), unique=True, max_size=2).map(tuple),
    st.none() | st.integers(0, 100),
    st.none() | st.builds(Cookies, st.just(Stickiness("version", 60)), st.sampled_from(("run-1", "run-2"))),
)


def found(document: Document) -> FoundRoutes:
    routes = find_routes([document], TARGET)
    assert not isinstance(routes, Problem)
    return routes


def patches(document: Document, wanted: Extras) -> tuple[Patch, ...]:
    routes = found(document)
    edits = extra_patches(routes.routes, routes.inserted, wanted, TARGET)
    assert not isinstance(edits, Problem)
    return edits


def possible(document: Document, wanted: Extras) -> bool:
    routes = find_routes([document], TARGET)
    if isinstance(routes, Problem):
        return False
    return not isinstance(extra_patches(routes.routes, routes.inserted, wanted, TARGET), Problem)


def with_extras(document: Document, wanted: Extras) -> Document:
    return applied(document, patches(document, wanted))


def test_a_cohort_gets_a_copy_of_the_route_with_its_condition_right_ahead_of_it() -> None:
    route = {
        "name": "default",
        "match": [{"uri": {"prefix": "/api"}}, {"port": 9080}],
        "rewrite": {"uri": "/"},
        "corsPolicy": {"allowOrigins": [{"exact": "*"}]},
        "retries": {"attempts": 2},
        "timeout": "2s",
        "route": [to("v1", 95), to("v2", 5)],
    }
    other = {"match": [{"uri": {"exact": "/health"}}], "route": [to("v3", host="ratings")]}
    http = with_extras(virtual_service(other, route), Extras((TESTERS,)))["spec"]["http"]
    header = {"headers": {"x-canary": {"exact": "true"}}}
    assert http == [
        other,
        {
            "name": "meshshift/bookinfo/reviews/testers",
            "match": [{"uri": {"prefix": "/api"}, **header}, {"port": 9080, **header}],
            "rewrite": {"uri": "/"},
            "corsPolicy": {"allowOrigins": [{"exact": "*"}]},
            "retries": {"attempts": 2},
            "timeout": "2s",
            "route": [to("v2")],
        },
        route,
    ]


def test_several_headers_are_and_several_alternatives_are_or() -> None:
    http = with_extras(virtual_service({"route": [to("v1")]}), Extras((STAFF,)))["spec"]["http"]
    assert http[0]["match"] == [
        {"headers": {"x-team": {"prefix": "checkout-"}, "x-role": {"exact": "dev"}}},
        {"headers": {"cookie": {"regex": "(.*; )?staff=1(;.*)?"}}},
    ]
    assert http[0]["route"] == [to("v2")]


def test_a_route_that_asks_something_else_of_the_same_header_is_a_problem() -> None:
    document = virtual_service({"match": [{"headers": {"x-canary": {"exact": "no"}}}], "route": [to("v1")]})
    routes = found(document)
    problem = extra_patches(routes.routes, routes.inserted, Extras((TESTERS,)), TARGET)
    assert isinstance(problem, Problem)
    assert problem.reason is Reason.HEADER_TAKEN
    assert '"x-canary"' in problem.message
    assert "tell the cohort by another header" in problem.message


def test_a_mirror_is_written_beside_those_of_others_and_taken_away_alone() -> None:
    theirs = {"destination": {"host": "recorder"}, "percentage": {"value": 1}}
    document = virtual_service({"route": [to("v1", 100), to("v2", 0)], "mirrors": [theirs]})
    mirrored = with_extras(document, Extras(mirror=20))
    ours = {"destination": {"host": "reviews", "subset": "v2"}, "percentage": {"value": 20}}
    assert mirrored["spec"]["http"][0]["mirrors"] == [theirs, ours]
    assert with_extras(mirrored, Extras(mirror=0)) == document


def test_a_single_mirror_of_somebody_else_is_a_problem() -> None:
    document = virtual_service({"route": [to("v1")], "mirror": {"host": "recorder"}})
    routes = found(document)
    problem = extra_patches(routes.routes, routes.inserted, Extras(mirror=20), TARGET)
    assert isinstance(problem, Problem)
    assert problem.reason is Reason.MIRROR_TAKEN


def test_weights_and_extras_go_in_one_patch_for_each_object() -> None:
    document = with_extras(virtual_service({"route": [to("v1", 75), to("v2", 25)]}), Extras((TESTERS,), mirror=10))
    routes = found(document)
    weights = weight_patches(routes.routes, 0)
    extras = extra_patches(routes.routes, routes.inserted, Extras(mirror=0), TARGET)
    assert not isinstance(weights, Problem)
    assert not isinstance(extras, Problem)
    patches = joined(weights, extras)
    assert len(patches) == 1
    assert applied(document, patches)["spec"]["http"] == [{"route": [to("v1", 100), to("v2", 0)]}]


@given(virtual_services(), wishes)
def test_what_was_put_in_is_taken_out_again_to_the_letter(document: Document, wanted: Extras) -> None:
    assume("v2" not in str([each.get("mirrors") for each in document["spec"].get("http", [])]))
    assume(possible(document, wanted))
    before = deepcopy(document)
    away = Extras(mirror=None if wanted.mirror is None else 0)
    assert with_extras(with_extras(document, wanted), away) == before


@given(virtual_services(), wishes)
def test_what_is_there_already_is_not_written_again(document: Document, wanted: Extras) -> None:
    assume(possible(document, wanted))
    assert patches(with_extras(document, wanted), wanted) == ()


@given(virtual_services(), wishes, wishes)
def test_the_way_to_a_wish_does_not_matter(document: Document, first: Extras, second: Extras) -> None:
    assume((first.mirror is None) == (second.mirror is None))
    assume(possible(document, first) and possible(document, second))
    assert with_extras(with_extras(document, first), second) == with_extras(document, second)


@given(virtual_services(), wishes)
def test_the_managed_routes_and_all_others_stay_as_they_are(document: Document, wanted: Extras) -> None:
    assume(possible(document, Extras(wanted.cohorts)))
    after = with_extras(document, Extras(wanted.cohorts))
    theirs = [each for each in after["spec"].get("http", []) if "meshshift/" not in str(each.get("name"))]
    assert theirs == document["spec"].get("http", [])
    assert {k: v for k, v in after["spec"].items() if k != "http"} == {
        k: v for k, v in document["spec"].items() if k != "http"
    }


def test_nothing_wanted_and_nothing_there_is_nothing_to_do() -> None:
    assert patches(virtual_service({"route": [to("v1")]}), NOTHING) == ()


def test_nothing_is_put_into_or_taken_out_of_another_version() -> None:
    document = virtual_service({"route": [to("v1")]})
    wanted = Extras((TESTERS,), mirror=10)
    for before, after in ((document, wanted), (with_extras(document, wanted), Extras(mirror=0))):
        moved = deepcopy(before)
        moved["metadata"]["resourceVersion"] = "another"
        with pytest.raises(jsonpatch.JsonPatchTestFailed):
            applied(moved, patches(before, after))


def test_what_is_taken_out_is_tested_to_be_what_was_put_in() -> None:
    before = with_extras(virtual_service({"route": [to("v1")]}), Extras((TESTERS,)))
    changed = deepcopy(before)
    changed["spec"]["http"].insert(0, {"route": [to("v1")]})
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        applied(changed, patches(before, NOTHING))
