import asyncio
import base64
import re
from collections.abc import AsyncIterator, Callable
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from meshshift.adapters import promql
from meshshift.adapters.prometheus import CHUNK, PrometheusTelemetry
from meshshift.adapters.prometheus_http import PrometheusSettings
from meshshift.core.telemetry import Arm, NoData, Series, Snapshot, difference
from meshshift.engine.ports import QueryError, ServiceId, Telemetry

URL = "http://prometheus.test:9090/prom/"
REVIEWS = ServiceId("bookinfo", "reviews")


def vector(*samples: tuple[dict[str, str], str]) -> dict[str, Any]:
    return {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [{"metric": labels, "value": [100.0, value]} for labels, value in samples],
        },
    }


def of_service(service: ServiceId, **labels: str) -> dict[str, str]:
    return {promql.NAMESPACE_LABEL: service.namespace, promql.NAME_LABEL: service.name, **labels}


class FakePrometheus:
    """Answers freshness from `live` (reporters) and counters from `counters`; keeps every query."""

    def __init__(self, live: dict[str, float] | None = None) -> None:
        self.live = {"source": 99.0} if live is None else live
        self.services = [REVIEWS]
        self.queries: list[dict[str, str]] = []
        self.requests: list[httpx.Request] = []
        self.answer: Callable[[str], httpx.Response | None] = lambda _: None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.queries.append(form)
        await asyncio.sleep(0)
        odd = self.answer(form["query"])
        return odd or httpx.Response(200, json=self.result(form["query"]))

    def result(self, query: str) -> dict[str, Any]:
        if "timestamp(" in query:
            return vector(
                *(
                    (of_service(service, reporter=reporter), str(at))
                    for service in self.services
                    for reporter, at in self.live.items()
                )
            )
        if "_bucket" in query:
            return vector(*((of_service(one, le="+Inf", pod="g", response_code="200"), "7") for one in self.services))
        return vector(*((of_service(one, pod="g", response_code="200"), "7") for one in self.services))

    def asked(self, word: str) -> list[str]:
        return [form["query"] for form in self.queries if word in form["query"]]


class Observed:
    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def observed(self, kind: str, seconds: float, outcome: str) -> None:
        assert seconds >= 0
        self.calls.append((kind, outcome))


def telemetry(
    fake: Callable[[httpx.Request], Any], observer: Observed | None = None, **settings: Any
) -> PrometheusTelemetry:
    return PrometheusTelemetry(PrometheusSettings(**{"url": URL, **settings}), observer, httpx.MockTransport(fake))


async def snapshot(source: PrometheusTelemetry, service: ServiceId = REVIEWS, at: float = 100.0) -> Snapshot:
    found = await source.snapshots([service], at)
    assert not isinstance(found, QueryError), found
    return found[service]


async def error(fake: Callable[[httpx.Request], Any], **settings: Any) -> QueryError:
    async with telemetry(fake, **settings) as source:
        found = await source.snapshots([REVIEWS], 100.0)
    assert isinstance(found, QueryError)
    return found


# --- what is asked ---------------------------------------------------------------------------------------------------


async def test_counters_are_read_raw_at_a_pinned_instant() -> None:
    fake = FakePrometheus()
    async with telemetry(fake) as source:
        port: Telemetry = source
        found = await port.snapshots([REVIEWS], 1700000000.25)
    assert not isinstance(found, QueryError)
    assert {form["time"] for form in fake.queries} == {"1700000000.250"}
    assert {str(request.url) for request in fake.requests} == {"http://prometheus.test:9090/prom/api/v1/query"}
    assert {request.method for request in fake.requests} == {"POST"}
    assert not any(re.search(r"\b(rate|increase|irate|delta)\(", form["query"]) for form in fake.queries)
    got = found[REVIEWS]
    assert (got.at, got.newest, got.requests[0].value, got.durations[0].value) == (1700000000.25, 99.0, 7.0, 7.0)
    assert got.asked == (
        'istio_requests_total{reporter="source",destination_service_namespace="bookinfo",destination_service_name="reviews"}'
    )


async def test_a_service_without_series_is_an_empty_snapshot_and_no_data() -> None:
    fake = FakePrometheus()
    async with telemetry(fake) as source:
        absent = ServiceId("bookinfo", "absent")
        before, after = await snapshot(source, absent, 100.0), await snapshot(source, absent, 115.0)
    assert (after.requests, after.newest) == ((), 0.0)
    found = difference(before, after, Arm(), Arm())
    assert isinstance(found, NoData)
    assert 'destination_service_name="absent"' in found.reason


