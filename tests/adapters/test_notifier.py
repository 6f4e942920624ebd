"""Deliveries to real servers on loopback, with Secrets and Events of an API server in memory."""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web

from meshshift.adapters.cluster import KubeCluster
from meshshift.adapters.kube import EVENTS, SECRETS, KubeClient
from meshshift.adapters.notifier import MARK, MOST_AT_ONCE, PAUSES, Notifier
from meshshift.adapters.notifier_http import Poster, is_allowed
from meshshift.core.notices import Turn
from tests.adapters.test_sockets import FAULTS, Behaviour, hang, served
from tests.core.test_notices import TURN as A_TURN

KEY = ("default", "reviews")
SESAME = "/services/T0/B0/sesame"
TURN = replace(A_TURN, message="proven worse", namespace="default")


@dataclass
class Receiver:
    """A server that keeps what is posted and answers with the next of `answers`, then with 200."""

    answers: list[web.Response] = field(default_factory=list)
    posts: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.posts.append((request.path_qs, dict(request.headers), await request.json()))
        return self.answers.pop(0) if self.answers else web.Response(text="ok")

    @property
    def told(self) -> list[str]:
        return [body["id"] for _, _, body in self.posts]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    kept = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", kept.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    kept.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield kept
    await runner.cleanup()


@dataclass
class Bench:
    """A notifier that does not really sleep, and what it did."""

    client: KubeClient
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)
    slept: list[float] = field(default_factory=list)
    policy: dict[str, Any] | None = None

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def notifier(self, *, timeout: float = 5.0, most_waiting: int = 100, **options: Any) -> Notifier:
        return Notifier(
            KubeCluster(self.client),
            lambda kind, result: self.counted.update([(kind, result)]),
            poster=Poster(timeout=timeout, **{"allows": lambda address: True} | options),
            sleep=self.sleep,
            most_waiting=most_waiting,
            policy_of=lambda shift: self.policy,
        )

    async def tell(self, *notifications: dict[str, Any], turn: Turn = TURN, new: bool = True, **options: Any) -> None:
        """Tell one turn, to the end."""
        async with self.notifier(**options) as notifier:
            notifier.turned(KEY, shift(*notifications), turn, new=new)
            await idle(notifier)

    async def record(self, turn: Turn = TURN) -> None:
        """The Event that the engine writes before it hands a turn over."""
        await KubeCluster(self.client).emit(
            shift(), name=turn.id, warning=True, reason=turn.reason, message=turn.message, at=turn.at
        )

    async def marks(self, turn: Turn = TURN) -> list[str]:
        """How the deliveries of a turn ended, as its Event says."""
        event = await self.client.get(EVENTS, "default", turn.id)
        annotations = event["metadata"].get("annotations") or {}
        assert all(name.startswith(f"{MARK}/") for name in annotations)
        return sorted(annotations.values())

    async def complaints(self) -> list[str]:
        """What the Events say of notifications that failed."""
        events, _ = await self.client.list(EVENTS)
        return [event["message"] for event in events if event["reason"] == "NotificationFailed"]

    async def secret(self, **entries: str) -> None:
        data = {name: base64.b64encode(value.encode()).decode() for name, value in entries.items()}
        await self.client.create(SECRETS, "default", {"metadata": {"name": "hooks"}, "data": data})


@pytest.fixture
async def bench(client: KubeClient) -> Bench:
    bench = Bench(client)
    await bench.record()
    return bench


def shift(*notifications: dict[str, Any]) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "default", "name": "reviews", "uid": "1"},
        "spec": {"notifications": list(notifications)},
    }


def webhook(url: str, **fields: Any) -> dict[str, Any]:
    return {"webhook": {"url": url, **fields}}


def hidden(kind: str, key: str) -> dict[str, Any]:
    return {kind: {"urlFrom": {"secretKeyRef": {"name": "hooks", "key": key}}}}


