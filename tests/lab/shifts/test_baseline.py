"""Fresh pods on a real Envoy under load: slow until their caches are filled, canary and baseline alike."""

from __future__ import annotations

import pytest

from meshshift.adapters.kube import DESTINATION_RULES, VIRTUAL_SERVICES
from meshshift.lab.lab import Lab
from tests.lab.shifts.running import (
    CONTROLLER,
    NAME,
    NAMESPACE,
    RATE,
    assert_nothing_broke,
    in_phase,
    shift,
    until,
)

pytestmark = pytest.mark.lab

BASELINE = "v1-baseline"
INDICATORS = [{"name": "success-rate", "successRate": {}}, {"name": "latency", "latency": {"threshold": "100ms"}}]
ANALYSIS = {"interval": "2s", "warmup": "1s", "harmBudget": 5, "indicators": INDICATORS}
COLD = {"COLD_REQUESTS": "100"}
STEPS = {"canary": {"steps": [{"setWeight": 25}, {"setWeight": 50}], "minStepDuration": "3s"}}


async def subsets(lab: Lab) -> list[str]:
    """The names of the subsets in the DestinationRule."""
    document = await lab.client.get(DESTINATION_RULES, NAMESPACE, NAME)
    return [each["name"] for each in document["spec"]["subsets"]]


async def weights(lab: Lab) -> dict[str, int]:
    """The weights of the one route by subset."""
    document = await lab.client.get(VIRTUAL_SERVICES, NAMESPACE, NAME)
    return {each["destination"]["subset"]: each["weight"] for each in document["spec"]["http"][-1]["route"]}


async def test_a_cold_canary_is_promoted_beside_a_baseline_as_cold_which_is_gone_afterwards() -> None:
    async with Lab(rate=RATE) as lab:
        for version in ("v2", BASELINE):
            await lab.deploy(version, environment=COLD)
        await lab.wait_ready("reviews-v2", f"reviews-{BASELINE}")
        await lab.start_controller(**CONTROLLER)
        before = await subsets(lab)
        baseline = {"subset": BASELINE, "labels": {"version": BASELINE}}
        await lab.apply(shift(baseline=baseline, strategy=STEPS, analysis=ANALYSIS))

        status = await until(lab, lambda status: (status.get("weights") or {}).get("observed") == 25)
        assert status["weights"]["baseline"]["observed"] == 25
        assert await weights(lab) | {"v3": 0} == {"v1": 50, "v2": 25, BASELINE: 25, "v3": 0}
        status = await until(lab, in_phase("Succeeded", "RolledBack"))
        assert status["phase"] == "Succeeded", status["message"]
        assert await subsets(lab) == before
        assert BASELINE not in await weights(lab)
        assert {each.version for each in lab.load.responses} >= {"v1", "v2", BASELINE}
        await assert_nothing_broke(lab)
