"""Meshes of a size that nobody should have: read in bounded time, told in bounded messages, edited as any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meshshift.api.status import MAX_MESSAGE
from meshshift.core.mesh.documents import Problem, Target
from meshshift.core.mesh.route_edits import weight_patches
from meshshift.core.mesh.routes import FoundRoutes, VirtualServiceSelector, find_routes
from tests.engine.simulation import Simulation, bookinfo, route, rule, shift

if TYPE_CHECKING:
    from collections.abc import Callable

ROUTES = 5_000
TARGET = Target("reviews", "bookinfo", "v1", "v2")
EXPLOSIVE = "^/(a+)+(b|b)*$"


def giant(own: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A VirtualService with thousands of routes to others, each with a name of a page and an expression to explode."""
    document = route({"v1": 100, "v2": 0})
    others = [
        {
            "name": f"r{index}-" + "x" * 1_000,
            "match": [{"uri": {"regex": f"{EXPLOSIVE}{index}"}}],
            "route": [{"destination": {"host": "ratings", "subset": "v1"}}],
        }
        for index in range(ROUTES)
    ]
    document["spec"]["http"] = [*others, *(document["spec"]["http"] if own is None else own)]
    document["metadata"] |= {"namespace": "bookinfo", "resourceVersion": "1"}
    return document


def test_the_one_route_among_thousands_is_found_and_edited_alone() -> None:
    found = find_routes([giant()], TARGET)
    assert isinstance(found, FoundRoutes)
    (patch,) = weight_patches(found.routes, 5)  # type: ignore[misc]
    assert {operation["path"] for operation in patch.operations} == {
        "/metadata/resourceVersion",
        *(f"/spec/http/{ROUTES}/route/{index}/{field}" for index in (0, 1) for field in ("destination", "weight")),
    }


def nowhere() -> Problem | FoundRoutes:
    return find_routes([giant(own=[])], TARGET)


def misnamed() -> Problem | FoundRoutes:
    return find_routes([giant()], TARGET, [VirtualServiceSelector("bookinfo", "reviews", ("default\u202e" * 25,))])


def thousands_speak() -> Problem | FoundRoutes:
    documents = []
    for index in range(ROUTES):
        document = route({"v3": 100})
        document["metadata"] = {"name": f"vs-{index}", "namespace": "bookinfo", "resourceVersion": "1"}
        documents.append(document)
    return find_routes(documents, TARGET)


def thousands_of_subsets() -> Problem | FoundRoutes:
    document = giant(own=[])
    document["spec"]["http"] = [
        {"route": [{"destination": {"host": "reviews", "subset": f"v{index}" + "x" * 500}}]} for index in range(ROUTES)
    ]
    return find_routes([document], TARGET)


@pytest.mark.parametrize("found", [nowhere, misnamed, thousands_speak, thousands_of_subsets])
def test_a_message_lists_a_few_and_ends_with_the_fix(found: Callable[[], Problem | FoundRoutes]) -> None:
    problem = found()
    assert isinstance(problem, Problem)
    assert len(problem.message) < MAX_MESSAGE
    assert problem.message.isprintable()


def test_every_condition_fits_whatever_the_mesh_says() -> None:
    simulation: Simulation = bookinfo()
    simulation.mesh.put(giant())
    named = [{"name": "reviews", "routes": ["nobody"]}]
    simulation.mesh.put(shift(virtualServices=named))
    simulation.run(3)
    assert simulation.status["reason"] == "RouteMissing"
    for condition in simulation.status["conditions"]:
        assert len(condition["message"]) <= MAX_MESSAGE
    for _, message in simulation.mesh.events.values():
        assert len(message) <= MAX_MESSAGE
        assert message.isprintable()


def test_thousands_of_subsets_are_read_and_the_pair_is_found() -> None:
    simulation: Simulation = bookinfo()
    document = rule(*(f"w{index}" for index in range(ROUTES)), "v1", "v2")
    simulation.mesh.put(document)
    simulation.mesh.put(shift())
    simulation.run(60, until=lambda s: s.weight == 5)
    assert simulation.weight == 5
