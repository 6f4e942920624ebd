from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshshift.api.convert import spec_from_wire
from tests.api.samples import VALID, load, minimal, sample_files
from tests.api.server import refusals, schema, with_defaults

if TYPE_CHECKING:
    from pathlib import Path

FILES = sample_files(VALID)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_server_and_controller_accept_it(path: Path) -> None:
    spec = load(path)
    assert refusals(spec) == []
    spec_from_wire(spec, namespace="bookinfo")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_servers_defaults_change_nothing(path: Path) -> None:
    spec = load(path)
    filled = with_defaults(spec, schema())
    assert spec_from_wire(filled, namespace="bookinfo") == spec_from_wire(spec, namespace="bookinfo")


def test_the_server_writes_out_only_defaults_that_no_policy_could_mean_otherwise() -> None:
    filled = with_defaults(minimal(), schema())
    assert filled == minimal(
        strategy={"canary": {"minStepDuration": "1m"}},
        create="Never",
        onDelete="Restore",
        paused=False,
    )
