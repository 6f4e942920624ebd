"""Finding the DestinationRule, and touching one subset of it."""

from copy import deepcopy
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.mesh.documents import Document, Patch, Problem, Reason, Target
from meshshift.core.mesh.subsets import add_subset_patch, find_rule, joined_labels, remove_subset_patch, subset_labels
from tests.core.mesh.sample_documents import TARGET, json_values

V1 = {"name": "v1", "labels": {"version": "v1"}}
V2 = {"name": "v2", "labels": {"version": "v2"}}
ODD = {"name": "odd/one~", "labels": {"a.b/c": "~"}, "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}}


def rule(
    *subsets: Any, name: str = "reviews", host: str = "reviews", namespace: str = "bookinfo", **more: Any
) -> Document:
    created = more.pop("created", "2026-01-01T00:00:00Z")
    metadata = {"name": name, "namespace": namespace, "resourceVersion": "9", "creationTimestamp": created}
    return {"metadata": metadata, "spec": {"host": host, "subsets": list(subsets), **more}}


def name_of(found: Document | Problem) -> str:
    assert not isinstance(found, Problem), found
    return str(found["metadata"]["name"])


def reason_of(found: Document | Problem) -> Reason:
    assert isinstance(found, Problem), found
    return found.reason


def applied(document: Document, patch: Patch | Problem | None) -> Document:
    assert isinstance(patch, Patch), patch
    result: Document = jsonpatch.apply_patch(document, list(patch.operations))
    return result


def test_the_rule_is_the_one_for_this_host_in_this_namespace() -> None:
    rules = [
        rule(V1, name="staging", namespace="staging"),
        rule(V1, name="ratings", host="ratings"),
        rule(V1, name="wildcard", host="*.bookinfo.svc.cluster.local"),
        rule(V1, name="client", namespace="web", host=TARGET.host),
        rule(V1, name="ours", host=TARGET.host),
    ]
    assert name_of(find_rule(rules, TARGET)) == "ours"


def test_of_several_rules_the_one_that_holds_stable_is_chosen() -> None:
    rules = [rule(name="policy"), rule(V2, name="canary"), rule(V1, name="stable", created="2026-03-01T00:00:00Z")]
    assert name_of(find_rule(rules, TARGET)) == "stable"
    assert name_of(find_rule(rules[:2], TARGET)) == "canary"


def test_the_oldest_rule_counts_first() -> None:
    rules = [rule(V1, name="a", created="2026-02-01T00:00:00Z"), rule(V1, name="b")]
    assert name_of(find_rule(rules, TARGET)) == "b"


def test_a_rule_for_some_clients_only_does_not_count() -> None:
    selective = rule(V1, name="a", workloadSelector={"matchLabels": {"app": "x"}})
    assert reason_of(find_rule([selective], TARGET)) is Reason.NO_DESTINATION_RULE
    assert name_of(find_rule([selective, rule(V1, name="b")], TARGET)) == "b"


def test_a_named_rule_must_exist_and_be_for_the_host() -> None:
    rules = [rule(V1), rule(V1, name="ratings", host="ratings")]
    assert name_of(find_rule(rules, TARGET, "reviews")) == "reviews"
    assert reason_of(find_rule(rules, TARGET, "missing")) is Reason.DESTINATION_RULE_MISSING
    wrong = find_rule(rules, TARGET, "ratings")
    assert isinstance(wrong, Problem)
    assert 'spec.host is "ratings", which is not reviews.bookinfo.svc.cluster.local' in wrong.message


@pytest.mark.parametrize(
    "subsets", ["x", [7], [{}], [{"name": "v1", "labels": "all"}], [{"name": "v1", "labels": {"a": 1}}]]
)
def test_a_malformed_rule_is_a_problem(subsets: Any) -> None:
    broken = rule()
    broken["spec"]["subsets"] = subsets
    assert reason_of(find_rule([broken], TARGET)) is Reason.MALFORMED
    assert reason_of(find_rule([broken], TARGET, "reviews")) is Reason.MALFORMED


@given(st.lists(json_values, max_size=3))
def test_no_document_raises(documents: list[Any]) -> None:
    assert isinstance(find_rule(documents, TARGET), Problem)
    for document in documents:
        assert subset_labels(document, "v1") is None
        assert remove_subset_patch(document, "v1") is None


def test_labels_are_those_of_the_subset() -> None:
    assert subset_labels(rule(V1, V2), "v2") == {"version": "v2"}
    assert subset_labels(rule({"name": "all"}), "all") == {}
    assert subset_labels(rule(V1), "v2") is None


def test_subsets_of_all_rules_are_joined_oldest_first() -> None:
    older = rule({"name": "v2", "labels": {"version": "older"}}, name="z")
    rules = [rule(V1, V2, name="a", created="2026-02-01T00:00:00Z"), older]
    assert name_of(find_rule(rules, TARGET)) == "a"
    assert joined_labels(rules, TARGET, "v2") == {"version": "older"}
    assert joined_labels(rules, TARGET, "v1") == {"version": "v1"}
    assert joined_labels([rule(V1, namespace="staging")], TARGET, "v1") is None


def test_an_added_subset_is_appended_and_everything_else_stays() -> None:
    before = rule(ODD, V1, trafficPolicy={"tls": {"mode": "ISTIO_MUTUAL"}})
    after = applied(before, add_subset_patch(before, "v2", {"version": "v2"}))
    assert after["spec"].pop("subsets") == [ODD, V1, V2]
    del before["spec"]["subsets"]
    assert after == before


def test_a_rule_without_subsets_gets_a_list() -> None:
    before = rule()
    del before["spec"]["subsets"]
    assert applied(before, add_subset_patch(before, "v2", {"version": "v2"}))["spec"]["subsets"] == [V2]


def test_a_new_subset_may_take_over_a_traffic_policy() -> None:
    before = rule(ODD)
    after = applied(before, add_subset_patch(before, "v2", {"version": "v2"}, like="odd/one~"))
    assert after["spec"]["subsets"][1] == {**V2, "trafficPolicy": ODD["trafficPolicy"]}


def test_a_subset_that_is_there_is_not_added_again() -> None:
    assert add_subset_patch(rule(V2), "v2", {"version": "v2"}) is None


def test_a_subset_with_other_labels_is_not_rewritten() -> None:
    result = add_subset_patch(rule(V2), "v2", {"version": "v3"})
    assert isinstance(result, Problem)
    assert 'subset "v2" has the labels {"version": "v2"}, not {"version": "v3"}' in result.message


@given(st.permutations([V1, V2, ODD]), st.sampled_from(["v1", "v2", "odd/one~"]))
def test_removing_takes_one_element_and_adding_brings_it_back(subsets: list[Any], name: str) -> None:
    before = rule(*subsets)
    after = applied(before, remove_subset_patch(before, name))
    assert after["spec"]["subsets"] == [each for each in subsets if each["name"] != name]
    assert remove_subset_patch(after, name) is None


@given(st.permutations([V1, V2, ODD]), st.sampled_from(["move", "change", "version"]))
def test_a_rule_that_changed_refuses_the_removal(subsets: list[Any], edit: str) -> None:
    before = rule(*subsets)
    patch = remove_subset_patch(before, "v2")
    changed = deepcopy(before)
    if edit == "version":
        changed["metadata"]["resourceVersion"] = "10"
    elif edit == "move":
        changed["spec"]["subsets"].insert(0, {"name": "v0", "labels": {}})
    else:
        next(each for each in changed["spec"]["subsets"] if each["name"] == "v2")["labels"]["x"] = "y"
    with pytest.raises(jsonpatch.JsonPatchException):
        applied(changed, patch)


def test_short_hosts_of_rules_resolve_in_the_rule_s_namespace() -> None:
    elsewhere = Target("reviews", "staging", "v1", "v2")
    assert reason_of(find_rule([rule(V1)], elsewhere)) is Reason.NO_DESTINATION_RULE
