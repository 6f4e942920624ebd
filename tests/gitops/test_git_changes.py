"""What becomes of a commit that changes something else of the same objects while a shift is under way."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.engine.simulation import route, rule
from tests.engine.stories import COHORTS, THERE, Act, Story
from tests.gitops.argo_cd import ArgoCD
from tests.gitops.cluster import PAIR, SINGLE, Cluster, Git, Tool, every, manifest, told, weights_of
from tests.gitops.flux import Flux
from tests.gitops.page import argo_cd, flux

WIDE: dict[str, Tool] = {"Argo CD": argo_cd(), "Argo CD, server-side": argo_cd(server_side=True), "Flux": flux()}


def changed(**fields: Any) -> dict[str, Any]:
    """The VirtualService in Git with other fields in its route."""
    document = deepcopy(PAIR)
    document["spec"]["http"][0] |= fields
    return document


def committed(tool: Tool, *documents: dict[str, Any], **spec: Any) -> Cluster:
    """A shift during which Git gets these documents and is synced, again and again."""
    git = Git()
    script = ((40.0, git.commit(*documents)), *every(2.0, git.synced(tool)))
    story = Story(
        "committed", frozenset({THERE}), spec, git.arranged(tool), tuple(sorted(script, key=lambda one: one[0]))
    )
    cluster, result = told(story)
    assert result.broken == {}
    assert weights_of(cluster) == [0, 5, 25, 50, 100]
    assert "Drifted" not in cluster.reasons()
    return cluster


def live(cluster: Cluster, kind: str = "VirtualService") -> dict[str, Any]:
    spec: dict[str, Any] = cluster.mesh.peek(kind, "reviews")["spec"]
    return spec


@pytest.mark.parametrize("tool", WIDE.values(), ids=WIDE)
def test_what_is_outside_of_the_routes_is_applied(tool: Tool) -> None:
    document = manifest(PAIR, hosts=["reviews", "reviews.example.com"])
    policy = manifest(rule("v1", "v2", "v3"), trafficPolicy={"loadBalancer": {"simple": "LEAST_REQUEST"}})
    cluster = committed(tool, document, policy)
    assert live(cluster)["hosts"] == document["spec"]["hosts"]
    assert live(cluster, "DestinationRule") == policy["spec"]


@pytest.mark.parametrize("tool", WIDE.values(), ids=WIDE)
def test_what_is_inside_of_the_routes_is_not(tool: Tool) -> None:
    cluster = committed(tool, changed(timeout="3s"))
    assert "timeout" not in live(cluster)["http"][0]


@pytest.mark.parametrize("server_side", [False, True])
def test_argo_cd_says_that_it_is_not(*, server_side: bool) -> None:
    cluster = committed(argo_cd(server_side=server_side), changed(timeout="3s"))
    tool = argo_cd(server_side=server_side)
    found = cluster.mesh.peek("VirtualService", "reviews")
    assert tool.is_synced(PAIR, found)
    assert not tool.is_synced(changed(timeout="3s"), found)


def test_flux_with_the_narrow_rule_applies_it() -> None:
    cluster = committed(flux("Weights only"), changed(timeout="3s"))
    assert live(cluster)["http"][0]["timeout"] == "3s"


def test_a_commit_of_the_next_pair_gives_nobody_traffic_of_another_version() -> None:
    """With the narrow rule the whole list of destinations is the live one, so positions cannot be confused."""
    document = changed(route=[{"destination": {"host": "reviews", "subset": each}} for each in ("v2", "v3")])
    committed(flux("Weights only"), document)


def test_single_weights_would_land_on_the_wrong_version() -> None:
    """Why the page says not to ignore them: they are copied by position."""
    rule_of_weights = {"paths": [f"/spec/http/0/route/{place}/weight" for place in (0, 1)], "target": {}}
    tool, git = Flux(ignores=({**rule_of_weights, "target": {"kind": "VirtualService"}},)), Git()
    next_pair = manifest(route({"v2": 100, "v3": 0}))
    script = ((200.0, git.commit(next_pair)), (201.0, git.synced(tool)))
    cluster, _ = told(Story("the next pair", frozenset({THERE}), {}, git.arranged(tool), script))
    destinations = {each["destination"]["subset"]: each["weight"] for each in live(cluster)["http"][0]["route"]}
    assert destinations == {"v2": 0, "v3": 100}


def edit_timeout(simulation: Any) -> None:
    def change(document: dict[str, Any]) -> None:
        document["spec"]["http"][-1]["timeout"] = "3s"

    simulation.mesh.edit("VirtualService", "reviews", change)


@pytest.mark.parametrize(("spec", "end"), [({}, THERE), (COHORTS, "Paused:Drifted")], ids=["weights", "cohort"])
def test_the_same_change_by_hand_mid_way(spec: dict[str, Any], end: str) -> None:
    """By weights alone it is not noticed.  A cohort's route is a copy of the route, and then differs from it."""
    tool, git = argo_cd(), Git()
    act: Act = edit_timeout
    cluster, result = told(Story("by hand", frozenset({end}), spec, git.arranged(tool), ((15.0, act),)))
    assert result.broken == {}
    assert tool.is_synced(changed(timeout="3s"), cluster.mesh.peek("VirtualService", "reviews"))


@pytest.mark.parametrize("server_side", [False, True])
@pytest.mark.parametrize(("policy", "end"), [("Pause", "Paused:Drifted"), ("Enforce", THERE)])
def test_a_sync_that_is_computed_from_an_old_look_sets_one_step_back(
    policy: str, end: str, *, server_side: bool
) -> None:
    """Why the page says `onDrift: Enforce`: between its look and its write a sync takes time."""
    tool, git = argo_cd(server_side=server_side), Git()
    seen: list[dict[str, Any]] = []

    def look(simulation: Any) -> None:
        seen.append(deepcopy(simulation.mesh.peek("VirtualService", "reviews")))

    def write(simulation: Any) -> None:
        desired = tool._with_live_values(PAIR, seen[0])
        plain = ArgoCD(server_side=server_side)
        request = plain.request(desired, simulation.mesh.peek("VirtualService", "reviews"))
        assert request is not None
        simulation.mesh.carry_out(request)

    story = Story("late", frozenset({end}), {"onDrift": policy}, git.arranged(tool), ((20.0, look), (35.0, write)))
    cluster, result = told(story)
    assert result.broken == {}
    assert weights_of(cluster)[:4] == [0, 5, 25, 5]


def test_fluxs_rule_fails_where_git_has_nothing_at_the_path() -> None:
    """Only when it has something else to apply, so it shows up late."""
    tool = Flux(ignores=({"paths": ["/spec/http/0/route/0/weight"], "target": {"kind": "VirtualService"}},))
    found = manifest(route({"v1": 75}))
    assert tool.request(SINGLE, found) is None
    with pytest.raises(KeyError, match="nothing at /spec/http/0/route/0/weight"):
        tool.request(manifest(SINGLE, hosts=["reviews.example.com"]), found)
