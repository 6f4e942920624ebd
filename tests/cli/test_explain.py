from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from meshshift.cli.explain_text import as_json, render
from meshshift.cli.layout import WIDTH
from meshshift.cli.main import main
from meshshift.engine.explanation import explain
from tests.cli.saved import CASES, GOLDENS, begun, document, held_without_telemetry, progressing, rolled_back


def invoke(*arguments: str, stdin: str | None = None, **environment: str) -> Result:
    return CliRunner().invoke(main, ["explain", *arguments], input=stdin, env=environment)


def saved(directory: Path, *documents: Any) -> str:
    path = directory / "shift.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return str(path)


@pytest.mark.parametrize("name", CASES)
def test_each_situation_is_explained_as_expected(name: str) -> None:
    expected = (GOLDENS / f"{name}.txt").read_text()
    assert render(explain(document(CASES[name]()))) + "\n" == expected, "run python -m tests.cli.saved, read the diff"


@pytest.mark.parametrize("name", CASES)
def test_lines_fit_the_screen_except_for_commands_to_copy(name: str) -> None:
    lines = (GOLDENS / f"{name}.txt").read_text().splitlines()
    assert all(len(line) <= WIDTH for line in lines if "kubectl" not in line)


@pytest.mark.parametrize("name", CASES)
def test_json_is_strict_and_says_the_same(name: str) -> None:
    shift = document(CASES[name]())
    found = json.loads(json.dumps(as_json(explain(shift)), allow_nan=False))
    assert found["phase"] == shift.get("status", {}).get("phase")
    assert [entry["reason"] for entry in found["history"]] == [
        entry["reason"] for entry in shift.get("status", {}).get("history", [])
    ]
    if found["evidence"]:
        (first, *_) = found["evidence"]["accounts"]
        reported = shift["status"]["evidence"][0]
        assert round(first["canary"]["total"]) == reported["canaryRequests"]


def test_a_saved_shift_is_explained_without_a_cluster(tmp_path: Path) -> None:
    path = saved(tmp_path, document(rolled_back()))
    text = invoke("-f", path, KUBECONFIG="/nonexistent").output
    assert text == (GOLDENS / "rolled-back.txt").read_text()
    assert json.loads(invoke("-f", path, "-o", "json").output)["options"][0]["command"] == "retry"


def test_standard_input_and_lists_of_objects_are_read(tmp_path: Path) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [{"kind": "Service"}, document(progressing())]}
    assert invoke("-f", "-", stdin=yaml.safe_dump(listed)).output.startswith("bookinfo/reviews: reviews from v1 to v2")


def test_stickiness_is_among_the_settings_with_what_it_does_to_the_share() -> None:
    simulation = begun(stickiness={"cookie": "reviews-version"})
    simulation.run(20)
    shown = " ".join(render(explain(document(simulation))).split())
    assert "stickiness cookie reviews-version, kept for 24h; users stay where they are" in shown


def test_a_spec_edited_since_is_said() -> None:
    shift = document(held_without_telemetry())
    shift["spec"]["service"] = "ratings"
    assert "spec was changed after this run began" in render(explain(shift))
    shift["spec"]["service"] = ""
    assert "spec is not valid, the run goes by the one it was started with" in render(explain(shift))


def test_a_checkpoint_that_cannot_be_read_leaves_what_people_were_told() -> None:
    shift = document(progressing())
    shift["status"]["checkpoint"] = "{}"
    text = render(explain(shift))
    assert "the evidence cannot be shown" in text
    assert "FirstStep" in text
    assert "To be rolled back" not in text


SHIFT = "kind: TrafficShift\nmetadata: {{name: {}}}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("kind: Service", "holds 0 TrafficShifts where one is needed; save one with kubectl get"),
        ("\n---\n".join([SHIFT.format("a"), SHIFT.format("b")]), "holds 2 TrafficShifts where one is needed"),
        ("{", "is not YAML"),
        ("", "holds 0 TrafficShifts"),
    ],
)
def test_a_file_that_is_no_shift_says_what_to_do(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(content)
    result = invoke("-f", str(path))
    assert result.exit_code == 1
    assert message in result.output


def test_a_name_or_a_file_is_needed() -> None:
    assert "neither was given" in invoke().output
    assert invoke().exit_code == 2


def test_a_missing_cluster_says_what_to_do(tmp_path: Path) -> None:
    result = invoke("reviews", KUBECONFIG=str(tmp_path / "none"), HOME=str(tmp_path))
    assert result.exit_code == 1
    assert "a saved TrafficShift with --filename" in result.output
