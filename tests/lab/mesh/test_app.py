from __future__ import annotations

import asyncio
import json
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from meshshift.lab.app import App, BadChaosError, Behaviour
from tests.lab.mesh.conftest import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def serving(**environment: str) -> AsyncIterator[App]:
    app = App({"PORT": "0", "VERSION": "v7", "POD_NAME": "pod-1", "DRAIN_SECONDS": "0", **environment})
    await app.listen()
    task = asyncio.create_task(app.serve()) if "SERVE" in environment else None
    yield app
    app.stopping.set()
    if task is not None:
        await task
    app.refuse(0)


async def exchange(app: App, *requests: str, answers: int | None = None) -> list[tuple[int, Any]]:
    """Send the requests on one connection at once and read that many answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", app.port)
    writer.write("".join(requests).encode())
    out: list[tuple[int, Any]] = []
    for _ in range(len(requests) if answers is None else answers):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().partition("content-length: ")[2].split("\r\n")[0])
        out.append((int(head.split(" ")[1]), json.loads(await reader.readexactly(length))))
    writer.close()
    return out


def get(path: str) -> str:
    return f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"


def post(path: str, body: object) -> str:
    text = json.dumps(body)
    return f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(text)}\r\n\r\n{text}"


async def test_answers_say_version_and_pod() -> None:
    async with serving() as app:
        assert await exchange(app, get("/x")) == [(200, {"version": "v7", "pod": "pod-1", "path": "/x"})]


async def test_requests_on_one_connection_are_answered_in_order_whatever_they_take() -> None:
    async with serving() as app:
        answers = await exchange(app, get("/slow?ms=50"), get("/a"), get("/b"))
        assert [body["path"] for _, body in answers] == ["/slow?ms=50", "/a", "/b"]


async def test_the_error_rate_is_a_share_of_the_answers() -> None:
    async with serving(ERROR_RATE="0.3", ERROR_CODE="502") as app:
        app.chance.seed(1)
        statuses = [status for status, _ in await exchange(app, *[get("/")] * 1000)]
        assert set(statuses) == {200, 502}
        assert 230 < statuses.count(502) < 370, "within 4.8 standard deviations"


@pytest.mark.parametrize("p99", [20.0, 100.0])
def test_delays_are_lognormal_through_median_and_99th_percentile(p99: float) -> None:
    behaviour = Behaviour(latency_ms=20, latency_p99_ms=p99)
    chance = random.Random(3)  # noqa: S311
    draws = sorted(behaviour.delay(chance) * 1000 for _ in range(20_000))
    assert draws[10_000] == pytest.approx(20, rel=0.03)
    assert draws[19_800] == pytest.approx(p99, rel=0.06)


async def test_the_probe_fails_until_the_startup_time_is_over_and_while_told_so() -> None:
    async with serving(STARTUP_SECONDS="3600") as app:
        [(status, body)] = await exchange(app, get("/healthz"))
        assert (status, body["ready"]) == (503, False)
        app.ready_at = 0.0
        assert [status for status, _ in await exchange(app, get("/healthz"))] == [200]
        chaos = [post("/chaos", {"ready": False}), get("/healthz"), post("/chaos", {"ready": True}), get("/healthz")]
        assert [status for status, _ in await exchange(app, *chaos)] == [200, 503, 200, 200]


async def test_chaos_for_a_time_is_undone() -> None:
    async with serving(ERROR_RATE="0.25") as app:
        await exchange(app, post("/chaos", {"error_rate": 1, "for_seconds": 0.05}), get("/"))
        assert app.behaviour.error_rate == 1

        async def undone() -> bool:
            return app.behaviour.error_rate == 0.25

        await eventually(undone)


async def test_an_empty_wish_only_asks() -> None:
    async with serving(LATENCY_MS="3") as app:
        [(status, body)] = await exchange(app, post("/chaos", {}))
        assert (status, body["latency_ms"]) == (200, 3.0)


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [
        ({"error_rate": 2}, "error_rate: 2"),
        ({"error_rate": "much"}, "error_rate: 'much'"),
        ({"ready": 1}, "ready: 1"),
        ({"error_code": 99}, "error_code: 99"),
        ({"latency_ms": -1}, "latency_ms: -1"),
        ({"weather": "bad"}, "weather"),
        ({"for_seconds": -1}, "for_seconds: -1"),
        ([1], "JSON object"),
    ],
)
async def test_an_impossible_wish_changes_nothing_and_says_what_is_wrong(wish: object, complaint: str) -> None:
    async with serving() as app:
        before = app.behaviour
        [(status, body)] = await exchange(app, post("/chaos", wish))
        assert status == 400
        assert complaint in body["error"]
        assert app.behaviour == before


async def test_chaos_can_be_forbidden() -> None:
    async with serving(ACCEPT_CHAOS="0") as app:
        await exchange(app, post("/chaos", {"error_rate": 1}))
        assert app.behaviour.error_rate == 0


async def test_refusing_drops_connections_and_comes_back_on_the_same_port() -> None:
    async with serving() as app:
        reader, _ = await asyncio.open_connection("127.0.0.1", app.port)
        await exchange(app, post("/chaos", {"refuse_seconds": 0.2}))
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", app.port)

        async def back() -> bool:
            try:
                return [status for status, _ in await exchange(app, get("/"))] == [200]
            except ConnectionRefusedError:
                return False

        await eventually(back)


async def test_while_draining_requests_are_served_and_the_probe_fails() -> None:
    async with serving() as app:
        app.stopping.set()
        assert [status for status, _ in await exchange(app, get("/"))] == [200]
        assert [status for status, _ in await exchange(app, get("/healthz"))] == [503]


def test_the_environment_is_checked() -> None:
    with pytest.raises(BadChaosError, match="error_rate: 7"):
        Behaviour.from_environment({"ERROR_RATE": "7"})


async def test_the_first_requests_of_a_cold_pod_are_answered_after_later_ones_of_a_warm_one() -> None:
    async with serving(COLD_REQUESTS="1", COLD_MS="500") as app:

        async def is_taken_up() -> bool:
            return app.served == 1

        first = asyncio.create_task(exchange(app, get("/cold")))
        await eventually(is_taken_up)
        assert (await exchange(app, get("/warm")))[0][0] == 200
        assert not first.done()
        assert (await first)[0][1]["path"] == "/cold"
