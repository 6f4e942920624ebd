"""On an API server that is not its own, the lab keeps out where others live, and tidies up behind itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meshshift.adapters.kube import CRDS, DEPLOYMENTS, ENDPOINT_SLICES, NAMESPACES, SERVICES
from meshshift.lab.client import LabClient
from meshshift.lab.guest import NODES, InhabitedClusterError, refuse_nodes, remove_created
from meshshift.lab.kube import ApiServer
from meshshift.lab.kube.deletion import Reaper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from meshshift.adapters.kube import Resource

HELD = "example.com/hold"


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer() as running:
        yield running


@pytest.fixture
async def client(server: ApiServer, tmp_path: Path) -> AsyncIterator[LabClient]:
    server.write_kubeconfig(tmp_path / "kubeconfig")
    async with await LabClient.connect_as(tmp_path / "kubeconfig") as connected:
        yield connected


def service(name: str, **meta: Any) -> dict[str, Any]:
    spec = {"ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, **meta}, "spec": spec}


async def names(client: LabClient, resource: Resource) -> list[str]:
    return [one["metadata"]["name"] for one in (await client.list(resource))[0]]


async def test_a_cluster_with_nodes_is_left_alone(client: LabClient) -> None:
    await refuse_nodes(client)
    for number in range(4):
        await client.create(
            NODES, None, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"worker-{number}"}, "spec": {}}
        )
    with pytest.raises(InhabitedClusterError, match=r"has nodes \(worker-0, worker-1, worker-2, …\).*--allow-nodes"):
        await refuse_nodes(client)


async def test_what_was_created_goes_and_what_was_found_stays(client: LabClient) -> None:
    await client.create(SERVICES, "default", service("theirs"))
    await client.apply(service("theirs", labels={"touched": "yes"}))
    await client.apply(service("ours"))
    assert await remove_created(client) == ()
    assert await names(client, SERVICES) == ["theirs"]


async def test_namespaces_and_definitions_stay_and_are_told(client: LabClient) -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        },
    }
    await client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    await client.apply(definition)
    await client.apply(service("web", namespace="shop"))
    left = await remove_created(client)
    assert [str(one) for one in left] == ["Namespace shop", "CustomResourceDefinition widgets.example.com"]
    assert await names(client, SERVICES) == []
    assert "shop" in await names(client, NAMESPACES)
    assert "widgets.example.com" in await names(client, CRDS)


async def test_what_will_not_go_is_told(client: LabClient) -> None:
    await client.apply(service("free"))
    await client.apply(service("held", finalizers=[HELD]))
    left = await remove_created(client, patience=0.3)
    assert [str(one) for one in left] == ["Service default/held"]


async def test_a_namesake_of_what_was_created_is_somebody_elses(client: LabClient) -> None:
    await client.apply(service("web"))
    await client.delete(SERVICES, "default", "web")
    await client.create(SERVICES, "default", service("web"))
    assert await remove_created(client) == ()
    assert await names(client, SERVICES) == ["web"]


async def test_what_was_made_for_a_service_that_was_created_goes_with_it(
    client: LabClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bare API server has no garbage collector."""
    monkeypatch.setattr(Reaper, "collect_ownerless", lambda *_: None)
    monkeypatch.setattr(Reaper, "_collect", lambda *_: True)
    await client.apply(service("web"))
    await client.create(SERVICES, "default", service("theirs"))
    owner = {"apiVersion": "v1", "kind": "Service", "name": "web", "uid": client.created[0][1]["metadata"]["uid"]}
    made = await client.create(DEPLOYMENTS, "default", deployment("web-copy", owner))
    copy = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web-copy", "uid": made["metadata"]["uid"]}
    await client.create(DEPLOYMENTS, "default", deployment("copy-of-copy", copy))
    await client.create(DEPLOYMENTS, "default", deployment("their-copy", {**owner, "uid": "another"}))
    assert await remove_created(client) == ()
    assert await names(client, DEPLOYMENTS) == ["their-copy"]
    assert await names(client, SERVICES) == ["theirs"]


def deployment(name: str, owner: dict[str, Any]) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "any"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "ownerReferences": [owner]}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


async def test_what_is_owned_is_waited_for(client: LabClient) -> None:
    await client.apply(service("web"))
    uid = client.created[0][1]["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "Service", "name": "web", "uid": uid}
    body = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web-lab", "ownerReferences": [owner], "finalizers": [HELD]},
        "addressType": "IPv4",
        "endpoints": [],
    }
    await client.create(ENDPOINT_SLICES, "default", body)
    left = await remove_created(client, patience=0.3)
    assert [str(one) for one in left] == ["EndpointSlice default/web-lab"]
    assert await names(client, DEPLOYMENTS) == []
