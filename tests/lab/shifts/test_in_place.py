"""One Deployment and `kubectl set image`, on a real Envoy, judged by a real Prometheus, under load."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from meshshift.lab.lab import Lab
from tests.lab.shifts.running import CONTROLLER, NAMESPACE, assert_nothing_broke, in_phase, status_of, until

KUBECTL = os.environ.get("KUBECTL") or shutil.which("kubectl")

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(KUBECTL is None, reason="install kubectl 1.34 or later, or set KUBECTL to its path"),
]

LABELS = {"app": "reviews"}
CONTAINER = {
    "name": "app",
    "image": "meshshift/sample:v1",
    "ports": [{"name": "http", "containerPort": 9080}],
    "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
}
DOCUMENTS = (
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "reviews", "namespace": NAMESPACE},
        "spec": {"selector": LABELS, "ports": [{"name": "http", "port": 9080, "targetPort": "http"}]},
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "reviews", "namespace": NAMESPACE},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": LABELS},
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {"terminationGracePeriodSeconds": 5, "containers": [CONTAINER]},
            },
        },
    },
)


POLICY = {
    "apiVersion": "meshshift.io/v1alpha1",
    "kind": "ShiftPolicy",
    "metadata": {"name": "quick", "namespace": NAMESPACE},
    "spec": {"analysis": {"interval": "2s", "warmup": "1s"}},
}


async def kubectl(lab: Lab, *arguments: str) -> str:
    assert KUBECTL is not None
    process = await asyncio.create_subprocess_exec(
        *(KUBECTL, "--kubeconfig", str(lab.kubeconfig_path), "--namespace", NAMESPACE, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


async def set_image(lab: Lab, tag: str) -> None:
    await kubectl(lab, "set", "image", "deployment/reviews", f"app=meshshift/sample:{tag}")


def at_rest(lab: Lab, tag: str) -> bool:
    """Is the Deployment paused at this version, with all of its pods, and no copy beside it?"""
    deployments = lab.state.deployments.objects
    original = deployments[NAMESPACE, "reviews"]
    status, image = original.get("status") or {}, original["spec"]["template"]["spec"]["containers"][0]["image"]
    whole = status.get("updatedReplicas") == status.get("availableReplicas") == original["spec"]["replicas"]
    whole = whole and status.get("observedGeneration") == original["metadata"]["generation"]
    return bool(original["spec"].get("paused")) and image.endswith(tag) and whole and len(deployments) == 1


def is_whole(lab: Lab) -> bool:
    """Has subset `stable` all pods of the service?"""
    rule = lab.state.destination_rules.objects.get((NAMESPACE, "reviews"))
    return rule is not None and rule["spec"]["subsets"][0]["labels"] == LABELS


async def rests(lab: Lab, tag: str, seconds: float = 150) -> None:
    try:
        async with asyncio.timeout(seconds):
            await lab.state.deployments.until(lambda: at_rest(lab, tag))
            await lab.state.destination_rules.until(lambda: is_whole(lab))
    except TimeoutError:
        words = lab.controller.last_words(20) if lab.controller else ""
        raise TimeoutError(f"not at rest with {tag}: {await status_of(lab)}\n{words}") from None


async def test_good_bad_and_good_again_by_set_image_alone(tmp_path: Path) -> None:
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "reviews.yaml").write_text("\n---\n".join(json.dumps(each) for each in DOCUMENTS))
    async with Lab(rate=200.0, manifests=manifests, directory=tmp_path / "lab") as lab:
        await lab.start_controller(**CONTROLLER, in_place=True)
        await lab.apply(POLICY)
        annotations = ["policy=quick", "strategy=canary", "workload=in-place", "steps=20,50", "step-duration=3s"]
        await kubectl(lab, "annotate", "service", "reviews", *(f"meshshift.io/{each}" for each in annotations))
        await rests(lab, "v1")
        # Whoever judges by the first seconds of a service's life waits long for a proof.
        await lab.load.answers(4000)
        await set_image(lab, "v2")
        await rests(lab, "v2")
        await set_image(lab, "v3")
        await until(lab, in_phase("RollingBack"))
        await set_image(lab, "v4")
        await rests(lab, "v4")
        assert "successfully rolled out" in await kubectl(lab, "rollout", "status", "deployment/reviews")
        await assert_nothing_broke(lab)
        served = lab.load.summary().by_version
        assert served["v3"] < 0.05 * sum(served.values())
