"""A real API server's verdict on ShiftPolicies, and on what it writes into shifts that name one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.samples import POLICIES_REFUSED, POLICIES_TAKEN, minimal

if TYPE_CHECKING:
    from tests.envtest.dry_run import DryRun

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("spec", POLICIES_TAKEN)
def test_the_real_server_takes_a_policy_that_a_shift_may_complete(dry_run: DryRun, spec: dict[str, Any]) -> None:
    answer = dry_run("ShiftPolicy", spec)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("spec", POLICIES_REFUSED)
def test_the_real_server_refuses_a_policy_that_no_shift_can_mend(dry_run: DryRun, spec: dict[str, Any]) -> None:
    assert dry_run("ShiftPolicy", spec).status_code == 422


def test_the_real_server_writes_no_default_that_would_look_like_a_choice(dry_run: DryRun) -> None:
    spec = {name: value for name, value in minimal().items() if name != "strategy"}
    stored = dry_run("TrafficShift", {**spec, "policyRef": {"name": "careful"}, "analysis": {}}).json()["spec"]
    assert stored["analysis"] == {}
    assert not {"strategy", "onFailure", "onDrift", "notifications"} & stored.keys()
