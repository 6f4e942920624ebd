"""One connection to the cluster that KUBECONFIG names, and a clean start for every test."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from e2e.cluster import Cluster


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """reviews at v1, no TrafficShift."""
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        pytest.exit("set KUBECONFIG to the cluster to test against (see e2e/README.md)", returncode=2)
    async with await Cluster.connect(Path(kubeconfig)) as connected:
        await connected.clean()
        yield connected
        await connected.clean()
