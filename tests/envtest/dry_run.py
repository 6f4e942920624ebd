"""What a real API server would say to an object of ours, without keeping it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from meshshift.api.crd import custom_resource_definition
from meshshift.api.policy_crd import policy_definition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.envtest.control_plane import ControlPlane

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "meshshift.io/v1alpha1"
KINDS = {"TrafficShift": "trafficshifts", "ShiftPolicy": "shiftpolicies"}
PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class DryRun:
    """Creates that are checked, completed with defaults, and answered, but not stored."""

    http: httpx.Client

    def __call__(self, kind: str, spec: Any) -> httpx.Response:
        document = {"apiVersion": GROUP, "kind": kind, "metadata": {"name": "sample"}, "spec": spec}
        path = f"/apis/{GROUP}/namespaces/default/{KINDS[kind]}"
        return self.http.post(path, json=document, params={"dryRun": "All"})

    @classmethod
    @contextmanager
    def of(cls, control_plane: ControlPlane) -> Iterator[DryRun]:
        """With both definitions in the server, once it serves them."""
        with httpx.Client(
            base_url=control_plane.url, headers=control_plane.headers, verify=control_plane.trust, timeout=20.0
        ) as http:
            for definition in (custom_resource_definition(), policy_definition()):
                created = http.post(DEFINITIONS, json=definition)
                assert created.status_code in {201, 409}, created.text
            asked, deadline = cls(http), time.monotonic() + PATIENCE
            while 404 in {asked(kind, {}).status_code for kind in KINDS} and time.monotonic() < deadline:
                time.sleep(0.05)
            yield asked
