from __future__ import annotations

from typing import Any

from meshshift.lab.replica_sets import (
    REVISION,
    annotations_due,
    beyond_history,
    pod,
    replica_set,
    revision_of,
    template_hash,
)

HISTORY = "deployment.kubernetes.io/revision-history"


def deployment(**annotations: str) -> dict[str, Any]:
    labels = {"app": "reviews", "version": "v2"}
    return {
        "metadata": {"name": "reviews-v2", "namespace": "bookinfo", "uid": "u-1", "annotations": annotations},
        "spec": {
            "replicas": 4,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app"}]}},
        },
    }


def test_pods_carry_what_istio_adds_and_who_owns_them() -> None:
    owner = replica_set(deployment(), 2)
    owner["metadata"]["uid"] = "u-2"
    made = pod(owner, "abcde")
    assert made["metadata"]["name"] == f"{owner['metadata']['name']}-abcde"
    assert made["metadata"]["labels"] == {
        "app": "reviews",
        "version": "v2",
        "pod-template-hash": owner["metadata"]["labels"]["pod-template-hash"],
        "service.istio.io/canonical-name": "reviews",
        "service.istio.io/canonical-revision": "v2",
    }
    [reference] = made["metadata"]["ownerReferences"]
    assert (reference["kind"], reference["uid"], reference["controller"]) == ("ReplicaSet", "u-2", True)
    assert owner["metadata"]["ownerReferences"][0]["uid"] == "u-1"


def test_a_changed_template_has_another_hash() -> None:
    assert template_hash({"a": 1, "b": 2}) == template_hash({"b": 2, "a": 1}) != template_hash({"a": 1, "b": 3})


def test_a_template_that_kubectl_brings_back_is_the_one_that_was() -> None:
    assert template_hash({"a": {"b": 1}}) == template_hash({"a": {"b": 1, "creationTimestamp": None}})


def numbered(revision: int, replicas: int = 0, history: str = "") -> dict[str, Any]:
    own = {REVISION: str(revision)} if revision else {}
    past = {HISTORY: history} if history else {}
    return {"metadata": {"name": f"rs-{revision}", "annotations": own | past}, "spec": {"replicas": replicas}}


def test_another_template_is_another_revision() -> None:
    assert annotations_due(deployment(), numbered(0), [numbered(2), numbered(1)]) == {REVISION: "3"}
    assert annotations_due(deployment(), numbered(3), [numbered(2), numbered(1)]) == {}


def test_a_template_that_comes_back_is_the_latest_revision_and_remembers_what_it_was() -> None:
    assert annotations_due(deployment(), numbered(1), [numbered(2)]) == {REVISION: "3", HISTORY: "1"}
    assert annotations_due(deployment(), numbered(3, history="1"), [numbered(4)]) == {
        REVISION: "5",
        HISTORY: "1,3",
    }


def test_the_cause_of_a_change_is_kept_with_its_revision() -> None:
    cause, applied = "kubernetes.io/change-cause", "kubectl.kubernetes.io/last-applied-configuration"
    changed = deployment(**{cause: "v2", applied: "{}", REVISION: "1"})
    assert annotations_due(changed, numbered(1), []) == {cause: "v2"}


def test_empty_replica_sets_are_kept_as_far_as_the_history_goes() -> None:
    old = [numbered(3), numbered(1), numbered(2)]
    limited = deployment()
    assert beyond_history(limited, old) == []
    limited["spec"]["revisionHistoryLimit"] = 2
    assert [revision_of(one) for one in beyond_history(limited, old)] == [1]
    assert beyond_history(limited, [numbered(1, replicas=1), numbered(2), numbered(3)]) == [], "it has pods"
