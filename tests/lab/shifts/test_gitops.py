"""A GitOps tool beside a shift, under load and by real server-side applies: with the rules of the page nobody notices.

A sync may fall between a look of the tool and its write, which sets the shift one step back; `Enforce` answers that, as
the page says.
"""

from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import Any

import pytest

from meshshift.adapters.kube import DESTINATION_RULES, VIRTUAL_SERVICES
from meshshift.lab.client import LabClient
from meshshift.lab.lab import Lab
from meshshift.lab.sample import read_documents, sample_directory
from tests.gitops.argo_cd import MANAGER, ArgoCD
from tests.gitops.page import argo_cd
from tests.lab.shifts.running import NAME, NAMESPACE, assert_nothing_broke, in_phase, mesh, shift, until

pytestmark = pytest.mark.lab

RESOURCES = {each.kind: each for each in (VIRTUAL_SERVICES, DESTINATION_RULES)}
GIT = {each["kind"]: each for each in read_documents(sample_directory()) if each["kind"] in RESOURCES}
COHORT = {"name": "testers", "match": [{"headers": {"x-canary": {"exact": "true"}}}]}
STEPS = [{"setHeaderRoute": COHORT}, {"setWeight": 20}, {"setWeight": 50}]


async def sync(client: LabClient, tool: ArgoCD) -> None:
    """One sync: every object is applied, in sync or not."""
    for kind, document in GIT.items():
        live = await client.get(RESOURCES[kind], NAMESPACE, NAME)
        request = tool.request(deepcopy(document), live)
        assert request is not None
        assert request.verb == "apply"
        await client.patch(RESOURCES[kind], NAMESPACE, NAME, request.body, kind="apply")


async def syncing(client: LabClient, tool: ArgoCD, done: asyncio.Event) -> int:
    """A sync every two seconds; how many there were."""
    count = 0
    while not done.is_set():
        await sync(client, tool)
        count += 1
        try:
            await asyncio.wait_for(done.wait(), 2.0)
        except TimeoutError:
            continue
    return count


async def owners(lab: Lab) -> set[str]:
    document = await lab.client.get(VIRTUAL_SERVICES, NAMESPACE, NAME)
    return {entry["manager"] for entry in document["metadata"]["managedFields"]}


async def test_argo_cd_syncs_every_two_seconds_and_nobody_notices() -> None:
    async with mesh() as lab:
        client = await LabClient.connect_as(lab.kubeconfig_path, MANAGER)
        done = asyncio.Event()
        try:
            task = asyncio.create_task(syncing(client, argo_cd(server_side=True), done))
            spec: dict[str, Any] = {"strategy": {"canary": {"steps": STEPS, "minStepDuration": "3s"}}}
            await lab.apply(shift(onDrift="Enforce", **spec))
            status = await until(lab, in_phase("Succeeded", "RolledBack", "Failed"), 120)
            await asyncio.sleep(4.0)
            done.set()
            assert await task > 5
        finally:
            done.set()
            await client.close()
        assert status["phase"] == "Succeeded", status["message"]
        found = await lab.client.get(VIRTUAL_SERVICES, NAMESPACE, NAME)
        weights = {each["destination"]["subset"]: each["weight"] for each in found["spec"]["http"][0]["route"]}
        assert weights == {"v1": 0, "v2": 100}, "Git still says v1: 100"
        assert MANAGER in await owners(lab)
        await assert_nothing_broke(lab)
