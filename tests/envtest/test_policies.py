"""A real API server's verdict on ShiftPolicies, and on what it writes into shifts that name one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from meshshift.api.crd import custom_resource_definition
from meshshift.api.policy_crd import policy_definition
from tests.api.samples import POLICIES_REFUSED, POLICIES_TAKEN, minimal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.envtest.control_plane import ControlPlane

pytestmark = pytest.mark.lab

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "meshshift.io/v1alpha1"
PATIENCE = 20.0


@pytest.fixture(scope="module")
def http(control_plane: ControlPlane) -> Iterator[httpx.Client]:
    """Return a client of a server that serves both kinds."""
    with httpx.Client(
        base_url=control_plane.url, headers=control_plane.headers, verify=control_plane.trust, timeout=20.0
    ) as http:
        for definition in (custom_resource_definition(), policy_definition()):
            created = http.post(DEFINITIONS, json=definition)
            assert created.status_code in {201, 409}, created.text
        deadline = time.monotonic() + PATIENCE
        while 404 in {dry_run(http, kind, {}).status_code for kind in KINDS} and time.monotonic() < deadline:
            time.sleep(0.05)
        yield http


KINDS = {"TrafficShift": "trafficshifts", "ShiftPolicy": "shiftpolicies"}


def dry_run(http: httpx.Client, kind: str, spec: Any) -> httpx.Response:
    document = {"apiVersion": GROUP, "kind": kind, "metadata": {"name": "sample"}, "spec": spec}
    return http.post(f"/apis/{GROUP}/namespaces/default/{KINDS[kind]}", json=document, params={"dryRun": "All"})


@pytest.mark.parametrize("spec", POLICIES_TAKEN)
def test_the_real_server_takes_a_policy_that_a_shift_may_complete(http: httpx.Client, spec: dict[str, Any]) -> None:
    answer = dry_run(http, "ShiftPolicy", spec)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("spec", POLICIES_REFUSED)
def test_the_real_server_refuses_a_policy_that_no_shift_can_mend(http: httpx.Client, spec: dict[str, Any]) -> None:
    assert dry_run(http, "ShiftPolicy", spec).status_code == 422


def test_the_real_server_writes_no_default_that_would_look_like_a_choice(http: httpx.Client) -> None:
    spec = {name: value for name, value in minimal().items() if name != "strategy"}
    stored = dry_run(http, "TrafficShift", {**spec, "policyRef": {"name": "careful"}, "analysis": {}}).json()["spec"]
    assert stored["analysis"] == {}
    assert not {"strategy", "onFailure", "onDrift", "notifications"} & stored.keys()
