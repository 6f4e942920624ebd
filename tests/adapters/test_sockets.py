"""Connections that hang, break or stop half-way: every call ends in time, as a failure that is worth repeating."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from kubernetes.aio import client as official

from meshshift.adapters.kube import SERVICES, KubeClient
from meshshift.adapters.prometheus_http import PrometheusHttp, PrometheusSettings, Sample
from meshshift.engine.failures import Transient
from meshshift.engine.ports import QueryError

SOON = 0.3
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the request and never answer."""
    await reader.read()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take the request and break the connection."""
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


async def hang_half_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Promise more than is sent, and wait."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b'Content-Length: 1000\r\n\r\n{"status":')
    await reader.read()


async def stop_half_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Promise more than is sent, and close."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b'Content-Length: 1000\r\n\r\n{"status":')
    writer.close()


async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with something that is no JSON."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"Content-Length: 6\r\n\r\n<html>")
    writer.close()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a byte now and then, so that no wait for the next one is ever long."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"Content-Length: 1000\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(SOON / 10)


@contextlib.asynccontextmanager
async def served(behaviour: Behaviour) -> AsyncIterator[str]:
    """The address of a server that behaves so to everybody."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await behaviour(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


FAULTS = pytest.mark.parametrize(
    "behaviour", [hang, reset, hang_half_way, stop_half_way, drip], ids=lambda behaviour: behaviour.__name__
)


@FAULTS
@pytest.mark.parametrize("method", ["get", "list", "create", "patch", "delete"])
async def test_every_call_to_the_api_ends_in_time_and_may_be_repeated(behaviour: Behaviour, method: str) -> None:
    async with served(behaviour) as url, KubeClient(official.Configuration(host=url), timeout=SOON) as client:
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "get": lambda: client.get(SERVICES, "default", "reviews"),
            "list": lambda: client.list(SERVICES),
            "create": lambda: client.create(SERVICES, "default", {"metadata": {"name": "reviews"}}),
            "patch": lambda: client.patch(SERVICES, "default", "reviews", []),
            "delete": lambda: client.delete(SERVICES, "default", "reviews"),
        }
        async with asyncio.timeout(10):
            with pytest.raises(Transient):
                await calls[method]()


async def test_an_answer_that_is_no_json_is_transient() -> None:
    async with served(babble) as url, KubeClient(official.Configuration(host=url), timeout=SOON) as client:
        with pytest.raises(Transient):
            await client.get(SERVICES, "default", "reviews")


@pytest.mark.parametrize("behaviour", [reset, stop_half_way, hang, hang_half_way], ids=lambda each: each.__name__)
async def test_a_watch_that_breaks_or_falls_silent_is_transient(
    behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshshift.adapters.kube.WATCH_SILENCE", SOON)
    async with served(behaviour) as url, KubeClient(official.Configuration(host=url), timeout=SOON) as client:
        async with asyncio.timeout(10):
            with pytest.raises(Transient):
                async for _ in client.watch(SERVICES, since="1"):
                    pass


async def large(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Tell of one object of half a megabyte, in two parts, and end."""
    await reader.readuntil(b"\r\n\r\n")
    event = b'{"type":"ADDED","object":{"metadata":{"name":"' + b"x" * 500_000 + b'"}}}\n'
    writer.write(HEAD + f"Content-Length: {2 * len(event)}\r\n\r\n".encode() + event + event)
    await writer.drain()


async def test_an_object_of_any_size_fits_into_a_watch() -> None:
    async with served(large) as url, KubeClient(official.Configuration(host=url)) as client:
        seen = [kind async for kind, _ in client.watch(SERVICES, since="1")]
    assert seen == ["ADDED", "ADDED"]


async def test_a_port_where_nobody_listens_is_transient() -> None:
    async with served(hang) as url:
        pass
    async with KubeClient(official.Configuration(host=url), timeout=SOON) as client:
        with pytest.raises(Transient):
            await client.get(SERVICES, "default", "reviews")


@FAULTS
async def test_every_query_ends_in_time_with_a_reason(behaviour: Behaviour) -> None:
    async with served(behaviour) as url:
        prometheus = PrometheusHttp(PrometheusSettings(url=url, timeout=SOON))
        async with asyncio.timeout(10):
            found: list[Sample] | QueryError = await prometheus.query("check", "up", 1.0)
        await prometheus.aclose()
    assert isinstance(found, QueryError)
    assert found.reason in {"PrometheusTimeout", "PrometheusUnreachable"}
