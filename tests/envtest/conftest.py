"""Without KUBEBUILDER_ASSETS there are no tests that need a real control plane, rather than skipped ones."""

from __future__ import annotations

from tests.envtest.control_plane import missing_assets

NEEDY = ["test_policies.py", "test_replicas.py", "test_samples.py", "test_scenarios.py"]
collect_ignore = NEEDY if missing_assets() else []
