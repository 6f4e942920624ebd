"""A Prometheus in another minute holds the shift; one whose clock cannot be told, or is a little off, does not."""

from __future__ import annotations

import math
import time
from email.utils import formatdate

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.adapters.clocks import RECENT, TOLERANCE, seconds_apart
from meshshift.adapters.prometheus_http import PrometheusHttp, PrometheusSettings, Sample
from meshshift.engine.ports import QueryError

EMPTY = {"status": "success", "data": {"resultType": "vector", "result": []}}


@given(asked=st.floats(1e9, 2e9), took=st.floats(0.0, 30.0), within=st.floats(0.0, 1.0), skew=st.integers(-120, 120))
def test_the_clocks_are_at_least_as_far_apart_as_is_said(asked: float, took: float, within: float, skew: int) -> None:
    answered = asked + took
    theirs = math.floor(asked + within * took + skew)
    apart = seconds_apart(formatdate(theirs, usegmt=True), asked, answered)
    assert abs(apart) <= abs(skew)
    assert apart * skew >= 0
    assert abs(apart) >= abs(skew) - took - 1.0


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Foo 2026 00:00:00 GMT"])
def test_no_date_is_no_opinion(date: str | None) -> None:
    assert seconds_apart(date, 1e9, 1e9) == 0.0


async def answered(*, skew: float, ago: float = 15.0, status: int = 200) -> list[Sample] | QueryError:
    """What comes of a query about `ago` seconds before now, if the clock of Prometheus is so far ahead."""

    def reply(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json=EMPTY, headers={"Date": formatdate(time.time() + skew, usegmt=True)})

    settings = PrometheusSettings(url="http://prometheus.test")
    prometheus = PrometheusHttp(settings, transport=httpx.MockTransport(reply))
    try:
        return await prometheus.query("requests", "up", time.time() - ago)
    finally:
        await prometheus.aclose()


@pytest.mark.parametrize(("skew", "words"), [(30.0, "ahead of"), (-30.0, "behind")])
async def test_a_prometheus_in_another_minute_is_an_error_that_says_what_to_do(skew: float, words: str) -> None:
    found = await answered(skew=skew)
    assert isinstance(found, QueryError)
    assert found.reason == "ClocksApart"
    assert words in found.message
    assert "NTP" in found.message


@pytest.mark.parametrize("skew", [0.0, TOLERANCE - 2, 2 - TOLERANCE])
async def test_a_clock_that_is_a_little_off_is_none_of_our_business(skew: float) -> None:
    assert await answered(skew=skew) == []


async def test_the_past_is_the_past_by_any_clock() -> None:
    assert await answered(skew=60.0, ago=RECENT + 60.0) == []


async def test_another_error_is_told_first() -> None:
    found = await answered(skew=60.0, status=500)
    assert isinstance(found, QueryError)
    assert found.reason == "PrometheusHttpStatus"
