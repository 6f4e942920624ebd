from __future__ import annotations

from typing import Any

import celpy
import jsonschema
import pytest
import yaml

from meshshift.api.crd import PRINTER_COLUMNS, custom_resource_definition, spec_schema, trafficshift_schema
from meshshift.api.generate import crd_yaml
from meshshift.api.status import ConditionStatus, EvidenceStatus, StatusModel, StepStatus, WeightsStatus
from meshshift.core.run import Phase
from tests.api.server import broken_rules
from tests.api.structural import problems


def _nodes(schema: dict[str, Any], path: str = "spec") -> list[tuple[str, dict[str, Any]]]:
    children = [(f"{path}.{name}", child) for name, child in schema.get("properties", {}).items()]
    children += [(f"{path}[]", schema["items"])] if "items" in schema else []
    return [(path, schema), *(node for where, child in children for node in _nodes(child, where))]


def test_the_schema_is_structural() -> None:
    assert list(problems(trafficshift_schema())) == []


def test_everything_a_rule_may_walk_over_is_bounded() -> None:
    assert list(problems(spec_schema(), "spec", bounded=True)) == []


def test_the_structural_check_can_fail() -> None:
    broken = {"type": "object", "required": ["a"], "properties": {"b": {}, "c": {"type": "array"}}, "anyOf": []}
    assert len(list(problems(broken))) == 4


@pytest.mark.parametrize(("path", "node"), [each for each in _nodes(spec_schema()) if "default" in each[1]])
def test_a_default_satisfies_its_own_schema_and_rules_as_it_stands(path: str, node: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(node).validate(node["default"])
    assert broken_rules(node["default"], node) == []


def test_every_rule_compiles() -> None:
    environment = celpy.Environment()
    rules = [rule["rule"] for _, node in _nodes(spec_schema()) for rule in node.get("x-kubernetes-validations", ())]
    assert len(rules) > 30
    for rule in rules:
        environment.compile(rule)


def test_rules_use_nothing_that_only_some_interpreters_have() -> None:
    text = crd_yaml()
    assert "isSorted(" not in text
    assert ".sum(" not in text


def test_names_and_columns_are_the_designs() -> None:
    spec = custom_resource_definition()["spec"]
    assert spec["names"]["shortNames"] == ["tshift", "ts"]
    assert spec["names"]["categories"] == ["meshshift"]
    assert [column["name"] for column in PRINTER_COLUMNS] == [
        *("Service", "Strategy", "Phase", "Step", "Weight", "Message", "Age")
    ]


def test_kubectl_get_stays_readable_on_a_terminal() -> None:
    """Widths as kubectl pads them: three spaces between columns."""
    message = "5% → 25% in 40 s: success-rate not yet proven (312 of ~700 requests)"
    row = {"Service": "reviews", "Phase": "Progressing", "Step": "2/5", "Weight": "5", "Message": message, "Age": "12m"}
    widths = [max(len(name), len(row[name])) for name in row]
    shown = [column["name"] for column in PRINTER_COLUMNS if not column.get("priority")]
    assert shown == list(row)
    assert len("reviews") + 3 + sum(widths) + 3 * (len(widths) - 1) <= 140


def test_a_full_status_fits_the_schema_and_no_field_is_unknown_to_it() -> None:
    status = StatusModel(
        phase=Phase.PROGRESSING,
        reason="NotYetProven",
        message="5% → 25%: success-rate not yet proven",
        strategy="canary",
        run_id="a1",
        observed_generation=3,
        step=StepStatus.at(2, 5, "setWeight 5%", 1_700_000_000.0),
        weights=WeightsStatus(desired=5, observed=5, measured=4.87),
        evidence=(EvidenceStatus(indicator="success-rate", worse=0.4, worse_bar=4, requests_needed=388),),
        conditions=(
            ConditionStatus(
                type="Ready",
                status="False",
                reason="Progressing",
                message="",
                last_transition_time="2025-01-01T00:00:00Z",
                observed_generation=3,
            ),
        ),
        checkpoint="{}",
    ).to_wire()
    schema = trafficshift_schema()["properties"]["status"]
    jsonschema.Draft202012Validator(_closed(schema)).validate(status)
    assert status["step"]["progress"] == "2/5"


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with unknown fields refused: what a real server would prune."""
    closed = dict(schema)
    if "properties" in closed:
        closed["properties"] = {name: _closed(child) for name, child in closed["properties"].items()}
        closed["additionalProperties"] = False
    if "items" in closed:
        closed["items"] = _closed(closed["items"])
    return closed


def test_the_file_is_one_document_without_aliases() -> None:
    documents = list(yaml.safe_load_all(crd_yaml()))
    assert documents == [custom_resource_definition()]
    assert "&id" not in crd_yaml()
