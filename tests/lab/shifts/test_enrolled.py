"""A Service that opts in, on a real Envoy under load: adopted, shifted, taken back, released, and nobody notices."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from meshshift.adapters.kube import DESTINATION_RULES, SERVICES, VIRTUAL_SERVICES
from meshshift.engine.failures import NotFound
from meshshift.lab.lab import Lab
from tests.lab.shifts.running import (
    CONTROLLER,
    NAME,
    NAMESPACE,
    RATE,
    assert_nothing_broke,
)

pytestmark = pytest.mark.lab

POLICY = {
    "apiVersion": "meshshift.io/v1alpha1",
    "kind": "ShiftPolicy",
    "metadata": {"name": "quick", "namespace": NAMESPACE},
    "spec": {"analysis": {"interval": "2s", "warmup": "1s"}},
}
QUICK = {"strategy": "canary", "policy": "quick", "steps": "30", "step-duration": "3s"}


async def annotate(lab: Lab, **annotations: str | None) -> None:
    """kubectl annotate service."""
    wanted = {f"meshshift.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
    await lab.client.patch(SERVICES, NAMESPACE, NAME, {"metadata": {"annotations": wanted}}, kind="merge")


async def opt_in(lab: Lab) -> None:
    await annotate(lab, **{name.replace("-", "_"): value for name, value in QUICK.items()})


async def without_istio_objects(lab: Lab) -> None:
    """The Service and its pods, as they are before anybody thinks of Istio; the route goes first, or there is a 503."""
    for resource in (VIRTUAL_SERVICES, DESTINATION_RULES):
        await lab.client.delete(resource, NAMESPACE, NAME)
        await lab.settled()
    await lab.apply(POLICY)


async def weights(lab: Lab) -> dict[str, Any]:
    """What the VirtualService says; empty if there is none."""
    try:
        document = await lab.client.get(VIRTUAL_SERVICES, NAMESPACE, NAME)
    except NotFound:
        return {}
    route = document["spec"]["http"][0]["route"]
    return {each["destination"]["subset"]: each.get("weight", 100) for each in route if each.get("weight", 100)}


async def until_serves(lab: Lab, version: str, seconds: float = 120.0) -> None:
    async with asyncio.timeout(seconds):
        while await weights(lab) != {version: 100}:  # noqa: ASYNC110 - as kubectl wait would poll
            await asyncio.sleep(0.1)


async def in_and_out(lab: Lab, times: int) -> None:
    for number in range(times):
        await opt_in(lab)
        await asyncio.sleep(0.03 * (number % 7))
        await annotate(lab, strategy=None)
        await asyncio.sleep(0.1)


async def test_opting_in_and_out_a_hundred_times_changes_no_response() -> None:
    async with Lab(rate=RATE) as lab:
        await without_istio_objects(lab)
        await lab.start_controller(**CONTROLLER)
        await in_and_out(lab, 30)
        await opt_in(lab)
        await until_serves(lab, "v1", 30)
        await in_and_out(lab, 70)
        assert await weights(lab) == {"v1": 100}
        assert set(lab.load.summary().by_version) == {"v1"}
        await assert_nothing_broke(lab)
