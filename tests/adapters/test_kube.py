"""The client against the lab's API server: what is asked, and how failures are told apart."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from meshshift.adapters.kube import SERVICES, TRAFFIC_SHIFTS, KubeClient
from meshshift.engine.failures import Conflict, NotFound, Refused, Transient
from meshshift.lab.kube import ApiServer
from meshshift.lab.kube.faults import Fault, InterceptedRequest

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "reviews"},
    "spec": {"ports": [{"port": 80}]},
}


def answer(server: ApiServer, **fault: object) -> None:
    """Let every request fail this way."""

    async def intercept(request: InterceptedRequest) -> Fault | None:
        return Fault(**fault) if request.phase == "before" else None  # type: ignore[arg-type]

    server.faults.intercept = intercept


async def test_objects_come_back_as_the_server_has_them(client: KubeClient) -> None:
    created = await client.create(SERVICES, "default", SERVICE)
    assert created["metadata"]["uid"]
    items, version = await client.list(SERVICES)
    assert [item["kind"] for item in items if item["metadata"]["name"] == "reviews"] == ["Service"]
    assert int(version) >= int(created["metadata"]["resourceVersion"])


async def test_what_is_not_there_is_not_found(client: KubeClient) -> None:
    with pytest.raises(NotFound, match="reviews"):
        await client.get(SERVICES, "default", "reviews")
    with pytest.raises(NotFound):
        await client.list(TRAFFIC_SHIFTS)


async def test_a_failed_test_operation_is_a_conflict(client: KubeClient) -> None:
    await client.create(SERVICES, "default", SERVICE)
    with pytest.raises(Conflict):
        await client.create(SERVICES, "default", SERVICE)
    stale: list[dict[str, object]] = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "1"},
        {"op": "add", "path": "/metadata/labels", "value": {"a": "b"}},
    ]
    with pytest.raises(Conflict):
        await client.patch(SERVICES, "default", "reviews", stale)


async def test_an_invalid_object_is_refused_with_the_servers_words(client: KubeClient) -> None:
    with pytest.raises(Refused, match="Not_A_Name"):
        await client.create(SERVICES, "default", {**SERVICE, "metadata": {"name": "Not_A_Name"}})


@pytest.mark.parametrize("status", [408, 429, 500, 503, 504])
async def test_overload_and_server_errors_are_transient(client: KubeClient, server: ApiServer, status: int) -> None:
    answer(server, status=status, reason="InternalError", retry_after=7)
    with pytest.raises(Transient) as caught:
        await client.get(SERVICES, "default", "kubernetes")
    assert caught.value.retry_after == 7.0


async def test_a_broken_connection_is_transient(client: KubeClient, server: ApiServer) -> None:
    answer(server, reset=True)
    with pytest.raises(Transient):
        await client.create(SERVICES, "default", SERVICE)


@pytest.mark.parametrize("name", ["..", "a/b", "a?b", "a#b", "%2e", "a\nb"])
async def test_a_name_never_walks_to_another_path(client: KubeClient, name: str) -> None:
    with pytest.raises(Refused, match="not a valid Kubernetes object name"):
        await client.get(SERVICES, "default", name)


async def test_a_watch_begins_with_what_is_there(client: KubeClient) -> None:
    await client.create(SERVICES, "default", SERVICE)
    seen = []
    async for kind, document in client.watch(SERVICES, "default"):
        seen.append((kind, document["metadata"]["name"]))
        if len(seen) == 1:
            await client.patch(SERVICES, "default", "reviews", {"metadata": {"labels": {"a": "b"}}}, kind="merge")
        if len(seen) == 2:
            await client.delete(SERVICES, "default", "reviews")
        if len(seen) == 3:
            break
    assert seen == [("ADDED", "reviews"), ("MODIFIED", "reviews"), ("DELETED", "reviews")]


async def test_a_version_too_old_to_watch_from_is_a_conflict(client: KubeClient, tmp_path: Path) -> None:
    async with ApiServer(history=4) as server:
        path = tmp_path / "short"
        path.write_text(yaml.safe_dump(server.kubeconfig()))
        async with await KubeClient.connect(path) as forgetful:
            for number in range(20):
                body = {**SERVICE, "metadata": {"name": f"reviews-{number}"}}
                await forgetful.create(SERVICES, "default", body)
            with pytest.raises(Conflict):
                async for _ in forgetful.watch(SERVICES, "default", since="1"):
                    pass
