"""A saved TrafficShift with nonsense anywhere: `explain` answers or refuses, in lines that can be read."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from meshshift.cli.main import main
from tests.engine.simulation import Behaviour, bookinfo, shift
from tests.engine.test_stored_run import places, with_value
from tests.hostile.test_documents import NONSENSE


@cache
def saved() -> str:
    """A shift under way whose canary fails: evidence, history, a command, and a note or two."""
    simulation = bookinfo()
    simulation.mesh.put(shift())
    simulation.traffic.versions["v2"] = Behaviour(failing=0.02)
    simulation.run(120, until=lambda s: s.weight == 25)
    simulation.command("pause")
    simulation.run(10)
    return json.dumps(simulation.mesh.get("TrafficShift", "reviews"))


def answer(document: Any, *flags: str) -> str:
    """What is printed; only a refusal may end the command otherwise."""
    result = CliRunner().invoke(main, ["explain", "-f", "-", *flags], input=json.dumps(document), color=True)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output


@pytest.mark.parametrize("flags", [(), ("-o", "json")], ids=["text", "json"])
@settings(max_examples=100)
@given(data=st.data())
def test_one_value_is_nonsense(flags: tuple[str, ...], data: st.DataObject) -> None:
    document = json.loads(saved())
    place = data.draw(st.sampled_from([each for each in places(document) if each]), label="place")
    printed = answer(with_value(document, place, copy.deepcopy(data.draw(NONSENSE, label="value"))), *flags)
    assert all(line.isprintable() for line in printed.split("\n"))


@pytest.mark.parametrize("flags", [(), ("-o", "json")], ids=["text", "json"])
@settings(max_examples=100)
@given(data=st.data())
def test_one_value_of_the_checkpoint_is_nonsense(flags: tuple[str, ...], data: st.DataObject) -> None:
    document = json.loads(saved())
    state = json.loads(document["status"]["checkpoint"])
    place = data.draw(st.sampled_from([each for each in places(state) if each]), label="place")
    state = with_value(state, place, copy.deepcopy(data.draw(NONSENSE, label="value")))
    document["status"]["checkpoint"] = json.dumps(state)
    printed = answer(document, *flags)
    assert all(line.isprintable() for line in printed.split("\n"))


@pytest.mark.parametrize("flags", [(), ("-o", "json")], ids=["text", "json"])
@pytest.mark.parametrize("name", ["\x1b[2J", "two\nlines", "\u202e"])
def test_the_name_of_an_indicator_is_not_acted_on_by_a_terminal(name: str, flags: tuple[str, ...]) -> None:
    document = json.loads(saved())
    state = json.loads(document["status"]["checkpoint"])
    state["evidence"]["courses"][0]["indicator"]["name"] = name
    document["status"]["checkpoint"] = json.dumps(state)
    printed = answer(document, *flags)
    assert name not in printed
    assert all(line.isprintable() for line in printed.split("\n"))
