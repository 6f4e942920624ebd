"""Tests that a real control plane alone can run; without KUBEBUILDER_ASSETS there are none of them."""

from __future__ import annotations

from tests.envtest.control_plane import missing_assets

collect_ignore_glob = ["test_*.py"] if missing_assets() else []