@pytest.mark.parametrize(
    ("live", "chosen"),
    [
        ({"destination": 99.0, "source": 90.0, "waypoint": 99.0}, "source"),
        ({"destination": 99.0, "waypoint": 99.0}, "waypoint"),
        ({"destination": 99.0}, "destination"),
        ({}, "source"),
    ],
)
async def test_one_reporter_is_chosen_and_never_summed_with_another(live: dict[str, float], chosen: str) -> None:
    fake = FakePrometheus(live)
    async with telemetry(fake) as source:
        found = await snapshot(source)
    asked = fake.asked("last_over_time")
    assert len(asked) == 2
    assert all(f'reporter="{chosen}"' in query for query in asked)
    assert found.newest == live.get(chosen, 0.0)


async def test_the_reporter_of_a_service_does_not_change_under_a_run() -> None:
    fake = FakePrometheus({"destination": 99.0})
    async with telemetry(fake) as source:
        await snapshot(source, at=100.0)
        fake.live = {"source": 114.0, "destination": 114.0}
        found = await snapshot(source, at=115.0)
    assert all('reporter="destination"' in query for query in fake.asked("last_over_time"))
    assert found.newest == 114.0


async def test_a_configured_reporter_is_obeyed() -> None:
    fake = FakePrometheus({"source": 99.0})
    async with telemetry(fake, reporter="destination") as source:
        found = await snapshot(source)
    assert all('reporter="destination"' in form["query"] for form in fake.queries)
    assert found.newest == 0.0


def test_values_cannot_break_out_of_a_query() -> None:
    hostile = ServiceId('a"} or vector(1) #', "b|.*\\")
    text = promql.requests([hostile], "source", 300)
    assert 'destination_service_namespace="a\\"} or vector(1) #"' in text
    assert 'destination_service_name="b|.*\\\\"' in text
    both = promql.selector([hostile, REVIEWS], None)
    assert r'destination_service_name=~"b\\|\\.\\*\\\\|reviews"' in both


def test_the_hold_outlives_several_scrapes() -> None:
    assert PrometheusSettings(URL).hold == 300
    assert PrometheusSettings(URL, scrape_interval=60).hold == 600


# --- few queries -----------------------------------------------------------------------------------------------------


async def test_calls_for_one_instant_share_queries() -> None:
    fake = FakePrometheus()
    fake.services = [ServiceId(f"ns-{n % 40}", f"svc-{n}") for n in range(1000)]
    async with telemetry(fake) as source:
        found = await asyncio.gather(*(snapshot(source, service) for service in fake.services))
    assert all(one.requests[0].value == 7 for one in found)
    assert len(fake.queries) == 3 * 1000 / CHUNK <= 20


async def test_the_end_of_a_tick_is_the_start_of_the_next() -> None:
    fake = FakePrometheus()
    async with telemetry(fake) as source:
        for at in (100.0, 115.0, 115.0, 130.0):
            await snapshot(source, at=at)
    assert len(fake.queries) == 3 * 3


async def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshshift.adapters.prometheus.CACHED_SERIES", 9)
    fake = FakePrometheus()
    async with telemetry(fake) as source:
        for at in (100.0, 115.0, 130.0, 145.0):
            await snapshot(source, at=at)
        before = len(fake.queries)
        await snapshot(source, at=145.0)
        assert len(fake.queries) == before
        await snapshot(source, at=100.0)
        assert len(fake.queries) == before + 3


async def test_a_caller_that_gives_up_does_not_take_the_answer_from_the_others() -> None:
    fake, asked, go_on = FakePrometheus(), asyncio.Event(), asyncio.Event()

    async def slow(request: httpx.Request) -> httpx.Response:
        asked.set()
        await go_on.wait()
        return await fake(request)

    async with telemetry(slow) as source:
        impatient, patient = (asyncio.create_task(snapshot(source)) for _ in range(2))
        await asked.wait()
        impatient.cancel()
        go_on.set()
        assert (await patient).requests
        with pytest.raises(asyncio.CancelledError):
            await impatient


async def test_an_error_is_not_kept() -> None:
    fake = FakePrometheus()
    fake.answer = lambda _: httpx.Response(503, text="starting")
    async with telemetry(fake) as source:
        assert isinstance(await source.snapshots([REVIEWS], 100.0), QueryError)
        fake.answer = lambda _: None
        assert (await snapshot(source)).requests