async def idle(notifier: Notifier) -> None:
    """Wait until nothing is on its way any more."""
    async with asyncio.timeout(30):
        while notifier._tasks:
            await asyncio.wait(set(notifier._tasks))


async def test_each_kind_arrives_as_it_is_documented(bench: Bench, receiver: Receiver) -> None:
    url = receiver.url
    body = '{"text": "{{name}} at {{weight}}"}'
    await bench.tell(
        {"slack": {"url": f"{url}/slack"}},
        webhook(f"{url}/hook?a=%2Fb", body=body, headers=[{"name": "X-Team", "value": "book info"}]),
        {"cloudEvents": {"url": f"{url}/structured"}},
        {"cloudEvents": {"url": f"{url}/binary", "mode": "Binary"}},
    )
    posts = {path: (headers, body) for path, headers, body in receiver.posts}
    assert posts["/slack"][1] == {"text": "*default/reviews*: RolledBack, RegressionProven: proven worse"}
    assert posts["/hook?a=%2Fb"][1] == {"text": "reviews at 0"}
    assert posts["/hook?a=%2Fb"][0]["X-Team"] == "book info"
    assert posts["/structured"][0]["Content-Type"].startswith("application/cloudevents+json")
    assert posts["/structured"][1]["data"]["canary"] == "v2"
    assert posts["/binary"][0]["ce-id"] == TURN.id
    assert posts["/binary"][1]["canary"] == "v2"
    delivered = {("slack", "delivered"): 1, ("webhook", "delivered"): 1, ("cloudEvents", "delivered"): 2}
    assert bench.counted == delivered
    assert await bench.marks() == ["delivered"] * 4
    assert bench.slept == []


async def test_only_turns_that_were_asked_for_are_told(bench: Bench, receiver: Receiver) -> None:
    wanted, unwanted = ({"transitions": [word], **webhook(receiver.url)} for word in ("RolledBack", "Succeeded"))
    await bench.tell(wanted, unwanted)
    assert receiver.told == [TURN.id]


async def test_a_policy_says_who_is_told_unless_the_shift_does(bench: Bench, receiver: Receiver) -> None:
    bench.policy = {"metadata": {"name": "careful"}, "spec": {"notifications": [webhook(f"{receiver.url}/policy")]}}
    governed = shift()
    del governed["spec"]["notifications"]
    async with bench.notifier() as notifier:
        notifier.turned(KEY, governed, TURN, new=True)
        await idle(notifier)
    await bench.tell(webhook(f"{receiver.url}/own"))
    assert [path for path, _, _ in receiver.posts] == ["/policy", "/own"]


async def test_a_receiver_of_a_policy_that_fails_is_named_with_it(bench: Bench) -> None:
    bench.policy = {"metadata": {"name": "careful"}, "spec": {"notifications": [hidden("slack", "none")]}}
    governed = shift()
    del governed["spec"]["notifications"]
    async with bench.notifier() as notifier:
        notifier.turned(KEY, governed, TURN, new=True)
        await idle(notifier)
    (complaint,) = await bench.complaints()
    assert complaint.startswith("ShiftPolicy careful: spec.notifications[0].slack was not told of ")


async def test_a_server_error_is_tried_again(bench: Bench, receiver: Receiver) -> None:
    receiver.answers = [web.Response(status=500), web.Response(status=503, headers={"Retry-After": "17"})]
    await bench.tell(webhook(receiver.url))
    assert receiver.told == [TURN.id] * 3
    assert bench.slept == [PAUSES[0], 17.0]
    assert bench.counted == {("webhook", "delivered"): 1}


@pytest.mark.parametrize("asked", ["-5", "1e9", "99999999999999999999", "99999999", "soon", "²", "nan"])
async def test_an_unreasonable_retry_after_is_no_reason_to_wait_long(
    bench: Bench, receiver: Receiver, asked: str
) -> None:
    receiver.answers = [web.Response(status=429, headers={"Retry-After": asked})]
    await bench.tell(webhook(receiver.url))
    assert bench.slept in ([PAUSES[0]], [120.0])


