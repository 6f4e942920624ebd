"""What the weights of a route say."""

from fractions import Fraction

import pytest

from meshshift.core.mesh.documents import Problem
from meshshift.core.mesh.routes import find_routes
from meshshift.core.mesh.weighted_route import WeightedRoute, at_percent, observed_percent, smallest_percent
from tests.core.mesh.sample_documents import TARGET, to, virtual_service


def route(*destinations: dict[str, object]) -> WeightedRoute:
    found = find_routes([virtual_service({"route": list(destinations)})], TARGET)
    assert not isinstance(found, Problem)
    return found.routes[0]


def test_shares_are_exact() -> None:
    third = route(to("v1", 2), to("v2", 1), to(host="ratings", weight=5))
    assert third.percent == Fraction(100, 3)
    assert (third.stable, third.canary, third.others) == (2, 1, 5)


def test_the_only_destination_has_everything_whatever_its_weight_says() -> None:
    assert [route(to("v1", weight)).stable for weight in (None, 0, 30, 100)] == [100, 100, 100, 100]


def test_a_missing_weight_beside_others_is_nothing() -> None:
    assert route(to("v1"), to("v2", 100)).percent == 100


@pytest.mark.parametrize(
    ("stable", "canary", "percent", "says"),
    [
        (1, 1, 50, True),
        (50, 50, 50, True),
        (95, 5, 5, True),
        (95, 5, 6, False),
        (100, 0, 0, True),
        (0, 1, 100, True),
        (1, 2, 66, False),
    ],
)
def test_a_route_says_a_percentage_by_its_share(stable: int, canary: int, percent: int, says: bool) -> None:
    assert at_percent([route(to("v1", stable), to("v2", canary))], percent) is says


def test_a_route_with_others_says_a_percentage_by_the_nearest_whole_weights() -> None:
    nearest = route(to("v1", 68), to("v2", 22), to(host="ratings", weight=10))
    assert at_percent([nearest], 25)
    assert not at_percent([nearest], 24)


def test_the_nearest_whole_weights_count_only_as_parts_of_100() -> None:
    assert at_percent([route(to("v1", 38), to("v2", 12), to(host="ratings", weight=50))], 25)
    assert not at_percent([route(to("v1", 38), to("v2", 12), to(host="ratings", weight=51))], 25)


def test_no_canary_says_no_percentage_but_zero() -> None:
    tiny = route(to("v1", 5), to("v2", 0), to(host="ratings", weight=95))
    assert at_percent([tiny], 0)
    assert not at_percent([tiny], 5)


def test_routes_that_disagree_are_seen() -> None:
    routes = [route(to("v1", 75), to("v2", 25)), route(to("v1")), route(to("v1", 3), to("v2", 1))]
    assert observed_percent(routes) == (Fraction(0), Fraction(25))
    assert not at_percent(routes, 25)


@pytest.mark.parametrize(("pair", "percent"), [(100, 1), (50, 2), (34, 3), (7, 15), (1, 100)])
def test_the_smallest_percent_grows_as_the_pair_shrinks(pair: int, percent: int) -> None:
    assert smallest_percent(route(to("v1", pair), to(host="ratings", weight=100 - pair), to("v2", 0))) == percent
