from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from meshshift.cli.main import main
from tests.cli.test_plan import RULE, SERVICE, SHIFT

ROOT = Path(__file__).parents[2]
KUBERNETES_SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "reviews"}}


def invoke(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["lint", *arguments], input=stdin)


def lint(*documents: Any) -> Result:
    return invoke("-f", "-", stdin=yaml.safe_dump_all(documents))


def test_a_sound_set_is_silent() -> None:
    result = lint(SHIFT, SERVICE, RULE, KUBERNETES_SERVICE)
    assert (result.exit_code, result.output) == (0, "")


def test_the_sample_mesh_is_sound() -> None:
    result = invoke("-f", str(ROOT / "istio"))
    assert (result.exit_code, result.output) == (0, "")


def test_warnings_alone_do_not_fail() -> None:
    result = lint(SHIFT, SERVICE, RULE)
    assert result.exit_code == 0
    assert result.output.startswith(
        "-: TrafficShift default/reviews: warning: spec.service: Service default/reviews is not in the set"
    )


def test_a_service_of_another_kind_of_api_is_none() -> None:
    other = {**KUBERNETES_SERVICE, "apiVersion": "serving.knative.dev/v1"}
    assert "is not in the set" in lint(SHIFT, SERVICE, RULE, other).output


def test_all_that_is_wrong_with_a_spec_is_told_in_a_line_each() -> None:
    spec = {**SHIFT["spec"], "canary": {"subset": "v1"}, "onFailure": "Panic"}
    result = lint({**SHIFT, "spec": spec}, SERVICE, RULE)
    assert result.exit_code == 1
    assert [line.split(": ")[2:4] for line in result.output.splitlines()] == [
        ["error", 'spec.onFailure = "Panic"'],
        ["error", 'spec.canary.subset = "v1"'],
    ]


def test_each_line_names_the_file_that_the_object_stands_in(tmp_path: Path) -> None:
    (tmp_path / "shift.yaml").write_text(yaml.safe_dump(SHIFT))
    route = {"route": [{"destination": {"host": "reviews", "subset": "v1"}, "weight": 1}]}
    document = {**SERVICE, "spec": {"hosts": ["reviews"], "http": [route]}}
    (tmp_path / "mesh.yaml").write_text(yaml.safe_dump_all([document, RULE, KUBERNETES_SERVICE]))
    result = invoke("-f", str(tmp_path))
    assert result.exit_code == 0
    assert result.output.startswith(
        f"{tmp_path / 'mesh.yaml'}: VirtualService default/reviews: warning: http[0]: the only"
    )


@pytest.mark.parametrize("case", ["troubled", "ignored"])
def test_a_troubled_set_is_told_as_written_down(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = invoke("-f", f"tests/data/lint/{case}")
    assert result.exit_code == 1
    assert result.output == (ROOT / f"tests/data/lint/{case}/expected.txt").read_text()


def test_json_says_the_same() -> None:
    result = invoke("-f", "-", "-o", "json", stdin=yaml.safe_dump_all([SERVICE]))
    assert result.exit_code == 1
    (entry,) = json.loads(result.output)
    assert entry.pop("message").startswith('http[0].route[0] sends to subset "v1" of reviews.default.svc.cluster.local')
    assert entry == {
        "file": "-",
        "kind": "VirtualService",
        "namespace": "default",
        "name": "reviews",
        "severity": "error",
        "rule": "unknown-subset",
    }
    assert json.loads(invoke("-f", "-", "-o", "json", stdin="{}").output) == []


def test_an_object_that_stands_twice_is_an_error() -> None:
    result = lint(SHIFT, SERVICE, RULE, RULE, KUBERNETES_SERVICE)
    assert result.exit_code == 1
    assert "DestinationRule default/reviews: error: is there 2 times" in result.output
