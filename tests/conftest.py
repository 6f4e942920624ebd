"""Fixtures of the whole suite: the real control plane is started once, by the first test that asks for it.

Examples of hypothesis are the same in every run, so that one commit has one result; `make search` draws new ones.  They
have no deadline: how long one takes says something of the machine, nothing of the claim.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.envtest.control_plane import running_control_plane

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.envtest.control_plane import ControlPlane

settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, derandomize=False, print_blob=True)
settings.load_profile("same")


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """etcd and kube-apiserver out of KUBEBUILDER_ASSETS."""
    with running_control_plane() as running:
        yield running
