"""What a ShiftPolicy adds to a shift, what it may not, and what the API server makes of both kinds."""

from __future__ import annotations

import copy
from typing import Any

import celpy
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.api.convert import notifications_from_wire, spec_from_wire, spec_hash, wire_spec_with_defaults
from meshshift.api.crd import custom_resource_definition, described_spec_schema, spec_schema
from meshshift.api.errors import InvalidSpec
from meshshift.api.models import MERGED_FIELDS, POLICY_FIELDS
from meshshift.api.policies import Policy, policy_name, whose_notifications, with_policy
from meshshift.api.policy_crd import POLICY_COLUMNS, policy_definition, policy_spec_schema
from tests.api.samples import POLICIES_REFUSED, POLICIES_TAKEN, VALID, load, minimal, sample_files
from tests.api.server import broken_rules, refusals, with_defaults
from tests.api.structural import problems

STEPS = {"canary": {"steps": [{"setWeight": 10}], "minStepDuration": "2m"}}
SLACK = {"slack": {"url": "https://hooks.example.com/a"}}


def governed(**fields: Any) -> dict[str, Any]:
    spec = minimal(policyRef={"name": "careful"}, **fields)
    if "strategy" not in fields:
        del spec["strategy"]
    return spec


def careful(**spec: Any) -> Policy:
    return Policy("careful", spec)


def told(spec: Any, policy: Policy | None) -> list[str]:
    with pytest.raises(InvalidSpec) as caught:
        with_policy(spec, policy)
    return [str(error) for error in caught.value.errors]


def test_what_the_shift_leaves_out_is_the_policys_and_the_rest_its_own() -> None:
    policy = careful(strategy=STEPS, analysis={"tolerance": 10, "warmup": "2m"}, onFailure="Pause", onDrift="Adopt")
    whole = with_policy(governed(analysis={"tolerance": 25, "interval": "5s"}, onDrift="Pause"), policy)
    assert whole["strategy"] == STEPS
    assert whole["analysis"] == {"tolerance": 25, "interval": "5s", "warmup": "2m"}
    assert (whole["onFailure"], whole["onDrift"]) == ("Pause", "Pause")


def test_a_default_that_is_written_out_is_a_choice() -> None:
    policy = careful(strategy=STEPS, analysis={"confidence": 95})
    chosen = spec_from_wire(with_policy(governed(analysis={"confidence": 99}), policy), namespace="a")
    left = spec_from_wire(with_policy(governed(), policy), namespace="a")
    assert (chosen.analysis.judge.false_rollback, left.analysis.judge.false_rollback) == (0.01, 0.05)


@pytest.mark.parametrize("field", ["strategy", "analysis", "onFailure", "onDrift", "notifications"])
def test_null_is_absent_on_both_sides(field: str) -> None:
    policy = careful(strategy=STEPS, **{field: None} if field != "strategy" else {})
    assert with_policy(governed(**{field: None}), policy)["strategy"] == STEPS


def test_lists_and_strategies_are_taken_whole() -> None:
    mine = [{"name": "errors", "successRate": {}}]
    policy = careful(
        strategy=STEPS,
        analysis={"indicators": [{"name": "a", "latency": {}}, {"name": "b", "successRate": {}}]},
        notifications=[SLACK, SLACK],
    )
    whole = with_policy(
        governed(strategy={"rolling": {}}, analysis={"indicators": mine}, notifications=[SLACK]), policy
    )
    assert (whole["strategy"], whole["analysis"]["indicators"]) == ({"rolling": {}}, mine)
    assert whole["notifications"] == [SLACK]


def test_neither_object_is_changed_by_the_merging() -> None:
    policy, spec = careful(strategy=STEPS, analysis={"tolerance": 10}), governed(analysis={"interval": "5s"})
    before = copy.deepcopy((policy.spec, spec))
    with_policy(spec, policy)
    assert (policy.spec, spec) == before


@pytest.mark.parametrize("path", sample_files(VALID), ids=lambda path: path.stem)
def test_what_is_moved_into_a_policy_means_the_same(path: Any) -> None:
    spec = load(path)
    moved = {name: spec[name] for name in POLICY_FIELDS if name in spec}
    rest = {name: value for name, value in spec.items() if name not in moved}
    whole = with_policy({**rest, "policyRef": {"name": "careful"}}, careful(**moved))
    assert spec_from_wire(whole, namespace="bookinfo") == spec_from_wire(spec, namespace="bookinfo")
    assert spec_hash(whole) == spec_hash(spec)
    assert wire_spec_with_defaults(whole) == wire_spec_with_defaults(spec)


@given(st.sets(st.sampled_from(["interval", "warmup", "tolerance", "confidence"])))
def test_it_matters_not_which_of_the_two_says_it(mine: set[str]) -> None:
    analysis = {"interval": "5s", "warmup": "30s", "tolerance": 10, "confidence": 95}
    own = {name: value for name, value in analysis.items() if name in mine}
    others = {name: value for name, value in analysis.items() if name not in mine}
    whole = with_policy(governed(analysis=own), careful(strategy=STEPS, analysis=others))
    assert spec_hash(whole) == spec_hash(minimal(strategy=STEPS, analysis=analysis))


