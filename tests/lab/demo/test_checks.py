"""The verdict: what passes, and which claim each deviation breaks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meshshift.lab.demo.checks import Check, check
from meshshift.lab.demo.course import Course, Sight
from meshshift.lab.demo.scenarios import SCENARIOS
from meshshift.lab.demo.story import Scenario
from meshshift.lab.demo.tally import NO_TRAFFIC, Traffic
from meshshift.lab.receiver import Asked
from tests.lab.demo.canned import HOLDING, TRAFFIC, outage_course, promoted_course, rolled_back_course, status

SLOW = SCENARIOS["slow"].acts[0]


def broken(*courses: Course, traffic: Traffic = TRAFFIC, scenario: Scenario | None = None) -> list[str]:
    """The claims that do not hold."""
    played = scenario or Scenario("any", "any", tuple(course.act for course in courses))
    return [one.claim for one in check(played, courses, traffic) if not one.holds]


def ended(course: Course, *sights: Sight) -> Course:
    """The course with its last sight replaced."""
    return replace(course, sights=(*course.sights[:-1], *sights))


@pytest.mark.parametrize("course", [promoted_course(), rolled_back_course(), outage_course()])
def test_what_went_as_expected_passes(course: Course) -> None:
    assert broken(course) == []


def test_a_rollback_of_a_good_version_is_a_failure() -> None:
    other = ended(promoted_course(), Sight(40.0, status("RolledBack", "RegressionProven", "success-rate proven worse")))
    assert broken(other) == ["v1 → v2 is promoted"]


def test_the_right_phase_for_the_wrong_reason_is_a_failure() -> None:
    other = ended(rolled_back_course(), Sight(13.0, status("RolledBack", "Aborted", "a person said so")))
    assert broken(other) == ["v1 → v3 is rolled back"]


def test_a_shift_that_never_ends_is_a_failure_that_says_for_how_long() -> None:
    course = promoted_course()
    course = replace(course, sights=course.sights[:3])
    [found] = [one for one in check(SCENARIOS["good"], [course], TRAFFIC) if not one.holds]
    assert found.seen.startswith("not over after 150 s: Progressing, ProvenNotWorse")


def test_a_controller_that_says_nothing_is_a_failure() -> None:
    assert broken(replace(promoted_course(), sights=())) == ["v1 → v2 is promoted"]


def test_a_bad_version_with_too_much_traffic_is_a_failure_even_if_rolled_back() -> None:
    course = rolled_back_course()
    raised = Sight(5.0, status("Progressing", "ProvenNotWorse", "10% → 25%", 25))
    course = replace(course, sights=(*course.sights[:2], raised, *course.sights[2:]))
    assert broken(course) == ["v3 never has more than 10% of the traffic"]


@pytest.mark.parametrize(
    ("message", "claims"),
    [
        ("5% → 0%: latency proven worse: 7.8% of 243", []),
        ("5% → 0%: success-rate proven worse: 7% of 243", ["v1 → v2 is rolled back because of latency"]),
    ],
)
def test_the_slow_version_must_be_blamed_for_its_latency(message: str, claims: list[str]) -> None:
    course = Course(SLOW, (Sight(20.0, status("RolledBack", "RegressionProven", message)),))
    assert broken(course) == claims


def previewed() -> Course:
    """A version that testers alone met at first; its route is gone."""
    seen = Traffic(met={("testers", "v3"): 40, ("testers", "v2"): 3, ("everyone else", "v2"): 500})
    sights = rolled_back_course().sights
    act = SCENARIOS["preview"].acts[1]
    return Course(act, (sights[0], sights[-1]), unweighted=seen, put_in=("route meshshift/bookinfo/reviews/preview",))


def test_a_preview_for_testers_alone_passes() -> None:
    assert broken(previewed()) == []


@pytest.mark.parametrize(
    ("change", "claim"),
    [
        ({"unweighted": Traffic(met={("everyone else", "v2"): 500})}, "testers meet v3 before it has any weight"),
        (
            {"unweighted": Traffic(met={("testers", "v3"): 40, ("everyone else", "v3"): 1})},
            "until then nobody else meets v3",
        ),
        ({"left": ("mirror",)}, "v2 → v3 leaves no header route and no mirror behind"),
        ({"sights": rolled_back_course().sights}, "v3 never has any of the traffic"),
    ],
)
def test_a_preview_that_nobody_met_that_others_met_or_that_stays_is_a_failure(
    change: dict[str, Any], claim: str
) -> None:
    assert broken(replace(previewed(), **change)) == [claim]


def asked(*statuses: int, keys: str = "abcdef") -> tuple[Asked, ...]:
    return tuple(Asked(6.0 + 3 * n, "reviews", "run.2", keys[n], status) for n, status in enumerate(statuses))


def gated(**change: Any) -> Course:
    """A gate that said wait once at 10 %, and then no."""
    sights = (
        Sight(5.0, status("Progressing", "FirstStep", "0% → 50%", 50)),
        Sight(30.0, status("RolledBack", "GateRefused", "10% → 0%: the gate refused: 403", 0)),
    )
    return replace(Course(SCENARIOS["gate"].acts[1], sights, asked=asked(425, 403)), **change)


def test_a_gate_that_was_heard_passes() -> None:
    assert broken(gated()) == []


@pytest.mark.parametrize(
    ("change", "claims"),
    [
        ({"asked": ()}, ["the gate of v3 says wait once, then its last word", "until then v3 gets no more traffic"]),
        ({"asked": asked(425, 425, 403)}, ["the gate of v3 says wait once, then its last word"]),
        ({"asked": asked(425)}, ["the gate of v3 says wait once, then its last word"]),
        ({"asked": asked(425, 403, keys="aa")}, ["each question has a key of its own"]),
        (
            {"sights": (gated().sights[0], Sight(7.0, status("Progressing", "x", "y", 5)), gated().sights[1])},
            ["until then v3 gets no more traffic"],
        ),
    ],
)
def test_a_gate_that_was_not_heard_is_a_failure(change: dict[str, Any], claims: list[str]) -> None:
    assert broken(gated(**change)) == claims


def mirrored(**change: Any) -> Course:
    """A bad version that worked on copies first."""
    sights = (
        Sight(14.0, status("Progressing", "ProvenNotWorse", "0% → 10%", 10)),
        Sight(20.0, status("RolledBack", "RegressionProven", "success-rate proven worse", 0)),
    )
    course = Course(SCENARIOS["mirror"].acts[0], sights, copies=700, put_in=("mirror",))
    return replace(course, **change)


@pytest.mark.parametrize(
    ("change", "claims"),
    [
        ({}, []),
        ({"copies": 499}, ["v2 takes up at least 500 copies before it has any weight"]),
        ({"unweighted": Traffic(answered={"v2": 1})}, ["until then no client gets an answer of v2"]),
        ({"left": ("mirror",)}, ["v1 → v2 leaves no header route and no mirror behind"]),
    ],
)
def test_copies_must_arrive_and_their_answers_must_not(change: dict[str, Any], claims: list[str]) -> None:
    assert broken(mirrored(**change)) == claims


def test_a_turn_that_is_not_told_is_a_failure() -> None:
    act = SCENARIOS["notifications"].acts[0]
    course = replace(rolled_back_course(), act=act, told=act.expected.told)
    assert broken(course) == []
    assert broken(replace(course, told=act.expected.told[:-1])) == [
        "the receiver is told of each turn of v1 → v2, in order"
    ]


def test_a_browser_that_changes_version_before_the_end_is_decided_is_a_failure() -> None:
    act = SCENARIOS["sticky"].acts[0]
    met = Traffic(answered={"v1": 900, "v2": 100})
    course = replace(promoted_course(), act=act, undecided=met)
    assert broken(course) == []
    claim = "until v1 → v2 is decided, nobody with a cookie changes version"
    moved = replace(met, moved={("v1", "v2"): 1})
    assert claim in broken(replace(course, undecided=moved))
    assert claim in broken(replace(course, undecided=Traffic(answered={"v1": 900}))), "nobody met v2 at all"


def test_in_a_group_each_claim_says_which_service_it_is_about() -> None:
    acts = SCENARIOS["group"].acts
    courses = [replace(rolled_back_course(), act=act) for act in acts]
    assert broken(*courses) == ["reviews v1 → v2 is rolled back", "details v1 → v2 is rolled back"]


def test_a_version_that_the_next_one_meets_on_its_way_back_has_to_be_on_it() -> None:
    act = SCENARIOS["annotated"].acts[1]
    course = replace(rolled_back_course(), act=act)
    assert broken(replace(course, sights=course.sights[:3])) == []
    assert broken(replace(course, sights=course.sights[:2])) == ["v2 → v3 is being rolled back"]
    assert broken(course) == ["v2 → v3 is being rolled back"], "the next version would come too late"


def test_what_was_checked_meanwhile_stands_before_the_price() -> None:
    own = check(SCENARIOS["good"], [promoted_course()], TRAFFIC)
    other = Check("v2 has taken the place of v1", holds=False, seen="x")
    found = check(SCENARIOS["good"], [promoted_course()], TRAFFIC, [other])
    assert found == (own[0], other, *own[1:])


def test_moving_during_an_outage_is_a_failure() -> None:
    course = outage_course()
    moved = Sight(30.0, status("Progressing", "ProvenNotWorse", "10% → 25%", 25))
    course = replace(course, sights=(*course.sights[:3], moved, *course.sights[3:]))
    assert broken(course) == ["without telemetry the weight stays for at least 20 s"]


def test_an_outage_that_never_came_is_a_failure() -> None:
    assert broken(replace(outage_course(), outage=None)) == [
        "without telemetry the weight stays for at least 20 s",
        "the status says that telemetry is missing",
    ]


def test_holding_without_saying_why_is_a_failure() -> None:
    course = outage_course()
    quiet = status("Progressing", "NotYetProven", "not yet proven", 10)
    silent = (replace(sight, status=quiet) if sight.status is HOLDING else sight for sight in course.sights)
    assert broken(replace(course, sights=tuple(silent))) == ["the status says that telemetry is missing"]


def test_an_act_that_was_not_reached_is_a_failure() -> None:
    other = ended(promoted_course(), Sight(40.0, status("RolledBack", "RegressionProven", "proven worse")))
    assert broken(other, scenario=SCENARIOS["demo"]) == ["v1 → v2 is promoted", "v2 → v3 is played"]


@pytest.mark.parametrize(
    ("traffic", "claim"),
    [
        (replace(TRAFFIC, misrouted={"NC": 1}), "no request failed because of shifting, says Envoy's access log"),
        (replace(TRAFFIC, broken=1), "no request failed because of shifting, says Envoy's access log"),
        (replace(TRAFFIC, foreign=1), "no request failed because of shifting, says the client"),
        (
            replace(TRAFFIC, unanswered=1, logged=TRAFFIC.sent - 1),
            "no request failed because of shifting, says the client",
        ),
        (replace(TRAFFIC, logged=TRAFFIC.sent - 1), "both records hold every request"),
        (replace(TRAFFIC, logged=TRAFFIC.sent + 1), "both records hold every request"),
        (NO_TRAFFIC, "both records hold every request"),
    ],
)
def test_a_single_lost_request_is_a_failure(traffic: Traffic, claim: str) -> None:
    assert broken(promoted_course(), traffic=traffic) == [claim]
