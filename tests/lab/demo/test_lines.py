"""Plain lines: one per turn, progress now and then, nothing twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshshift.lab.demo.lines import Lines
from meshshift.lab.demo.scenarios import SCENARIOS
from tests.lab.demo.canned import HOLDING, PROGRESSING, frame


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_each_turn_is_one_line_and_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.show([frame(PROGRESSING)])
    first = said(capsys)
    assert [line.split()[3] for line in first] == ["Started:", "FirstStep:", "ProvenNotWorse:"]
    lines.show([frame(HOLDING, elapsed=21.0)])
    [line] = said(capsys)
    assert line.startswith(" 0:21  Progressing  10%  TelemetryUnavailable: 10%: held")


def test_of_several_shifts_each_line_says_whose_it_is_and_the_time_is_that_of_the_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reviews, _, ratings = SCENARIOS["group"].acts
    lines, same = Lines(), replace(frame(PROGRESSING), act=ratings, elapsed=19.4)
    lines.show([frame(PROGRESSING, act=reviews), same])
    told = said(capsys)
    assert [line.split()[:2] for line in told] == [["0:20", "reviews"]] * 3 + [["0:20", "ratings"]] * 3
    lines.show([frame(PROGRESSING, act=reviews, elapsed=26.0), replace(same, elapsed=25.4)])
    first, second = said(capsys)
    assert "failed because of shifting" not in first
    assert second.endswith("failed because of shifting: 0")


def test_progress_is_told_every_five_seconds_and_names_the_price(capsys: pytest.CaptureFixture[str]) -> None:
    lines, moment = Lines(), frame(PROGRESSING)
    for elapsed in (20.0, 22.0, 24.9, 25.0, 29.0, 30.0):
        lines.show([replace(moment, elapsed=elapsed)])
    progress = [line for line in said(capsys) if "…" in line]
    assert [line.split()[0] for line in progress] == ["0:25", "0:30"]
    assert all(line.endswith("failed because of shifting: 0") for line in progress)


def test_the_next_act_is_timed_and_told_from_its_own_start(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    lines.show([frame(PROGRESSING)])
    lines.finish()
    said(capsys)
    lines.show([frame(PROGRESSING, elapsed=1.0, earlier=PROGRESSING.history)])
    assert said(capsys) == []
    lines.show([frame(PROGRESSING, elapsed=5.0, earlier=PROGRESSING.history)])
    assert len(said(capsys)) == 1


def test_what_the_scenario_does_is_told_at_its_beginning_and_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    lines, moment = Lines(), frame(HOLDING, earlier=HOLDING.history, elapsed=1.0)
    for aside in ("the scenario froze Prometheus 0 s ago", "the scenario froze Prometheus 1 s ago", ""):
        lines.show([replace(moment, aside=aside)])
    assert [line.partition("scenario ")[2].strip() for line in said(capsys)] == [
        "the scenario froze Prometheus 0 s ago",
        "Prometheus answers again",
    ]
