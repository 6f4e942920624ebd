"""What a baseline gets beside the canary, on one route and on routes of any shape."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.mesh.control import Shares, share
from meshshift.core.mesh.documents import Document, Problem
from meshshift.core.mesh.route_edits import drop_patches, weight_patches
from meshshift.core.mesh.routes import find_routes
from meshshift.core.mesh.weighted_route import WeightedRoute, at_percent, is_at
from tests.core.mesh.sample_documents import TARGET, applied, to, virtual_service, virtual_services

percents = st.integers(0, 100)
totals = st.integers(1, 100)
BASELINE = "v1-baseline"
CONTROLLED = replace(TARGET, baseline=BASELINE)


def routes_of(document: Document) -> tuple[WeightedRoute, ...]:
    """The routes that are shifted; none where the document sends to nobody of ours."""
    found = find_routes([document], CONTROLLED)
    return () if isinstance(found, Problem) else found.routes


def written(document: Document, percent: int) -> Document | None:
    """The document after a write of `percent`; None if a route is too small for it."""
    patches = weight_patches(routes_of(document), percent)
    return None if isinstance(patches, Problem) else applied(document, patches)


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        (0, (100, 0, 0)),
        (5, (90, 5, 5)),
        (25, (50, 25, 25)),
        (33, (34, 33, 33)),
        (34, (33, 34, 33)),
        (50, (25, 50, 25)),
        (75, (13, 75, 12)),
        (98, (1, 98, 1)),
        (100, (0, 100, 0)),
    ],
)
def test_what_each_gets(percent: int, expected: tuple[int, int, int]) -> None:
    assert share(100, percent, controlled=True) == Shares(*expected)


@given(totals, percents)
def test_the_three_weights_sum_to_the_share(total: int, percent: int) -> None:
    for controlled in (True, False):
        assert share(total, percent, controlled=controlled).total == total


@given(totals, percents)
def test_the_canary_gets_the_same_with_and_without_a_baseline(total: int, percent: int) -> None:
    assert share(total, percent, controlled=True).canary == share(total, percent, controlled=False).canary


@given(totals, percents)
def test_the_baseline_never_gets_more_than_the_canary_or_stable(total: int, percent: int) -> None:
    found = share(total, percent, controlled=True)
    assert 0 <= found.baseline <= min(found.canary, found.stable)


@given(totals, percents)
def test_nothing_is_compared_at_0_and_at_100(total: int, percent: int) -> None:
    assert share(total, 0, controlled=True) == Shares(total, 0, 0)
    assert share(total, 100, controlled=True) == Shares(0, total, 0)


@given(virtual_services(), percents)
def test_all_three_on_a_route_sum_to_their_share_and_others_keep_theirs(document: Document, percent: int) -> None:
    after = written(document, percent)
    if after is None:
        return
    for before, now in zip(routes_of(document), routes_of(after), strict=True):
        whole = before.shares.total + before.others
        assert now.shares.total + now.others == (whole if is_at(before, percent) else 100)
        if not is_at(before, percent):
            assert (now.shares.total, *(each.weight for each in now.foreign)) == before.parts


@given(virtual_services(), percents)
def test_what_was_written_is_what_the_route_says(document: Document, percent: int) -> None:
    after = written(document, percent)
    if after is not None:
        assert at_percent(routes_of(after), percent)
        assert weight_patches(routes_of(after), percent) == ()


@given(virtual_services(), percents, st.lists(percents, max_size=3))
def test_there_and_back_leaves_nothing_of_the_baseline(document: Document, first: int, more: list[int]) -> None:
    there: Document | None = document
    for percent in (first, *more, 0):
        there = written(there, percent) or there if there else None
    assert there is not None
    tidy = applied(there, drop_patches(routes_of(there), {BASELINE}))
    assert BASELINE not in str(tidy)


@given(st.integers(0, 100), st.integers(0, 100), percents)
def test_a_route_says_a_weight_only_if_all_three_agree(canary: int, baseline: int, percent: int) -> None:
    if canary + baseline > 100:
        return
    entries = to("v1", 100 - canary - baseline), to("v2", canary), to(BASELINE, baseline)
    (route,) = routes_of(virtual_service({"route": list(entries)}))
    wanted = share(100, percent, controlled=True)
    has_room = percent in {0, 100} or wanted.baseline > 0
    assert is_at(route, percent) == (has_room and route.shares == wanted)


@given(virtual_services(), percents)
def test_writing_raises_exactly_what_it_says_to_raise(document: Document, percent: int) -> None:
    after = written(document, percent)
    if after is None:
        return
    for before, now in zip(routes_of(document), routes_of(after), strict=True):
        rose = now.percent > before.percent or now.baseline_percent > before.baseline_percent
        if not is_at(before, percent):
            assert rose == before.raised_by(percent)


def test_two_added_entries_are_dropped_from_the_last_to_the_first() -> None:
    document = virtual_service({"route": [to("v1", 100), to("v2", 0), to(BASELINE, 0)]})
    after = applied(document, drop_patches(routes_of(document), {"v2", BASELINE}))
    assert after["spec"]["http"][0]["route"] == [to("v1", 100)]


def test_a_baseline_is_made_like_stable_and_not_like_the_canary() -> None:
    port = {"port": {"number": 9080}}
    stable = {"destination": {"host": "reviews", "subset": "v1", **port}, "weight": 100}
    document = virtual_service({"route": [to("v2", 0), stable]})
    after = written(document, 20)
    assert after is not None
    entry = after["spec"]["http"][0]["route"][-1]
    assert entry == {"destination": {"host": "reviews", "subset": BASELINE, **port}, "weight": 20}


def test_headers_on_stable_leave_open_what_an_added_baseline_needs() -> None:
    headers = {"request": {"set": {"x-version": "v1"}}}
    found = find_routes([virtual_service({"route": [to("v1", 100, headers=headers), to("v2", 0)]})], CONTROLLED)
    assert isinstance(found, Problem)
    assert f'add a destination for subset "{BASELINE}" with weight 0' in found.message


def test_a_baseline_twice_on_a_route_is_refused() -> None:
    found = find_routes([virtual_service({"route": [to("v1", 90), to(BASELINE, 5), to(BASELINE, 5)]})], CONTROLLED)
    assert isinstance(found, Problem)
    assert found.reason == "DuplicateDestination"


def test_a_route_that_sends_to_the_baseline_alone_is_somebody_elses() -> None:
    theirs = {"name": "theirs", "match": [{"uri": {"prefix": "/compare"}}], "route": [to(BASELINE)]}
    found = routes_of(virtual_service(theirs, {"route": [to("v1")]}))
    assert [route.index for route in found] == [1]


def test_a_share_too_small_for_a_baseline_names_both_subsets() -> None:
    document = virtual_service({"route": [to("v1", 10), to(host="legacy", weight=90)]})
    found = weight_patches(routes_of(document), 95)
    assert isinstance(found, Problem)
    assert found.message.endswith(
        '95 % of that leaves no weight for each of subsets "v1" and "v1-baseline"; '
        "use a smaller step, 100 %, or no baseline"
    )


def test_parts_are_compared_exactly() -> None:
    assert Shares(90, 5, 5).like(Shares(180, 10, 10))
    assert not Shares(90, 5, 5).like(Shares(181, 10, 10))
    assert routes_of(virtual_service({"route": [to("v1", 2), to("v2", 1), to(BASELINE, 1)]}))[0].percent == Fraction(25)
