from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from meshshift.lab.children import free_port
from meshshift.lab.load import Cohort, Load, Response, summarise
from tests.lab.mesh.test_app import serving

if TYPE_CHECKING:
    from pathlib import Path


async def test_every_answer_is_kept_in_memory_and_in_the_file(tmp_path: Path) -> None:
    record = tmp_path / "responses.jsonl"
    async with serving() as app:
        async with Load(f"http://127.0.0.1:{app.port}", host="x", rate=500, record=record) as load:
            await load.answers(100)
        rows = [json.loads(line) for line in record.read_text().splitlines()]
    assert len(rows) == load.total == len(load.responses) >= 100
    assert {(row["status"], row["version"], row["pod"]) for row in rows} == {(200, "v7", "pod-1")}
    assert all(row["latency"] > 0 and row["lag"] >= 0 for row in rows)


async def test_slow_answers_do_not_slow_the_load_down() -> None:
    async with serving(LATENCY_MS="200") as app:
        async with Load(f"http://127.0.0.1:{app.port}", host="x", rate=200) as load:
            await load.answers(100)
        dues = sorted(row.time for row in load.responses)
    assert (len(dues) - 1) / (dues[-1] - dues[0]) == pytest.approx(200, rel=0.15)


async def test_a_refused_connection_is_an_answer_too() -> None:
    async with Load(f"http://127.0.0.1:{free_port()}", host="x", rate=100) as load:
        summary = await load.answers(10)
    assert summary.by_status == {0: summary.total}
    assert summary.failed == summary.total
    assert all("refused" in error.lower() for error in summary.errors)


async def test_a_connection_lost_in_the_middle_is_an_answer_and_the_load_goes_on() -> None:
    async with serving(LATENCY_MS="50") as app:
        async with Load(f"http://127.0.0.1:{app.port}", host="x", rate=100) as load:
            await load.answers(10)
            for connection in tuple(app.connections):
                connection.abort()
            await load.answers(30)
        assert load.summary().by_status[0] >= 1
        assert load.summary().by_status[200] >= 30
    assert any("lost" in error for error in load.summary().errors)


async def test_cohorts_get_their_shares_and_their_paths() -> None:
    cohorts = (Cohort("few", share=1, path="/few"), Cohort("many", share=9, path="/many"))
    async with serving() as app:
        async with Load(f"http://127.0.0.1:{app.port}", host="x", rate=2000, cohorts=cohorts, seed=5) as load:
            await load.answers(1000)
        few = sum(1 for row in load.responses if row.cohort == "few")
    assert 0.05 < few / load.total < 0.15


async def test_a_cohort_may_call_another_host() -> None:
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            heads.append(head)
            writer.write(b"HTTP/1.1 200 OK\r\nX-Version: v1\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with Load(url, host="reviews", rate=500, cohorts=(Cohort(), Cohort(host="ratings"))) as load:
        await load.answers(50)
    server.close()
    asked = [head.decode().partition("host: ")[2].partition("\r\n")[0] for head in heads]
    assert set(asked) == {"reviews", "ratings"}
    assert sorted(row.host for row in load.responses) == sorted(asked)


async def test_a_browser_brings_the_cookie_it_was_given_and_has_one_request_at_a_time() -> None:
    brought: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            cookie = head.decode().partition("cookie: ")[2].partition("\r\n")[0]
            brought.append(cookie)
            given = "" if cookie else f"Set-Cookie: user=u{len(brought)}; Path=/; HttpOnly\r\nSet-Cookie: b=2\r\n"
            writer.write(f"HTTP/1.1 200 OK\r\nX-Version: v1\r\n{given}Content-Length: 0\r\n\r\n".encode())
            await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    cohorts = (Cohort(browsers=3, visits=5),)
    async with Load(url, host="x", rate=300, cohorts=cohorts) as load:
        await load.answers(60)
    server.close()
    assert sorted(row.cookie for row in load.responses) == sorted(brought)
    by_browser: dict[int, list[str]] = {}
    for row in load.responses:
        by_browser.setdefault(row.browser, []).append(row.cookie)
    assert 0 not in by_browser
    assert max(map(len, by_browser.values())) == 5, "then it goes, and one without cookies comes"
    for first, *later in by_browser.values():
        assert first == ""
        assert len(set(later)) <= 1, "it brings what the first answer gave"
        assert all(each.startswith("user=u") and each.endswith("; b=2") for each in later)


async def test_chunked_answers_are_understood() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nX-Version: V2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            await writer.drain()
            writer.write(b"0\r\n\r\n")

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with Load(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", host="x", rate=100) as load:
        summary = await load.answers(10)
    server.close()
    assert summary.by_version == {"V2": summary.total}


async def test_the_rate_may_change() -> None:
    async with serving() as app, Load(f"http://127.0.0.1:{app.port}", host="x", rate=0) as load:
        await asyncio.sleep(0)
        assert load.total == 0
        load.rate = 500
        await load.answers(20)


def test_a_summary_counts_failures_and_takes_quantiles_of_what_was_answered() -> None:
    rows = [Response(0, 200, "v1", "p", latency / 1000, 0, "c") for latency in range(1, 101)]
    rows += [Response(0, 0, "", "", 9.0, 0.5, "c", "connect: refused"), Response(0, 503, "", "", 0.001, 0, "c")]
    summary = summarise(rows)
    assert (summary.total, summary.failed, summary.worst_lag) == (102, 2, 0.5)
    assert summary.p50 == pytest.approx(0.050)
    assert summary.p99 == pytest.approx(0.099)