# --- what goes wrong is a value --------------------------------------------------------------------------------------


def replying(status: int, **content: Any) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(status, **content)


def raising(exception: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def fail(_: httpx.Request) -> httpx.Response:
        raise exception

    return fail


@pytest.mark.parametrize(
    ("fake", "reason", "word"),
    [
        (raising(httpx.ConnectError("connection refused")), "PrometheusUnreachable", "connection refused"),
        (raising(httpx.ReadError("reset")), "PrometheusUnreachable", "reset"),
        (raising(httpx.ReadTimeout("slow")), "PrometheusTimeout", "within 10 s"),
        (replying(503, text="starting up"), "PrometheusHttpStatus", "503: starting up"),
        (replying(302, headers={"location": "/login"}), "PrometheusHttpStatus", "302"),
        (replying(401, text="who are you"), "PrometheusHttpStatus", "401"),
        (replying(422, json={"status": "error", "error": "too many samples"}), "QueryFailed", "too many samples"),
        (replying(200, json={"status": "error", "error": "x"}), "QueryFailed", "x"),
        (replying(200, text="<html>Grafana</html>"), "BadAnswer", "check the url"),
        (replying(200, json=[]), "BadAnswer", "check the url"),
        (replying(200, json={"status": "success"}), "BadAnswer", "instant vector"),
        (
            replying(200, json={"status": "success", "data": {"resultType": "matrix", "result": []}}),
            "BadAnswer",
            "matrix",
        ),
        (replying(200, json=vector(({}, "x"))), "BadAnswer", "x"),
        (replying(200, json={**vector(), "warnings": ["store gone"]}), "PartialAnswer", "store gone"),
    ],
)
async def test_every_fault_is_an_error_with_a_reason(
    fake: Callable[[httpx.Request], httpx.Response], reason: str, word: str
) -> None:
    found = await error(fake)
    assert found.reason == reason
    assert word in found.message
    assert promql.REQUESTS in found.query


async def test_a_prometheus_that_hangs_is_a_timeout() -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        return await asyncio.Future()

    assert (await error(hang, timeout=0.05)).reason == "PrometheusTimeout"


async def test_a_prometheus_that_trickles_is_a_timeout() -> None:
    async def trickle(_: httpx.Request) -> httpx.Response:
        async def drops() -> AsyncIterator[bytes]:
            while True:
                yield b" "
                await asyncio.sleep(0.01)

        return httpx.Response(200, content=drops())

    async with asyncio.timeout(5.0):
        assert (await error(trickle, timeout=0.05)).reason == "PrometheusTimeout"


@pytest.mark.parametrize("kind", ["last_over_time(istio_requests_total", "_bucket"])
async def test_a_fault_in_one_query_spoils_the_whole_answer(kind: str) -> None:
    fake = FakePrometheus()
    fake.answer = lambda query: httpx.Response(500, text="no") if kind in query else None
    assert (await error(fake)).reason == "PrometheusHttpStatus"


async def test_informational_notes_are_no_warnings() -> None:
    fake = FakePrometheus()
    fake.answer = lambda query: httpx.Response(200, json={**fake.result(query), "infos": ["hm"]})
    async with telemetry(fake) as source:
        assert (await snapshot(source)).requests


async def test_a_nan_travels_on_to_where_it_is_refused() -> None:
    fake = FakePrometheus()
    labels = of_service(REVIEWS, pod="g", response_code="200")
    fake.answer = lambda query: None if "timestamp(" in query else httpx.Response(200, json=vector((labels, "NaN")))
    async with telemetry(fake) as source:
        value = (await snapshot(source)).requests[0].value
    assert value != value


async def test_every_query_is_observed() -> None:
    observer, fake = Observed(), FakePrometheus()
    async with telemetry(fake, observer) as source:
        await snapshot(source)
        fake.answer = lambda _: httpx.Response(503)
        await source.snapshots([REVIEWS], 115.0)
    assert sorted(observer.calls) == [
        ("durations", "ok"),
        ("freshness", "PrometheusHttpStatus"),
        ("freshness", "ok"),
        ("requests", "ok"),
    ]


# --- users' queries ---------------------------------------------------------------------------------------------------


def scalar(value: str) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "scalar", "result": [100.0, value]}}


