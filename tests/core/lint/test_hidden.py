from __future__ import annotations

from typing import Any

import pytest

from meshshift.core.lint import hidden
from meshshift.core.lint.findings import Severity
from meshshift.core.mesh.documents import Document
from tests.core.lint.samples import only, reviews_rule, routed, said, sound, to


def test_a_rule_of_a_clients_namespace_hides_the_subsets() -> None:
    rules = (reviews_rule("v1", "v2"), reviews_rule("v1", namespace="client"))
    severity, about, message = said(hidden.hidden_subsets, sound(shifts=(), destination_rules=rules))
    assert (severity, about) == (Severity.WARNING, "DestinationRule client/reviews")
    assert message.startswith("callers in namespace client get this rule instead of those of namespace bookinfo")
    assert 'does not have subset "v2"' in message


def test_the_subset_that_a_shift_will_add_would_be_hidden_as_well() -> None:
    rules = (reviews_rule("v1"), reviews_rule("v1", namespace="client"))
    assert 'does not have subset "v2"' in only(hidden.hidden_subsets, sound(destination_rules=rules)).message


@pytest.mark.parametrize(
    "other",
    [reviews_rule("v1", "v2", namespace="client"), reviews_rule(namespace="istio-system")],
    ids=["has them all", "root namespace"],
)
def test_a_rule_that_hides_nothing_is_fine(other: Document) -> None:
    assert not list(hidden.hidden_subsets(sound(destination_rules=(reviews_rule("v1", "v2"), other))))


def test_a_rule_for_a_service_that_is_not_shifted_hides_nothing() -> None:
    other = reviews_rule(namespace="client", host="ratings.bookinfo.svc.cluster.local")
    assert not list(hidden.hidden_subsets(sound(destination_rules=(reviews_rule("v1", "v2"), other))))


def test_a_wildcard_in_a_clients_namespace_hides_as_well() -> None:
    wildcard = reviews_rule(namespace="client", host="*.local")
    assert list(hidden.hidden_subsets(sound(destination_rules=(reviews_rule("v1", "v2"), wildcard))))
    elsewhere = reviews_rule(namespace="client", host="*.example.com")
    assert not list(hidden.hidden_subsets(sound(destination_rules=(reviews_rule("v1", "v2"), elsewhere))))


def test_the_exact_host_comes_before_the_wildcard() -> None:
    rules = (reviews_rule("v1", "v2"), reviews_rule("v1", "v2", namespace="client"))
    wildcard = reviews_rule(namespace="client", host="*.local")
    assert not list(hidden.hidden_subsets(sound(destination_rules=(*rules, wildcard))))


def test_what_hides_the_subsets_of_a_shift_is_found_without_the_services_own_rule() -> None:
    wildcard = reviews_rule(namespace="client", host="*.local")
    assert 'subsets "v1", "v2"' in only(hidden.hidden_subsets, sound(destination_rules=(wildcard,))).message


def test_what_hides_a_subset_from_some_workloads_is_told_too() -> None:
    some = reviews_rule("v1", namespace="client", workloadSelector={"matchLabels": {"app": "x"}})
    assert (
        'does not have subset "v2"'
        in only(hidden.hidden_subsets, sound(destination_rules=(reviews_rule("v1", "v2"), some))).message
    )


def private(*names: str, **more: Any) -> Document:
    return reviews_rule(*names, exportTo=["."], **more)


def test_a_rule_that_callers_of_its_routes_do_not_see_is_told() -> None:
    severity, about, message = said(hidden.not_exported, sound(destination_rules=(private("v1", "v2"),)))
    assert (severity, about) == (Severity.WARNING, "DestinationRule bookinfo/reviews")
    assert message.startswith(
        'spec.exportTo is ["."], but callers of other namespaces go by VirtualService bookinfo/reviews to '
        'subset "v1": their requests will fail with 503 (NC)'
    )
    shared = routed({"route": [to("v1")]}, exportTo=[".", "web"])
    named = only(hidden.not_exported, sound(destination_rules=(private("v1"),), virtual_services=(shared,)))
    assert "callers of namespace web go by" in named.message


@pytest.mark.parametrize(
    ("rules", "exports"),
    [
        ((reviews_rule("v1", "v2"),), ["*"]),
        ((private("v1", "v2"),), ["."]),
        ((private("v1", "v2"), reviews_rule("v1", namespace="istio-system")), ["*"]),
        ((reviews_rule("v1", "v2", exportTo=["web"]),), ["web"]),
    ],
    ids=["public", "both private", "root", "named"],
)
def test_a_rule_that_all_callers_see_is_fine(rules: tuple[Document, ...], exports: list[str]) -> None:
    service = routed({"route": [to("v1")]}, exportTo=exports)
    assert not list(hidden.not_exported(sound(destination_rules=rules, virtual_services=(service,))))
