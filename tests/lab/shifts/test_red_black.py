"""Red/black and header routes on a real Envoy under load: who meets which version, and when."""

from __future__ import annotations

import time
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
    status_of,
    until,
)

pytestmark = pytest.mark.lab

EVERYONE, TESTERS = Cohort(share=0.9), Cohort("testers", share=0.1, headers={"x-preview": "true"})
PREVIEW = {"match": [{"headers": {"x-preview": {"exact": "true"}}}]}


@asynccontextmanager
async def mesh(*, v2_errors: float = 0.001) -> AsyncIterator[Lab]:
    async with Lab(rate=RATE, cohorts=(EVERYONE, TESTERS)) as lab:
        await lab.deploy("v2", error_rate=v2_errors)
        await lab.wait_ready("reviews-v2")
        await lab.start_controller(**CONTROLLER)
        yield lab


def red_black(**wish: Any) -> dict[str, Any]:
    return shift(strategy={"redBlack": wish})


def answered(responses: list[Response], cohort: str) -> set[str]:
    return {each.version for each in responses if each.cohort == cohort and each.version}


async def stretch(lab: Lab, count: int = 300) -> list[Response]:
    """The next answers, after those that were on the way."""
    await lab.settled()
    await lab.load.answers(100)
    seen: list[Response] = []
    lab.load.listeners.append(seen.append)
    await lab.load.until(lambda: len(seen) >= count)
    lab.load.listeners.remove(seen.append)
    return seen


async def route_names(lab: Lab) -> list[str]:
    document = await lab.client.get(VIRTUAL_SERVICES, NAMESPACE, NAME)
    return [each["name"] for each in document["spec"]["http"]]


async def test_testers_meet_the_new_version_first_and_everyone_at_once_after_the_flip() -> None:
    async with mesh() as lab:
        await lab.apply(red_black(preview=PREVIEW, promotion="Manual", postPromotion={"duration": "6s"}))
        await until(lab, in_phase("Paused"))
        seen = await stretch(lab)
        assert (answered(seen, "testers"), answered(seen, "everyone")) == ({"v2"}, {"v1"})

        await command(lab, "promote")
        await until(lab, lambda status: (status.get("weights") or {}).get("desired") == 100)
        decided = time.time()
        await until(lab, lambda status: (status.get("weights") or {}).get("observed") == 100)
        await lab.settled()
        late = [each for each in lab.load.responses if each.version == "v1" and each.time > decided + 1.0]
        assert late == []
        status = await until(lab, in_phase("Succeeded", "RolledBack"))
        assert status["phase"] == "Succeeded", status["message"]
        assert await route_names(lab) == ["default"]
        await assert_nothing_broke(lab)


async def test_a_bad_version_is_stopped_at_the_preview() -> None:
    async with mesh(v2_errors=0.3) as lab:
        await lab.apply(red_black(preview=PREVIEW, prePromotion={"duration": "60s"}))
        status = await until(lab, in_phase("Succeeded", "RolledBack"))
        assert (status["phase"], status["reason"]) == ("RolledBack", "RegressionProven")
        assert {each.version for each in lab.load.responses if each.cohort == "everyone"} == {"v1"}
        assert await route_names(lab) == ["default"]
        await assert_nothing_broke(lab)


async def test_what_turns_bad_after_the_flip_is_flipped_back() -> None:
    async with mesh() as lab:
        await lab.apply(red_black(postPromotion={"duration": "5m"}))
        await until(lab, lambda status: (status.get("weights") or {}).get("observed") == 100)
        await lab.chaos("v2", error_rate=0.1)
        status = await until(lab, in_phase("Succeeded", "RolledBack"))
        assert (status["phase"], status["reason"]) == ("RolledBack", "WorseThanBefore"), status["message"]
        assert answered(await stretch(lab), "everyone") == {"v1"}
        await assert_nothing_broke(lab)


async def test_a_killed_controller_leaves_no_header_route_and_no_mirror_behind() -> None:
    cohort = [{"setHeaderRoute": {"name": "testers", **PREVIEW}}, {"setMirror": {"percentage": 50}}]
    steps = [*cohort, {"pause": {}}, {"setWeight": 50}]
    async with mesh() as lab:
        await lab.apply(shift(strategy={"canary": {"steps": steps}}))
        await until(lab, in_phase("Paused"))
        assert answered(await stretch(lab), "testers") == {"v2"}
        copied = await lab.served("v2")
        await lab.stop_controller(kill=True)
        await command(lab, "abort")
        assert answered(await stretch(lab), "testers") == {"v2"}, "without a controller all stays as it is"
        assert await lab.served("v2") > copied
        await lab.start_controller(**CONTROLLER)
        await until(lab, in_phase("RolledBack"))
        assert (await status_of(lab))["reason"] == "Aborted"
        document = await lab.client.get(VIRTUAL_SERVICES, NAMESPACE, NAME)
        assert await route_names(lab) == ["default"]
        assert not any("mirrors" in each for each in document["spec"]["http"])
        assert {each.version for each in await stretch(lab)} == {"v1"}
        worked = await lab.served("v2")
        await lab.load.answers(int(RATE))
        assert await lab.served("v2") == worked, "no copy reaches it any more"
        await assert_nothing_broke(lab)
