"""The last page of a scenario: how each shift ended and when, what it cost, and which claims hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshshift.core.run import Phase
from meshshift.lab.demo.checks import ENDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshshift.lab.demo.checks import Check
    from meshshift.lab.demo.course import Course
    from meshshift.lab.demo.tally import Traffic


def summary(courses: Sequence[Course], total: Traffic, checks: Sequence[Check]) -> str:
    """The page as plain text."""
    parts = (_shifts(courses), _requests(courses, total), _claims(checks))
    return "\n".join(line for part in parts for line in (*part, "")).rstrip()


def _shifts(courses: Sequence[Course]) -> Iterator[str]:
    yield "SHIFTS"
    for course in courses:
        phase = course.last.phase
        ending = ENDINGS.get(phase, "not over") if phase else "never begun"
        decided = f"decided after {course.decided_at:.0f} s" if course.decided_at is not None else "undecided"
        yield f"  {course.act.title}  {ending.upper()}, {decided}; {course.act.canary.name} had at most {course.peak}%"
        yield f"           {course.last.message or ''}"


def _requests(courses: Sequence[Course], total: Traffic) -> Iterator[str]:
    yield "REQUESTS"
    yield f"  sent                         {total.sent:>9,}"
    versions = ", ".join(f"{name} {count:,}" for name, count in sorted(total.failed.items())) or "none"
    yield f"  errors of the app itself     {total.failed_by_app:>9,}   ({versions})"
    for course in courses:
        if course.last.phase is Phase.ROLLED_BACK:
            name = course.act.canary.name
            failed, of = course.traffic.failed.get(name, 0), course.traffic.answered.get(name, 0)
            yield f"  … of {name} until rolled back   {failed:>9,}   (of {of:,} that it answered)"
    yield f"  failed because of shifting   {total.lost:>9,}   (no cluster, endpoint, route or connection)"


def _claims(checks: Sequence[Check]) -> Iterator[str]:
    yield "CHECKS"
    for one in checks:
        yield f"  {'ok    ' if one.holds else 'FAILED'}  {one.claim}" + (
            f": {one.seen}" if not one.holds else f" ({one.seen})" if len(one.seen) <= 60 else ""
        )
    failed = [one.claim for one in checks if not one.holds]
    yield ""
    yield f"FAILED: {'; '.join(failed)}" if failed else f"PASSED: all {len(checks)} checks hold"
