"""Contract: watches: where they start, what selectors make of changes, bookmarks, and when they have to start over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

from meshshift.lab.kube import ApiServer, Store
from meshshift.lab.kube.storage import QUEUE_LIMIT
from meshshift.lab.kube.watch import Watcher, watch_request
from tests.lab.kube.client import Api, refusal

if TYPE_CHECKING:
    pass

ONLY = {"fieldSelector": "metadata.name!=kube-root-ca.crt"}


async def test_a_watch_without_a_version_starts_with_what_is_there(api: Api) -> None:
    await api.config_map("a")
    async with api.watch(api.config_maps(), **ONLY) as events:
        assert await events.next_name() == ("ADDED", "a")
        await api.config_map("b")
        assert await events.next_name() == ("ADDED", "b")


async def test_a_watch_from_a_version_replays_what_came_after(api: Api) -> None:
    version = (await api.config_map("a"))["metadata"]["resourceVersion"]
    await api.patch(api.config_maps("a"), {"data": {"k": "2"}})
    await api.delete(api.config_maps("a"))
    async with api.watch(api.config_maps(), resourceVersion=version, **ONLY) as events:
        event, seen = await events.next()
        assert (event, seen["data"]) == ("MODIFIED", {"k": "2"})
        event, last = await events.next()
        assert (event, last["data"]) == ("DELETED", {"k": "2"})
        assert int(last["metadata"]["resourceVersion"]) > int(seen["metadata"]["resourceVersion"])


async def test_a_list_and_a_watch_from_its_version_miss_nothing(api: Api) -> None:
    await api.config_map("a")
    version = (await api.get(api.config_maps()))["metadata"]["resourceVersion"]
    await api.config_map("b")
    async with api.watch(api.config_maps(), resourceVersion=version, **ONLY) as events:
        assert await events.next_name() == ("ADDED", "b")


async def test_an_object_that_stops_matching_is_deleted_for_the_watcher(api: Api) -> None:
    version = (await api.get(api.config_maps()))["metadata"]["resourceVersion"]
    await api.config_map("a", labels={"on": "yes"})
    await api.patch(api.config_maps("a"), {"metadata": {"labels": {"on": "no"}}})
    await api.patch(api.config_maps("a"), {"data": {"k": "unseen"}})
    back = await api.patch(api.config_maps("a"), {"metadata": {"labels": {"on": "yes"}}})
    async with api.watch(api.config_maps(), resourceVersion=version, labelSelector="on=yes") as events:
        assert await events.next_name() == ("ADDED", "a")
        event, gone = await events.next()
        assert (event, gone["metadata"]["labels"]) == ("DELETED", {"on": "yes"})
        event, returned = await events.next()
        assert (event, returned["metadata"]["resourceVersion"]) == ("ADDED", back["metadata"]["resourceVersion"])


async def test_a_watch_of_one_name_sees_that_object_alone(api: Api) -> None:
    await api.config_map("a")
    await api.config_map("b")
    async with api.watch(api.config_maps(), fieldSelector="metadata.name=b") as events:
        assert await events.next_name() == ("ADDED", "b")


async def test_a_watch_of_one_namespace_sees_no_other(api: Api) -> None:
    version = (await api.get(api.config_maps()))["metadata"]["resourceVersion"]
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "other-"}}
    stray = await api.create("/api/v1/namespaces/default/configmaps", other)
    await api.delete(f"/api/v1/namespaces/default/configmaps/{stray['metadata']['name']}")
    await api.config_map("mine")
    async with api.watch(api.config_maps(), resourceVersion=version, **ONLY) as events:
        assert await events.next_name() == ("ADDED", "mine")


async def test_initial_events_end_with_an_annotated_bookmark(api: Api) -> None:
    await api.config_map("a")
    asked = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with api.watch(api.config_maps(), **asked, **ONLY) as events:
        assert await events.next_name() == ("ADDED", "a")
        event, bookmark = await events.next()
        assert event == "BOOKMARK"
        assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert bookmark["kind"] == "ConfigMap"


async def test_initial_events_without_bookmarks_are_refused(api: Api) -> None:
    response = await api.http.get(api.config_maps(), params={"watch": "true", "sendInitialEvents": "true"})
    status = refusal(response, 422, "Invalid")
    assert "resourceVersionMatch" in status["message"]


async def test_a_watch_ends_with_its_time(api: Api) -> None:
    async with api.watch(api.config_maps(), timeoutSeconds="1", **ONLY) as events:
        assert await events.rest() == []


async def test_a_table_watch_defines_its_columns_once(api: Api) -> None:
    await api.config_map("a")
    await api.config_map("b")
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    asked = {"watch": "true", "timeoutSeconds": "1", **ONLY}
    response = await api.http.get(api.config_maps(), params=asked, headers=accept)
    first, second = [httpx.Response(200, text=line).json()["object"] for line in response.text.splitlines()[:2]]
    assert [column["name"] for column in first["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert not second["columnDefinitions"]
    assert second["rows"][0]["cells"][0] == "b"


async def test_an_idle_watch_gets_bookmarks_with_the_current_version(server: ApiServer, local: Api) -> None:
    async with local.watch(local.config_maps(), allowWatchBookmarks="true") as events:
        server.store.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "elsewhere"}})
        event, bookmark = await events.next()
        assert event == "BOOKMARK"
        while bookmark["metadata"]["resourceVersion"] != str(server.store.storage.revision):
            event, bookmark = await events.next()
        assert "data" not in bookmark


async def test_a_version_older_than_the_history_is_gone(server: ApiServer, local: Api) -> None:
    version = (await local.config_map("a"))["metadata"]["resourceVersion"]
    await local.patch(local.config_maps("a"), {"data": {"k": "2"}})
    server.store.storage.forget_history()
    async with local.watch(local.config_maps(), resourceVersion=version) as events:
        event, status = await events.next()
        assert (event, status["code"], status["reason"]) == ("ERROR", 410, "Expired")
        assert status["message"].startswith(f"too old resource version: {version} (")
        assert await events.rest() == []


async def test_history_is_bounded_per_resource() -> None:
    async with ApiServer(history=3) as server, httpx.AsyncClient(base_url=server.url) as http:
        local = Api(http, "default")
        version = (await local.config_map("a"))["metadata"]["resourceVersion"]
        for number in range(4):
            await local.patch(local.config_maps("a"), {"data": {"k": str(number)}})
        async with local.watch(local.config_maps(), resourceVersion=version) as events:
            assert (await events.next())[1]["code"] == 410
        response = await http.get(
            local.config_maps(), params={"resourceVersion": version, "resourceVersionMatch": "Exact"}
        )
        refusal(response, 410, "Expired")


async def test_a_burst_that_no_watcher_could_follow_ends_the_watch_not_the_writes(
    server: ApiServer, local: Api
) -> None:
    await local.config_map("a")
    async with local.watch(local.config_maps()) as events:
        await events.next()
        for number in range(QUEUE_LIMIT + 1):
            server.store.patch("cm", "a", "default", {"data": {"n": str(number)}})
        with pytest.raises(httpx.RemoteProtocolError):
            await events.rest()
    assert (await local.get(local.config_maps("a")))["data"] == {"k": "v", "n": str(QUEUE_LIMIT)}


async def test_a_change_between_subscribing_and_listing_is_sent_once() -> None:
    store = Store()
    kind = store.kind("cm")
    subscription = store.storage.subscribe(kind.bucket)
    store.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
    request = watch_request(kind, "default", {}, "object")
    lines = Watcher(store, request, subscription, interval=60.0).lines()
    first = json.loads(await anext(lines))
    store.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}})
    second = json.loads(await anext(lines))
    assert [one["object"]["metadata"]["name"] for one in (first, second)] == ["a", "b"]
    await lines.aclose()


async def test_disconnected_watchers_see_their_stream_end(server: ApiServer, local: Api) -> None:
    await local.config_map("a")
    async with local.watch(local.config_maps()) as events:
        await events.next()
        server.disconnect_watchers()
        assert await events.rest() == []


async def test_a_watch_ends_when_its_definition_goes(local: Api) -> None:
    await local.define_widgets({"type": "object"})
    await local.widget("w", {})
    async with local.watch(local.widgets()) as events:
        assert await events.next_name() == ("ADDED", "w")
        await local.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{local.group}")
        assert [event for event, _ in await events.rest()] == ["DELETED"]
