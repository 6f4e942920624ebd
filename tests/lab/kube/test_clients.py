"""The clients that meshshift itself uses, kopf and the official async client, get along with the lab's API server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import kopf
import pytest
from kubernetes.aio import client, watch

if TYPE_CHECKING:
    from meshshift.lab.kube import ApiServer

SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}


async def test_kopf_sees_an_object_come_change_and_go(server: ApiServer) -> None:
    registry = kopf.OperatorRegistry()
    seen: asyncio.Queue[tuple[str | None, str]] = asyncio.Queue()

    @kopf.on.login(registry=registry)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server=server.url)

    @kopf.on.event("services", registry=registry)
    async def record(event: kopf.RawEvent, name: str | None, **_: Any) -> None:
        seen.put_nowait((event["type"], str(name)))

    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    stop = asyncio.Event()
    ready = asyncio.Event()
    task = asyncio.create_task(
        kopf.operator(
            registry=registry, settings=settings, clusterwide=True, standalone=True, stop_flag=stop, ready_flag=ready
        )
    )
    try:
        async with asyncio.timeout(30):
            await ready.wait()
            server.store.create(SERVICE)
            # Depending on when kopf's first list ran, the object is in it (no type) or comes as an event.
            assert await seen.get() in {(None, "web"), ("ADDED", "web")}
            server.store.patch("svc", "web", "default", {"metadata": {"annotations": {"a": "b"}}})
            assert await seen.get() == ("MODIFIED", "web")
            server.store.delete("svc", "web")
            assert await seen.get() == ("DELETED", "web")
    finally:
        stop.set()
        await task


async def test_the_async_client_lists_watches_and_patches(server: ApiServer) -> None:
    configuration = client.Configuration()
    configuration.host = server.url
    async with client.ApiClient(configuration) as api, asyncio.timeout(30):
        core = client.CoreV1Api(api)
        server.store.create(SERVICE)
        listed: Any = await core.list_namespaced_service("default")
        assert [one.metadata.name for one in listed.items] == ["web"]
        async with watch.Watch().stream(
            core.list_namespaced_service, "default", resource_version=listed.metadata.resource_version
        ) as stream:
            await core.patch_namespaced_service("web", "default", {"metadata": {"labels": {"a": "b"}}})
            async for event in stream:
                assert (event["type"], event["object"].metadata.labels) == ("MODIFIED", {"a": "b"})
                break


async def test_the_async_client_sees_a_custom_object_and_its_refusals(server: ApiServer) -> None:
    configuration = client.Configuration()
    configuration.host = server.url
    route = {"destination": {"host": "web", "subset": "v1"}, "weight": 100}
    body = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "web"},
        "spec": {"hosts": ["web"], "http": [{"route": [route]}]},
    }
    async with client.ApiClient(configuration) as api, asyncio.timeout(30):
        custom = client.CustomObjectsApi(api)
        where = ("networking.istio.io", "v1", "default", "virtualservices")
        created: Any = await custom.create_namespaced_custom_object(*where, body)
        assert created["metadata"]["generation"] == 1
        with pytest.raises(client.ApiException) as refused:
            await custom.create_namespaced_custom_object(*where, body)
        assert (refused.value.status, refused.value.reason) == (409, "Conflict")
