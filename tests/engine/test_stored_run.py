"""Whatever stands in `status.checkpoint`: it is read as a run, or refused with field and value."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.api.convert import spec_from_wire, wire_spec_with_defaults
from meshshift.api.status import MAX_CHECKPOINT, StatusModel
from meshshift.core.judge import Evidence
from meshshift.core.run import Run, begin
from meshshift.engine.checkpoint import LONGEST_REASON, Checkpoint, UnreadableCheckpoint, decode, encode
from meshshift.engine.stored_run import END_OF_TIME, LONGEST_ID
from tests.engine.simulation import bookinfo, shift

NONSENSE = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([-1, 101, 10**6, 10**30, 10**400, -1e308, 1e308, 0.5, float("inf"), float("nan"), "", "x" * 5000]),
    st.sampled_from(["../..", '"', "\x1b[2J", "\u202e", [], {}, [[]], [None], {"kind": "Evidence"}]),
)


@cache
def stored() -> str:
    simulation = bookinfo()
    simulation.mesh.put(shift())
    simulation.run(300, until=lambda s: s.weight == 25 and "step" in s.status)
    text: str = simulation.status["checkpoint"]
    return text


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a document."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, child in below for place in places(child, (*path, key)))]


def with_value(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at a path."""
    if not path:
        return value
    document[path[0]] = with_value(document[path[0]], path[1:], value)
    return document


@given(data=st.data())
def test_nonsense_anywhere_is_refused_or_is_a_run(data: st.DataObject) -> None:
    state = json.loads(stored())
    path = data.draw(st.sampled_from(places(state)))
    text = json.dumps(with_value(state, path, data.draw(NONSENSE)))
    read: Run | str
    try:
        read = decode(text, "bookinfo").run
    except UnreadableCheckpoint as error:
        read = str(error)
    if isinstance(read, str):
        assert 0 < len(read) <= LONGEST_REASON
    else:
        assert 0 <= read.desired <= 100
        assert -1 <= read.step < len(read.spec.steps)
        assert encode(decode(text, "bookinfo"))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("desired", -1, "desired is -1: expected a percentage from 0 to 100"),
        ("desired", 101, "desired is 101: expected a percentage from 0 to 100"),
        ("desired", True, "desired is true: expected a whole number"),
        ("desired", None, "desired is null: expected a whole number"),
        ("confirmed", 101, "confirmed is 101: expected a percentage from 0 to 100"),
        ("step", -2, "step is -2: expected one from -1 to 3"),
        ("step", 4, "step is 4: expected one from -1 to 3"),
        ("started", -1, "started is -1: expected unix seconds"),
        ("started", END_OF_TIME + 1, "expected unix seconds"),
        ("id", "a" * (LONGEST_ID + 1), "expected at most 63 characters"),
        ("deficit", [1, 2, 3, 4, -5], "expected a list of numbers, 0 or more"),
        ("drifts", ["soon"], 'drifts is ["soon"]: expected a list of unix seconds'),
        ("answered", [[]], "answered is [[]]: expected a list of texts"),
        ("held_by", ["me"], 'held_by is ["me"]: expected text'),
    ],
)
def test_field_value_and_what_was_expected_are_named(field: str, value: object, said: str) -> None:
    with pytest.raises(UnreadableCheckpoint, match=re.escape(said)):
        decode(json.dumps(json.loads(stored()) | {field: value}), "bookinfo")


def test_the_largest_spec_that_is_allowed_fits() -> None:
    spec = shift(
        virtualServices=[
            {"name": f"n{i}/{'a' * 250}", "routes": [f"{j:02}" + "\u00e9" * 251 for j in range(32)]} for i in range(32)
        ],
        strategy={"canary": {"steps": [{"setWeight": 1 + i} for i in range(64)]}},
        analysis={
            "method": "Threshold",
            "indicators": [
                {"name": f"{i}" + "a" * 60, "query": {"promql": "\u20ac" * 2048, "max": 1}} for i in range(8)
            ],
        },
    )["spec"]
    parsed = spec_from_wire(spec, namespace="bookinfo")
    evidence = Evidence.begin(parsed.analysis.indicators, parsed.analysis.judge, at=1.0)
    run = begin("a" * LONGEST_ID, parsed, "0" * 16, evidence, 1.0)
    text = encode(Checkpoint(run, wire_spec_with_defaults(spec)))
    assert 2 * len(text) < MAX_CHECKPOINT
    assert StatusModel.from_wire({"checkpoint": text}).checkpoint == text
    assert decode(text, "bookinfo").run == run


def test_evidence_that_cannot_be_judged_is_refused() -> None:
    state = json.loads(stored())
    state["evidence"]["courses"][1]["questions"][0]["baseline"]["chi2"] = 7
    with pytest.raises(UnreadableCheckpoint, match="evidence cannot be judged"):
        decode(json.dumps(state), "bookinfo")


@pytest.mark.parametrize(
    ("field", "value"), [("desired", 0), ("desired", 100), ("step", -1), ("step", 3), ("started", END_OF_TIME)]
)
def test_the_ends_of_the_ranges_are_within(field: str, value: object) -> None:
    decode(json.dumps(json.loads(stored()) | {field: value}), "bookinfo")
