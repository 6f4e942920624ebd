"""Whatever answers in Prometheus' place: samples or an error with a reason, never an exception, never without bound."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.adapters import prometheus_http
from meshshift.adapters.prometheus import PrometheusTelemetry
from meshshift.adapters.prometheus_http import PrometheusHttp, PrometheusSettings, Sample
from meshshift.api.status import shorten
from meshshift.core.telemetry import Arm, difference
from meshshift.engine.ports import QueryError, ServiceId
from tests.engine.simulation import RUNNER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

SETTINGS = PrometheusSettings("http://prometheus.test")
REVIEWS = ServiceId("bookinfo", "reviews")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([10**400, "NaN", "1_0"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3),
    max_leaves=8,
)


def ask(respond: Callable[[httpx.Request], httpx.Response]) -> list[Sample] | QueryError:
    async def once() -> list[Sample] | QueryError:
        http = PrometheusHttp(SETTINGS, transport=httpx.MockTransport(respond))
        try:
            return await http.query("check", "up", 100.0)
        finally:
            await http.aclose()

    return RUNNER.run(once())


def answering(document: Any) -> list[Sample] | QueryError:
    return ask(lambda _: httpx.Response(200, content=json.dumps(document)))


@given(document=JSON)
def test_json_of_any_shape_is_an_error(document: Any) -> None:
    found = answering(document)
    assert isinstance(found, QueryError)
    assert len(found.message) < 500


@given(data=JSON, warnings=JSON)
def test_success_of_any_shape_is_samples_or_an_error(data: Any, warnings: Any) -> None:
    found = answering({"status": "success", "data": data, "warnings": warnings})
    assert isinstance(found, QueryError)


@given(metric=JSON, value=JSON)
def test_a_vector_of_anything_is_samples_or_an_error(metric: Any, value: Any) -> None:
    result = [{"metric": metric, "value": value}]
    found = answering({"status": "success", "data": {"resultType": "vector", "result": result}})
    if not isinstance(found, QueryError):
        assert all(isinstance(each, str) for sample in found for each in sample.labels.values())


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000])
def test_what_is_no_json_is_an_error(content: bytes) -> None:
    found = ask(lambda _: httpx.Response(200, content=content))
    assert isinstance(found, QueryError)
    assert found.reason == "BadAnswer"


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    monkeypatch.setattr(prometheus_http, "LONGEST_ANSWER", 10 * 2**20)
    read = []

    async def endless() -> AsyncIterator[bytes]:
        packer = zlib.compressobj(wbits=31)
        while True:
            read.append(1)
            assert len(read) < 100, "it is still read"
            block = b" " * 2**20
            yield packer.compress(block) + packer.flush(zlib.Z_SYNC_FLUSH) if packed else block

    headers = {"content-encoding": "gzip"} if packed else {}
    found = ask(lambda _: httpx.Response(200, headers=headers, content=endless()))
    assert isinstance(found, QueryError)
    assert found.message == "Prometheus answered with more than 10 MiB: check the url, or ask for less"


@pytest.mark.parametrize("word", ["\x1b[2J", "\u202e", "\n", "\ud800"])
def test_what_it_says_cannot_act_on_a_terminal(word: str) -> None:
    found = answering({"status": "error", "error": f"bad {word}"})
    assert isinstance(found, QueryError)
    assert shorten(found.message).isprintable()


def served(labels: dict[str, str], value: str) -> Callable[[httpx.Request], httpx.Response]:
    def respond(request: httpx.Request) -> httpx.Response:
        fresh = b"timestamp%28" in request.content
        base = {"destination_service_namespace": "bookinfo", "destination_service_name": "reviews"}
        own = {"reporter": "source"} if fresh else labels
        result = [{"metric": base | own, "value": [100, "99" if fresh else value]}]
        return httpx.Response(200, json={"status": "success", "data": {"resultType": "vector", "result": result}})

    return respond


@pytest.mark.parametrize("value", ["1e308", "-1", "NaN", "+Inf", "0"])
@pytest.mark.parametrize(
    "labels",
    [
        {"destination_workload": 'v2"} or {'},
        {"destination_workload": "reviews-v2", "response_code": "\n500", "grpc_response_status": "\x00"},
        {"le": "not a number", "destination_workload": "reviews-v2"},
        {"le": "1e400", "destination_workload": "reviews-v2"},
        {"le": "", "response_code": "9" * 10_000},
        {"": "", "__name__": "\u202e"},
    ],
)
def test_labels_and_values_of_any_kind_are_counted_or_told_as_unusable(labels: dict[str, str], value: str) -> None:
    async def windows() -> object:
        async with PrometheusTelemetry(SETTINGS, transport=httpx.MockTransport(served(labels, value))) as telemetry:
            before = await telemetry.snapshots((REVIEWS,), 100.0)
            after = await telemetry.snapshots((REVIEWS,), 115.0)
            if isinstance(before, QueryError) or isinstance(after, QueryError):
                return None
            arms = Arm(frozenset({"reviews-v2"}), frozenset()), Arm(frozenset({"reviews-v1"}), frozenset())
            return difference(before[REVIEWS], after[REVIEWS], *arms)

    RUNNER.run(windows())
