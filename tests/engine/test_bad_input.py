"""Bad input to the whole engine: a person is told field, value and fix, and the mesh stays as it is, byte for byte."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING

import pytest

from tests.engine.bad_input import Case, cases, mesh_of

if TYPE_CHECKING:
    from pathlib import Path

FILES = cases()
PLACE = re.compile(
    r"\bspec\b|\bstatus\.|(VirtualService|DestinationRule|Service) [a-z]+/|the host |subset |is not a command"
)
"""An object, a field of one, or what a person wrote."""
VERBS = "write|create|set|correct|give|add|name|make|join|use|delete|annotate|leave|raise|remove"
FIX = re.compile(rf"(?:[;:,.]|\bor) (?:to )?({VERBS})\b", re.IGNORECASE)
"""What to do about it, as a verb behind what is wrong."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_told_in_full_and_the_mesh_is_untouched(path: Path) -> None:
    case = Case.read(path)
    simulation, before = case.play()
    before = copy.deepcopy(before)
    status = simulation.status
    conditions = {each["type"]: each for each in status["conditions"]}
    assert case.told(simulation) == (case.reason, case.message)
    assert conditions["Stalled"]["status"] == str(case.stalled)
    assert conditions["Ready"]["status"] == "False"
    assert re.fullmatch(r"([A-Z][a-z0-9]+)+", case.reason)
    assert mesh_of(simulation) == before
    assert [call for call in simulation.mesh.calls if call.startswith(("patch", "create"))] == []


def test_there_are_enough_cases_to_mean_something() -> None:
    assert len(FILES) >= 100


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_message_names_place_and_fix_and_is_short_enough_to_be_read(path: Path) -> None:
    case = Case.read(path)
    assert PLACE.search(case.message), case.message
    assert FIX.search(case.message) or case.message.startswith("waiting for"), case.message
    assert case.message.isprintable()
    assert len(case.message) <= 1024
    assert not case.message.endswith("…"), "what is cut off is the fix"
