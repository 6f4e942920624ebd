from __future__ import annotations

from typing import Any

import click
import pytest

from meshshift.cli.variants import AS_WRITTEN, variants
from tests.engine.simulation import NAMESPACE, shift

INDICATORS = [{"name": "success-rate", "successRate": {}}, {"name": "latency", "latency": {"threshold": "1s"}}]


def wire() -> dict[str, Any]:
    return dict(shift(analysis={"indicators": INDICATORS})["spec"])


def test_without_assignments_the_spec_is_as_written() -> None:
    (only,) = variants(wire(), NAMESPACE, [], [])
    assert only.label == AS_WRITTEN
    assert only.spec.analysis.judge.false_rollback == 0.01


def test_groups_stand_beside_the_first_and_build_on_it() -> None:
    first, second = variants(
        wire(), NAMESPACE, ["analysis.tolerance=50"], ["analysis.confidence=99.9 analysis.harmBudget=1"]
    )
    assert (first.label, first.spec.analysis.judge.tolerance) == ("analysis.tolerance=50", 0.5)
    assert second.label == "analysis.tolerance=50 analysis.confidence=99.9 analysis.harmBudget=1"
    judge = second.spec.analysis.judge
    assert (judge.tolerance, judge.false_rollback, judge.harm_budget) == (0.5, 0.001, 0.01)
    assert first.spec.analysis.judge.harm_budget == 0.005


def test_lists_are_entered_by_number_and_values_are_yaml() -> None:
    (only,) = variants(
        wire(),
        NAMESPACE,
        ["analysis.indicators.1.latency.threshold=250ms", "strategy.canary={ramp: {start: 5, by: 5, max: 20}}"],
        [],
    )
    assert only.spec.analysis.indicators[1].measure.threshold == 0.25  # type: ignore[union-attr]
    assert len(only.spec.steps) == 5


def test_what_was_given_stays_as_it_was() -> None:
    spec = wire()
    variants(spec, NAMESPACE, ["analysis.indicators.0.name=errors"], [])
    assert spec["analysis"]["indicators"][0]["name"] == "success-rate"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("analysis.confidence", "is no assignment; write e.g. analysis.confidence=99.9"),
        ("analysis..confidence=9", "is no assignment"),
        ("analysis.confidence=12", "analysis.confidence = 12"),
        ("analysis.confidense=99", "analysis.confidense"),
        ("service.name=x", "service is 'reviews', which has no fields; leave out .name"),
        ("analysis.indicators.2.name=x", "has 2 items, and '2' is none; count them from 0"),
        ("analysis.indicators.first=x", "'first' is none"),
        ("analysis={", "is not YAML"),
    ],
)
def test_a_bad_assignment_names_field_value_and_fix(assignment: str, message: str) -> None:
    with pytest.raises(click.ClickException) as caught:
        variants(wire(), NAMESPACE, [assignment], [])
    assert message in caught.value.message
