"""Watches that fall silent or cannot go on are healed: kopf's own watches against an API server in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import kopf
import pytest
import yaml

from meshshift.adapters.kube import SERVICES, KubeClient
from meshshift.engine.queue import WorkQueue
from meshshift.engine.world import Key, World
from meshshift.lab.kube import ApiServer, Fault, InterceptedRequest
from meshshift.operator import lists, watches
from meshshift.operator.lists import Lists
from meshshift.operator.watches import WATCHED, Feed, quiet_settings, registry
from tests.operator.test_watches import Ears

NEVER = 3600.0
CORE = [each for each in WATCHED if not each.group]


def service(name: str, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80}]}}


class Operated:
    """The operator's watches and lists, without what it does with them."""

    def __init__(self, server: ApiServer, client: KubeClient, every: float) -> None:
        self.server, self.client = server, client
        self.world = World()
        self.ears = Ears()
        self.feed = Feed(self.world, WorkQueue[Key](), self.ears)
        self.lists = Lists(client, self.feed, (), every)
        self.told: list[str] = []

    async def known(self, holds: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the services in the cache are as wanted."""
        async with asyncio.timeout(20):
            while not holds({name: each for (_, name), each in self.world.services.objects.items()}):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def create(self, name: str, **labels: str) -> None:
        await self.client.create(SERVICES, "default", service(name, **labels))


@contextlib.asynccontextmanager
async def operated(
    path: Path, *, every: float = NEVER, silence: float = 20.0, **options: Any
) -> AsyncIterator[Operated]:
    """Everything under way, and a service that the watch has told of."""
    async with ApiServer(**options) as server:
        path.write_text(yaml.safe_dump(server.kubeconfig()))
        async with await KubeClient.connect(path) as client:
            operator = Operated(server, client, every)
            await operator.lists.fill(operator.told.append)
            watching = kopf.operator(
                registry=registry(operator.feed, client, operator.lists.want),
                settings=quiet_settings(silence),
                standalone=True,
                clusterwide=True,
            )
            tasks = [asyncio.create_task(watching), asyncio.create_task(operator.lists.run())]
            try:
                await operator.create("first")
                await operator.known(lambda services: "first" in services)
                yield operator
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(autouse=True)
def only_core_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """An API server without CRDs."""
    monkeypatch.setattr(watches, "WATCHED", CORE)
    monkeypatch.setattr(lists, "GATHER", 0.05)


async def test_a_silent_watch_is_opened_anew_and_goes_on_from_where_it_was(tmp_path: Path) -> None:
    async with operated(tmp_path / "k", silence=0.6, bookmark_interval=0.1) as operator:
        operator.server.faults.silent.add("services")
        await operator.create("unheard")
        await asyncio.sleep(0.2)
        assert ("default", "unheard") not in operator.world.services.objects
        operator.server.faults.silent.clear()
        await operator.known(lambda services: "unheard" in services)


async def test_bookmarks_keep_a_quiet_watch_open(tmp_path: Path) -> None:
    watches: list[InterceptedRequest] = []

    async def count(request: InterceptedRequest) -> None:
        if request.verb == "watch" and request.resource == "services":
            watches.append(request)

    async with operated(tmp_path / "k", silence=1.5, bookmark_interval=0.1) as operator:
        operator.server.faults.intercept = count
        await asyncio.sleep(3.0)
        assert watches == []


async def test_a_list_heals_what_a_silent_watch_does_not_tell(tmp_path: Path) -> None:
    async with operated(tmp_path / "k", every=0.3) as operator:
        operator.server.faults.silent.add("services")
        await operator.create("unheard")
        await operator.known(lambda services: "unheard" in services)
        await operator.client.delete(SERVICES, "default", "first")
        await operator.known(lambda services: "first" not in services)
        async with asyncio.timeout(20):
            while not operator.ears.lost:  # noqa: ASYNC110 - counted by a later list
                await asyncio.sleep(0.02)
        assert operator.ears.lost[0][0] == "services"


async def test_what_is_deleted_while_a_watch_cannot_go_on_is_gone_after_it(tmp_path: Path) -> None:
    async with operated(tmp_path / "k", history=4) as operator:
        await operator.create("lost")
        await operator.known(lambda services: "lost" in services)
        operator.server.faults.intercept = _watches_refused
        operator.server.disconnect_watchers()
        await operator.client.delete(SERVICES, "default", "lost")
        for number in range(8):
            await operator.create(f"more-{number}")
        operator.server.faults.intercept = None
        await operator.known(lambda services: "lost" not in services and "more-7" in services)


async def _watches_refused(request: InterceptedRequest) -> Fault | None:
    return Fault(reset=True) if request.verb == "watch" else None


async def test_a_list_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "AGAIN_FIRST", 0.05)
    refused: list[str] = []

    async def refuse(request: InterceptedRequest) -> Fault | None:
        if request.verb != "list" or len(refused) >= 3:
            return None
        refused.append(request.resource)
        return Fault(status=500)

    async with operated(tmp_path / "k") as operator:
        operator.server.faults.silent.add("services")
        operator.server.faults.intercept = refuse
        await operator.create("unheard")
        operator.lists.want(SERVICES)
        await operator.known(lambda services: "unheard" in services)
        assert refused == ["services"] * 3


async def test_the_first_lists_wait_for_the_api_server_and_say_what_is_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "AGAIN_FIRST", 0.05)
    answers = [Fault(status=503), Fault(status=503, retry_after=0)]

    async def outage(request: InterceptedRequest) -> Fault | None:
        return answers.pop() if answers else None

    async with ApiServer() as server:
        (tmp_path / "k").write_text(yaml.safe_dump(server.kubeconfig()))
        async with await KubeClient.connect(tmp_path / "k") as client:
            server.faults.intercept = outage
            operator = Operated(server, client, NEVER)
            await operator.lists.fill(operator.told.append)
    assert len(operator.told) == 3
    assert "503" in operator.told[1]
    assert operator.told[2] == ""
