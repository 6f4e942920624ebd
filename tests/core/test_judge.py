import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshshift.core.evidence import Counts
from meshshift.core.judge import Assessment, Evidence, Indicator, JudgeSettings, Latency, SuccessRate
from meshshift.core.telemetry import Slow, Tick, Traffic

RUNS = json.loads((Path(__file__).parents[1] / "data" / "telemetry" / "runs.json").read_text())

SUCCESS = (Indicator("success-rate", 1.0, SuccessRate()),)
BOTH = (Indicator("success-rate", 0.5, SuccessRate(objective=0.99)), Indicator("latency", 0.5, Latency(0.3, 0.9)))
TAIL = (Indicator("latency", 1.0, Latency()),)
DEFAULTS = JudgeSettings()


def traffic(total: float, failed: float, *slow: tuple[float, float]) -> Traffic:
    halves = (Counts(total / 2, failed / 2), Counts(total / 2, failed / 2))
    buckets = tuple(
        Slow(boundary, bad, (Counts(total / 2, bad / 2), Counts(total / 2, bad / 2))) for boundary, bad in slow
    )
    return Traffic(total, failed, halves=halves, timed=total if slow else 0.0, slow=buckets)


def tick(at: float, canary: Traffic, stable: Traffic, seconds: float = 15.0) -> Tick:
    return Tick(at, at + seconds, canary, stable)


def warmed(indicators: tuple[Indicator, ...], stable: Traffic, judged_by: JudgeSettings = DEFAULTS) -> Evidence:
    """Two minutes of stable traffic before the run, which begins at 120."""
    evidence = Evidence.begin(indicators, judged_by, at=0.0)
    for at in range(0, 120, 15):
        evidence = evidence.warm(tick(at, Traffic(), stable))
    return evidence


def steady(evidence: Evidence, canary: Traffic, stable: Traffic, ticks: int) -> Evidence:
    for _ in range(ticks):
        evidence = evidence.see(tick(evidence.until, canary, stable))
    return evidence


# --- against an independent implementation ---------------------------------------------------------------------------


def golden_ticks(run: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Tick]]:
    at = 0.0
    for row in run["ticks"]:
        halves = tuple(Counts(row["stable"][0] / 2, bad) for bad in row["halves"])
        total, failed = row["stable"]
        stable = Traffic(total, failed, halves=(halves[0], halves[1]))
        yield row, Tick(at, at + row["seconds"], Traffic(*row["canary"]), stable)
        at += row["seconds"]


@pytest.mark.parametrize("run", RUNS)
def test_evidence_agrees_with_an_independent_implementation(run: dict[str, Any]) -> None:
    indicators = [Indicator("a", run["share"], SuccessRate())]
    if run["share"] < 1:
        indicators.append(Indicator("silent", 1 - run["share"], Latency()))
    evidence = Evidence.begin(indicators, JudgeSettings(**run["settings"]), at=0.0)
    for place, (row, seen) in enumerate(golden_ticks(run)):
        if place < run["warm"]:
            evidence = evidence.warm(seen)
            continue
        evidence = evidence.see(seen)
        question = evidence.courses[0].questions[0]
        assert question.alarm is not None
        assert question.proofs is not None
        assert question.alarm.value == pytest.approx(row["alarm"], rel=1e-9)
        far = indicators[0].far(evidence.settings)
        assert question.evidence(far) == pytest.approx(row["evidence"], rel=1e-9)
        assert [question.proofs.value(rung) for rung in range(8)] == pytest.approx(row["proofs"], rel=1e-9)
        assert question.baseline.rate == pytest.approx(row["rate"], rel=1e-12)
        assert question.baseline.dispersion == pytest.approx(row["dispersion"], rel=1e-12)
        for weight, needed in row["needed"].items():
            finding = evidence.assess(run["weight"], float(weight)).findings[0]
            assert finding.calm == row["calm"]
            if finding.calm:
                expected = pytest.approx(needed, rel=1e-9) if needed is not None else math.inf
                assert finding.requests_needed == expected
        for weight, allowed in row["advance"].items():
            assessment = evidence.assess(run["weight"], float(weight))
            assert (assessment.allowed, assessment.regression) == (allowed, row["roll_back"])


