"""With the rules of the page, a tool that re-applies what Git says, again and again, is not noticed by anybody."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import pytest

from tests.engine.faults import play
from tests.engine.faults_schedule import undisturbed
from tests.engine.simulation import Killed, rule
from tests.engine.stories import BACK, COHORTS, LABELS, RED_BLACK, STICKY, THERE, Story, failing
from tests.gitops.argo_cd import ArgoCD
from tests.gitops.cluster import KINDS, PAIR, SINGLE, Cluster, Git, Tool, course_of, every, manifest, told
from tests.gitops.flux import Flux
from tests.gitops.page import argo_cd, flux, with_subsets

TOOLS: dict[str, Tool] = {
    "Argo CD": argo_cd(),
    "Argo CD before 3.5": argo_cd(restores=False),
    "Argo CD, server-side": argo_cd(server_side=True),
    "Argo CD before 3.5, server-side": argo_cd(server_side=True, restores=False),
    "Flux": flux(),
}
SPECS: dict[str, dict[str, Any]] = {
    "weights": {},
    "cohort and mirror": COHORTS,
    "red and black": RED_BLACK,
    "sticky": STICKY,
}


@lru_cache
def alone(spec: str, documents: str, *, fails: bool) -> Cluster:
    """How the shift goes with nobody beside; specs and documents are JSON."""
    arranged = Git(json.loads(documents)).arranged(Flux(), *((failing,) if fails else ()))
    return told(Story("alone", frozenset({BACK if fails else THERE}), json.loads(spec), arranged))[0]


def assert_unnoticed(tool: Tool, spec: dict[str, Any], git: Git, *, fails: bool = False) -> None:
    """With a tool that acts every other second it goes the same way, second by second, to the same end."""
    expected = alone(json.dumps(spec), json.dumps(git.documents), fails=fails)
    arranged = git.arranged(tool, *((failing,) if fails else ()))
    script = every(2.0, git.synced(tool), until=160.0)
    cluster, result = told(Story("beside", frozenset({BACK if fails else THERE}), spec, arranged, script))
    assert result.broken == {}
    assert cluster.reasons() == expected.reasons()
    assert course_of(cluster) == course_of(expected)
    for kind in KINDS:
        assert cluster.mesh.peek(kind, "reviews")["spec"] == expected.mesh.peek(kind, "reviews")["spec"]


@pytest.mark.parametrize("document", [PAIR, SINGLE], ids=["both in Git", "one in Git"])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
@pytest.mark.parametrize("fails", [False, True], ids=["good", "bad"])
def test_the_shift_ends_as_if_alone(tool: Tool, spec: dict[str, Any], document: dict[str, Any], *, fails: bool) -> None:
    git = Git()
    git.commit(document)(None)
    assert_unnoticed(tool, spec, git, fails=fails)
    assert bool(git.sent) == isinstance(tool, ArgoCD), "Argo CD writes with every sync, Flux only what has drifted"


@pytest.mark.parametrize("tool", [argo_cd(), argo_cd(server_side=True), flux("Weights only")])
def test_the_narrow_rules_do_for_weights(tool: Tool) -> None:
    assert_unnoticed(tool, {}, Git())


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("server_side", [False, True])
def test_argo_cd_shows_the_application_as_synced_all_the_time(spec: dict[str, Any], *, server_side: bool) -> None:
    git, tool = Git(), argo_cd(server_side=server_side)
    assert isinstance(tool, ArgoCD)
    shown: list[bool] = []

    def look(simulation: Any) -> None:
        shown.extend(tool.is_synced(each, simulation.mesh.peek(each["kind"], "reviews")) for each in git.documents)

    told(Story("looked at", frozenset({THERE}), spec, git.arranged(tool), every(1.0, look, until=150.0)))
    assert len(shown) > 250
    assert all(shown)


@pytest.mark.parametrize("tool", with_subsets().values(), ids=with_subsets())
@pytest.mark.parametrize("fails", [False, True], ids=["good", "bad"])
def test_a_subset_that_is_not_in_git_needs_a_rule_of_its_own(tool: Tool, *, fails: bool) -> None:
    git = Git([SINGLE, manifest(rule("v1"))])
    assert_unnoticed(tool, {"canary": LABELS}, git, fails=fails)


class Struck(Cluster):
    """The controller dies once, at one call, while the tool goes on."""

    victim, moment = 0, ""

    def _fault(self, call: str, moment: str) -> None:
        if len(self.mesh.calls) == self.victim and moment == self.moment:
            self.victim = 0
            raise Killed


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_controller_that_dies_at_any_call_comes_to_the_same_end(moment: str) -> None:
    tool, git = argo_cd(server_side=True), Git()
    story = Story("struck", frozenset({THERE}), COHORTS, git.arranged(tool), every(3.0, git.synced(tool), until=60.0))
    calm, result = told(story)
    assert result.broken == {}
    for victim in range(1, len(calm.mesh.calls) + 1):
        world = Struck(undisturbed(story))
        world.victim, world.moment = len(world.mesh.calls) + victim, moment
        _, result = play(undisturbed(story), world)
        assert not world.victim, "the process was killed where it was to be"
        assert result.broken == {}, f"killed {moment} call {victim}"