async def test_after_all_attempts_it_has_failed_and_the_shift_says_so(
    bench: Bench, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [web.Response(status=500, text="stack trace") for _ in range(10)]
    await bench.tell(webhook(receiver.url))
    assert len(receiver.posts) == len(PAUSES) + 1
    assert bench.slept == list(PAUSES)
    assert bench.counted == {("webhook", "failed"): 1}
    assert await bench.marks() == ["failed"]
    message = "spec.notifications[0].webhook was not told of RegressionProven (RolledBack): answered 500"
    assert await bench.complaints() == [message]
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [message]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413])
async def test_what_the_receiver_will_not_have_is_not_repeated(bench: Bench, receiver: Receiver, status: int) -> None:
    receiver.answers = [web.Response(status=status)]
    await bench.tell(webhook(receiver.url))
    assert len(receiver.posts) == 1
    assert bench.counted == {("webhook", "failed"): 1}
    assert (await bench.complaints())[0].endswith(f"answered {status}")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(bench: Bench, receiver: Receiver, status: int) -> None:
    receiver.answers = [web.Response(status=status, headers={"Location": f"{receiver.url}/elsewhere"})]
    await bench.tell(webhook(f"{receiver.url}/here"))
    assert [path for path, _, _ in receiver.posts] == ["/here"]
    assert bench.counted == {("webhook", "failed"): 1}


@FAULTS
async def test_a_server_that_hangs_or_breaks_fails_in_time(bench: Bench, behaviour: Behaviour) -> None:
    """Those that begin with a sound status line have taken the notification; their bodies are not read."""
    async with served(behaviour) as url:
        await bench.tell(webhook(url), timeout=0.2)
    result = "failed" if behaviour.__name__ in {"hang", "reset"} else "delivered"
    assert bench.counted == {("webhook", result): 1}


