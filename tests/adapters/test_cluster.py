"""Guarded writes: none of them may land on an object that has changed since it was read."""

from __future__ import annotations

from typing import Any

import pytest

from meshshift.adapters.cluster import KubeCluster
from meshshift.adapters.kube import CRDS, DEPLOYMENTS, EVENTS, SERVICES, TRAFFIC_SHIFTS, KubeClient
from meshshift.api.crd import custom_resource_definition
from meshshift.core.decision import Removal
from meshshift.core.mesh.documents import ObjectRef
from meshshift.engine.failures import Conflict, NotFound
from tests.engine.in_place import deployment

REVIEWS = ObjectRef("TrafficShift", "default", "reviews")
SHIFT: dict[str, Any] = {
    "apiVersion": "meshshift.io/v1alpha1",
    "kind": "TrafficShift",
    "metadata": {"name": "reviews", "annotations": {"meshshift.io/command": "promote"}},
    "spec": {
        "service": "reviews",
        "stable": {"subset": "v1"},
        "canary": {"subset": "v2"},
        "strategy": {"canary": {}},
    },
}


@pytest.fixture
async def stored(client: KubeClient) -> dict[str, Any]:
    await client.create(CRDS, None, custom_resource_definition())
    return await client.create(TRAFFIC_SHIFTS, "default", SHIFT)


async def test_status_is_replaced_as_a_whole(client: KubeClient, stored: dict[str, Any]) -> None:
    cluster = KubeCluster(client)
    first = await cluster.write_status(stored, {"phase": "Pending", "message": "one"})
    second = await cluster.write_status(first, {"phase": "Paused"})
    assert second["status"] == {"phase": "Paused"}
    assert second["metadata"]["generation"] == stored["metadata"]["generation"]


async def test_status_is_not_written_over_a_change(client: KubeClient, stored: dict[str, Any]) -> None:
    cluster = KubeCluster(client)
    await cluster.write_status(stored, {"phase": "Pending"})
    with pytest.raises(Conflict):
        await cluster.write_status(stored, {"phase": "Paused"})


async def test_the_finalizer_keeps_the_object_until_it_is_removed(client: KubeClient, stored: dict[str, Any]) -> None:
    cluster = KubeCluster(client)
    kept = await cluster.add_finalizer(stored)
    await client.delete(TRAFFIC_SHIFTS, "default", "reviews")
    deleted = await cluster.read(REVIEWS)
    assert deleted["metadata"]["deletionTimestamp"]
    await cluster.remove_finalizer(kept)
    with pytest.raises(NotFound):
        await cluster.read(REVIEWS)
    await cluster.remove_finalizer(kept)


async def test_other_finalizers_stay(client: KubeClient) -> None:
    await client.create(CRDS, None, custom_resource_definition())
    cluster = KubeCluster(client)
    document = {**SHIFT, "metadata": {"name": "reviews", "finalizers": ["example.com/other"]}}
    stored = await client.create(TRAFFIC_SHIFTS, "default", document)
    kept = await cluster.add_finalizer(stored)
    assert kept["metadata"]["finalizers"] == ["example.com/other", "meshshift.io/traffic"]
    await cluster.remove_finalizer(kept)
    assert (await cluster.read(REVIEWS))["metadata"]["finalizers"] == ["example.com/other"]


async def test_only_the_command_that_was_carried_out_is_taken_off(client: KubeClient, stored: dict[str, Any]) -> None:
    cluster = KubeCluster(client)
    newer = {"metadata": {"annotations": {"meshshift.io/command": "abort"}}}
    await client.patch(TRAFFIC_SHIFTS, "default", "reviews", newer, kind="merge")
    with pytest.raises(Conflict):
        await cluster.remove_command(stored, "promote")
    cleared = await cluster.remove_command(stored, "abort")
    assert "meshshift.io/command" not in (cleared["metadata"].get("annotations") or {})


async def test_an_event_is_recorded_once(client: KubeClient, stored: dict[str, Any]) -> None:
    cluster = KubeCluster(client)
    for _ in range(2):
        await cluster.emit(
            stored, name="reviews.abc", warning=True, reason="Drifted", message="why", at="2026-01-01T00:00:00Z"
        )
    events = [event for event in (await client.list(EVENTS))[0] if event["reason"] == "Drifted"]
    assert [(event["type"], event["involvedObject"]["uid"]) for event in events] == [
        ("Warning", stored["metadata"]["uid"])
    ]


async def test_only_the_very_deployment_that_is_meant_is_deleted(client: KubeClient) -> None:
    cluster, ref = KubeCluster(client), ObjectRef("Deployment", "default", "reviews")
    document = deployment()
    document["metadata"] = {"name": "reviews"}
    first = await client.create(DEPLOYMENTS, "default", document)
    with pytest.raises(Conflict):
        await cluster.delete(Removal(ref, "another"))
    await cluster.delete(Removal(ref, first["metadata"]["uid"]))
    with pytest.raises(NotFound):
        await cluster.read(ref)
    await cluster.delete(Removal(ref, first["metadata"]["uid"]))


async def test_a_service_that_is_gone_is_told_from_one_that_is_there(client: KubeClient) -> None:
    ref = ObjectRef("Service", "default", "reviews")
    with pytest.raises(NotFound):
        await KubeCluster(client).read(ref)
    document = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "reviews"},
        "spec": {"ports": [{"port": 80}]},
    }
    await client.create(SERVICES, "default", document)
    assert (await KubeCluster(client).read(ref))["metadata"]["name"] == "reviews"
