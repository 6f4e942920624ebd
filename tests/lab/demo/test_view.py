"""What the screen shows, as golden text.

`UPDATE_GOLDENS=1 pytest tests/lab/demo/test_view.py` writes the screens anew; read the difference before committing.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from meshshift.api.status import StatusModel
from meshshift.lab.demo.frame import Frame
from meshshift.lab.demo.group_view import group_screen
from meshshift.lab.demo.scenarios import SCENARIOS
from meshshift.lab.demo.tally import Traffic
from meshshift.lab.demo.view import screen
from tests.lab.demo.canned import BAD, GOOD, HISTORY, HOLDING, OUTAGE, PROGRESSING, ROLLED_BACK, frame, status

GOLDENS = Path(__file__).parent / "goldens"
FRAMES = {
    "progressing": (frame(PROGRESSING), 110, 31),
    "narrow": (frame(PROGRESSING), 80, 23),
    "rolled-back": (frame(ROLLED_BACK, act=BAD, number=2, elapsed=13.2), 110, 31),
    "holding": (
        frame(HOLDING, act=OUTAGE, of=1, elapsed=31.0, aside="the scenario froze Prometheus 15 s ago"),
        80,
        23,
    ),
    "beginning": (frame(StatusModel.from_wire(None), elapsed=0.3), 80, 23),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_canned_frame_renders_to_its_golden_screen(name: str) -> None:
    moment, width, height = FRAMES[name]
    text = "\n".join(line.rstrip() for line in screen(moment, width, height).plain.splitlines()) + "\n"
    path = GOLDENS / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDENS"):
        path.write_text(text)
    assert text == path.read_text()


GROUP = [
    frame(seen, act=act, elapsed=20.0, of=1)
    for act, seen in zip(SCENARIOS["group"].acts, (PROGRESSING, StatusModel.from_wire(None), ROLLED_BACK), strict=True)
]


def test_several_shifts_share_a_screen() -> None:
    text = "\n".join(line.rstrip() for line in group_screen(GROUP, 80, 23).plain.splitlines()) + "\n"
    path = GOLDENS / "group.txt"
    if os.environ.get("UPDATE_GOLDENS"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize(("width", "height"), [(80, 23), (110, 31), (200, 60)])
def test_the_screen_of_a_group_never_exceeds_the_terminal(width: int, height: int) -> None:
    lines = group_screen(GROUP, width, height).plain.splitlines()
    assert len(lines) <= height
    assert max(map(len, lines)) <= min(width, 110)


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize(("width", "height"), [(80, 23), (95, 23), (110, 31), (200, 60)])
def test_the_screen_never_exceeds_the_terminal(name: str, width: int, height: int) -> None:
    lines = screen(FRAMES[name][0], width, height).plain.splitlines()
    assert len(lines) <= height
    assert max(map(len, lines)) <= min(width, 110)


def test_on_24_lines_the_last_line_is_still_the_price_of_shifting() -> None:
    long = [replace_turn(number) for number in range(20)]
    moment = frame(PROGRESSING.model_copy(update={"history": StatusModel.from_wire({"history": long}).history}))
    last = shown(moment).splitlines()[-1]
    assert "failed because of shifting: 0" in last


def replace_turn(number: int) -> dict[str, object]:
    return {**HISTORY[2], "message": f"turn {number}: " + "word " * 30}


def test_what_was_lost_is_shown_by_the_worse_record() -> None:
    traffic = Traffic(sent=10, foreign=2, logged=10, misrouted={"NC": 3})
    assert "failed because of shifting: 3" in shown(frame(PROGRESSING, traffic=traffic))


def test_turns_of_the_act_before_are_not_shown_again() -> None:
    earlier = PROGRESSING.history[:2]
    text = shown(frame(PROGRESSING, earlier=earlier))
    assert "the first weight is on faith" not in text
    assert "5% → 10%" in text


def test_steps_behind_under_way_and_ahead_are_told_apart() -> None:
    [line] = [line for line in shown(frame(PROGRESSING)).splitlines() if line.startswith(" steps")]
    assert line.split() == ["steps", "✓", "5%", "▶", "10%", "25%", "50%", "100%"]


@pytest.mark.parametrize(
    ("worse", "word"),
    [(-3.0, "calm"), (0.7, "calm"), (0.9, "suspicious"), (2.3, "proven"), (9.0, "proven")],
)
def test_the_alarm_is_named_as_the_engine_judges_it(worse: float, word: str) -> None:
    [row] = [
        line for line in shown(with_evidence(worse=worse, worse_bar=2.3)).splitlines() if line[1:13] == "success-rate"
    ]
    assert row.split()[-1] == word


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"proof": None}, "none needed"),
        ({"proof": 0.1, "requests_needed": None}, "not at these rates"),
        ({"proof": 1.4, "requests_needed": 0}, "312: enough"),
        ({"proof": 0.1, "requests_needed": 388}, "312 of ~700 requests"),
        ({"proof": 0.1, "requests_needed": 2000, "canary_requests": 1385}, "1,385 of ~3,385 "),
    ],
)
def test_proof_is_told_in_requests(fields: dict[str, float | None], words: str) -> None:
    assert words in shown(with_evidence(**fields))


def test_every_phase_has_a_screen() -> None:
    for phase in ("Pending", "Progressing", "Paused", "Promoting", "Succeeded", "RollingBack", "RolledBack", "Failed"):
        assert phase in shown(frame(status(phase, "Any", "a message"), act=GOOD))


def with_evidence(**fields: float | None) -> Frame:
    first, *_ = PROGRESSING.evidence
    return replace(
        frame(PROGRESSING), status=PROGRESSING.model_copy(update={"evidence": (first.model_copy(update=fields),)})
    )


def shown(moment: Frame) -> str:
    return screen(moment, 80, 23).plain
