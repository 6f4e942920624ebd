"""Sticky sessions on a real Envoy under load: browsers stay where they are until the end of the run is decided."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from meshshift.adapters.kube import VIRTUAL_SERVICES
from meshshift.lab.lab import Lab
from meshshift.lab.load import Cohort, Response
from tests.lab.shifts.running import (
    CONTROLLER,
    NAME,
    NAMESPACE,
    RATE,
    assert_nothing_broke,
    command,
    in_phase,
    shift,
    until,
)

pytestmark = pytest.mark.lab

BROWSERS = Cohort("browsers", share=0.8, browsers=80, visits=40)
TESTERS = Cohort("testers", share=0.2, headers={"x-canary": "true"})
STEPS: list[dict[str, Any]] = [
    {"setHeaderRoute": {"name": "testers", "match": [{"headers": {"x-canary": {"exact": "true"}}}]}},
    {"setWeight": 20},
    {"pause": {}},
    {"setWeight": 60},
    {"pause": {}},
]


@asynccontextmanager
async def held_at_twenty() -> AsyncIterator[Lab]:
    """A sticky run with a header cohort, at its first weight for a while."""
    async with Lab(rate=RATE, cohorts=(BROWSERS, TESTERS)) as lab:
        await lab.deploy("v2")
        await lab.wait_ready("reviews-v2")
        await lab.start_controller(**CONTROLLER)
        canary = {"steps": STEPS, "minStepDuration": "3s"}
        await lab.apply(shift(strategy={"canary": canary}, stickiness={"cookie": "reviews-version"}))
        await until(lab, lambda status: _is_held(status, 20))
        await stretch(lab)
        yield lab


def _is_held(status: dict[str, Any], weight: int) -> bool:
    return status.get("phase") == "Paused" and status["weights"]["observed"] == weight


async def stretch(lab: Lab) -> list[Response]:
    """The next answers, after those that were on the way."""
    await lab.settled()
    await lab.load.answers(100)
    before = len(lab.load.responses)
    await lab.load.answers(int(4 * RATE))
    return list(lab.load.responses)[before:]


def moves(responses: list[Response]) -> list[tuple[str, str]]:
    """From which version to which a browser was moved although it brought a cookie, in order."""
    latest: dict[int, str] = {}
    found = []
    for each in responses:
        if each.browser and each.cookie and latest.get(each.browser, each.version) != each.version:
            found.append((latest[each.browser], each.version))
        if each.browser:
            latest[each.browser] = each.version
    return found


def versions(responses: list[Response], cohort: str) -> set[str]:
    return {each.version for each in responses if each.cohort == cohort}


async def route_names(lab: Lab) -> list[str]:
    document = await lab.client.get(VIRTUAL_SERVICES, NAMESPACE, NAME)
    return [each["name"] for each in document["spec"]["http"]]


async def test_nobody_changes_version_through_all_weights_until_the_promotion_moves_everyone() -> None:
    async with held_at_twenty() as lab:
        await command(lab, "promote")
        await until(lab, lambda status: _is_held(status, 60))
        seen = await stretch(lab)
        assert (versions(seen, "browsers"), versions(seen, "testers")) == ({"v1", "v2"}, {"v2"})
        assert moves(list(lab.load.responses)) == []
        assert len(await route_names(lab)) == 4

        await command(lab, "promote")
        status = await until(lab, in_phase("Succeeded", "RolledBack"))
        assert status["phase"] == "Succeeded", status["message"]
        assert versions(await stretch(lab), "browsers") == {"v2"}
        assert set(moves(list(lab.load.responses))) == {("v1", "v2")}
        assert await route_names(lab) == ["default"]
        await assert_nothing_broke(lab)


async def test_an_abort_after_kill_9_takes_every_browser_off_the_canary_and_leaves_nothing() -> None:
    async with held_at_twenty() as lab:
        assert versions(await stretch(lab), "browsers") == {"v1", "v2"}
        await lab.stop_controller(kill=True)
        assert moves(list(lab.load.responses)) == []
        await command(lab, "abort")
        await lab.start_controller(**CONTROLLER)
        await until(lab, in_phase("RolledBack"))
        assert versions(await stretch(lab), "browsers") == {"v1"}
        assert set(moves(list(lab.load.responses))) == {("v2", "v1")}
        assert await route_names(lab) == ["default"]
        await assert_nothing_broke(lab)
