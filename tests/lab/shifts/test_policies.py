"""A shift that leaves to a ShiftPolicy how it moves, on a real mesh; the policy comes late, changes and goes."""

from __future__ import annotations

import pytest

from meshshift.adapters.kube import SHIFT_POLICIES
from tests.lab.shifts.running import (
    NAMESPACE,
    Document,
    assert_nothing_broke,
    at_weight,
    in_phase,
    mesh,
    shift,
    status_of,
    until,
)

pytestmark = pytest.mark.lab


def policy() -> Document:
    """What the usual shift says itself."""
    said = {name: shift()["spec"][name] for name in ("strategy", "analysis")}
    metadata = {"name": "careful", "namespace": NAMESPACE}
    return {"apiVersion": "meshshift.io/v1alpha1", "kind": "ShiftPolicy", "metadata": metadata, "spec": said}


def governed() -> Document:
    document = shift(policyRef={"name": "careful"})
    del document["spec"]["strategy"], document["spec"]["analysis"]
    return document


async def test_it_waits_for_its_policy_and_ends_as_it_began() -> None:
    async with mesh() as lab:
        await lab.apply(governed())
        status = await until(lab, lambda status: status.get("reason") == "PolicyNotFound")
        assert status["phase"] == "Pending"
        await lab.apply(policy())
        await until(lab, at_weight(5))
        slower = {"spec": {"strategy": {"canary": {"steps": [{"setWeight": 1}]}}}}
        await lab.client.patch(SHIFT_POLICIES, NAMESPACE, "careful", slower, kind="merge")
        status = await until(lab, lambda status: (status.get("policy") or {}).get("state") == "Changed")
        await lab.client.delete(SHIFT_POLICIES, NAMESPACE, "careful")
        status = await until(lab, in_phase("Succeeded", "RolledBack", "Failed"))
        assert status["phase"] == "Succeeded", status["message"]
        assert [entry["weight"] for entry in status["history"] if entry["phase"] == "Progressing"][-1] >= 50
        assert (await status_of(lab))["policy"]["state"] == "Missing"
        await assert_nothing_broke(lab)
