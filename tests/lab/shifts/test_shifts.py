"""Whole shifts on a real Envoy, judged by a real Prometheus, under load: none may break a single response."""

from __future__ import annotations

import pytest

from meshshift.adapters.kube import DESTINATION_RULES, TRAFFIC_SHIFTS
from meshshift.lab.lab import Lab
from tests.lab.shifts.running import (
    CONTROLLER,
    NAME,
    NAMESPACE,
    assert_nothing_broke,
    at_weight,
    command,
    in_phase,
    mesh,
    shift,
    status_of,
    until,
)

pytestmark = pytest.mark.lab


async def test_a_good_version_is_promoted() -> None:
    async with mesh() as lab:
        await lab.apply(shift())
        status = await until(lab, in_phase("Succeeded", "RolledBack", "Failed"))
        assert status["phase"] == "Succeeded", status["message"]
        assert status["weights"]["observed"] == 100
        await assert_nothing_broke(lab)


async def test_a_bad_version_is_rolled_back() -> None:
    async with mesh(v2_errors=0.1) as lab:
        await lab.apply(shift())
        status = await until(lab, in_phase("Succeeded", "RolledBack", "Failed"))
        assert status["phase"] == "RolledBack"
        assert "success-rate proven worse" in status["message"]
        assert status["weights"]["observed"] == 0
        await assert_nothing_broke(lab)


async def test_abort_mid_shift() -> None:
    async with mesh() as lab:
        await lab.apply(shift())
        await until(lab, at_weight(5))
        await command(lab, "abort")
        status = await until(lab, in_phase("RolledBack"))
        assert status["reason"] == "Aborted"
        await assert_nothing_broke(lab)


async def test_deletion_mid_shift_restores_traffic_before_the_object_goes() -> None:
    async with mesh() as lab:
        await lab.apply(shift())
        await until(lab, at_weight(5))
        await lab.client.delete(TRAFFIC_SHIFTS, NAMESPACE, NAME)
        await until(lab, lambda status: not status)
        await lab.settled()
        versions = lab.load.summary().by_version
        await lab.load.answers(200)
        assert lab.load.summary().by_version.get("v2") == versions.get("v2")
        await assert_nothing_broke(lab)


async def without_v2(lab: Lab) -> None:
    """Take the subset v2 (and v3) out of the DestinationRule."""
    rule = {"spec": {"subsets": [{"name": "v1", "labels": {"version": "v1"}}]}}
    await lab.client.patch(DESTINATION_RULES, NAMESPACE, NAME, rule, kind="merge")
    await lab.settled()


async def test_a_subset_is_added_before_it_gets_weight_and_goes_after() -> None:
    async with mesh(v2_errors=0.2) as lab:
        await without_v2(lab)
        await lab.apply(shift(canary={"subset": "v2", "labels": {"version": "v2"}}))
        await until(lab, at_weight(5))
        await until(lab, in_phase("RolledBack"))
        rule = await lab.client.get(DESTINATION_RULES, NAMESPACE, NAME)
        assert [subset["name"] for subset in rule["spec"]["subsets"]] == ["v1"]
        await lab.settled()
        await assert_nothing_broke(lab)


async def test_kill_minus_nine_mid_shift_goes_on_where_it_was() -> None:
    async with mesh() as lab:
        await lab.apply(shift())
        await until(lab, at_weight(5))
        run = (await status_of(lab))["runId"]
        await lab.stop_controller(kill=True)
        await lab.start_controller(**CONTROLLER)
        assert (await until(lab, at_weight(25)))["runId"] == run
        await command(lab, "promote-full")
        status = await until(lab, in_phase("Succeeded", "RolledBack", "Failed"))
        assert (status["phase"], status["runId"]) == ("Succeeded", run)
        await assert_nothing_broke(lab)


async def test_a_controller_that_is_told_to_stop_ends_in_good_order() -> None:
    async with mesh() as lab:
        await lab.apply(shift())
        await until(lab, at_weight(5))
        assert lab.controller is not None
        assert await lab.controller.stop(10) == 0, lab.controller.last_words(5)


async def test_a_prometheus_that_is_gone_holds_the_shift() -> None:
    async with mesh() as lab:
        assert lab.prometheus is not None
        await lab.apply(shift())
        await until(lab, at_weight(5))
        await lab.prometheus.stop()
        status = await until(lab, lambda status: status.get("reason") == "TelemetryUnavailable")
        assert status["phase"] == "Progressing"
        assert status["weights"]["observed"] == 5
        await lab.prometheus.start()
        await until(lab, at_weight(25))
        await assert_nothing_broke(lab)
