"""A real API server's verdict on every sample spec: does `kubectl apply` refuse what we say it refuses?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.samples import INVALID, VALID, load, sample_files
from tests.api.server import refusals

if TYPE_CHECKING:
    from pathlib import Path

    from tests.envtest.dry_run import DryRun

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("path", sample_files(INVALID), ids=lambda path: path.stem)
def test_the_real_server_refuses_what_we_say_it_refuses(dry_run: DryRun, path: Path) -> None:
    sample = load(path)
    response = dry_run("TrafficShift", sample["spec"])
    assert response.status_code == (422 if sample["server"] else 201), response.text


@pytest.mark.parametrize("path", sample_files(INVALID), ids=lambda path: path.stem)
def test_the_real_server_gives_the_messages_that_we_say_it_gives(dry_run: DryRun, path: Path) -> None:
    spec = load(path)["spec"]
    told = dry_run("TrafficShift", spec).text.replace('\\"', '"')
    rules = [message for message in refusals(spec) if " " in message]
    assert [message for message in rules if message not in told] == []


@pytest.mark.parametrize("path", sample_files(VALID), ids=lambda path: path.stem)
def test_the_real_server_takes_every_valid_sample(dry_run: DryRun, path: Path) -> None:
    response = dry_run("TrafficShift", load(path))
    assert response.status_code == 201, response.text
    assert "Warning" not in response.headers