@pytest.mark.parametrize(
    ("answer", "series"),
    [
        (vector(({}, "0.31")), (Series.of({}, 0.31),)),
        (vector(({"b": "2", "a": "1"}, "-1"), ({}, "+Inf")), (Series.of({"a": "1", "b": "2"}, -1.0), Series((), inf))),
        (vector(), ()),
        (scalar("3"), (Series.of({}, 3.0),)),
    ],
)
async def test_a_users_query_gives_what_came(answer: dict[str, Any], series: tuple[Series, ...]) -> None:
    fake, observer = FakePrometheus(), Observed()
    fake.answer = lambda _: httpx.Response(200, json=answer)
    async with telemetry(fake, observer) as source:
        port: Telemetry = source
        assert await port.query("sum(x)", 1700000000.25) == series
    assert [(form["query"], form["time"]) for form in fake.queries] == [("sum(x)", "1700000000.250")]
    assert observer.calls == [("check", "ok")]


async def test_a_users_query_that_prometheus_refuses_is_an_error_with_its_words() -> None:
    refusal = {"status": "error", "errorType": "bad_data", "error": "parse error: unexpected end of input"}
    async with telemetry(replying(400, json=refusal)) as source:
        found = await source.query("sum(x", 100.0)
    assert isinstance(found, QueryError)
    assert (found.reason, found.query) == ("QueryFailed", "sum(x")
    assert "unexpected end of input" in found.message


async def test_users_queries_that_hang_do_not_keep_the_counters_waiting() -> None:
    hanging, asked = asyncio.Event(), FakePrometheus()

    async def fake(request: httpx.Request) -> httpx.Response:
        if b"slow" in request.content:
            await hanging.wait()
        return await asked(request)

    async with telemetry(fake) as source:
        slow = [asyncio.create_task(source.query(f"slow{index}", 100.0)) for index in range(10)]
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            assert (await snapshot(source)).requests
        hanging.set()
        await asyncio.gather(*slow)


# --- who is asking ---------------------------------------------------------------------------------------------------


async def test_a_rotated_token_is_read_again(tmp_path: Path) -> None:
    token, fake = tmp_path / "token", FakePrometheus()
    token.write_text("first\n")
    async with telemetry(fake, bearer_token_file=token) as source:
        await snapshot(source, at=100.0)
        replacement = tmp_path / "next"
        replacement.write_text("second\n")
        replacement.replace(token)
        await snapshot(source, at=115.0)
    sent = [request.headers["authorization"] for request in fake.requests]
    assert sent == ["Bearer first"] * 3 + ["Bearer second"] * 3


async def test_a_missing_token_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    found = await error(FakePrometheus(), bearer_token_file=tmp_path / "absent")
    assert found.reason == "TokenUnreadable"
    assert str(tmp_path / "absent") in found.message


async def test_basic_auth_is_sent_and_not_shown() -> None:
    fake = FakePrometheus()
    async with telemetry(fake, basic_auth=("me", "hunter2")) as source:
        await snapshot(source)
    scheme, _, sent = fake.requests[0].headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(sent)) == ("Basic", b"me:hunter2")
    assert "hunter2" not in repr(PrometheusSettings(URL, basic_auth=("me", "hunter2")))


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"url": "prometheus:9090"}, "http://"),
        ({"timeout": 0.0}, "timeout"),
        ({"scrape_interval": -1.0}, "scrape_interval"),
        ({"basic_auth": ("a", "b"), "bearer_token_file": Path("token")}, "keep one"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        PrometheusSettings(**{"url": URL, **settings})


# --- silence ---------------------------------------------------------------------------------------------------------


async def test_one_look_around_explains_every_silent_service_for_a_while() -> None:
    fake = FakePrometheus()
    rows = vector(({"reporter": "source", **of_service(REVIEWS)}, "1"))
    fake.answer = lambda query: httpx.Response(200, json=rows) if query.startswith("count by") else None
    async with telemetry(fake) as source:
        said = await source.silence(ServiceId(REVIEWS.namespace, "ratings"), 100.0)
        await source.silence(ServiceId(REVIEWS.namespace, "details"), 110.0)
        assert len(fake.asked("count by")) == 1
        await source.silence(ServiceId(REVIEWS.namespace, "details"), 200.0)
    assert "the label destination_service_name removes every series" in said
    assert len(fake.asked("count by")) == 2


async def test_silence_of_prometheus_itself_is_told_as_such() -> None:
    fake = FakePrometheus()
    fake.answer = lambda _: httpx.Response(503, text="starting")
    async with telemetry(fake) as source:
        assert "503" in await source.silence(REVIEWS, 100.0)
