from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
import yaml

from meshshift.cli.manifests import read_manifests
from tests.cli.plan_goldens import CASES, invoke, outputs

PLANNED = [case for case in CASES if (case / "expected.json").exists()]
SHIFT: dict[str, Any] = {
    "apiVersion": "meshshift.io/v1alpha1",
    "kind": "TrafficShift",
    "metadata": {"name": "reviews"},
    "spec": {
        "service": "reviews",
        "stable": {"subset": "v1"},
        "canary": {"subset": "v2"},
        "strategy": {"canary": {"steps": [{"setWeight": 25}]}},
    },
}
SERVICE: dict[str, Any] = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {"name": "reviews"},
    "spec": {"hosts": ["reviews"], "http": [{"route": [{"destination": {"host": "reviews", "subset": "v1"}}]}]},
}
RULE: dict[str, Any] = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "DestinationRule",
    "metadata": {"name": "reviews"},
    "spec": {"host": "reviews", "subsets": [{"name": each, "labels": {"version": each}} for each in ("v1", "v2")]},
}
MANIFESTS = yaml.safe_dump_all([SHIFT, SERVICE, RULE])


def documents(case: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    found = read_manifests([str(case / "input.yaml")], "default")
    return {(each.ref.kind, each.ref.namespace, each.ref.name): each.document for each in found}


def entries(case: Path) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((case / "expected.json").read_text())
    return loaded


def without_what_a_shift_may_write(document: dict[str, Any], original: dict[str, Any]) -> bytes:
    """The document as bytes, without weights and without what was appended to a route or to the subsets."""
    left = json.loads(json.dumps(document))
    if left["kind"] == "DestinationRule":
        left["spec"]["subsets"] = left["spec"]["subsets"][: len(original["spec"]["subsets"])]
        return json.dumps(left).encode()
    for protocol in ("http", "tls", "tcp"):
        for route, before in zip(left["spec"].get(protocol, ()), original["spec"].get(protocol, ()), strict=True):
            if "route" in route:
                route["route"] = route["route"][: len(before["route"])]
            for entry in route.get("route", ()):
                entry.pop("weight", None)
    return json.dumps(left).encode()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_case_is_planned_as_written_down(case: Path) -> None:
    written = {path.name: path.read_text() for path in case.glob("expected.*")}
    assert outputs(case) == written, "run python -m tests.cli.plan_goldens, read the diff"


@pytest.mark.parametrize("case", PLANNED, ids=lambda case: case.name)
def test_the_patches_apply_in_order_and_only_weights_change(case: Path) -> None:
    originals, current = documents(case), documents(case)
    for entry in entries(case):
        key = (entry["target"]["kind"], entry["target"]["namespace"], entry["target"]["name"])
        after = jsonpatch.apply_patch(current.get(key, {}), entry["patch"])
        original = originals.setdefault(key, after)
        assert without_what_a_shift_may_write(after, original) == without_what_a_shift_may_write(original, original)
        current[key] = after


@pytest.mark.parametrize("case", PLANNED, ids=lambda case: case.name)
def test_what_is_appended_is_the_canary_and_its_subset(case: Path) -> None:
    for entry in entries(case):
        for operation in entry["patch"]:
            added = operation.get("value")
            if operation["op"] == "add" and operation["path"].endswith("/route/-"):
                assert added.keys() == {"destination", "weight"}
                assert added["destination"]["subset"] == "v2"
            elif operation["op"] == "add" and operation["path"].endswith("/subsets/-"):
                assert added["name"] == "v2"
            elif operation["op"] in ("add", "replace"):
                assert operation["path"].endswith("/weight") or operation["path"] == ""


def test_yaml_says_the_same_as_json() -> None:
    (found, wanted) = (invoke("-f", "-", "-o", form, stdin=MANIFESTS).stdout for form in ("yaml", "json"))
    assert yaml.safe_load(found) == json.loads(wanted) != []


def test_a_stored_version_is_tested_once_because_nobody_knows_the_next() -> None:
    stored = {**SERVICE, "metadata": {"name": "reviews", "resourceVersion": "7"}}
    text = invoke("-f", "-", "-o", "json", stdin=yaml.safe_dump_all([SHIFT, stored, RULE])).stdout
    tested = [[each for each in entry["patch"] if "resourceVersion" in each["path"]] for entry in json.loads(text)]
    assert tested == [[{"op": "test", "path": "/metadata/resourceVersion", "value": "7"}], []]


def test_documents_without_namespace_are_where_the_flag_says() -> None:
    text = invoke("-f", "-", "-n", "bookinfo", "-o", "json", stdin=MANIFESTS).stdout
    assert {entry["target"]["namespace"] for entry in json.loads(text)} == {"bookinfo"}


def test_files_and_directories_make_one_set(tmp_path: Path) -> None:
    (tmp_path / "mesh" / "deep").mkdir(parents=True)
    (tmp_path / "mesh" / "service.yml").write_text(yaml.safe_dump(SERVICE))
    (tmp_path / "mesh" / "deep" / "rule.json").write_text(json.dumps(RULE))
    (tmp_path / "mesh" / "notes.txt").write_text("not: [yaml")
    (tmp_path / "shift.yaml").write_text(yaml.safe_dump(SHIFT))
    result = invoke("-f", str(tmp_path / "shift.yaml"), "-f", str(tmp_path / "mesh"), "-f", str(tmp_path / "mesh"))
    assert result.exit_code == 0
    assert "step 1: setWeight 25%" in result.stdout


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        (yaml.safe_dump(SERVICE), "there is no TrafficShift in -"),
        (MANIFESTS + "---\n" + yaml.safe_dump(SERVICE), "VirtualService default/reviews is there 2 times (-, -)"),
        ("a: [", "- is not YAML"),
        ("kind: VirtualService\nmetadata: {name: 7}\n", "metadata.name 7; give it a name"),
        ("kind: VirtualService\nmetadata: {name: a}\nspec: {set: !!set {a: }}\n", "a value that JSON does not know"),
    ],
)
def test_what_cannot_be_planned_is_named(stdin: str, message: str) -> None:
    result = invoke("-f", "-", stdin=stdin)
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr


def test_json_may_be_indented_by_tabs() -> None:
    manifests = json.dumps({"kind": "List", "items": [SHIFT, SERVICE, RULE]}, indent="\t")
    assert invoke("-f", "-", stdin=manifests).exit_code == 0


def test_what_a_plan_does_not_read_may_stand_twice() -> None:
    service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: reviews}\n"
    assert invoke("-f", "-", stdin=MANIFESTS + 2 * service).exit_code == 0


def test_nothing_is_planned_if_one_of_the_shifts_is_wrong() -> None:
    broken = {**SHIFT, "metadata": {"name": "broken"}, "spec": {**SHIFT["spec"], "service": "Nobody_"}}
    result = invoke("-f", "-", "-o", "json", stdin=MANIFESTS + "---\n" + yaml.safe_dump(broken))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "TrafficShift default/broken: spec.service" in result.stderr
