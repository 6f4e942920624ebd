"""Manifests with nonsense anywhere: `plan` and `lint` answer or refuse, in lines that a terminal does not act on."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from meshshift.cli.main import main
from tests.engine.simulation import bookinfo, shift
from tests.engine.test_stored_run import places, with_value
from tests.hostile.test_documents import NONSENSE


def manifests() -> list[Any]:
    """The shift, its VirtualService and its DestinationRule."""
    simulation = bookinfo()
    simulation.mesh.put(shift())
    return [copy.deepcopy(each) for (kind, *_), each in simulation.mesh.objects.items() if kind != "Service"]


@pytest.mark.parametrize("command", ["plan", "lint"])
@settings(max_examples=150)
@given(data=st.data())
def test_one_value_is_nonsense(command: str, data: st.DataObject) -> None:
    documents = manifests()
    place = data.draw(st.sampled_from([each for each in places(documents) if len(each) > 1]), label="place")
    documents = with_value(documents, place, copy.deepcopy(data.draw(NONSENSE, label="value")))
    text = json.dumps({"items": documents}) if data.draw(st.booleans()) else yaml.safe_dump_all(documents)
    result = CliRunner().invoke(main, [command, "-f", "-"], input=text, color=True)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in {0, 1}
    assert all(line.isprintable() for line in result.output.split("\n"))
