"""What is read off the statuses that were seen."""

from __future__ import annotations

from dataclasses import replace

from meshshift.lab.demo.course import Course
from tests.lab.demo.canned import GOOD, outage_course, promoted_course, rolled_back_course


def test_the_decision_is_dated_when_it_falls_not_when_the_mesh_has_settled() -> None:
    assert promoted_course().decided_at == 38.0
    assert rolled_back_course().decided_at == 11.0


def test_the_peak_is_the_most_weight_ever_meant() -> None:
    assert promoted_course().peak == 100
    assert rolled_back_course().peak == 5


def test_a_course_without_statuses_has_neither_an_end_nor_a_decision() -> None:
    course = Course(GOOD)
    assert (course.ended, course.decided_at, course.peak, course.held) == (False, None, 0, 0.0)


def test_the_hold_ends_with_the_outage_or_with_the_first_move() -> None:
    course = outage_course()
    assert course.held == 25.0
    assert replace(course, outage=(20.0, 55.0)).held == 30.0


def test_only_reasons_shown_during_the_outage_count() -> None:
    assert outage_course().said == {"TelemetryUnavailable"}
    assert replace(outage_course(), outage=(27.0, 45.0)).said == frozenset()
