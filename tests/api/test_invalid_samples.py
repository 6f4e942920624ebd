"""Every file under tests/data/invalid/spec is a spec with the errors it must give, in full.

`server` says whether the API server refuses it at `kubectl apply` already; the rest is told in the status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshshift.api.convert import InvalidSpec, spec_from_wire
from tests.api.samples import INVALID, load, sample_files
from tests.api.server import refusals

if TYPE_CHECKING:
    from pathlib import Path

FILES = sample_files(INVALID)


def test_there_are_enough_samples_to_mean_something() -> None:
    assert len(FILES) >= 80


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_invalid_spec_is_refused_with_field_value_and_fix(path: Path) -> None:
    sample = load(path)
    with pytest.raises(InvalidSpec) as caught:
        spec_from_wire(sample["spec"], namespace="bookinfo")
    assert [str(error) for error in caught.value.errors] == sample["errors"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_schema_can_say_is_refused_at_apply(path: Path) -> None:
    sample = load(path)
    assert bool(refusals(sample["spec"])) == sample["server"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_server_and_controller_give_the_same_message_for_a_rule(path: Path) -> None:
    sample = load(path)
    for message in refusals(sample["spec"]):
        if " " in message:
            assert _told(message, sample["errors"]), message


def _told(message: str, errors: list[str]) -> bool:
    fix = message.rpartition("; ")[2]
    return any(error.endswith((message, fix)) for error in errors)
