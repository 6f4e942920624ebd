"""Without rules, or with half of them: what the page says then happens, and traffic breaks in none of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.simulation import rule
from tests.engine.stories import BACK, COHORTS, LABELS, THERE, Act, Story
from tests.gitops.argo_cd import MANAGER, ArgoCD
from tests.gitops.cluster import PAIR, SINGLE, Cluster, Git, Tool, every, manifest, told, weights_of
from tests.gitops.flux import Flux
from tests.gitops.page import argo_cd, flux

TOOLS: dict[str, Tool] = {
    "Argo CD": ArgoCD(),
    "Argo CD, server-side": ArgoCD(server_side=True),
    "Argo CD, the diff alone ignores": argo_cd(respects=False),
    "Flux": Flux(),
}
ONCE, SELF_HEAL, AFTERWARDS = "once", "self-heal", "afterwards"


def run(tool: Tool, how: str, end: str, git: Git | None = None, **spec: Any) -> Cluster:
    """A shift beside a tool that re-applies once mid-way, every five seconds, or once after the end."""
    git = git or Git()
    act = git.synced(tool)
    script = {ONCE: ((40.0, act),), SELF_HEAL: every(5.0, act, since=40.0), AFTERWARDS: ((200.0, act),)}[how]
    cluster, result = told(Story(how, frozenset({end}), spec, git.arranged(tool), script))
    assert result.broken == {}
    return cluster


@pytest.mark.parametrize("how", [ONCE, SELF_HEAL])
@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_pause_leaves_all_traffic_on_stable_and_names_the_tool(tool: Tool, how: str) -> None:
    cluster = run(tool, how, "Paused:Drifted")
    assert weights_of(cluster) == [0, 5, 25, 0]
    assert ("kustomize-controller" if isinstance(tool, Flux) else MANAGER) in cluster.status["message"]


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_enforce_sets_the_weight_again_after_one_sync(tool: Tool) -> None:
    cluster = run(tool, ONCE, THERE, onDrift="Enforce")
    assert weights_of(cluster) == [0, 5, 25, 0, 25, 50, 100]


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_enforce_against_self_heal_is_a_fight_that_ends_on_stable(tool: Tool) -> None:
    cluster = run(tool, SELF_HEAL, "Paused:DriftFight", onDrift="Enforce")
    assert weights_of(cluster) == [0, 5, *[25, 0] * 4]


@pytest.mark.parametrize("how", [ONCE, SELF_HEAL])
@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_adopt_takes_it_for_an_abort(tool: Tool, how: str) -> None:
    cluster = run(tool, how, BACK, onDrift="Adopt")
    assert weights_of(cluster) == [0, 5, 25, 0]


@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_after_the_end_one_sync_gives_everything_back_to_the_old_version(tool: Tool) -> None:
    cluster = run(tool, AFTERWARDS, "Succeeded@0", onDrift="Enforce")
    assert weights_of(cluster)[-2:] == [100, 0]
    assert cluster.status["weights"]["observed"] == 0, "what is true can be seen in the status"


def test_trusting_the_field_manager_ends_with_the_run() -> None:
    """An ended run gives up its managedFields, so a rule by field manager ignores nothing any more."""
    by_manager = {"group": "networking.istio.io", "kind": "*", "managedFieldsManagers": ["meshshift"]}
    tool = ArgoCD(ignores=({**by_manager, "kind": "VirtualService"},), respects=True)
    git = Git()
    synced: dict[str, bool] = {}

    def look(name: str) -> Act:
        def act(simulation: Any) -> None:
            synced[name] = tool.is_synced(PAIR, simulation.mesh.peek("VirtualService", "reviews"))

        return act

    script = ((40.0, look("mid-way")), (41.0, git.synced(tool)), (200.0, look("ended")), (201.0, git.synced(tool)))
    _, result = told(Story("by manager", frozenset({"Succeeded@0"}), {}, git.arranged(tool), script))
    assert result.broken == {}
    assert synced == {"mid-way": True, "ended": False}


def test_a_rule_on_weights_alone_is_lost_on_a_route_without_weights() -> None:
    """Argo CD since 3.5 gives a list of which nothing was ignored in Git its value of Git."""
    rules = {
        "group": "networking.istio.io",
        "kind": "VirtualService",
        "jqPathExpressions": [".spec.http[]?.route[]?.weight"],
    }
    for restores, end in ((True, "Paused:Drifted"), (False, THERE)):
        tool = ArgoCD(ignores=(rules,), respects=True, restores=restores)
        git = Git()
        git.commit(SINGLE)(None)
        run(tool, SELF_HEAL, end, git)


def test_a_subset_that_a_sync_takes_away_under_weight_sends_everything_back() -> None:
    git = Git([SINGLE, manifest(rule("v1"))])
    cluster = run(flux(), ONCE, BACK, git, canary=LABELS)
    assert cluster.status["reason"] == "SubsetLost"


@pytest.mark.parametrize(("policy", "end"), [("Pause", "Paused:Drifted"), ("Enforce", THERE)])
def test_fluxs_rule_for_weights_gives_the_canary_everything_beside_a_cohort(policy: str, end: str) -> None:
    """The page warns of it: a cohort's route stands first, and the rule copies its destinations."""
    tool, git = flux("Weights only"), Git()
    script = ((40.0, git.synced(tool)),)
    cluster, _ = told(Story("cohort", frozenset({end}), {**COHORTS, "onDrift": policy}, git.arranged(tool), script))
    assert weights_of(cluster)[:3] == [0, 25, 100]
