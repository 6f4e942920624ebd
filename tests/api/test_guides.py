"""What the pages show can be applied: every YAML example of a TrafficShift, whole or a part of its spec, is valid."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshshift.api.convert import spec_from_wire
from meshshift.api.policies import policy_name
from tests.api.samples import minimal
from tests.api.server import refusals

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "how-to").glob("*.md")))
PARTS = {"strategy", "analysis", "onDrift", "group", "notifications", "stickiness", "scale"}


def examples() -> list[Any]:
    found = []
    for page in PAGES:
        policies: dict[str, Any] = {}
        for number, block in enumerate(
            re.findall(r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
        ):
            document = yaml.safe_load(block)
            if not isinstance(document, dict):
                continue
            if document.get("kind") == "ShiftPolicy":
                policies[document["metadata"]["name"]] = document["spec"]
            if document.get("kind") == "TrafficShift":
                named = policies.get(policy_name(document["spec"]) or "", {})
                found.append(pytest.param(named | document["spec"], id=f"{page.stem}-{number}"))
            elif document.keys() & PARTS:
                found.append(pytest.param(minimal(**document), id=f"{page.stem}-{number}"))
            elif isinstance(document.get("spec"), dict) and document["spec"].keys() & PARTS:
                found.append(pytest.param(minimal(**document["spec"]), id=f"{page.stem}-{number}"))
    return found


EXAMPLES = examples()


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("spec", EXAMPLES)
def test_an_example_can_be_applied_and_carried_out(spec: dict[str, Any]) -> None:
    assert refusals(spec) == []
    assert spec_from_wire(spec, namespace="bookinfo").steps
