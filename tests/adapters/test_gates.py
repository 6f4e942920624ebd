"""Gates that are real servers on loopback, with Secrets of an API server in memory."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from aiohttp import web

from meshshift.adapters.gates import GateCalls
from meshshift.adapters.kube import SECRETS, KubeClient
from meshshift.adapters.notifier_http import Poster
from meshshift.core.gate_call import Answered, Question, Reply, Unanswered
from meshshift.core.notices import SecretKey
from meshshift.core.spec import Gate
from tests.adapters.test_sockets import FAULTS, HEAD, Behaviour, hang, served

KEY = ("default", "reviews")
TOKEN = SecretKey("meshshift-gates", "token")


def question(url: str, *, attempt: int = 1, **gate: Any) -> Question:
    return Question(
        Gate(url, **gate),
        run="5f3c1e2a",
        step=2,
        of=4,
        attempt=attempt,
        weight=5,
        strategy="canary",
        service="reviews",
        stable="v1",
        canary="v2",
    )


@dataclass
class Receiver:
    """A gate that keeps what it is asked and answers what it is told to, once it may."""

    answer: Callable[[], web.Response] = web.Response
    posts: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    may: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.posts.append((f"{request.method} {request.path_qs}", dict(request.headers), await request.json()))
        await self.may.wait()
        return self.answer()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    kept = Receiver()
    kept.may.set()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", kept.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    kept.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield kept
    await runner.cleanup()


@contextlib.asynccontextmanager
async def calls(client: KubeClient, counted: Counter[str] | None = None, **options: Any) -> AsyncIterator[GateCalls]:
    """Gates on loopback, too, for whose answers there is all the time of the test."""
    poster = Poster(allows=lambda address: True)
    count = Counter[str]() if counted is None else counted
    options = {"poster": poster, "patience": 30.0, **options}
    async with GateCalls(client, lambda word: count.update([word]), **options) as gates:
        yield gates


async def one(client: KubeClient, asked: Question, **options: Any) -> Reply | None:
    async with calls(client, **options) as gates:
        return await gates.ask(KEY, asked)


async def keep(client: KubeClient, token: str) -> None:
    data = {"token": base64.b64encode(token.encode()).decode()}
    await client.create(SECRETS, "default", {"metadata": {"name": "meshshift-gates"}, "data": data})


async def test_what_is_posted_is_what_is_documented(client: KubeClient, receiver: Receiver) -> None:
    await keep(client, "sesame\n")
    asked = question(f"{receiver.url}/gates/reviews?a=%2Fb", attempt=3, bearer=TOKEN)
    assert await one(client, asked) == Answered(200)
    ((path, headers, body),) = receiver.posts
    assert path == "POST /gates/reviews?a=%2Fb"
    assert body == {
        "namespace": "default",
        "name": "reviews",
        "service": "reviews",
        "stable": "v1",
        "canary": "v2",
        "strategy": "canary",
        "run": "5f3c1e2a",
        "step": 2,
        "of": 4,
        "weight": 5,
        "attempt": 3,
        "id": "5f3c1e2a.2",
    }
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == "5f3c1e2a.2.3"
    assert headers["Authorization"] == "Bearer sesame"
    assert headers["User-Agent"].startswith("meshshift/")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"message": "41 of 120 tests done"}', "41 of 120 tests done"),
        (b'{"message": "  two\\nlines\\u001b[2J "}', "two\\nlines\\x1b[2J"),
        (json.dumps({"message": "x" * 500}).encode(), "x" * 199 + "…"),
        (json.dumps({"message": "so far", "log": "x" * 5000}).encode(), ""),
        (b"secret pages of somebody else", ""),
        (b'{"error": "who are you?"}', ""),
        (b'{"message": {"nested": true}}', ""),
        (b'["message"]', ""),
        (b"[" * 4000, ""),
        (b"\xff\xfe{", ""),
        (b"", ""),
    ],
)
async def test_only_a_message_for_people_is_shown(
    client: KubeClient, receiver: Receiver, body: bytes, message: str
) -> None:
    receiver.answer = lambda: web.Response(status=425, body=body)
    assert await one(client, question(receiver.url)) == Answered(425, message)


async def test_a_body_that_would_unpack_to_gigabytes_is_not_unpacked(client: KubeClient, receiver: Receiver) -> None:
    packed = gzip.compress(b'{"message": "' + b"x" * 100_000 + b'"}')
    receiver.answer = lambda: web.Response(status=200, body=packed, headers={"Content-Encoding": "gzip"})
    assert await one(client, question(receiver.url)) == Answered(200, "")


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer 200 and never come to the end of the body."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
        await writer.drain()


async def test_no_more_of_a_body_is_read_than_is_needed(client: KubeClient) -> None:
    async with served(endless) as url:
        assert await one(client, question(url)) == Answered(200)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_not_followed(client: KubeClient, receiver: Receiver, status: int) -> None:
    receiver.answer = lambda: web.Response(status=status, headers={"Location": f"{receiver.url}/elsewhere"})
    reply = await one(client, question(receiver.url))
    assert isinstance(reply, Answered)
    assert (reply.status, reply.word, len(receiver.posts)) == (status, "Refused", 1)


@FAULTS
async def test_a_gate_that_hangs_or_breaks_is_unanswered_in_time(client: KubeClient, behaviour: Behaviour) -> None:
    async with served(behaviour) as url, asyncio.timeout(20):
        reply = await one(client, question(url, timeout=0.3))
    assert isinstance(reply, Unanswered)
    assert url.removeprefix("http://") not in reply.reason


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[::1]:1/", "http://169.254.169.254/"])
async def test_neither_the_own_pod_nor_link_local_addresses_are_asked(client: KubeClient, url: str) -> None:
    reply = await one(client, question(url), poster=Poster())
    assert isinstance(reply, Unanswered)
    assert "not allowed" in reply.reason


async def test_what_is_wrong_with_the_secret_is_said_and_nobody_is_asked(
    client: KubeClient, receiver: Receiver
) -> None:
    missing = await one(client, question(receiver.url, bearer=TOKEN))
    assert missing == Unanswered("there is no Secret default/meshshift-gates; create it with an entry token")
    await keep(client, "two\nlines")
    unfit = await one(client, question(receiver.url, bearer=TOKEN))
    assert isinstance(unfit, Unanswered)
    assert "one line of printable ASCII" in unfit.reason
    assert "two" not in unfit.reason
    assert receiver.posts == []


async def test_nothing_of_the_token_or_the_path_is_logged(
    client: KubeClient, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "meshshift")
    await keep(client, "sesame")
    await one(client, question(f"{receiver.url}/opens", bearer=TOKEN))
    assert caplog.messages == [f"the gate {receiver.url.removeprefix('http://')}: 200"]


async def test_a_slow_gate_does_not_hold_the_pass_and_is_asked_once(client: KubeClient, receiver: Receiver) -> None:
    receiver.may.clear()
    asked = question(receiver.url)
    counted: Counter[str] = Counter()
    async with calls(client, counted, patience=0.01) as gates:
        for _ in range(5):
            assert await gates.ask(KEY, asked) is None
        receiver.may.set()
        async with asyncio.timeout(30):
            while (reply := await gates.ask(KEY, asked)) is None:
                pass
        assert reply == Answered(200)
        assert (len(receiver.posts), counted) == (1, {"Open": 1})
        receiver.answer = lambda: web.Response(status=425)
        async with asyncio.timeout(30):
            while (reply := await gates.ask(KEY, replace(asked, attempt=2))) is None:
                pass
        assert reply == Answered(425)


async def test_a_pass_that_could_not_store_an_answer_gets_it_again_without_asking(
    client: KubeClient, receiver: Receiver
) -> None:
    async with calls(client) as gates:
        assert await gates.ask(KEY, question(receiver.url)) == Answered(200)
        receiver.answer = lambda: web.Response(status=403)
        assert await gates.ask(KEY, question(receiver.url)) == Answered(200)
        assert len(receiver.posts) == 1
        assert await gates.ask(KEY, question(receiver.url, attempt=2)) == Answered(403)


async def test_a_failure_is_not_kept_for_the_next_attempt(client: KubeClient, receiver: Receiver) -> None:
    async with calls(client) as gates:
        asked = question(receiver.url, bearer=TOKEN)
        assert isinstance(await gates.ask(KEY, asked), Unanswered)
        await keep(client, "sesame")
        assert await gates.ask(KEY, asked) == Answered(200)


async def test_another_question_takes_the_place_of_one_that_is_not_answered(
    client: KubeClient, receiver: Receiver
) -> None:
    receiver.may.clear()
    async with calls(client, patience=0.01) as gates:
        assert await gates.ask(KEY, question(f"{receiver.url}/first")) is None
        receiver.may.set()
        async with asyncio.timeout(30):
            while (reply := await gates.ask(KEY, question(f"{receiver.url}/second", attempt=2))) is None:
                pass
    assert reply == Answered(200)


async def test_a_dead_gate_of_one_shift_holds_up_no_other(client: KubeClient, receiver: Receiver) -> None:
    async with served(hang) as dead, calls(client, patience=0.01) as gates:
        assert await gates.ask(("default", "dead"), question(dead)) is None
        async with asyncio.timeout(5):
            while (reply := await gates.ask(KEY, question(receiver.url))) is None:
                pass
    assert reply == Answered(200)


async def test_an_answer_that_nobody_came_for_in_time_is_asked_for_again(
    client: KubeClient, receiver: Receiver
) -> None:
    receiver.may.clear()
    async with calls(client, patience=0.01, fresh=-1.0) as gates:
        assert await gates.ask(KEY, question(receiver.url)) is None
        receiver.may.set()
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name().startswith("gate-")))
        receiver.may.clear()
        assert await gates.ask(KEY, question(receiver.url)) is None


async def test_a_bug_is_a_failure_and_shows_no_secret(
    client: KubeClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "sesame"  # noqa: S105 -- of a test

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError(secret)

    poster = Poster()
    monkeypatch.setattr(poster, "exchange", broken)
    reply = await one(client, question("http://qa.example/"), poster=poster)
    assert reply == Unanswered("a bug in meshshift; see its log")
    assert "a bug in meshshift" in caplog.text
    assert secret not in caplog.text
