"""The lab's scenarios with a real API server underneath, from the command line to the exit status."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.envtest.control_plane import running_control_plane

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.envtest.control_plane import ControlPlane

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
PATIENCE = 180.0
CREATED = (
    "/apis/meshshift.io/v1alpha1/trafficshifts",
    "/apis/networking.istio.io/v1/virtualservices",
    "/apis/networking.istio.io/v1/destinationrules",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/replicasets",
    "/apis/discovery.k8s.io/v1/namespaces/bookinfo/endpointslices",
    "/api/v1/pods",
    "/api/v1/namespaces/bookinfo/services",
)


@pytest.fixture(scope="module")
def control_plane() -> Iterator[ControlPlane]:
    """Return one of its own: the lab would run whatever Deployments other tests have left behind."""
    with running_control_plane() as running:
        yield running


@pytest.fixture
async def http(control_plane: ControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=control_plane.url, headers=control_plane.headers, verify=control_plane.trust, timeout=20.0
    ) as http:
        yield http


@pytest.fixture
def kubeconfig(control_plane: ControlPlane, tmp_path: Path) -> Path:
    control_plane.write_kubeconfig(tmp_path / "kubeconfig")
    return tmp_path / "kubeconfig"


async def lab(kubeconfig: Path, *flags: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "meshshift", "lab", "--kubeconfig", str(kubeconfig)),
        *("--directory", str(kubeconfig.parent / "lab"), *flags),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        start_new_session=True,
    )


async def ended(process: asyncio.subprocess.Process) -> str:
    async with asyncio.timeout(PATIENCE):
        output, _ = await process.communicate()
    return output.decode()


async def items(http: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await http.get(path)).json()["items"]
    return listed


async def remains(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    return [item for path in CREATED for item in await items(http, path)]


@pytest.mark.parametrize(
    ("scenario", "verdict"),
    [("good", "v1 → v2  PROMOTED"), ("errors", "v1 → v3  ROLLED BACK"), ("in-place", "v2 → v4  PROMOTED")],
)
async def test_a_scenario_ends_as_it_should_and_leaves_nothing(
    http: httpx.AsyncClient, kubeconfig: Path, scenario: str, verdict: str
) -> None:
    process = await lab(kubeconfig, "--scenario", scenario)
    output = await ended(process)
    assert process.returncode == 0, output
    assert verdict in output
    assert "checks hold" in output
    assert await remains(http) == []


@pytest.mark.parametrize("scenario", ["good", "annotated", "in-place"])
async def test_an_interrupted_scenario_leaves_nothing_either(
    http: httpx.AsyncClient, kubeconfig: Path, scenario: str
) -> None:
    process = await lab(kubeconfig, "--scenario", scenario)
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        seen = b""
        while b"FirstStep" not in seen:
            line = await process.stdout.readline()
            assert line, seen.decode()
            seen += line
    assert await remains(http)
    process.send_signal(signal.SIGINT)
    output = await ended(process)
    assert process.returncode == 128 + signal.SIGINT, output
    assert await remains(http) == []


async def test_a_cluster_with_nodes_is_not_touched(http: httpx.AsyncClient, kubeconfig: Path) -> None:
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker"}}
    assert (await http.post("/api/v1/nodes", json=node)).status_code == 201
    before = await items(http, "/api/v1/namespaces")
    try:
        process = await lab(kubeconfig, "--scenario", "good")
        output = await ended(process)
    finally:
        await http.delete("/api/v1/nodes/worker")
    assert process.returncode == 1
    assert "has nodes (worker)" in output
    assert "--allow-nodes" in output
    assert await items(http, "/api/v1/namespaces") == before
    assert await items(http, "/api/v1/pods") == []
