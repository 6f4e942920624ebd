"""What a person types, with the real kubectl, against the lab."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from meshshift.lab.lab import Lab
from tests.lab.shifts.running import CONTROLLER, assert_nothing_broke, at_weight, in_phase, until

KUBECTL = os.environ.get("KUBECTL") or shutil.which("kubectl")
ROOT = Path(__file__).parents[3]
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(KUBECTL is None, reason="install kubectl, or name it in the environment variable KUBECTL"),
]


async def kubectl(lab: Lab, *arguments: str, stdin: str = "") -> str:
    """Run kubectl in the namespace bookinfo; AssertionError with its words if it fails."""
    process = await asyncio.create_subprocess_exec(
        str(KUBECTL),
        *arguments,
        env={**os.environ, "KUBECONFIG": str(lab.kubeconfig_path), "HOME": str(lab.directory)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(stdin.encode())
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_a_shift_is_driven_with_kubectl_alone() -> None:
    async with Lab(rate=200.0) as lab:
        await lab.start_controller(**CONTROLLER)
        assert "trafficshift.meshshift.io/reviews created" in await kubectl(lab, "apply", "-f", str(ROOT / "istio"))
        waiting = await until(lab, lambda status: status.get("reason") == "CanaryNotReady")
        assert "v2" in waiting["message"]

        await kubectl(lab, "apply", "-f", str(ROOT / "istio/versions/reviews-v2.yaml"))
        await until(lab, at_weight(5))
        table = await kubectl(lab, "get", "ts", "-n", "bookinfo")
        header, row = table.splitlines()[:2]
        assert header.split()[:2] == ["NAME", "SERVICE"]
        assert "Progressing" in row
        assert len(row) <= 200

        story = await kubectl(lab, "describe", "ts", "reviews", "-n", "bookinfo")
        assert "FirstStep" in story
        assert "the first weight is on faith" in story

        await kubectl(lab, "annotate", "ts", "reviews", "-n", "bookinfo", "meshshift.io/command=promote")
        status = await until(lab, at_weight(10))
        assert status["lastCommand"]["command"] == "promote"
        assert status["lastCommand"]["by"] == "kubectl-annotate"

        await kubectl(lab, "annotate", "ts", "reviews", "-n", "bookinfo", "meshshift.io/command=promote-full")
        await kubectl(lab, "wait", "--for=condition=Ready", "ts/reviews", "-n", "bookinfo", "--timeout=60s")
        await until(lab, in_phase("Succeeded"))
        events = await kubectl(lab, "events", "-n", "bookinfo", "--for", "trafficshift/reviews")
        assert "PromotedByPerson" in events
        await assert_nothing_broke(lab)


async def test_what_cannot_work_is_refused_at_apply_with_the_fix() -> None:
    async with Lab(rate=10.0) as lab:
        text = (ROOT / "istio/trafficshift.yaml").read_text()
        for wrong, right, word in (
            ("canary: {subset: v1}", "canary: {subset: v2}", "must differ"),
            ("onFailure: Explode", "onFailure: Rollback", "onFailure"),
            ("redBlack: {}", "ramp: {start: 5, factor: 2, max: 50}", "redBlack"),
        ):
            with pytest.raises(AssertionError, match=word):
                await kubectl(lab, "apply", "-f", "-", stdin=text.replace(right, wrong))
