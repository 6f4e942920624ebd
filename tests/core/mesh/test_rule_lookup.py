"""Which rule acts for whom, and when a subset would be hidden from some callers."""

from typing import Any

import pytest

from meshshift.core.mesh.documents import Document, ObjectRef, Problem, Reason
from meshshift.core.mesh.precedence import ELSEWHERE
from meshshift.core.mesh.rule_lookup import acting_for, clients_of, hidden_subset
from tests.core.mesh.sample_documents import TARGET
from tests.core.mesh.test_subsets import V1, V2, rule

HOST = TARGET.host
WANTED = {"v1": {"version": "v1"}, "v2": {"version": "v2"}}
OURS = rule(V1, V2)


def elsewhere(*subsets: Any, namespace: str = "web", host: str = HOST, **more: Any) -> Document:
    return rule(*subsets, name=more.pop("name", "theirs"), namespace=namespace, host=host, **more)


def names(client: str, *rules: Document) -> list[list[str]]:
    found = acting_for(rules, HOST, "bookinfo", client, "cluster.local")
    return [[each["metadata"]["name"] for each in acting.rules] for acting in found]


def hidden(*rules: Document, adding_to: ObjectRef | None = None) -> Problem | None:
    return hidden_subset(rules, TARGET, WANTED, {TARGET.canary: adding_to} if adding_to else {})


def told(*rules: Document) -> str:
    result = hidden(*rules)
    assert result is not None
    assert result.reason is Reason.SUBSET_HIDDEN
    return result.message


def test_the_caller_s_namespace_comes_first_then_the_service_s_then_the_root() -> None:
    root = elsewhere(namespace="istio-system", host="*.local", name="root")
    both = (OURS, elsewhere(), root)
    assert names("web", *both) == [["theirs"]]
    assert names("shop", *both) == names("bookinfo", *both) == names(ELSEWHERE, *both) == [["reviews"]]
    assert names("shop", root) == [["root"]]
    assert names("istio-system", OURS, root) == [["reviews"]]


def test_a_private_rule_of_the_root_namespace_acts_for_its_own_proxies_alone() -> None:
    private = elsewhere(namespace="istio-system", host="*", name="root", exportTo=["."])
    assert names("istio-system", OURS, private) == [["root"]]
    assert names("shop", private) == []


def test_within_a_namespace_the_most_specific_host_wins() -> None:
    wild = rule(V1, name="wild", host="*.bookinfo.svc.cluster.local")
    wilder = rule(V1, name="wilder", host="*.local")
    assert names("shop", wilder, wild) == [["wild"]]
    assert names("shop", wilder, wild, OURS) == [["reviews"]]


def test_rules_with_the_same_export_are_joined_and_others_are_not() -> None:
    second = rule(V2, name="second", created="2026-02-01T00:00:00Z")
    assert names("shop", second, OURS) == [["reviews", "second"]]
    private = rule(V2, name="private", created="2026-02-01T00:00:00Z", exportTo=["."])
    assert names("shop", private, OURS) == [["reviews"]]
    assert names("bookinfo", private, OURS) == [["private"]]


def test_a_rule_that_is_not_exported_leaves_the_root_s() -> None:
    root = elsewhere(namespace="istio-system", name="root")
    named = rule(V1, name="named", exportTo=["shop"])
    assert names("shop", named, root) == [["named"]]
    assert names("other", named, root) == [["root"]]
    assert names("bookinfo", rule(V1, exportTo=["~"]), root) == [["root"]]


def test_a_workload_selector_acts_beside_the_rule_for_all() -> None:
    some = rule(V1, name="some", workloadSelector={"matchLabels": {"app": "x"}})
    assert names("bookinfo", OURS, some) == [["reviews"], ["some"]]
    assert names("shop", OURS, some) == [["reviews"]]


def test_every_namespace_that_is_named_is_asked_for_home_first() -> None:
    rules = (OURS, elsewhere(), rule(name="c", exportTo=["shop", ".", "*"]))
    assert clients_of(rules, "bookinfo") == ["bookinfo", "shop", "web", ELSEWHERE]


def test_a_rule_of_a_caller_that_has_both_subsets_hides_nothing() -> None:
    assert hidden(OURS, elsewhere(V1, V2)) is None


@pytest.mark.parametrize("host", [HOST, "*.bookinfo.svc.cluster.local", "*.local", "*"])
def test_a_rule_of_a_caller_without_the_subset_is_named_with_the_fix(host: str) -> None:
    message = told(OURS, elsewhere(V1, host=host))
    assert message.startswith(
        "callers in namespace web get DestinationRule web/theirs for reviews.bookinfo.svc.cluster.local before any "
        'rule of namespace bookinfo, and it has no subset "v2": their requests to the subset would fail with 503 (NC)'
    )
    assert message.endswith('with the labels {"version": "v2"}, or move the rule to namespace bookinfo')


