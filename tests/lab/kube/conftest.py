"""Where the contract tests run: against the lab's API server, or any other whose address is in MESHSHIFT_TEST_API."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import httpx
import pytest

from meshshift.lab.kube import ApiServer
from tests.lab.kube.client import Api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    """Serve a cluster of its own for one test."""
    async with ApiServer(bookmark_interval=0.05) as running:
        yield running


@pytest.fixture
async def api_url() -> AsyncIterator[str]:
    """Return the base URL of the API server under test."""
    elsewhere = os.environ.get("MESHSHIFT_TEST_API")
    if elsewhere:
        yield elsewhere
        return
    async with ApiServer(bookmark_interval=0.05) as running:
        yield running.url


@pytest.fixture
async def api(api_url: str) -> AsyncIterator[Api]:
    """Return a client with a namespace of its own."""
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    async with httpx.AsyncClient(base_url=api_url, timeout=20.0, headers={"User-Agent": "contract/1.0"}) as http:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        (await http.post("/api/v1/namespaces", json=body)).raise_for_status()
        api = Api(http, namespace)
        yield api
        await http.delete(f"/api/v1/namespaces/{namespace}")
        await http.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.{api.group}")
