from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from meshshift.adapters.journals import REMIND, DecisionLog, Journals
from meshshift.adapters.metrics import Metrics
from meshshift.core.notices import Turn
from tests.adapters.story import OUTAGE, Story
from tests.core.test_notices import TURN

if TYPE_CHECKING:
    from meshshift.core.decision import Decision
    from meshshift.core.observation import Observation
    from meshshift.engine.ports import Document, Journal, Key


class Broken:
    """A listener with a bug in everything."""

    def decided(self, key: Key, shift: Document, observation: Observation | None, decision: Decision) -> None:
        raise KeyError(key)

    def wrote(self, kind: str, result: str) -> None:
        raise KeyError(kind)

    def turned(self, key: Key, shift: Document, turn: Turn, *, new: bool) -> None:
        raise KeyError(key)

    def forgot(self, key: Key) -> None:
        raise KeyError(key)


@pytest.fixture
def story(caplog: pytest.LogCaptureFixture) -> Story:
    caplog.set_level(logging.DEBUG, "meshshift")
    return Story(DecisionLog())


def told(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    """The reasons that were logged at `level` or above."""
    return [getattr(r, "meshshift_fields")["reason"] for r in caplog.records if r.levelno >= level]  # noqa: B009


def test_a_record_carries_the_shift_and_the_decision(story: Story, caplog: pytest.LogCaptureFixture) -> None:
    story.begin()
    record = next(each for each in caplog.records if "FirstStep" in str(vars(each)))
    assert record.getMessage() == "0% → 5%: the first weight is on faith"
    assert vars(record)["meshshift_fields"] == {
        "namespace": "bookinfo",
        "name": "reviews",
        "kind": "Advance",
        "reason": "FirstStep",
        "phase": "Progressing",
        "weight": 5,
        "run": story.run.id if story.run else None,
    }


def test_each_turn_is_told_once_and_the_daily_course_only_to_whoever_debugs(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    story.begin()
    story.go_on()
    for _ in range(5):
        story.look()
    assert told(caplog) == ["Started", "FirstStep", "ProvenNotWorse", "ProvenNotWorse", "Promoted"]
    assert told(caplog, logging.DEBUG).count("NotYetProven") == 1


def test_a_rollback_warns_when_it_begins_and_when_it_is_done(story: Story, caplog: pytest.LogCaptureFixture) -> None:
    story.begin()
    story.go_on(failing=0.3)
    assert told(caplog, logging.WARNING) == ["RegressionProven", "RegressionProven"]


def test_a_message_with_percent_signs_is_told_as_it_is(story: Story, caplog: pytest.LogCaptureFixture) -> None:
    story.begin()
    story.look(command="100%s")
    assert "100%s" in caplog.records[-1].getMessage()


def test_an_outage_is_a_warning_at_its_begin_and_every_ten_minutes(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    story.begin()
    caplog.clear()
    for _ in range(5):
        story.look(OUTAGE)
        story.now += 5
    assert told(caplog, logging.WARNING) == ["TelemetryUnavailable"]
    story.now += REMIND
    story.look(OUTAGE)
    assert told(caplog, logging.WARNING) == ["TelemetryUnavailable"] * 2


def test_an_outage_that_comes_and_goes_is_not_told_each_time(story: Story, caplog: pytest.LogCaptureFixture) -> None:
    story.begin()
    caplog.clear()
    for _ in range(5):
        story.look(OUTAGE)
        story.look()
        story.now += 5
    assert told(caplog, logging.WARNING) == ["TelemetryUnavailable"]


def test_another_shifts_outage_is_told_too(story: Story, caplog: pytest.LogCaptureFixture) -> None:
    other = Story(story.journal, key=("bookinfo", "ratings"))
    for each in (story, other):
        each.begin()
        each.look(OUTAGE)
    assert told(caplog, logging.WARNING) == ["TelemetryUnavailable"] * 2


def test_a_shift_that_nothing_moves_without_a_person_is_a_warning(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    story.misread()
    story.look()
    story.look(service_exists=False)
    assert told(caplog, logging.WARNING) == ["InvalidSpec", "ServiceNotFound"]


def test_a_forgotten_shift_is_told_of_afresh(story: Story, caplog: pytest.LogCaptureFixture) -> None:
    story.begin()
    story.look(OUTAGE)
    story.journal.forgot(story.key)
    story.look(OUTAGE)
    assert told(caplog, logging.WARNING) == ["TelemetryUnavailable"] * 2


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_listener_that_fails_keeps_neither_the_others_nor_the_engine_from_going_on(
    order: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    metrics = Metrics()
    listeners: tuple[Journal, Journal] = (Broken(), metrics)
    journals = Journals(*(listeners[place] for place in order))
    Story(journals).begin()
    journals.wrote("VirtualService", "ok")
    journals.turned(("bookinfo", "reviews"), {}, TURN, new=True)
    text = metrics.render().decode()
    assert 'meshshift_mesh_writes_total{kind="VirtualService",result="ok"} 1.0' in text
    assert 'service="reviews"' in text
    journals.forgot(("bookinfo", "reviews"))
    assert 'service="reviews"' not in metrics.render().decode()
    assert all("Broken failed" in record.getMessage() for record in caplog.records)
    assert all(record.exc_info for record in caplog.records)