def test_a_subset_of_other_pods_is_as_bad() -> None:
    message = told(OURS, elsewhere(V1, {"name": "v2", "labels": {"version": "2"}}))
    assert 'it selects {"version": "2"} as "v2": their requests to the subset would reach other pods' in message


@pytest.mark.parametrize(
    "other",
    [
        elsewhere(namespace="istio-system"),
        elsewhere(host="ratings.bookinfo.svc.cluster.local"),
        elsewhere(host="reviews"),
        elsewhere(exportTo=["shop", "~"]),
    ],
    ids=["root", "host", "short host", "exported away"],
)
def test_a_rule_that_no_caller_gets_hides_nothing(other: Document) -> None:
    assert hidden(OURS, other) is None


def test_a_subset_in_a_rule_that_is_exported_less_is_hidden_from_the_others() -> None:
    private = rule(V2, name="private", exportTo=["."])
    assert "callers in namespace bookinfo get DestinationRule bookinfo/reviews" in told(rule(V1), private)
    later = rule(V1, V2, name="later", created="2026-02-01T00:00:00Z", exportTo=["."])
    message = told(rule(V1), later)
    assert message.startswith("callers in all other namespaces get DestinationRule bookinfo/reviews")
    assert "alone, because Istio joins only rules with the same exportTo" in message
    assert message.endswith("give all rules of namespace bookinfo for this host the same exportTo")


def test_a_rule_for_some_workloads_hides_the_subset_from_these() -> None:
    message = told(OURS, rule(V1, name="some", workloadSelector={"matchLabels": {"app": "x"}}))
    assert message.startswith('the workloads of namespace bookinfo with the labels {"app": "x"} get DestinationRule')
    assert " because of its workloadSelector, and it has no subset" in message
    assert message.endswith("or take its workloadSelector out")


def test_a_subset_that_is_about_to_be_added_is_missed_by_callers_with_their_own_rule_alone() -> None:
    ours = rule(V1)
    ref = ObjectRef("DestinationRule", "bookinfo", "reviews")
    assert hidden(ours, adding_to=ref) is None
    result = hidden(ours, elsewhere(V1), adding_to=ref)
    assert result is not None
    assert "callers in namespace web" in result.message


def test_callers_that_have_nothing_either_way_are_not_told_of() -> None:
    assert hidden(rule(V1, V2, exportTo=["."])) is None


def test_a_rule_for_some_workloads_alone_leaves_the_others_of_its_namespace_without_any() -> None:
    some = elsewhere(V1, V2, workloadSelector={"matchLabels": {"app": "x"}})
    message = told(OURS, some)
    assert message.startswith("the workloads of namespace web that the workloadSelector of DestinationRule web/theirs")
    assert hidden(OURS, some, elsewhere(V1, V2, name="all")) is None


def selecting(app: str, *subsets: Any, name: str, **more: Any) -> Document:
    return rule(*subsets, name=name, workloadSelector={"matchLabels": {"app": app}}, **more)


def test_rules_for_the_same_workloads_are_joined_and_come_first_whatever_their_age() -> None:
    late = {"created": "2026-03-01T00:00:00Z"}
    same = (selecting("x", V1, name="a", **late), selecting("x", V2, name="b", **late))
    assert names("bookinfo", *same, OURS) == [["reviews"], ["a", "b"]]
    other = selecting("y", V2, name="c", **late)
    assert names("bookinfo", same[0], other, OURS) == [["reviews"], ["a"], ["c"]]


def test_a_wider_export_is_joined_to_the_narrower_and_seen_by_no_one_else() -> None:
    narrow, wide = rule(V1, name="narrow", exportTo=["shop"]), rule(V2, name="wide", exportTo=["shop", "web"])
    wide["metadata"]["creationTimestamp"] = "2026-02-01T00:00:00Z"
    assert names("shop", narrow, wide) == [["narrow", "wide"]]
    assert names("web", narrow, wide) == []


def test_a_rule_for_all_is_joined_to_one_for_some_and_stays_its_own_only_with_a_wider_export() -> None:
    some = selecting("x", V1, name="some")
    assert names("bookinfo", some, rule(V2, name="all", exportTo=[".", "web"])) == [["all"], ["some", "all"]]
    assert names("bookinfo", some, rule(V2, name="all", exportTo=["."])) == [["some", "all"]]


def test_a_root_s_rule_hides_nothing_even_where_the_service_s_is_not_exported() -> None:
    root = elsewhere(V1, namespace="istio-system")
    assert hidden(rule(V1, V2, exportTo=["."]), root) is None
    root["spec"]["exportTo"] = ["."]
    assert "callers in namespace istio-system get DestinationRule istio-system/theirs" in told(OURS, root)
