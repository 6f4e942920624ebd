"""The verdict: each expectation of a scenario against what was seen, as a sentence that holds or does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshshift.core.run import Phase
from meshshift.lab.demo.frame import times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshshift.lab.demo.course import Course
    from meshshift.lab.demo.story import Act, Scenario
    from meshshift.lab.demo.tally import Traffic

_WAIT = 425
ENDINGS = {
    Phase.SUCCEEDED: "promoted",
    Phase.ROLLING_BACK: "being rolled back",
    Phase.ROLLED_BACK: "rolled back",
    Phase.FAILED: "given up",
}
"""How a shift ended, in people's words."""


@dataclass(frozen=True, slots=True)
class Check:
    """One claim, whether it holds, and what was seen instead or in support."""

    claim: str
    holds: bool
    seen: str


def check(
    scenario: Scenario, courses: Sequence[Course], total: Traffic, others: Sequence[Check] = ()
) -> tuple[Check, ...]:
    """All claims about a scenario that was played; an act that was not reached fails its first claim.

    `others` were checked while it was played.
    """
    found = [one for course in courses for one in _of(course)]
    found += [_not_reached(act) for act in scenario.acts[len(courses) :]]
    return (*found, *others, *_of_traffic(total))


def _of(course: Course) -> Iterator[Check]:
    """What an act claims; each kind of claim is silent where the act does not make it."""
    for claims in (_ending, _first, _sticky, _copies, _gate, _told, _left, _peak, _outage):
        yield from claims(course)


def _ending(course: Course) -> Iterator[Check]:
    act, expected, status = course.act, course.act.expected, course.last
    ending = ENDINGS.get(expected.phase, str(expected.phase))
    reached = status.phase is expected.phase and status.reason == expected.reason
    seen = f"{status.phase or 'no phase'}, {status.reason or 'no reason'}"
    if not reached:
        seen += f": {status.message or 'no message'}"
    if not course.ended:
        seen = f"not over after {act.timeout:g} s: {seen}"
    yield Check(f"{act.title} is {ending}", reached, seen)
    if expected.blames:
        blamed = f"{expected.blames} proven worse" in (status.message or "")
        seen = "proven worse" if blamed else status.message or "no message"
        yield Check(f"{act.title} is {ending} because of {expected.blames}", blamed, seen)


def _first(course: Course) -> Iterator[Check]:
    """The cohort alone meets the canary, until that was meant to have weight."""
    who, first = course.act.who, course.act.expected.first
    if not first:
        return
    met = {cohort: count for (cohort, version), count in course.unweighted.met.items() if version == who and count}
    seen = f"{met.get(first, 0):,} of their requests"
    yield Check(f"{first} meet {who} before it has any weight", met.get(first, 0) > 0, seen)
    others = sum(count for cohort, count in met.items() if cohort != first)
    yield Check(f"until then nobody else meets {who}", not others, f"{others:,} of other requests")


def _copies(course: Course) -> Iterator[Check]:
    """The canary works for nobody."""
    who, least = course.act.who, course.act.expected.copies
    if not least:
        return
    claim = f"{who} takes up at least {least:,} copies before it has any weight"
    yield Check(claim, course.copies >= least, f"{course.copies:,}")
    answers = course.unweighted.answered.get(who, 0)
    yield Check(f"until then no client gets an answer of {who}", not answers, f"{answers:,} answers")


def _gate(course: Course) -> Iterator[Check]:
    """The weight stays from the first question to the last answer, and no answered question is put again."""
    asked, who, waits = course.asked, course.act.who, course.act.expected.waits
    if not (asked or waits):
        return
    answers = [one.status for one in asked]
    in_order = answers.count(_WAIT) == waits and bool(asked) and answers[-1] != _WAIT
    seen = ", ".join(map(str, answers)) or "not asked"
    yield Check(f"the gate of {who} says wait {times(waits)}, then its last word", in_order, seen)
    weights = course.weights(asked[0].time, asked[-1].time) if asked else frozenset()
    held = " and ".join(f"{weight}%" for weight in sorted(weights)) or "no weight"
    yield Check(f"until then {who} gets no more traffic", len(weights) == 1, held)
    keys = {one.key for one in asked}
    yield Check("each question has a key of its own", len(keys) == len(asked), f"{len(keys)} of {len(asked)}")


def _told(course: Course) -> Iterator[Check]:
    if course.act.expected.told:
        seen = ", ".join(course.told) or "nothing"
        claim = f"the receiver is told of each turn of {course.act.title}, in order"
        yield Check(claim, course.told == course.act.expected.told, seen)


def _left(course: Course) -> Iterator[Check]:
    if course.put_in:
        seen = f"{', '.join(course.put_in)}; left: {', '.join(course.left) or 'nothing'}"
        yield Check(f"{course.act.title} leaves no header route and no mirror behind", not course.left, seen)


def _peak(course: Course) -> Iterator[Check]:
    most = course.act.expected.peak
    if most < 100:
        claim = f"{course.act.who} never has {f'more than {most}%' if most else 'any'} of the traffic"
        yield Check(claim, course.peak <= most, f"at most {course.peak}%")


def _sticky(course: Course) -> Iterator[Check]:
    """Browsers with a cookie of this act meet one version only, until its end is decided."""
    if not course.act.expected.sticky:
        return
    moved = sum(course.undecided.moved.values())
    met = " and ".join(f"{who} {count:,}" for who, count in sorted(course.undecided.answered.items()) if count)
    claim = f"until {course.act.title} is decided, nobody with a cookie changes version"
    yield Check(claim, not moved and course.act.who in course.undecided.answered, f"{moved:,} did; met: {met}")


def _outage(course: Course) -> Iterator[Check]:
    if course.act.outage is None:
        return
    expected = course.act.expected
    claim = f"without telemetry the weight stays for at least {expected.held:g} s"
    yield Check(claim, course.outage is not None and course.held >= expected.held, f"it stayed for {course.held:.0f} s")
    said = sorted(course.said & expected.said)
    seen = ", ".join(said or sorted(course.said) or ["nothing"])
    yield Check("the status says that telemetry is missing", bool(said), f"it said {seen}")


def _not_reached(act: Act) -> Check:
    return Check(f"{act.title} is played", holds=False, seen="what came before did not end as expected")


def _of_traffic(total: Traffic) -> Iterator[Check]:
    mesh = ", ".join(f"{flag} {count}" for flag, count in sorted(total.misrouted.items()))
    yield Check(
        "no request failed because of shifting, says Envoy's access log",
        total.lost_in_mesh == 0,
        f"{mesh}, broken otherwise {total.broken}",
    )
    yield Check(
        "no request failed because of shifting, says the client",
        total.lost_to_client == 0,
        f"unanswered {total.unanswered}, not answered by the app {total.foreign}",
    )
    yield Check(
        "both records hold every request",
        total.sent > 0 and total.accounted,
        f"client {total.sent:,}, Envoy {total.logged:,}",
    )
