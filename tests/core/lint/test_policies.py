from __future__ import annotations

from typing import Any

import pytest

from meshshift.core.lint import policies
from meshshift.core.lint.findings import Severity
from meshshift.core.mesh.documents import Document
from tests.core.lint.samples import reviews_rule, said, sound

EJECTS = {"outlierDetection": {"consecutive5xxErrors": 5}}
HASHES = {"loadBalancer": {"consistentHash": {"httpHeaderName": "x-user"}}}


def with_subset_policy(policy: dict[str, Any], subset: int, *names: str) -> Document:
    rule = reviews_rule(*names)
    rule["spec"]["subsets"][subset]["trafficPolicy"] = policy
    return rule


@pytest.mark.parametrize(
    "rule",
    [
        reviews_rule("v1", "v2", trafficPolicy=EJECTS),
        reviews_rule("v1", "v2", trafficPolicy={"portLevelSettings": [{"port": {"number": 80}, **EJECTS}]}),
        with_subset_policy(EJECTS, 1, "v1", "v2"),
        with_subset_policy(EJECTS, 0, "v1"),
    ],
    ids=["rule", "port", "canary", "copied from stable"],
)
def test_a_canary_of_one_pod_is_ejected(rule: Document) -> None:
    severity, about, message = said(policies.ejected_canary, sound(destination_rules=(rule,)))
    assert (severity, about) == (Severity.WARNING, "DestinationRule bookinfo/reviews")
    assert message.startswith('outlierDetection holds for subset "v2", the canary of TrafficShift bookinfo/reviews')


@pytest.mark.parametrize(
    "rule", [reviews_rule("v1", "v2"), with_subset_policy(EJECTS, 0, "v1", "v2")], ids=["none", "stable alone"]
)
def test_outlier_detection_elsewhere_does_not_concern_the_canary(rule: Document) -> None:
    assert not list(policies.ejected_canary(sound(destination_rules=(rule,))))


def test_without_a_shift_there_is_no_canary_to_eject() -> None:
    rule = reviews_rule("v1", "v2", trafficPolicy=EJECTS)
    assert not list(policies.ejected_canary(sound(shifts=(), destination_rules=(rule,))))


@pytest.mark.parametrize(
    "rule", [reviews_rule("v1", "v2", trafficPolicy=HASHES), with_subset_policy(HASHES, 1, "v1", "v2")]
)
def test_hashing_is_not_sticky_across_subsets(rule: Document) -> None:
    severity, _, message = said(policies.not_sticky, sound(destination_rules=(rule,)))
    assert severity is Severity.WARNING
    assert 'not sticky across subsets "v1", "v2"' in message


@pytest.mark.parametrize(
    "rule",
    [reviews_rule(trafficPolicy=HASHES), reviews_rule("v1", trafficPolicy={"loadBalancer": {"simple": "RANDOM"}})],
    ids=["no subsets", "no hash"],
)
def test_hashing_within_a_service_is_fine(rule: Document) -> None:
    assert not list(policies.not_sticky(sound(destination_rules=(rule,))))


def test_outlier_detection_in_a_clients_namespace_is_not_the_services() -> None:
    rules = (reviews_rule("v1", "v2"), reviews_rule("v1", "v2", namespace="client", trafficPolicy=EJECTS))
    assert not list(policies.ejected_canary(sound(destination_rules=rules)))
