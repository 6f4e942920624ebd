"""The last page of a scenario: how each shift ended and when, what it cost, and which claims hold."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from meshshift.core.run import Phase
from meshshift.lab.demo.checks import ENDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshshift.lab.demo.checks import Check
    from meshshift.lab.demo.course import Course
    from meshshift.lab.demo.tally import Traffic

_COLUMNS = 79


def summary(courses: Sequence[Course], total: Traffic, checks: Sequence[Check]) -> str:
    """The page as plain text."""
    parts = (_shifts(courses), _requests(courses, total), _claims(checks))
    return "\n".join(line for part in parts for line in (*part, "")).rstrip()


def _shifts(courses: Sequence[Course]) -> Iterator[str]:
    yield "SHIFTS"
    for course in courses:
        phase = course.last.phase
        ending = ENDINGS.get(phase, "not over") if phase else "never begun"
        at = course.decided_at
        decided = "undecided" if at is None else f"decided after {at - course.waited:.0f} s"
        peak = "" if phase is Phase.SUCCEEDED else f"; {course.act.who} had at most {course.peak}%"
        yield f"  {course.act.title}  {ending.upper()}, {decided}{peak}"
        yield from _wrap(course.last.message or "no message", " " * 11)


def _requests(courses: Sequence[Course], total: Traffic) -> Iterator[str]:
    yield "REQUESTS"
    versions = ", ".join(f"{name} {count:,}" for name, count in sorted(total.failed.items())) or "none"
    rows = [("sent", total.sent, ""), ("errors of the app itself", total.failed_by_app, versions)]
    for course in courses:
        if course.last.phase is Phase.ROLLED_BACK:
            name = course.act.who
            failed, of = course.traffic.failed.get(name, 0), course.traffic.answered.get(name, 0)
            rows.append((f"… of {name} until rolled back", failed, f"of {of:,} that it answered"))
    rows.append(("failed because of shifting", total.lost, "no route, endpoint or connection"))
    longest = max(28, *(len(what) for what, _, _ in rows))
    for what, count, remark in rows:
        told = f"   ({remark})" if remark else ""
        yield from _wrap(f"{what:<{longest}} {count:>9,}{told}", "  ", " " * (longest + 16))


def _claims(checks: Sequence[Check]) -> Iterator[str]:
    yield "CHECKS"
    for one in checks:
        yield from _wrap(f"{'ok    ' if one.holds else 'FAILED'}  {one.claim} ({one.seen})", "  ", " " * 10)
    failed = [one.claim for one in checks if not one.holds]
    yield ""
    yield f"FAILED: {'; '.join(failed)}" if failed else f"PASSED: all {len(checks)} checks hold"


def _wrap(text: str, first: str, later: str = "") -> list[str]:
    return textwrap.wrap(text, _COLUMNS, initial_indent=first, subsequent_indent=later or first, break_on_hyphens=False)
