"""plan, lint and replay take the policy of a shift from the documents that they are given, and say if it is missing."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from meshshift.cli.main import main
from tests.cli.saved import document, rolled_back
from tests.cli.test_plan import RULE, SERVICE, SHIFT
from tests.cli.test_replay import Recorded

GOVERNED: dict[str, Any] = copy.deepcopy(SHIFT)
del GOVERNED["spec"]["strategy"]
GOVERNED["spec"]["policyRef"] = {"name": "careful"}
POLICY: dict[str, Any] = {
    "apiVersion": "meshshift.io/v1alpha1",
    "kind": "ShiftPolicy",
    "metadata": {"name": "careful"},
    "spec": {"strategy": SHIFT["spec"]["strategy"]},
}
MISSING = 'spec.policyRef.name = "careful": there is no ShiftPolicy default/careful in '


def invoke(command: str, *documents: Any) -> Result:
    return CliRunner().invoke(main, [command, "-f", "-"], input=yaml.safe_dump_all(documents))


def with_spec(manifest: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {**manifest, "spec": {**manifest["spec"], **spec}}


def test_a_plan_is_that_of_the_shift_with_its_policy() -> None:
    plain, governed = invoke("plan", SHIFT, SERVICE, RULE), invoke("plan", GOVERNED, POLICY, SERVICE, RULE)
    assert governed.exit_code == 0
    assert governed.stdout == plain.stdout


def test_a_plan_without_the_policy_says_what_is_missing() -> None:
    result = invoke("plan", GOVERNED, SERVICE, RULE)
    assert result.exit_code == 1
    assert f"TrafficShift default/reviews: {MISSING}the files; give its manifest, too" in result.output


def test_a_policy_of_another_namespace_is_none() -> None:
    elsewhere = {**POLICY, "metadata": {"name": "careful", "namespace": "prod"}}
    assert MISSING in invoke("plan", GOVERNED, elsewhere, SERVICE, RULE).output


def test_lint_finds_what_is_wrong_with_the_two_together_and_names_the_policy() -> None:
    broken = with_spec(POLICY, analysis={"interval": "often"})
    result = invoke("lint", GOVERNED, broken, SERVICE, RULE)
    assert result.exit_code == 1
    assert "-: TrafficShift default/reviews: error: ShiftPolicy careful: spec.analysis.interval" in result.output
    assert MISSING in invoke("lint", GOVERNED, SERVICE, RULE).output


def test_lint_judges_a_policy_by_itself_only_if_no_shift_completes_it() -> None:
    partial = with_spec(POLICY, analysis={"stepTimeout": "10s"})
    alone = invoke("lint", partial, SERVICE, RULE)
    assert alone.exit_code == 1
    assert "-: ShiftPolicy default/careful: error: ShiftPolicy careful: spec.analysis.stepTimeout" in alone.output
    completed = with_spec(GOVERNED, analysis={"interval": "5s", "stepTimeout": "30m"})
    assert invoke("lint", completed, partial, SERVICE, RULE).exit_code == 0
    assert invoke("lint", POLICY, SERVICE, RULE).exit_code == 0
    assert invoke("lint", with_spec(POLICY, strategy=None), SERVICE, RULE).exit_code == 0


@pytest.mark.parametrize("given", [True, False])
def test_a_replay_takes_the_policy_from_the_file_of_the_shift(
    given: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    simulation = rolled_back()
    monkeypatch.setattr("meshshift.cli.replay.PrometheusTelemetry", Recorded)
    Recorded.simulation = simulation
    shift = document(simulation)
    moved = {name: shift["spec"].pop(name) for name in ("strategy", "analysis")}
    shift["spec"]["policyRef"] = {"name": "careful"}
    namespace = shift["metadata"]["namespace"]
    policy = {**POLICY, "metadata": {"name": "careful", "namespace": namespace}, "spec": moved}
    path = tmp_path / "shift.yaml"
    path.write_text(yaml.safe_dump_all([shift, policy] if given else [shift]))
    fixed = ["replay", "-f", str(path), "--prometheus-url", "http://prometheus", "--scrape-interval", "1s"]
    result = CliRunner().invoke(main, fixed)
    if given:
        assert "Verdict: would have been rolled back at 22:14:16" in result.output
    else:
        assert result.exit_code == 1
        assert f"there is no ShiftPolicy {namespace}/careful in {path}; give its manifest, too" in result.output
