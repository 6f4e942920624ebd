"""Where the contract tests run: on the lab's API server, and on kube-apiserver too if KUBEBUILDER_ASSETS names one.

A test that takes `api` is a claim about Kubernetes, and has to hold on both.  A test that takes `cluster` is a claim
about what kube-controller-manager makes of objects, which the lab's server does too and a bare kube-apiserver does not.
A test that takes `server` or `local` is about the lab's server alone: its faults, its history, its access in process.
"""

from __future__ import annotations

import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from meshshift.lab.kube import ApiServer
from tests.envtest.control_plane import missing_assets
from tests.lab.kube.client import Api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.envtest.control_plane import ControlPlane

LAB, REAL = "lab", "kube-apiserver"
SERVERS = [LAB] if missing_assets() else [LAB, pytest.param(REAL, marks=pytest.mark.lab)]
_AGENT = {"User-Agent": "contract/1.0"}


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    """Serve a cluster of its own for one test."""
    async with ApiServer(bookmark_interval=0.05) as running:
        yield running


@pytest.fixture
async def local(server: ApiServer) -> AsyncIterator[Api]:
    """Return a client of that cluster, in its default namespace."""
    async with httpx.AsyncClient(base_url=server.url, timeout=20.0, headers=_AGENT) as http:
        yield Api(http, "default")


@pytest.fixture
async def cluster(local: Api) -> AsyncIterator[Api]:
    """Return a client with a namespace of its own, on a server that also does what controllers do."""
    async with _namespace_on(local.http) as api:
        yield api


@pytest.fixture(params=SERVERS)
def elsewhere(request: pytest.FixtureRequest) -> ControlPlane | None:
    """Return the control plane to test; None stands for the lab's server, which each test gets anew."""
    found: ControlPlane | None = None if request.param == LAB else request.getfixturevalue("control_plane")
    return found


@pytest.fixture
async def api(elsewhere: ControlPlane | None) -> AsyncIterator[Api]:
    """Return a client with a namespace of its own, on each server that is to be had."""
    async with AsyncExitStack() as stack:
        if elsewhere is None:
            server = await stack.enter_async_context(ApiServer(bookmark_interval=0.05))
            http = httpx.AsyncClient(base_url=server.url, timeout=20.0, headers=_AGENT)
        else:
            headers = _AGENT | elsewhere.headers
            http = httpx.AsyncClient(base_url=elsewhere.url, timeout=20.0, headers=headers, verify=elsewhere.trust)
        await stack.enter_async_context(http)
        yield await stack.enter_async_context(_namespace_on(http))


@asynccontextmanager
async def _namespace_on(http: httpx.AsyncClient) -> AsyncIterator[Api]:
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    (await http.post("/api/v1/namespaces", json=body)).raise_for_status()
    api = Api(http, namespace)
    yield api
    await http.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{api.group}")
    await http.delete(f"/api/v1/namespaces/{namespace}")