# --- what a run may and may not do -----------------------------------------------------------------------------------

arms = st.builds(
    lambda total, rate, slow: traffic(total, total * rate, (0.1, total * max(rate, slow)), (0.5, total * rate)),
    st.floats(0, 1e6),
    st.floats(0, 1),
    st.floats(0, 1),
)
windows = st.lists(st.tuples(arms, arms, st.floats(1, 2000), st.booleans()), max_size=12)


def replay(evidence: Evidence, seen: list[tuple[Traffic, Traffic, float, bool]]) -> Evidence:
    for canary, stable, seconds, warming_up in seen:
        evidence = evidence.see(tick(evidence.until, canary, stable, seconds), warming_up=warming_up)
    return evidence


@settings(max_examples=60)
@given(windows, windows, st.sampled_from([SUCCESS, BOTH, TAIL]))
def test_state_survives_restart_exactly(
    first: list[tuple[Traffic, Traffic, float, bool]],
    then: list[tuple[Traffic, Traffic, float, bool]],
    indicators: tuple[Indicator, ...],
) -> None:
    before = replay(warmed(indicators, traffic(500, 3, (0.1, 60), (0.5, 10))), first)
    restarted = Evidence.from_json(json.loads(json.dumps(before.to_json())))
    assert restarted == before
    assert replay(restarted, then) == replay(before, then)


@settings(max_examples=60)
@given(windows, st.sampled_from([SUCCESS, BOTH, TAIL]), st.floats(0, 1), st.floats(0.01, 1))
def test_an_assessment_is_always_finite(
    seen: list[tuple[Traffic, Traffic, float, bool]], indicators: tuple[Indicator, ...], weight: float, following: float
) -> None:
    assessment = replay(Evidence.begin(indicators, DEFAULTS, 0.0), seen).assess(weight, following)
    assert math.isfinite(assessment.overall_worse)
    assert not (assessment.regression and assessment.allowed)
    for finding in assessment.findings:
        assert math.isfinite(finding.worse)
        assert finding.proof is None or math.isfinite(finding.proof)
        assert finding.requests_needed >= 0


def test_a_tick_is_ingested_once() -> None:
    start = warmed(SUCCESS, traffic(1500, 7))
    terrible = tick(start.until, traffic(150, 140), traffic(1350, 7))
    once = start.see(terrible)
    assert once.see(terrible) is once
    assert once.canary_requests == 150
    assert once.until == terrible.end


def test_a_warm_window_is_learned_once() -> None:
    start = Evidence.begin(SUCCESS, DEFAULTS, at=100.0)
    window = tick(85.0, Traffic(), traffic(1500, 7))
    once = start.warm(window)
    assert once.warm(window) is once
    assert once.rps == 100


def test_half_seen_ticks_are_refused() -> None:
    evidence = steady(warmed(SUCCESS, traffic(1500, 7)), traffic(10, 0), traffic(100, 0), 1)
    with pytest.raises(ValueError, match="start it there"):
        evidence.see(tick(evidence.until - 5, traffic(10, 0), traffic(100, 0)))


def test_traffic_is_frozen_once_judging_begins() -> None:
    evidence = steady(warmed(SUCCESS, traffic(1500, 7)), traffic(10, 0), traffic(100, 0), 1)
    assert evidence.rps == pytest.approx(100)
    with pytest.raises(ValueError, match="judging has begun"):
        evidence.warm(tick(evidence.until, Traffic(), traffic(9, 0)))


def test_what_is_skipped_is_never_counted() -> None:
    start = warmed(SUCCESS, traffic(1500, 7))
    skipped = start.skip_to(start.until + 15)
    assert skipped.see(tick(start.until, traffic(150, 150), traffic(1350, 7))) == skipped
    assert skipped.courses == start.courses
    assert skipped.skip_to(0.0) == skipped


