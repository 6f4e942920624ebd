"""The last page says what came of it, and which claim failed."""

from __future__ import annotations

from dataclasses import replace

from meshshift.lab.demo.checks import Check, check
from meshshift.lab.demo.scenarios import SCENARIOS
from meshshift.lab.demo.summary import summary
from tests.lab.demo.canned import TRAFFIC, promoted_course, rolled_back_course

COURSES = (promoted_course(), replace(rolled_back_course(), act=SCENARIOS["demo"].acts[1]))


def test_a_success_names_endings_times_peak_and_price() -> None:
    page = summary(COURSES, TRAFFIC, check(SCENARIOS["demo"], COURSES, TRAFFIC))
    assert "v1 → v2  PROMOTED, decided after 38 s\n" in page
    assert "v2 → v3  ROLLED BACK, decided after 11 s; v3 had at most 5%" in page
    assert numbers(page) == {
        "sent": "12,345",
        "errors of the app itself": "12",
        "… of v3 until rolled back": "9",
        "failed because of shifting": "0",
    }
    assert page.endswith("PASSED: all 6 checks hold")
    assert max(map(len, page.splitlines())) <= 80


def numbers(page: str) -> dict[str, str]:
    """The table of requests."""
    rows = page.partition("REQUESTS\n")[2].partition("\n\n")[0].splitlines()
    return {row[:30].strip(): row[30:40].strip() for row in rows}


def test_a_failure_ends_with_the_claims_that_do_not_hold() -> None:
    page = summary(COURSES, TRAFFIC, (Check("a", holds=True, seen="x"), Check("b", holds=False, seen="y")))
    assert page.endswith("FAILED: b")
    assert "FAILED  b (y)" in page


def test_a_scenario_that_saw_nothing_still_has_a_page() -> None:
    course = replace(promoted_course(), sights=())
    assert "NEVER BEGUN, undecided" in summary([course], TRAFFIC, ())
