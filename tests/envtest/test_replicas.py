"""A real API server takes the edits of replicas as they are made, and refuses one that was decided on another state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meshshift.adapters.cluster import KubeCluster
from meshshift.adapters.kube import DEPLOYMENTS, KubeClient
from meshshift.core.workloads import workload_of
from meshshift.engine.failures import Conflict
from meshshift.lab.sample import version_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.envtest.control_plane import ControlPlane

pytestmark = pytest.mark.lab
NAME = "scaled-v2"


@pytest.fixture
async def client(control_plane: ControlPlane, tmp_path: Path) -> AsyncIterator[KubeClient]:
    """Return a client of a server with one Deployment, which has no pods."""
    control_plane.write_kubeconfig(tmp_path / "kubeconfig")
    async with await KubeClient.connect(tmp_path / "kubeconfig", None) as client:
        deployment = version_of("scaled", "default", "v2", 0, {})
        await client.create(DEPLOYMENTS, "default", deployment)
        yield client
        await client.delete(DEPLOYMENTS, "default", NAME)


async def replicas(client: KubeClient) -> Any:
    return (await client.get(DEPLOYMENTS, "default", NAME))["spec"]["replicas"]


async def test_a_deployment_goes_up_from_nothing_and_down_again(client: KubeClient) -> None:
    for count in (3, 0, 1):
        workload = workload_of(await client.get(DEPLOYMENTS, "default", NAME), ())
        await KubeCluster(client, "test").patch(workload.scaled_to(count))
        assert await replicas(client) == count


async def test_an_edit_that_was_decided_on_another_state_is_refused(client: KubeClient) -> None:
    before = workload_of(await client.get(DEPLOYMENTS, "default", NAME), ())
    await KubeCluster(client, "test").patch(before.scaled_to(3))
    with pytest.raises(Conflict):
        await KubeCluster(client, "test").patch(before.scaled_to(0))
    assert await replicas(client) == 3