def test_each_error_names_the_object_that_its_value_stands_in() -> None:
    policy = careful(strategy={"canary": {"minStepDuration": "soon"}}, analysis={"tolerance": "much"})
    errors = told(governed(analysis={"interval": "often"}, paused="yes"), policy)
    begin = [error.partition(" = ")[0] for error in errors]
    assert begin == [
        "ShiftPolicy careful: spec.strategy.canary.minStepDuration",
        "spec.analysis.interval",
        "ShiftPolicy careful: spec.analysis.tolerance",
        "spec.paused",
    ]


def test_values_that_contradict_each_other_are_told_with_both_places() -> None:
    (error,) = told(
        governed(analysis={"interval": "5m"}), careful(strategy={"rolling": {}}, analysis={"stepTimeout": "2m"})
    )
    assert error.startswith('ShiftPolicy careful: spec.analysis.stepTimeout = "2m": stepTimeout must be at least')
    assert error.endswith("; spec.analysis.interval is from the TrafficShift")


def test_a_policy_that_contradicts_a_default_is_named() -> None:
    (error,) = told(governed(), careful(strategy={"rolling": {"every": "2h"}}))
    assert error.startswith('spec.analysis.stepTimeout = "30m": ')
    assert error.endswith("; spec.strategy is from ShiftPolicy careful")


@pytest.mark.parametrize("spec", [None, 7, "careful", [], {"service": "ratings"}, {"analysis": [1]}, {"strategy": 3}])
def test_whatever_stands_in_a_policy_is_a_spec_or_a_refusal_that_names_it(spec: Any) -> None:
    errors = told(
        governed(strategy={"rolling": {}}) if spec != {"strategy": 3} else governed(), Policy("careful", spec)
    )
    assert errors[0].startswith("ShiftPolicy careful: spec")


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({"policyRef": {"name": "careful"}}, "careful"),
        ({"policyRef": {"name": "../careful"}}, None),
        ({"policyRef": {"name": 7}}, None),
        ({"policyRef": "careful"}, None),
        ({}, None),
        (None, None),
        ("careful", None),
    ],
)
def test_only_a_name_that_a_policy_can_have_is_looked_for(spec: Any, name: str | None) -> None:
    assert policy_name(spec) == name


def test_who_is_told_stands_in_the_shift_or_in_its_policy_and_is_no_part_of_a_run() -> None:
    policy = careful(strategy=STEPS, notifications=[SLACK, SLACK])
    assert whose_notifications(governed(), policy) == (policy.spec, "ShiftPolicy careful")
    assert len(notifications_from_wire(policy.spec)) == 2
    mine = governed(notifications=[SLACK])
    assert whose_notifications(mine, policy) == (mine, "")
    assert policy.kept == careful(strategy=STEPS)
    assert spec_hash(with_policy(governed(), policy)) == spec_hash(with_policy(governed(), policy.kept))


def test_the_kind_is_served_beside_the_other() -> None:
    spec, other = policy_definition()["spec"], custom_resource_definition()["spec"]
    assert spec["group"] == other["group"]
    assert (spec["names"]["kind"], spec["scope"]) == ("ShiftPolicy", "Namespaced")
    assert not set(spec["names"]["shortNames"]) & set(other["names"]["shortNames"])
    assert [column["name"] for column in POLICY_COLUMNS] == ["Method", "Interval", "OnFailure", "OnDrift", "Age"]
    assert "subresources" not in spec["versions"][0]


def test_its_schema_is_structural_bounded_and_has_rules_that_compile() -> None:
    schema = policy_spec_schema()
    assert list(problems(schema, "spec", bounded=True)) == []
    assert list(schema["properties"]) == list(POLICY_FIELDS)
    assert len(schema["x-kubernetes-validations"]) == 2
    for rule in schema["x-kubernetes-validations"]:
        celpy.Environment().compile(rule["rule"])


@pytest.mark.parametrize("schema", [spec_schema(), policy_spec_schema()], ids=["TrafficShift", "ShiftPolicy"])
def test_the_server_writes_no_default_that_would_look_like_a_choice(schema: dict[str, Any]) -> None:
    filled = with_defaults({"analysis": {}, "strategy": {"canary": {}}}, schema)
    assert filled["analysis"] == {}
    assert not {"onFailure", "onDrift", "notifications"} & filled.keys()
    assert "analysis" not in with_defaults({"strategy": {"canary": {}}}, schema)


def test_what_is_not_stored_is_said_in_words() -> None:
    described, stored = (each["properties"] for each in (described_spec_schema(), spec_schema()))
    for name in MERGED_FIELDS:
        for field, node in described[name]["properties"].items():
            if not isinstance(node["default"], list):
                assert stored[name]["properties"][field]["description"].endswith(f" Default: {node['default']}.")
    assert stored["onFailure"]["description"].endswith(" Default: Rollback.")


@pytest.mark.parametrize("spec", POLICIES_TAKEN)
def test_the_server_takes_a_policy_that_a_shift_may_complete(spec: dict[str, Any]) -> None:
    schema = policy_spec_schema()
    filled = with_defaults(spec, schema)
    jsonschema.Draft202012Validator(schema).validate(filled)
    assert broken_rules(filled, schema) == []


@pytest.mark.parametrize("spec", POLICIES_REFUSED)
def test_the_server_refuses_a_policy_that_no_shift_can_mend(spec: dict[str, Any]) -> None:
    schema = policy_spec_schema()
    assert broken_rules(with_defaults(spec, schema), schema)


def test_a_shift_needs_a_strategy_or_a_policy() -> None:
    assert refusals(governed()) == []
    assert len(refusals({name: value for name, value in minimal().items() if name != "strategy"})) == 1
