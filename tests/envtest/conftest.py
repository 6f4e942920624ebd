"""Without KUBEBUILDER_ASSETS there are no tests that need a real control plane, rather than skipped ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.envtest.control_plane import missing_assets
from tests.envtest.dry_run import DryRun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.envtest.control_plane import ControlPlane

NEEDY = ["test_policies.py", "test_replicas.py", "test_samples.py", "test_scenarios.py"]
collect_ignore = NEEDY if missing_assets() else []


@pytest.fixture(scope="session")
def dry_run(control_plane: ControlPlane) -> Iterator[DryRun]:
    """Ask a server that serves both of our kinds."""
    with DryRun.of(control_plane) as asked:
        yield asked