async def test_a_refused_connection_and_a_name_that_is_not_there_fail(
    bench: Bench, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("meshshift.adapters.notifier_http.socket.getaddrinfo", unknown)
    async with served(hang) as url:
        pass
    await bench.tell(webhook(url), webhook("http://nowhere.invalid/"), webhook("http://127.0.0.1:99999/"))
    assert bench.counted == {("webhook", "failed"): 3}
    told = "\n".join(sorted(await bench.complaints()))
    assert "[0].webhook was not told of RegressionProven (RolledBack): no connection: " in told
    assert "the name of the host does not resolve" in told
    assert "the address is not a valid URL" in told


async def test_addresses_and_headers_come_from_secrets(bench: Bench, receiver: Receiver) -> None:
    await bench.secret(slack=f"{receiver.url}{SESAME}\n", token="Bearer sesame\n")  # noqa: S106
    token = {"name": "Authorization", "valueFrom": {"secretKeyRef": {"name": "hooks", "key": "token"}}}
    await bench.tell(hidden("slack", "slack"), webhook(f"{receiver.url}/hook", headers=[token]))
    posts = {path: headers for path, headers, _ in receiver.posts}
    assert posts.keys() == {SESAME, "/hook"}
    assert posts["/hook"]["Authorization"] == "Bearer sesame"


@pytest.mark.parametrize(
    ("entries", "key", "said"),
    [
        (None, "slack", "there is no Secret default/hooks; create it with an entry slack"),
        ({"other": "x"}, "slack", "Secret default/hooks has no entry slack; add it"),
        ({"slack": "sesame"}, "slack", "the entry slack of Secret default/hooks is not an http or https URL"),
        ({"slack": "http://sesame:x@a/"}, "slack", "the entry slack of Secret default/hooks is not an http"),
        ({"slack": "http://a/\r\nsesame: x"}, "slack", "the entry slack of Secret default/hooks is not an http"),
    ],
)
async def test_a_secret_that_is_missing_or_no_address_is_said_without_showing_it(
    bench: Bench, entries: dict[str, str] | None, key: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    if entries is not None:
        await bench.secret(**entries)
    await bench.tell(hidden("slack", key))
    (complaint,) = await bench.complaints()
    assert said in complaint
    assert "sesame" not in complaint + caplog.text
    assert bench.slept == list(PAUSES)
    assert bench.counted == {("slack", "failed"): 1}


@pytest.mark.parametrize("answer", [500, 404, 302, None])
async def test_a_secret_address_is_shown_nowhere(
    bench: Bench, receiver: Receiver, answer: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    base = receiver.url
    if answer is None:
        async with served(hang) as base:
            pass
    receiver.answers = [web.Response(status=answer or 200) for _ in range(5)]
    await bench.secret(slack=f"{base}{SESAME}")
    await bench.tell(hidden("slack", "slack"))
    assert len(await bench.complaints()) == 1
    records = " ".join(str(vars(record)) for record in caplog.records if not record.name.startswith("aiohttp"))
    assert "sesame" not in " ".join([*await bench.complaints(), records])


async def test_a_secret_that_comes_late_is_found(bench: Bench, receiver: Receiver) -> None:
    async def create(seconds: float) -> None:
        await bench.secret(slack=receiver.url)

    async with bench.notifier() as notifier:
        notifier._sleep = create
        notifier.turned(KEY, shift(hidden("slack", "slack")), TURN, new=True)
        await idle(notifier)
    assert bench.counted == {("slack", "delivered"): 1}


async def test_the_order_of_one_shift_is_kept_although_the_first_is_repeated(bench: Bench, receiver: Receiver) -> None:
    receiver.answers = [web.Response(status=500)]
    async with bench.notifier() as notifier:
        for number in range(5):
            notifier.turned(KEY, shift(webhook(receiver.url)), replace(TURN, id=f"reviews.{number}"), new=True)
        await idle(notifier)
    assert receiver.told == ["reviews.0", *(f"reviews.{number}" for number in range(5))]


async def test_a_dead_receiver_holds_up_nobody_else(bench: Bench, receiver: Receiver) -> None:
    """Not even if more shifts have it than there are requests at once."""
    shifts = MOST_AT_ONCE + 10
    async with served(hang) as dead, bench.notifier(timeout=60.0, most_waiting=1000) as notifier:
        for number in range(shifts):
            turn = replace(TURN, id=f"reviews.{number}", name=f"reviews-{number}")
            notifier.turned(KEY, shift(webhook(dead), webhook(receiver.url)), turn, new=True)
        async with asyncio.timeout(30):
            while bench.counted["webhook", "delivered"] < shifts:
                await asyncio.wait(notifier._tasks, return_when=asyncio.FIRST_COMPLETED)
    assert len(receiver.posts) == shifts


async def test_beyond_the_bound_the_oldest_goes_of_the_namespace_that_has_the_most(
    bench: Bench, receiver: Receiver
) -> None:
    """All of it before the first task has had a turn, so the queue is as full as it gets."""
    async with bench.notifier(most_waiting=3) as notifier:
        quiet = replace(TURN, id="quiet.1", namespace="quiet")
        notifier.turned(KEY, shift(webhook(receiver.url)), quiet, new=True)
        for number in range(5):
            notifier.turned(KEY, shift(webhook(receiver.url)), replace(TURN, id=f"loud.{number}"), new=True)
        await idle(notifier)
    assert sorted(receiver.told) == ["loud.3", "loud.4", "quiet.1"]
    assert bench.counted == {("webhook", "delivered"): 3, ("webhook", "dropped"): 3}


async def test_what_has_arrived_takes_no_place_any_more(bench: Bench, receiver: Receiver) -> None:
    async with bench.notifier(most_waiting=1) as notifier:
        for number in range(3):
            notifier.turned(KEY, shift(webhook(receiver.url)), replace(TURN, id=f"reviews.{number}"), new=True)
            await idle(notifier)
    assert bench.counted == {("webhook", "delivered"): 3}


async def test_what_an_earlier_process_told_is_not_told_again(bench: Bench, receiver: Receiver) -> None:
    first, second = webhook(f"{receiver.url}/1"), webhook(f"{receiver.url}/2")
    await bench.tell(first)
    assert bench.counted == {("webhook", "delivered"): 1}
    await bench.tell(first, second, new=False)
    assert [path for path, _, _ in receiver.posts] == ["/1", "/2"]


async def test_what_an_earlier_process_was_killed_over_is_told_by_the_next(bench: Bench, receiver: Receiver) -> None:
    async with served(hang) as dead, bench.notifier(timeout=60.0) as notifier:
        notifier.turned(KEY, shift(webhook(dead)), TURN, new=True)
        await asyncio.sleep(0)
    assert bench.counted == {}
    assert await bench.marks() == []
    await bench.tell(webhook(receiver.url), new=False)
    assert receiver.told == [TURN.id]


async def test_an_event_that_cannot_be_read_is_no_reason_not_to_tell(bench: Bench, receiver: Receiver) -> None:
    await bench.tell(webhook(receiver.url), turn=replace(TURN, id="reviews.gone"), new=False)
    assert receiver.told == ["reviews.gone"]


@pytest.mark.parametrize("spec", [None, [], "x", {"notifications": "x"}, {"notifications": [{"webhook": {}}]}])
async def test_notifications_that_make_no_sense_are_nobody(bench: Bench, spec: Any) -> None:
    async with bench.notifier() as notifier:
        notifier.turned(KEY, {"metadata": {}, "spec": spec}, TURN, new=True)
        assert not notifier._tasks


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://2130706433:{port}/",
        "http://127.1:{port}/",
        "http://0x7f.0.0.1:{port}/",
        "http://0.0.0.0:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
    ],
)
async def test_the_controllers_own_pod_is_out_of_reach(bench: Bench, receiver: Receiver, url: str) -> None:
    port = receiver.url.rpartition(":")[2]
    await bench.tell(webhook(url.format(port=port)), allows=is_allowed)
    assert receiver.posts == []
    assert bench.counted == {("webhook", "failed"): 1}


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.0.0.7", True),
        ("2001:db8::1", True),
        ("fd00::1", True),
        ("169.254.169.254", False),
        ("fe80::1%eth0", False),
        ("127.8.8.8", False),
        ("::", False),
        ("224.0.0.1", False),
        ("::ffff:169.254.169.254", False),
    ],
)
def test_link_local_addresses_are_out_of_reach(address: str, allowed: bool) -> None:
    assert is_allowed(address) is allowed


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("127.0.0.1", True),
        ("::ffff:127.0.0.1", True),
        ("fe80::7%eth0", True),
        ("10.0.0.7", True),
        ("127.0.0.2", False),
        ("::1", False),
        ("169.254.169.254", False),
    ],
)
def test_who_installs_the_controller_may_open_networks_and_no_more_than_these(address: str, allowed: bool) -> None:
    opened = [ip_network("127.0.0.1/32"), ip_network("fe80::/64")]
    assert is_allowed(address, opened) is allowed


async def test_a_bug_is_a_failure_too_and_shows_no_address(
    bench: Bench, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    class Buggy(Poster):
        async def post(self, url: str, *_: Any) -> None:
            raise RuntimeError(url)

    async with bench.notifier() as notifier:
        poster, notifier._poster = notifier._poster, Buggy()
        notifier.turned(KEY, shift(webhook(receiver.url)), TURN, new=True)
        await idle(notifier)
        notifier._poster = poster
    assert bench.counted == {("webhook", "failed"): 1}
    assert "RuntimeError" in caplog.text
    assert receiver.url not in caplog.text


async def test_leaving_ends_everything_that_is_on_its_way(bench: Bench) -> None:
    async with served(hang) as dead, bench.notifier(timeout=60.0) as notifier:
        notifier.turned(KEY, shift(webhook(dead)), TURN, new=True)
        await asyncio.sleep(0)
        tasks = set(notifier._tasks)
    assert all(task.cancelled() for task in tasks)
    assert bench.counted == {}
