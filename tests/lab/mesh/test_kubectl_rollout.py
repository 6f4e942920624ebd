"""`kubectl rollout` and `kubectl set image` do to the lab's Deployments what they do to a cluster's."""

from __future__ import annotations

import asyncio
import os
import shutil
from typing import Any

import pytest

from meshshift.adapters.kube import DEPLOYMENTS, PODS, REPLICA_SETS
from meshshift.lab.lab import Lab
from tests.lab.mesh.conftest import PATIENCE, eventually

KUBECTL = os.environ.get("KUBECTL") or shutil.which("kubectl")

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(KUBECTL is None, reason="install kubectl 1.34 or later, or set KUBECTL to its path"),
]

NAME = "ratings"
LABELS = {"app": NAME}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": NAME, "namespace": "bookinfo"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": LABELS},
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {
                        "name": "app",
                        "image": "meshshift/sample:v1",
                        "ports": [{"containerPort": 9080}],
                        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 9080}, "periodSeconds": 1},
                    }
                ],
            },
        },
    },
}


@pytest.fixture
async def ratings(lab: Lab) -> Lab:
    await lab.apply(DEPLOYMENT)
    await lab.wait_ready(NAME)
    return lab


async def kubectl(lab: Lab, *arguments: str) -> str:
    """Run kubectl to the end; returns what it says, and fails on an error."""
    assert KUBECTL is not None
    process = await asyncio.create_subprocess_exec(
        *(KUBECTL, "--kubeconfig", str(lab.kubeconfig_path), "--namespace", "bookinfo", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(PATIENCE):
        output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


async def set_image(lab: Lab, tag: str) -> None:
    await kubectl(lab, "set", "image", f"deployment/{NAME}", f"app=meshshift/sample:{tag}")


async def finish(lab: Lab) -> str:
    return await kubectl(lab, "rollout", "status", f"deployment/{NAME}")


def images(lab: Lab) -> list[str]:
    """The images of the ready pods."""
    own = [pod for (_, name), pod in lab.state.pods.objects.items() if name.startswith(NAME)]
    return sorted(pod["spec"]["containers"][0]["image"].rpartition(":")[2] for pod in own if ready(pod))


def ready(pod: dict[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    alive = "deletionTimestamp" not in pod["metadata"]
    return alive and any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


async def replica_sets(lab: Lab) -> list[dict[str, Any]]:
    found, _ = await lab.client.list(REPLICA_SETS, "bookinfo")
    return [one for one in found if one["metadata"]["name"].startswith(NAME)]


async def test_a_version_is_set_undone_and_told_apart_in_the_history(ratings: Lab) -> None:
    await set_image(ratings, "v2")
    assert "successfully rolled out" in await finish(ratings)
    assert images(ratings) == ["v2", "v2"]
    before = {one["metadata"]["uid"] for one in await replica_sets(ratings)}
    await kubectl(ratings, "rollout", "undo", f"deployment/{NAME}")
    await finish(ratings)
    assert images(ratings) == ["v1", "v1"]
    assert {one["metadata"]["uid"] for one in await replica_sets(ratings)} == before, "the old ReplicaSet is used again"
    history = await kubectl(ratings, "rollout", "history", f"deployment/{NAME}")
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["2", "3"]
    assert "sample:v2" in await kubectl(ratings, "rollout", "history", f"deployment/{NAME}", "--revision=2")


async def test_a_paused_deployment_takes_a_new_template_only_when_it_is_resumed(ratings: Lab) -> None:
    await kubectl(ratings, "rollout", "pause", f"deployment/{NAME}")
    await set_image(ratings, "v2")
    await kubectl(ratings, "scale", f"deployment/{NAME}", "--replicas=3")
    await eventually_images(ratings, ["v1"] * 3)
    victim = next(name for _, name in ratings.state.pods.objects if name.startswith(NAME))
    await ratings.client.delete(PODS, "bookinfo", victim)
    async with asyncio.timeout(PATIENCE):
        await ratings.state.pods.until(lambda: ("bookinfo", victim) not in ratings.state.pods.objects)
    await eventually_images(ratings, ["v1"] * 3)
    assert len(await replica_sets(ratings)) == 1
    stored = await ratings.client.get(DEPLOYMENTS, "bookinfo", NAME)
    assert stored["status"]["updatedReplicas"] == 0
    assert "Unknown DeploymentPaused" in await conditions(ratings)
    await kubectl(ratings, "rollout", "resume", f"deployment/{NAME}")
    await finish(ratings)
    assert images(ratings) == ["v2"] * 3


async def test_a_version_that_never_becomes_ready_is_late(ratings: Lab) -> None:
    patch = '{"spec": {"progressDeadlineSeconds": 2, "strategy": {"rollingUpdate": {"maxUnavailable": 0}}}}'
    await kubectl(ratings, "patch", "deployment", NAME, "--patch", patch)
    await set_image(ratings, "v6")

    async def late() -> bool:
        return "False ProgressDeadlineExceeded" in await conditions(ratings)

    await eventually(late)
    assert images(ratings) == ["v1", "v1"], "the version that serves is kept"


async def test_new_pods_are_available_only_after_they_were_ready_for_a_while(ratings: Lab) -> None:
    patch = '{"spec": {"minReadySeconds": 2, "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}}'
    await kubectl(ratings, "patch", "deployment", NAME, "--patch", patch)
    await set_image(ratings, "v2")
    await eventually_images(ratings, ["v1", "v1", "v2"])
    stored = await ratings.client.get(DEPLOYMENTS, "bookinfo", NAME)
    assert stored["status"]["readyReplicas"] > stored["status"]["availableReplicas"]
    await finish(ratings)
    assert images(ratings) == ["v2", "v2"]


async def conditions(lab: Lab) -> list[str]:
    stored = await lab.client.get(DEPLOYMENTS, "bookinfo", NAME)
    return [f"{one['status']} {one['reason']}" for one in stored["status"]["conditions"]]


async def eventually_images(lab: Lab, wanted: list[str]) -> None:
    async with asyncio.timeout(PATIENCE):
        await lab.state.pods.until(lambda: images(lab) == wanted)