def test_no_data_is_not_failure() -> None:
    start = warmed(BOTH, traffic(1500, 7, (0.3, 20)))
    later = steady(start, Traffic(), Traffic(), 40)
    assessment = later.assess(0.1, 1.0)
    assert not assessment.regression
    assert not assessment.allowed
    assert assessment.overall_worse == pytest.approx(0, abs=1e-9)


def test_no_canary_traffic_proves_nothing() -> None:
    later = steady(warmed(SUCCESS, traffic(1500, 7)), Traffic(), traffic(1500, 7), 100)
    assert not later.assess(0.05, 1.0).allowed


@pytest.mark.parametrize("indicators", [SUCCESS, BOTH])
def test_shared_outage_blames_neither(indicators: tuple[Indicator, ...]) -> None:
    healthy = steady(
        warmed(indicators, traffic(1500, 7, (0.3, 20))), traffic(150, 1, (0.3, 2)), traffic(1350, 7, (0.3, 18)), 8
    )
    struck = steady(healthy, traffic(150, 75, (0.3, 75)), traffic(1350, 675, (0.3, 675)), 20)
    assert not struck.assess(0.1, 0.25).regression
    recovered = steady(struck, traffic(150, 1, (0.3, 2)), traffic(1350, 7, (0.3, 18)), 40)
    assert recovered.assess(0.1, 0.25).allowed


def test_no_single_scrape_rolls_back_a_calm_canary_but_two_do() -> None:
    start = steady(warmed(SUCCESS, traffic(15000, 75)), traffic(1500, 7), traffic(13500, 68), 4)
    terrible = (traffic(1500, 1500), traffic(13500, 68))
    assert not steady(start, *terrible, 1).assess(0.1, 0.25).regression
    assert steady(start, *terrible, 2).assess(0.1, 0.25).regression


def test_a_handful_of_failures_is_suspicious_but_rolls_back_only_with_one_more() -> None:
    start = warmed(SUCCESS, traffic(150, 0.75))
    few = steady(start, traffic(7, 2), traffic(143, 1), 2)
    question = few.courses[0].questions[0]
    assert question.suspicion > few.courses[0].indicator.far(DEFAULTS)
    assert not few.assess(0.05, 0.1).regression
    assert not few.assess(0.05, 0.1).findings[0].calm
    assert steady(few, traffic(7, 1), traffic(143, 1), 1).assess(0.05, 0.1).regression


def test_nothing_rises_while_an_alarm_is_under_way() -> None:
    start = warmed(SUCCESS, traffic(150, 0.75))
    calm = steady(start, traffic(7, 0), traffic(143, 1), 2).assess(0.005, 0.01)
    assert calm.findings[0].proof is None
    assert calm.allowed, "so few requests need no proof"
    alarmed = steady(start, traffic(7, 2), traffic(143, 1), 2).assess(0.005, 0.01)
    assert alarmed.findings[0].proof is None
    assert not alarmed.regression
    assert not alarmed.findings[0].calm
    assert not alarmed.allowed


def test_a_terrible_scrape_is_remembered_for_minutes() -> None:
    good = (traffic(1500, 7), traffic(13500, 68))
    start = steady(warmed(SUCCESS, traffic(15000, 75)), *good, 4)
    once = steady(start, traffic(1500, 1500), traffic(13500, 68), 1)
    remembered = steady(once, *good, 40).assess(0.1, 0.25).overall_worse
    assert remembered > steady(start, *good, 41).assess(0.1, 0.25).overall_worse + 0.7
    assert steady(once, *good, 400).assess(0.1, 0.25).overall_worse < -1


def test_a_regression_after_a_day_of_good_running_is_still_found() -> None:
    good = steady(warmed(SUCCESS, traffic(1500, 7)), traffic(750, 4), traffic(750, 4), 4 * 60 * 24)
    assert steady(good, traffic(750, 40), traffic(750, 4), 6).assess(0.5, 1.0).regression


