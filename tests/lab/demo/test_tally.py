"""Which answers are the app's own, and which are the price of shifting."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from meshshift.lab.access_log import AccessLog
from meshshift.lab.demo.tally import NO_TRAFFIC, Tally, Traffic
from meshshift.lab.load import Load, Response


def load() -> Load:
    return Load("http://127.0.0.1:1", host="reviews", rate=1)


def response(status: int, version: str, error: str = "") -> Response:
    return Response(0.0, status, version, "pod", 0.01, 0.0, "everyone", error)


async def access_log(*entries: dict[str, Any]) -> AccessLog:
    usual = {
        "time": 0,
        "path": "/",
        "host": "reviews",
        "route": "r",
        "config": "c",
        "cluster": "outbound|80|v1|reviews",
    }
    stream = asyncio.StreamReader()
    for entry in entries:
        stream.feed_data(json.dumps({**usual, **entry}).encode() + b"\n")
    stream.feed_eof()
    async with AccessLog(stream) as log:
        await log.until(lambda log: log.total == len(entries))
    return log


async def test_answers_are_counted_by_version_and_by_who_gave_them() -> None:
    source = load()
    source.responses.append(response(200, "v1"))
    tally = Tally(source, await access_log())
    for answer in (response(200, "v2"), response(500, "v2"), response(503, ""), response(0, "", "connect: refused")):
        for listener in source.listeners:
            listener(answer)
    found = tally.now()
    assert found.sent == 5, "the answer from before the tally counts too"
    assert found.answered == {"v1": 1, "v2": 2}
    assert found.failed == {"v2": 1}
    assert (found.foreign, found.unanswered) == (1, 1)
    assert (found.lost_to_client, found.failed_by_app) == (2, 1)


async def test_who_met_which_version_is_counted_and_services_are_told_apart_where_there_are_several() -> None:
    source = load()
    source.responses.extend(
        replace(response(200, "v1"), host=f"{service}.bookinfo.svc.cluster.local", cohort=cohort)
        for service, cohort in (("reviews", "testers"), ("ratings", "testers"), ("ratings", "others"))
    )
    alone, several = Tally(source, await access_log()), Tally(source, await access_log(), several=True)
    assert alone.now().met == {("testers", "v1"): 2, ("others", "v1"): 1}
    assert several.now().answered == {"reviews v1": 1, "ratings v1": 2}
    assert several.now().met[("others", "ratings v1")] == 1


async def test_who_is_moved_though_a_cookie_of_this_act_should_keep_them_is_counted() -> None:
    source = load()
    tally = Tally(source, await access_log())

    def answered(browser: int, version: str, cookie: str) -> None:
        for listener in source.listeners:
            listener(replace(response(200, version), browser=browser, cookie=cookie))

    answered(1, "v1", "")
    answered(1, "v2", "")
    assert tally.now().moved == {}, "nothing kept it yet"
    answered(1, "v2", "c=canary")
    answered(2, "v1", "c=stable")
    answered(1, "v1", "c=canary")
    assert tally.now().moved == {("v2", "v1"): 1}
    tally.expire_cookies()
    answered(2, "v2", "c=stable")
    assert tally.now().moved == {("v2", "v1"): 1}, "a cookie of an earlier act keeps nobody"
    answered(2, "v3", "c=other")
    assert tally.now().moved == {("v2", "v1"): 1, ("v2", "v3"): 1}


@pytest.mark.parametrize(
    ("code", "flags", "lost"),
    [
        (200, "-", 0),
        (500, "-", 0),
        (503, "NC", 1),
        (503, "UH", 1),
        (404, "NR", 1),
        (503, "UF,URX", 1),
        (503, "UC", 1),
        (0, "DC", 0),
    ],
)
async def test_what_envoy_answers_itself_is_lost(code: int, flags: str, lost: int) -> None:
    found = Tally(load(), await access_log({"code": code, "flags": flags})).now()
    assert (found.lost_in_mesh, found.lost, found.logged) == (lost, lost, 1)


def test_a_stretch_is_the_difference_of_two_readings() -> None:
    early = Traffic(10, {"v1": 10}, {"v1": 1}, 1, 2, 10, {"NC": 1}, 1)
    late = Traffic(30, {"v1": 20, "v2": 10}, {"v1": 1, "v2": 3}, 2, 4, 29, {"NC": 2}, 2)
    expected = Traffic(20, {"v1": 10, "v2": 10}, {"v1": 0, "v2": 3}, 1, 2, 19, {"NC": 1}, 1)
    assert late.since(early) == expected
    assert late.since(NO_TRAFFIC) == late


@pytest.mark.parametrize(
    ("unanswered", "logged", "accounted"), [(0, 10, True), (0, 9, False), (1, 9, True), (1, 8, False)]
)
def test_only_requests_that_could_not_reach_envoy_may_be_missing_in_its_log(
    unanswered: int, logged: int, accounted: bool
) -> None:
    assert Traffic(sent=10, unanswered=unanswered, logged=logged).accounted is accounted
