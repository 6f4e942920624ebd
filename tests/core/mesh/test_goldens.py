"""Realistic documents in, exact patches out: each case is a directory under tests/data/mesh."""

from pathlib import Path
from typing import Any

import jsonpatch
import pytest
import yaml

from meshshift.core.mesh.documents import Document, Patch, Problem, Target
from meshshift.core.mesh.route_edits import weight_patches
from meshshift.core.mesh.routes import find_routes
from meshshift.core.mesh.subsets import add_subset_patch, find_rule
from meshshift.core.mesh.weighted_route import at_percent, observed_percent

CASES = sorted(path for path in (Path(__file__).parents[2] / "data" / "mesh").iterdir() if path.is_dir())
TARGET = Target(service="reviews", namespace="bookinfo", stable="v1", canary="v2")


def documents(case: Path, kind: str) -> list[Document]:
    return list(yaml.safe_load_all((case / f"{kind}.yaml").read_text(encoding="utf-8")))


def expected_of(case: Path) -> dict[str, Any]:
    expected: dict[str, Any] = yaml.safe_load((case / "expected-patch.yaml").read_text(encoding="utf-8"))
    return expected


def plain(patches: tuple[Patch, ...]) -> list[dict[str, Any]]:
    return [{"target": str(patch.target), "operations": list(patch.operations)} for patch in patches]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_virtual_services_are_patched_as_written_down(case: Path) -> None:
    expected = expected_of(case)
    found = find_routes(documents(case, "virtualservice"), TARGET)
    result = found if isinstance(found, Problem) else weight_patches(found.routes, expected["percent"])
    if isinstance(result, Problem):
        assert {"reason": result.reason.value, "message": result.message} == expected["problem"]
        return
    assert not isinstance(found, Problem)
    assert list(observed_percent(found.routes)) == expected["observed"]
    assert [f"{each.name or 'null'} {each.why.reason}" for each in found.skipped] == expected.get("skipped", [])
    assert plain(result) == expected["virtualServices"]


@pytest.mark.parametrize(
    "case", [case for case in CASES if "problem" not in expected_of(case)], ids=lambda case: case.name
)
def test_a_patched_mesh_says_the_percentage_and_needs_no_second_patch(case: Path) -> None:
    expected = expected_of(case)
    before = documents(case, "virtualservice")
    operations = {each["target"]: each["operations"] for each in expected["virtualServices"]}
    after = [
        jsonpatch.apply_patch(
            document,
            operations.get(f"VirtualService {document['metadata']['namespace']}/{document['metadata']['name']}", []),
        )
        for document in before
    ]
    found = find_routes(after, TARGET)
    assert not isinstance(found, Problem)
    assert at_percent(found.routes, expected["percent"])
    assert weight_patches(found.routes, expected["percent"]) == ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_canary_subset_is_added_as_written_down(case: Path) -> None:
    expected = expected_of(case).get("destinationRule")
    rule = find_rule(documents(case, "destinationrule"), TARGET)
    assert not isinstance(rule, Problem)
    if expected is None:
        assert add_subset_patch(rule, "v2", {"version": "v2"}) is None
        return
    patch = add_subset_patch(rule, "v2", **expected["add"])
    assert isinstance(patch, Patch)
    assert patch.target.name == expected["name"]
    assert list(patch.operations) == expected["operations"]
