"""What a gate is asked, and what its answers mean."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core import record
from meshshift.core.gate_call import Answered, GateState, Question, Unanswered, Word
from meshshift.core.spec import Gate

PAGE = (Path(__file__).parents[2] / "docs/how-to/gates.md").read_text(encoding="utf-8")
QUESTION = Question(
    Gate("https://qa.example.com/gates/reviews"),
    run="5f3c1e2a",
    step=2,
    of=4,
    attempt=1,
    weight=5,
    strategy="canary",
    service="reviews",
    stable="v1",
    canary="v2",
)


def test_the_page_shows_the_body_that_is_posted_and_explains_each_field() -> None:
    body = QUESTION.body("bookinfo", "reviews").decode()
    assert body in PAGE
    told = PAGE.split("## What the gate is sent")[1].split("## What it answers")[0]
    for name in json.loads(body):
        assert re.search(rf"^\|[^|]*`{name}`[^|]*\|", told, re.MULTILINE), name


@given(st.integers(100, 599))
def test_only_2xx_opens_and_only_409_and_425_wait(status: int) -> None:
    word = Answered(status).word
    assert (word is Word.OPEN) == (status // 100 == 2)
    assert (word is Word.WAIT) == (status in {409, 425})
    assert (word is Word.FAILED) == (status in {408, 429} or status >= 500)


def test_no_answer_is_never_an_open_gate() -> None:
    assert Unanswered("no connection").word is Word.FAILED


def test_the_identity_of_a_question_does_not_depend_on_what_is_known_only_later() -> None:
    assert (QUESTION.id, QUESTION.key) == ("5f3c1e2a.2", "5f3c1e2a.2.1")


@given(st.builds(GateState, st.integers(0), st.integers(0), st.none() | st.floats(0, 1e12), st.booleans(), st.text()))
def test_what_is_remembered_survives_a_restart(state: GateState) -> None:
    assert record.decode(GateState, json.loads(json.dumps(record.encode(state)))) == state


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://qa.example/ok?token=sesame", "qa.example"),
        ("http://qa.svc:8080?token=sesame", "qa.svc:8080"),
        ("http://[::1]:80/a", "[::1]:80"),
        ("https://qa.example", "qa.example"),
    ],
)
def test_people_are_told_the_host_and_nothing_more_of_the_address(url: str, host: str) -> None:
    assert Gate(url).host == host
