"""Replicas that follow the weights, under load: pods come before the weight, and go once nobody calls them."""

from __future__ import annotations

import pytest

from meshshift.adapters.kube import DEPLOYMENTS
from meshshift.lab.lab import Lab
from tests.lab.shifts.running import CONTROLLER, NAMESPACE, RATE, assert_nothing_broke, in_phase, shift, until

pytestmark = pytest.mark.lab


async def replicas(lab: Lab, name: str) -> int:
    return int((await lab.client.get(DEPLOYMENTS, NAMESPACE, name))["spec"]["replicas"])


async def test_replicas_follow_the_weights_and_no_request_is_lost() -> None:
    async with Lab(rate=RATE) as lab:
        await lab.deploy("v1", replicas=3)
        await lab.deploy("v2", replicas=0)
        await lab.wait_ready("reviews-v1")
        await lab.start_controller(**CONTROLLER)
        scale = {"canary": "reviews-v2", "stable": "reviews-v1", "scaleDownDelay": "5s"}
        canary = {"steps": [{"setWeight": 50}], "minStepDuration": "2s"}
        await lab.apply(shift(scale=scale, strategy={"canary": canary}))
        await until(lab, lambda status: (status.get("weights") or {}).get("desired") == 50)
        assert await replicas(lab, "reviews-v2") == 2
        await until(lab, in_phase("Succeeded"))
        assert (await replicas(lab, "reviews-v1"), await replicas(lab, "reviews-v2")) == (3, 3)
        down = await until(lab, lambda status: "ScaledDown" in [each["reason"] for each in status.get("history", [])])
        assert down["phase"] == "Succeeded"
        assert await replicas(lab, "reviews-v1") == 0
        await assert_nothing_broke(lab)
