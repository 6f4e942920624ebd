"""What is new is seen through the metrics and the log; here is what only the filter itself can be asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from meshshift.adapters.turns import TurnFilter, ended_run, turned_back
from tests.adapters.story import OUTAGE, Story

if TYPE_CHECKING:
    from meshshift.core.decision import Decision
    from meshshift.core.notices import Turn
    from meshshift.core.observation import Observation
    from meshshift.engine.ports import Document, Key


class Listener:
    """Keeps what the filter said about each decision."""

    def __init__(self) -> None:
        self.filter = TurnFilter()
        self.new: list[str] = []
        self.turned_back: list[str] = []
        self.ended: list[str] = []

    def decided(self, key: Key, shift: Document, observation: Observation | None, decision: Decision) -> None:
        if self.filter.is_new(key, observation, decision):
            self.new.append(decision.reason)
        self.turned_back += [reason for reason in [turned_back(observation, decision)] if reason]
        self.ended += [end[1] for end in [ended_run(observation, decision)] if end]

    def wrote(self, kind: str, result: str) -> None: ...

    def turned(self, key: Key, shift: Document, turn: Turn, *, new: bool) -> None: ...

    def forgot(self, key: Key) -> None: ...


def test_the_whole_course_of_a_good_canary_is_told_without_repetition() -> None:
    listener = Listener()
    story = Story(listener)
    story.begin()
    story.go_on()
    story.look()
    weight = ["SettingWeight", "WeightSet"]
    proof = ["NotYetProven", "ProvenNotWorse"]
    assert listener.new == [
        *("Started", "FirstStep", *weight, *proof, *weight, "ProvenNotWorse", *weight),
        *("Promoting", "Promoted"),
    ]
    assert (listener.turned_back, listener.ended) == ([], ["Succeeded"])


def test_an_outage_that_comes_back_is_new_each_time_it_comes() -> None:
    listener = Listener()
    story = Story(listener)
    story.begin()
    listener.new.clear()
    for telemetry in (OUTAGE, OUTAGE, None, OUTAGE, OUTAGE):
        story.look(telemetry)
    assert listener.new == ["TelemetryUnavailable", "NotYetProven", "TelemetryUnavailable"]


def test_a_spec_that_cannot_be_understood_is_news_once_and_again_after_it_was_forgotten() -> None:
    listener = Listener()
    story = Story(listener)
    story.misread()
    story.misread()
    assert listener.new == ["InvalidSpec"]
    listener.filter.forget(story.key)
    story.misread()
    assert listener.new == ["InvalidSpec"] * 2


def test_a_command_that_changes_the_course_is_followed_by_news() -> None:
    listener = Listener()
    story = Story(listener)
    story.begin()
    listener.new.clear()
    story.look(command="pause")
    story.look()
    story.look()
    story.look(command="resume")
    story.look()
    assert listener.new == ["Commanded", "PausedByPerson", "Commanded", "NotYetProven"]


def test_a_command_is_news_and_so_is_what_it_leads_to_even_right_after_a_restart() -> None:
    before, after = Listener(), Listener()
    story = Story(before)
    story.begin()
    story.journal = after
    story.look(command="pause")
    story.look()
    assert after.new == ["Commanded", "PausedByPerson"]


@pytest.mark.parametrize("change", [{"desired": 50}, {"id": "another"}])
def test_the_same_words_about_another_weight_or_run_are_news(change: dict[str, object]) -> None:
    story = Story(Listener())
    decision = story.begin()
    assert decision.run is not None
    changed = replace(decision, run=replace(decision.run, **change))  # type: ignore[arg-type]
    turns = TurnFilter()
    said = [turns.is_new(story.key, None, each) for each in (decision, decision, changed, changed)]
    assert said == [True, False, True, False]


def test_a_run_that_is_aborted_turns_back_once_and_ends_once() -> None:
    listener = Listener()
    story = Story(listener)
    story.begin()
    story.look(command="abort")
    story.go_on()
    story.look()
    assert (listener.turned_back, listener.ended) == (["Aborted"], ["RolledBack"])