def test_nothing_is_compared_before_stable_was_seen() -> None:
    first = steady(Evidence.begin(SUCCESS, DEFAULTS, 0.0), traffic(150, 140), traffic(1350, 7), 1)
    assert first.assess(0.1, 0.25).overall_worse == pytest.approx(0, abs=1e-12)
    assert steady(first, traffic(150, 140), traffic(1350, 7), 2).assess(0.1, 0.25).regression


def test_a_long_window_spends_at_most_half_of_the_reserve() -> None:
    start = warmed(SUCCESS, traffic(1500, 7))
    late = start.see(tick(start.until, traffic(36000, 180), traffic(324000, 1620), seconds=3600))
    assert late.assess(0.1, 0.25).overall_worse > math.log10(1 / 6) - 1e-9


def test_warming_up_only_a_catastrophe_counts() -> None:
    def seen(failed: float, warming_up: bool) -> Assessment:
        evidence = warmed(SUCCESS, traffic(1500, 7))
        for _ in range(12):
            window = tick(evidence.until, traffic(150, failed), traffic(1350, 7))
            evidence = evidence.see(window, warming_up=warming_up)
        return evidence.assess(0.1, 0.25)

    assert seen(4, warming_up=False).regression
    assert not seen(4, warming_up=True).regression
    assert seen(75, warming_up=True).regression
    assert seen(0, warming_up=False).allowed
    assert not seen(0, warming_up=True).allowed


def test_the_first_weight_is_taken_on_faith_and_the_next_is_earned() -> None:
    start = warmed(SUCCESS, traffic(1500, 7))
    assert start.assess(0.0, 0.05).allowed
    assert start.assess(0.0, 0.05).findings[0].proof is None
    assert not start.assess(0.05, 0.25).allowed
    earned = steady(start, traffic(75, 0), traffic(1425, 7), 30)
    assert earned.assess(0.05, 0.25).allowed


def test_low_traffic_spends_its_spare_requests_but_never_at_full_weight() -> None:
    start = warmed(SUCCESS, traffic(7.5, 0))
    assert start.assess(0.05, 0.2).findings[0].proof is None
    assert start.assess(0.05, 1.0).findings[0].proof is not None
    assert start.rung(1.0) == 0
    assert warmed(SUCCESS, traffic(1.5, 0)).rung(1.0) == 0
    strict = warmed(SUCCESS, traffic(7.5, 0), JudgeSettings(spare_requests=0.0))
    assert strict.assess(0.05, 0.2).findings[0].proof is not None


def test_at_full_weight_there_is_nothing_to_compare_with() -> None:
    finding = warmed(SUCCESS, traffic(1500, 7)).assess(1.0, 1.0).findings[0]
    assert finding.requests_needed == math.inf


def test_a_canary_above_its_objective_is_not_blamed_while_stable_fails_too() -> None:
    indicators = (Indicator("success-rate", 1.0, SuccessRate(objective=0.99)),)
    both_fail = steady(warmed(indicators, traffic(1500, 75)), traffic(150, 8), traffic(1350, 68), 60)
    assessment = both_fail.assess(0.1, 0.25)
    assert not assessment.regression
    assert not assessment.allowed
    assert "objective is missed" in assessment.findings[0].note
    alone = steady(warmed(indicators, traffic(1500, 7)), traffic(150, 8), traffic(1350, 7), 20)
    assert alone.assess(0.1, 0.25).regression


def test_a_canary_hardly_worse_than_a_stable_that_misses_the_objective_is_not_blamed() -> None:
    indicators = (Indicator("success-rate", 1.0, SuccessRate(objective=0.99)),)
    start = warmed(indicators, traffic(15000, 750))
    both_fail = steady(start, traffic(1500, 100), traffic(13500, 675), 60)
    question, far = both_fail.courses[0].questions[0], indicators[0].far(DEFAULTS)
    assert question.objective is not None
    assert question.objective.value >= far
    assert question.unlike.value >= 30 * far, "it is shown to be worse, and to miss its objective"
    assert not both_fail.assess(0.1, 0.25).regression


