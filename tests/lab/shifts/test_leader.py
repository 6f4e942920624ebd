"""Two controllers, one of which works: when it dies the other one goes on where it was."""

from __future__ import annotations

import sys

import pytest

from meshshift.adapters.kube import LEASES
from meshshift.lab.lab import Lab
from tests.lab.shifts.running import NAMESPACE, RATE, assert_nothing_broke, at_weight, shift, status_of, until

pytestmark = pytest.mark.lab


async def test_a_standby_takes_over_from_a_leader_that_dies() -> None:
    async with Lab(rate=RATE) as lab:
        await lab.deploy("v2")
        await lab.wait_ready("reviews-v2")
        command = [sys.executable, "-m", "meshshift", "operator", "--kubeconfig", str(lab.kubeconfig_path)]
        command += ["--prometheus-url", lab.prometheus_url, "--scrape-interval", "1s", "--settle", "2s"]
        command += ["--bind", "127.0.0.1", "--port", "0", "--leader-namespace", NAMESPACE]
        leader = await lab.start_program("leader", command)
        await lab.apply(shift())
        await until(lab, at_weight(5))
        run = (await status_of(lab))["runId"]
        holder = (await lab.client.get(LEASES, NAMESPACE, "meshshift"))["spec"]["holderIdentity"]

        await lab.start_program("standby", command)
        await leader.stop(0)
        assert (await until(lab, at_weight(25)))["runId"] == run
        assert (await lab.client.get(LEASES, NAMESPACE, "meshshift"))["spec"]["holderIdentity"] != holder
        await assert_nothing_broke(lab)
