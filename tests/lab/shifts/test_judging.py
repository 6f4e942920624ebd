"""What the judge makes of real traffic: errors, slowness, a dead version, a shared outage, silence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from meshshift.adapters.kube import DEPLOYMENTS
from meshshift.lab.lab import Lab
from tests.lab.shifts.running import (
    CONTROLLER,
    NAMESPACE,
    RATE,
    at_weight,
    in_phase,
    mesh,
    shift,
    status_of,
    until,
)

pytestmark = pytest.mark.lab


def at_ten(interval: str = "2s", **spec: Any) -> dict[str, Any]:
    """A shift whose first weight is 10 % and is held for long."""
    canary = {"steps": [{"setWeight": 10}, {"setWeight": 50}], "minStepDuration": "60s"}
    return shift(strategy={"canary": canary}, analysis={"interval": interval, "warmup": "0s"}, **spec)


def evidence(status: dict[str, Any], indicator: str) -> dict[str, Any]:
    return next(each for each in status["evidence"] if each["indicator"] == indicator)


@asynccontextmanager
async def slow_version() -> AsyncIterator[Lab]:
    """v1 at 20 ms with a tail to 80 ms, v2 at twice that."""
    async with Lab(rate=RATE) as lab:
        await lab.deploy("v1", replicas=2, latency_ms=20, latency_p99_ms=80)
        await lab.deploy("v2", latency_ms=40, latency_p99_ms=160)
        await lab.wait_ready("reviews-v1", "reviews-v2")
        await lab.start_controller(**CONTROLLER)
        yield lab


async def test_five_percent_errors_are_rolled_back_within_three_ticks() -> None:
    """At 600 requests/s and 10 % weight three ticks of 5 s are 900 requests of the canary."""
    async with mesh(v2_errors=0.05, rate=600.0) as lab:
        await lab.apply(at_ten("5s"))
        status = await until(lab, in_phase("RolledBack"))
        assert status["reason"] == "RegressionProven"
        judged = evidence(status, "success-rate")["canaryRequests"]
        assert judged < 3 * 5 * 600 * 0.1 * 1.15


async def test_a_version_twice_as_slow_is_rolled_back_by_latency() -> None:
    async with slow_version() as lab:
        await lab.apply(at_ten())
        status = await until(lab, in_phase("RolledBack", "Succeeded"))
        assert "latency proven worse" in status["message"], status["message"]


async def test_a_version_that_refuses_connections_is_rolled_back_although_its_pods_are_ready() -> None:
    async with mesh() as lab:
        path = "/spec/template/spec/containers/0/readinessProbe/failureThreshold"
        patient = [{"op": "add", "path": path, "value": 1000}]
        await lab.client.patch(DEPLOYMENTS, NAMESPACE, "reviews-v2", patient)
        await lab.wait_ready("reviews-v2")
        await lab.apply(at_ten())
        await until(lab, at_weight(10))
        await lab.chaos("v2", refuse_seconds=120)
        status = await until(lab, in_phase("RolledBack"))
        assert status["reason"] == "RegressionProven", status["message"]


async def test_a_shared_outage_is_not_the_canarys_fault() -> None:
    async with mesh() as lab:
        await lab.apply(at_ten())
        await until(lab, at_weight(10))
        await lab.chaos(None, error_rate=0.3, for_seconds=12)
        seen = len(lab.load.responses)
        await lab.load.answers(int(RATE * 24))
        assert sum(response.status == 500 for response in list(lab.load.responses)[seen:]) > RATE * 2
        status = await status_of(lab)
        assert status["phase"] == "Progressing", status["message"]
        assert status["weights"]["observed"] == 10


async def test_without_traffic_the_shift_holds_and_says_so() -> None:
    async with mesh() as lab:
        canary = {"steps": [{"setWeight": 10}, {"setWeight": 50}], "minStepDuration": "3s"}
        await lab.apply(shift(strategy={"canary": canary}))
        await until(lab, at_weight(10))
        lab.load.rate = 0.0
        status = await until(lab, lambda status: "no request" in status.get("message", ""))
        assert (status["phase"], status["weights"]["observed"]) == ("Progressing", 10)