def test_a_canary_within_its_objective_is_not_rolled_back_for_being_worse_nor_promoted() -> None:
    indicators = (Indicator("success-rate", 1.0, SuccessRate(objective=0.9)),)
    worse = steady(warmed(indicators, traffic(1500, 1)), traffic(150, 6), traffic(1350, 1), 60)
    assessment = worse.assess(0.1, 1.0)
    assert not assessment.regression
    assert not assessment.allowed
    assert "objective is not shown to be missed" in assessment.findings[0].note


def test_the_culprit_is_the_indicator_that_shows_it() -> None:
    start = warmed(BOTH, traffic(1500, 7, (0.3, 20)))
    slow = steady(start, traffic(150, 1, (0.3, 100)), traffic(1350, 7, (0.3, 18)), 5).assess(0.1, 0.25)
    assert slow.regression
    assert slow.culprit == "latency"
    assert slow.overall_worse >= 2


# --- latency ---------------------------------------------------------------------------------------------------------


def test_a_threshold_between_boundaries_rolls_back_on_the_upper_and_advances_on_the_lower() -> None:
    indicators = (Indicator("latency", 1.0, Latency(threshold=0.3)),)
    start = warmed(indicators, traffic(1500, 0, (0.25, 15), (0.5, 5), (1.0, 0)))
    upper, lower = start.courses[0].questions
    assert (upper.boundary, upper.proofs) == (0.5, None)
    assert (lower.boundary, lower.alarm) == (0.25, None)
    between = steady(start, traffic(150, 0, (0.25, 75), (0.5, 1), (1.0, 0)), traffic(1350, 0, (0.25, 14), (0.5, 5)), 30)
    assert not between.assess(0.1, 0.25).regression
    assert not between.assess(0.1, 0.25).allowed


def test_without_a_threshold_stable_chooses_the_boundaries_and_they_stay() -> None:
    start = warmed(TAIL, traffic(1500, 0, (0.025, 900), (0.05, 140), (0.1, 60), (0.25, 14), (0.5, 1)))
    chosen = [question.boundary for question in start.courses[0].questions]
    assert chosen == [0.05, 0.1, 0.25]
    slower = steady(start, traffic(150, 0, (0.05, 60), (0.1, 30)), traffic(1350, 0, (0.05, 1300), (0.1, 1200)), 3)
    assert [question.boundary for question in slower.courses[0].questions] == chosen


def test_a_canary_slow_at_one_boundary_only_is_found_and_not_promoted() -> None:
    buckets = (0.05, 140), (0.1, 60), (0.25, 14)
    start = warmed(TAIL, traffic(1500, 0, *buckets))
    canary = traffic(150, 0, (0.05, 20), (0.1, 15), (0.25, 15))
    found = steady(start, canary, traffic(1350, 0, (0.05, 126), (0.1, 54), (0.25, 13)), 12).assess(0.1, 0.25)
    assert found.regression
    assert found.findings[0].canary.bad == 15 * 12


def test_every_boundary_must_be_proven_and_the_alarm_is_their_mean() -> None:
    start = warmed(TAIL, traffic(1500, 0, (0.05, 140), (0.1, 60), (0.25, 1)))
    canary = traffic(750, 0, (0.05, 65), (0.1, 27), (0.25, 5))
    found = steady(start, canary, traffic(750, 0, (0.05, 70), (0.1, 30), (0.25, 1)), 8)
    finding = found.assess(0.5, 1.0).findings[0]
    questions = found.courses[0].questions
    proofs = [question.proofs.value(0) for question in questions if question.proofs]
    assert max(proofs) > 20 > min(proofs)
    assert finding.proof == pytest.approx(math.log10(min(proofs)))
    mean = sum(question.evidence(100.0) for question in questions) / len(questions)
    assert finding.worse == pytest.approx(math.log10(mean))


