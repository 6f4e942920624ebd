from __future__ import annotations

from typing import Any

import pytest

from meshshift.core.pods import arm_of, ready_since, selector_of, workload


def pod(
    *, labels: dict[str, str] | None = None, owner: tuple[str, str] | None = None, **metadata: Any
) -> dict[str, Any]:
    owners = [{"kind": owner[0], "name": owner[1], "controller": True}] if owner else []
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return {
        "metadata": {"name": "reviews-0", "labels": labels or {}, "ownerReferences": owners, **metadata},
        "status": {"conditions": [ready]},
    }


@pytest.mark.parametrize(
    ("document", "name"),
    [
        (pod(labels={"pod-template-hash": "abc"}, owner=("ReplicaSet", "reviews-v1-abc")), "reviews-v1"),
        (pod(owner=("StatefulSet", "reviews")), "reviews"),
        (pod(labels={"service.istio.io/workload-name": "named"}, owner=("StatefulSet", "x")), "named"),
        (pod(), "reviews-0"),
    ],
)
def test_workloads_are_named_as_istio_reports_them(document: dict[str, Any], name: str) -> None:
    assert workload(document) == name


def test_the_revision_is_the_first_of_three_labels() -> None:
    labels = {"version": "c", "app.kubernetes.io/version": "b"}
    assert arm_of([pod(labels=labels)]).revisions == {"b"}
    assert arm_of([pod(labels={**labels, "service.istio.io/canonical-revision": "a"})]).revisions == {"a"}
    assert arm_of([pod()]).revisions == frozenset()


def test_a_pod_that_is_being_deleted_is_not_ready() -> None:
    assert ready_since(pod()) == 1767225600.0
    assert ready_since(pod(deletionTimestamp="2026-01-01T00:00:00Z")) is None
    unready = pod()
    unready["status"]["conditions"][0]["status"] = "False"
    assert ready_since(unready) is None


@pytest.mark.parametrize(
    ("spec", "labels"),
    [
        ({"selector": {"app": "reviews"}}, {"app": "reviews"}),
        ({"selector": {}}, {}),
        ({"selector": None}, {}),
        ({"selector": "app=reviews"}, {}),
        ({"selector": {"app": 7}}, {}),
        ({"type": "ExternalName"}, {}),
        (None, {}),
    ],
)
def test_a_service_selects_by_labels_or_not_at_all(spec: object, labels: dict[str, str]) -> None:
    assert selector_of({"metadata": {"name": "reviews"}, "spec": spec}) == labels
