"""What is read of a Deployment, and how its replicas are written."""

from __future__ import annotations

from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.scaling import Scaling
from meshshift.core.workloads import Owed, workload_of


def deployment(*, generation: int = 3, seen: int = 3, replicas: int | None = 5, ready: int = 5) -> dict[str, Any]:
    spec: dict[str, Any] = {"template": {"metadata": {"labels": {"app": "reviews", "version": "v2"}}}}
    return {
        "kind": "Deployment",
        "metadata": {"name": "reviews-v2", "namespace": "bookinfo", "resourceVersion": "7", "generation": generation},
        "spec": spec if replicas is None else {**spec, "replicas": replicas},
        "status": {"observedGeneration": seen, "readyReplicas": ready},
    }


def autoscaler(kind: str, name: str) -> dict[str, Any]:
    return {"metadata": {"name": "hpa"}, "spec": {"scaleTargetRef": {"kind": kind, "name": name}}}


def test_ready_pods_count_once_the_latest_number_was_seen() -> None:
    assert workload_of(deployment(), ()).ready == 5
    assert workload_of(deployment(generation=4), ()).ready == 0


def test_no_number_is_one_replica() -> None:
    assert workload_of(deployment(replicas=None), ()).replicas == 1


@pytest.mark.parametrize(
    ("found", "owner"),
    [
        (autoscaler("Deployment", "reviews-v2"), "hpa"),
        (autoscaler("Deployment", "reviews-v1"), None),
        (autoscaler("StatefulSet", "reviews-v2"), None),
        ({"metadata": {"name": "hpa"}}, None),
    ],
)
def test_an_autoscaler_owns_what_it_targets(found: dict[str, Any], owner: str | None) -> None:
    assert workload_of(deployment(), (found,)).autoscaler == owner


def test_the_scale_is_written_only_to_the_version_that_was_read() -> None:
    patch = workload_of(deployment(), ()).scaled_to(0)
    # A Scale of no replicas leaves the number out.
    scale = {"metadata": {"resourceVersion": "7"}, "spec": {}}
    assert jsonpatch.apply_patch(scale, list(patch.operations))["spec"] == {"replicas": 0}
    moved = {"metadata": {"resourceVersion": "8"}, "spec": {}}
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        jsonpatch.apply_patch(moved, list(patch.operations))
    assert patch.target.kind == "Scale"


@given(st.integers(max_value=-1))
def test_a_stored_number_below_nothing_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="expected 0 to"):
        Scaling(full=count)
    with pytest.raises(ValueError, match="expected 0 to"):
        Owed("reviews-v1", "v1", count, 0.0)