def test_latency_waits_until_stable_is_known() -> None:
    start = Evidence.begin(TAIL, DEFAULTS, 0.0)
    finding = start.assess(0.1, 0.5).findings[0]
    assert finding.calm
    assert finding.requests_needed == math.inf
    few = steady(start, traffic(2, 0, (0.1, 2)), traffic(20, 0, (0.1, 1)), 3)
    assert "60 of 100 requests" in few.assess(0.1, 0.5).findings[0].note
    assert not few.assess(0.1, 0.5).allowed
    assert steady(few, traffic(2, 0, (0.1, 0)), traffic(20, 0, (0.1, 1)), 4).courses[0].questions


@pytest.mark.parametrize(("threshold", "word"), [(20.0, "above the largest"), (0.0001, "below the smallest")])
def test_a_threshold_outside_the_histogram_says_so(threshold: float, word: str) -> None:
    indicators = (Indicator("latency", 1.0, Latency(threshold=threshold)),)
    finding = warmed(indicators, traffic(1500, 0, (0.1, 10), (1.0, 0))).assess(0.1, 0.25).findings[0]
    assert word in finding.note


def test_a_missing_boundary_is_no_evidence() -> None:
    indicators = (Indicator("latency", 1.0, Latency(threshold=0.3)),)
    start = warmed(indicators, traffic(1500, 0, (0.3, 15)))
    other = start.see(tick(start.until, traffic(150, 0, (0.2, 150)), traffic(1350, 0, (0.2, 1))))
    assert other.assess(0.1, 0.5).overall_worse == pytest.approx(0, abs=1e-12)


# --- what is refused -------------------------------------------------------------------------------------------------


def test_shares_are_parts_of_one_allowance() -> None:
    with pytest.raises(ValueError, match=r"sum to 0\.5"):
        Evidence.begin([Indicator("a", 0.5, SuccessRate())], DEFAULTS, 0.0)
    with pytest.raises(ValueError, match="a name of its own"):
        Evidence.begin([Indicator("a", 0.5, SuccessRate())] * 2, DEFAULTS, 0.0)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(JudgeSettings)])
@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_settings_without_meaning_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        JudgeSettings(**{field: value})


def test_an_objective_for_latency_needs_a_threshold() -> None:
    with pytest.raises(ValueError, match="without a threshold"):
        Latency(objective=0.99)


def spoilt(data: Any, *path: Any, value: object) -> Any:
    copy = json.loads(json.dumps(data))
    place = copy
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return copy


@pytest.mark.parametrize("value", ["x", -1.0, math.nan, None, True, {}])
def test_an_edited_status_is_refused_by_path(value: object) -> None:
    data = warmed(BOTH, traffic(1500, 7, (0.3, 20))).to_json()
    with pytest.raises(ValueError, match=r"Evidence\.courses\[0\]\.questions\[0\]\.baseline\.seen"):
        Evidence.from_json(spoilt(data, "courses", 0, "questions", 0, "baseline", "seen", value=value))


def test_missing_stakes_are_refused() -> None:
    data = warmed(BOTH, traffic(1500, 7, (0.3, 20))).to_json()
    with pytest.raises(ValueError, match="stakes"):
        Evidence.from_json(spoilt(data, "courses", 0, "questions", 0, "alarm", "stakes", value=[1.0]))


def test_state_does_not_grow_with_time() -> None:
    early = steady(warmed(BOTH, traffic(1500, 7, (0.3, 20))), traffic(150, 1, (0.3, 2)), traffic(1350, 7, (0.3, 18)), 2)
    late = steady(early, traffic(150, 1, (0.3, 2)), traffic(1350, 7, (0.3, 18)), 500)

    def numbers(evidence: Evidence) -> int:
        return json.dumps(evidence.to_json()).count(":")

    assert numbers(late) == numbers(early)
    assert len(json.dumps(late.to_json())) < 6000


def test_without_indicators_time_is_kept_and_nothing_is_judged() -> None:
    evidence = Evidence.begin((), DEFAULTS, 0.0).see(Tick(0.0, 15.0, traffic(100, 90), traffic(900, 1)))
    found = evidence.assess(0.1, 0.5)
    assert (evidence.until, found.findings, found.regression, found.culprit) == (15.0, (), False, None)
    assert Evidence.from_json(evidence.to_json()) == evidence
