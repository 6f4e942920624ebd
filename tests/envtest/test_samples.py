"""A real API server's verdict on every sample spec: does `kubectl apply` refuse what we say it refuses?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from meshshift.api.crd import custom_resource_definition
from tests.api.samples import INVALID, VALID, load, sample_files
from tests.api.server import refusals

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.envtest.control_plane import ControlPlane

pytestmark = pytest.mark.lab

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SHIFTS = "/apis/meshshift.io/v1alpha1/namespaces/default/trafficshifts"
PATIENCE = 20.0


@pytest.fixture(scope="module")
def http(control_plane: ControlPlane) -> Iterator[httpx.Client]:
    """Return a client of a server that serves TrafficShifts."""
    with httpx.Client(
        base_url=control_plane.url, headers=control_plane.headers, verify=control_plane.trust, timeout=20.0
    ) as http:
        created = http.post(DEFINITIONS, json=custom_resource_definition())
        assert created.status_code in {201, 409}, created.text
        deadline = time.monotonic() + PATIENCE
        while dry_run(http, {}).status_code == 404 and time.monotonic() < deadline:
            time.sleep(0.05)
        yield http


def dry_run(http: httpx.Client, spec: Any) -> httpx.Response:
    document = {
        "apiVersion": "meshshift.io/v1alpha1",
        "kind": "TrafficShift",
        "metadata": {"name": "sample"},
        "spec": spec,
    }
    return http.post(SHIFTS, json=document, params={"dryRun": "All"})


@pytest.mark.parametrize("path", sample_files(INVALID), ids=lambda path: path.stem)
def test_the_real_server_refuses_what_we_say_it_refuses(http: httpx.Client, path: Path) -> None:
    sample = load(path)
    response = dry_run(http, sample["spec"])
    assert response.status_code == (422 if sample["server"] else 201), response.text


@pytest.mark.parametrize("path", sample_files(INVALID), ids=lambda path: path.stem)
def test_the_real_server_gives_the_messages_that_we_say_it_gives(http: httpx.Client, path: Path) -> None:
    spec = load(path)["spec"]
    told = dry_run(http, spec).text.replace('\\"', '"')
    rules = [message for message in refusals(spec) if " " in message]
    assert [message for message in rules if message not in told] == []


@pytest.mark.parametrize("path", sample_files(VALID), ids=lambda path: path.stem)
def test_the_real_server_takes_every_valid_sample(http: httpx.Client, path: Path) -> None:
    response = dry_run(http, load(path))
    assert response.status_code == 201, response.text
    assert "Warning" not in response.headers
