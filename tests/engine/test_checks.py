"""Checks through the whole engine, in simulated time: what counts, what holds, and what a restart must not change."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from meshshift.core.telemetry import Series, Snapshot
from meshshift.engine.ports import QueryError, ServiceId
from tests.engine.simulation import Behaviour, Killed, Simulation, bookinfo, shift

PROMQL = 'sum(rate(errors{workload=~"{{canaryWorkload}}"}[{{interval}}]))'
Answer = tuple[Series, ...] | QueryError


def one(value: float) -> tuple[Series, ...]:
    return (Series.of({}, value),)


def spec(method: str = "Sequential", *, limit: int | None = None, **more: Any) -> dict[str, Any]:
    checkout: dict[str, Any] = {"name": "checkout", "query": {"promql": PROMQL, "max": 0.2}}
    if limit:
        checkout["failureLimit"] = limit
    errors = {"name": "errors", "successRate": {"objective": 99}}
    analysis = {"method": method, "interval": "5s", "warmup": "0s", "indicators": [errors, checkout]}
    return {"analysis": analysis | more.pop("analysis", {}), **more}


def begun(answer: Callable[[Simulation, float], Answer] = lambda simulation, at: one(0.1), **asked: Any) -> Simulation:
    simulation = bookinfo()
    simulation.answer = answer
    simulation.mesh.put(shift(**spec(**asked)))
    return simulation


def threshold(objective: float = 99, **analysis: Any) -> Simulation:
    simulation = bookinfo()
    indicators = [{"name": "errors", "successRate": {"objective": objective}}]
    base = {"method": "Threshold", "interval": "5s", "warmup": "0s", "indicators": indicators}
    simulation.mesh.put(shift(analysis=base | analysis))
    return simulation


def ended(simulation: Simulation) -> bool:
    return simulation.phase in {"Succeeded", "RolledBack", "Failed"}


def at_weight(percent: float) -> Callable[[Simulation], bool]:
    return lambda simulation: simulation.weight == percent


def checked(simulation: Simulation, name: str = "checkout") -> dict[str, Any]:
    entries = {each["indicator"]: each for each in simulation.status["evidence"]}
    found: dict[str, Any] = entries[name]
    return found


@pytest.mark.parametrize("method", ["Sequential", "Threshold"])
def test_a_canary_that_passes_is_promoted(method: str) -> None:
    simulation = begun(method=method)
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded", simulation.status["message"]
    told = " ".join(message for _, message in simulation.mesh.events.values())
    assert "checkout is 0.1, at most 0.2" in told
    assert ("proven not worse" in told) == (method == "Sequential")


@pytest.mark.parametrize("method", ["Sequential", "Threshold"])
def test_the_third_failure_rolls_back_with_value_bound_and_count(method: str) -> None:
    simulation = begun(lambda simulation, at: one(0.31), method=method)
    simulation.run(600, until=ended)
    assert (simulation.phase, simulation.weight) == ("RolledBack", 0)
    assert simulation.status["reason"] == "FailureLimitReached"
    assert simulation.status["message"] == "5% → 0%: checkout is 0.31, above 0.2, for the 3rd time"
    entry = checked(simulation)
    assert (entry["value"], entry["max"], entry["failures"], entry["failureLimit"]) == (0.31, 0.2, 3, 3)


def test_failures_add_up_over_the_run_whatever_passed_in_between() -> None:
    bad = {1, 3, 5}
    simulation = begun(lambda simulation, at: one(0.9 if len({t for _, t in simulation.asked}) in bad else 0.1))
    weights: list[float] = []
    simulation.checks.append(lambda s: weights.append(s.weight) if not weights or weights[-1] != s.weight else None)
    simulation.run(600, until=ended)
    assert simulation.phase == "RolledBack"
    assert max(weights) > 5
    assert "for the 3rd time" in simulation.status["message"]


def test_two_failures_of_three_are_not_the_end() -> None:
    simulation = begun(lambda simulation, at: one(0.9 if len({t for _, t in simulation.asked}) in {2, 4} else 0.1))
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded"
    assert checked(simulation)["failures"] == 2


def test_an_instant_is_asked_and_counted_once() -> None:
    simulation = begun(lambda simulation, at: one(0.9), limit=100)
    simulation.run(300)
    instants = [at for _, at in simulation.asked]
    assert len(instants) > 20
    assert len(instants) == len(set(instants))
    assert checked(simulation)["failures"] == len(instants)


def test_a_failing_check_keeps_the_next_weight_back_and_says_so() -> None:
    simulation = begun(lambda simulation, at: one(0.9), limit=100)
    simulation.run(200)
    assert (simulation.phase, simulation.weight) == ("Progressing", 5)
    assert simulation.status["reason"] == "CheckFailed"
    assert "checkout is 0.9, above 0.2 (" in simulation.status["message"]
    simulation.answer = lambda simulation, at: one(0.2)
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded"


@pytest.mark.parametrize("method", ["Sequential", "Threshold"])
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((), "no data: nothing matches"),
        (one(math.nan), "no data: the query gives nan"),
        (one(math.inf), "no data: the query gives inf"),
        ((Series.of({"pod": "a"}, 0.1), Series.of({"pod": "b"}, 0.9)), 'gives 2 series ({pod="a"}, {pod="b"})'),
        (QueryError("QueryFailed", "Prometheus refused the query: parse error"), "checkout: Prometheus refused"),
    ],
    ids=["empty", "NaN", "Inf", "several", "refused"],
)
def test_what_is_no_number_neither_passes_nor_fails(answer: Answer, said: str, method: str) -> None:
    simulation = begun(lambda simulation, at: answer, method=method)
    simulation.run(300)
    assert (simulation.phase, simulation.weight) == ("Progressing", 5)
    assert said in simulation.status["message"]
    assert checked(simulation)["failures"] == 0
    simulation.answer = lambda simulation, at: one(0.1)
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded"


def test_an_old_pass_does_not_stand_in_for_silence() -> None:
    simulation = begun(method="Threshold")
    simulation.run(100, until=at_weight(25))
    simulation.run(8)
    simulation.answer = lambda simulation, at: ()
    simulation.run(300)
    assert (simulation.phase, simulation.weight) == ("Progressing", 25)


def test_an_outage_of_prometheus_holds_and_forgets_no_failure() -> None:
    simulation = begun(lambda simulation, at: one(0.9))
    simulation.run(100, until=lambda s: s.weight == 5 and checked(s)["failures"] == 2)
    simulation.prometheus = QueryError("PrometheusUnreachable", "Prometheus cannot be reached")
    simulation.run(300)
    assert (simulation.phase, simulation.weight) == ("Progressing", 5)
    assert "cannot be reached" in simulation.status["message"]
    assert checked(simulation)["failures"] == 2
    simulation.prometheus = None
    simulation.run(15, until=ended)
    assert simulation.phase == "RolledBack"


def test_an_outage_is_not_asked_about_in_a_hot_loop() -> None:
    """A held shift looks again soon, not at once: while paused, too."""
    simulation = begun()
    simulation.run(100, until=at_weight(5))
    simulation.mesh.edit("TrafficShift", "reviews", lambda s: s["spec"].update(paused=True))
    simulation.run(20)
    simulation.prometheus = QueryError("PrometheusUnreachable", "Prometheus cannot be reached")
    before = len(simulation.journal.decisions)
    simulation.run(100)
    assert len(simulation.journal.decisions) - before <= 25


def test_a_restart_in_the_middle_keeps_the_count() -> None:
    simulation = begun(lambda simulation, at: one(0.9))
    simulation.run(100, until=lambda s: s.weight == 5 and checked(s)["failures"] == 2)
    asked = len(simulation.asked)
    simulation.restart()
    simulation.run(30, until=ended)
    assert simulation.phase == "RolledBack"
    assert len(simulation.asked) == asked + 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_dying_at_any_call_loses_and_doubles_no_failure(moment: str) -> None:
    def play(victim: int) -> Simulation:
        simulation = begun(lambda simulation, at: one(0.9 if at % 15 else 0.1))

        def kill(call: str, number: int, when: str) -> None:
            if number == victim and when == moment:
                raise Killed

        simulation.mesh.interrupt = kill
        simulation.run(300, until=ended)
        return simulation

    undisturbed = play(0)
    assert undisturbed.phase == "RolledBack"
    for victim in range(1, len(undisturbed.mesh.calls) + 1):
        simulation = play(victim)
        failed = {at for _, at in simulation.asked if at % 15}
        assert (simulation.phase, simulation.status["reason"]) == ("RolledBack", "FailureLimitReached"), victim
        assert (checked(simulation)["failures"], len(failed)) == (3, 3), victim


def test_the_state_of_checks_survives_exactly_and_stays_bounded() -> None:
    simulation = begun(lambda simulation, at: one(-0.1) if at % 10 else (), limit=100)
    simulation.run(120)
    early = simulation.status["checkpoint"]
    simulation.run(3600)
    late = simulation.status["checkpoint"]
    assert len(late) < len(early) + 500
    assert len(json.loads(late)["checks"]) == 1


def test_queries_are_asked_for_whole_intervals_of_the_present_weight() -> None:
    simulation = begun()
    weights: list[tuple[float, float]] = []

    def watch(s: Simulation) -> None:
        if s.weight and (not weights or weights[-1][1] != s.weight):
            weights.append((s.now, s.weight))

    simulation.checks.append(watch)
    simulation.run(600, until=ended)
    instants = [at for _, at in simulation.asked]
    assert [weight for _, weight in weights] == [5, 25, 50, 100]
    for since, _ in weights[:-1]:
        assert min(at for at in instants if at > since) >= since + simulation.interval


def test_every_weight_is_checked_anew_however_short_its_step() -> None:
    canary = {"steps": [{"setWeight": 5}, {"setWeight": 50}], "minStepDuration": "0s"}
    simulation = begun(method="Threshold", strategy={"canary": canary})
    set_at: dict[float, float] = {}
    simulation.checks.append(lambda s: None if s.weight in set_at else set_at.update({s.weight: s.now}))
    simulation.run(600, until=ended)
    for weight, following in ((5, 50), (50, 100)):
        own = [at for _, at in simulation.asked if set_at[weight] + 5 <= at < set_at[following]]
        assert own, f"{weight}% was left without a check of its own"


def test_nothing_is_checked_while_the_canary_is_to_get_nothing() -> None:
    steps = [{"pause": {"duration": "60s"}}, {"setWeight": 5}]
    simulation = begun(method="Threshold", strategy={"canary": {"steps": steps, "minStepDuration": "10s"}})
    simulation.run(50)
    assert (simulation.weight, simulation.status["step"]["name"]) == (0, "pause 60 s")
    assert simulation.asked == []
    assert [entry.get("note") for entry in simulation.status["evidence"]] == [None, None]


def test_a_pass_before_telemetry_fell_silent_does_not_advance_after_it() -> None:
    simulation = threshold(stepTimeout="60s")
    simulation.run(100, until=at_weight(25))
    simulation.mesh.edit("TrafficShift", "reviews", lambda s: s["spec"].update(paused=True))
    simulation.run(100)

    async def nothing(services: Sequence[ServiceId], at: float) -> Mapping[ServiceId, Snapshot]:
        return {service: Snapshot(at) for service in services}

    simulation.snapshots = nothing  # type: ignore[method-assign]
    simulation.run(20)
    simulation.mesh.edit("TrafficShift", "reviews", lambda s: s["spec"].update(paused=False))
    simulation.run(100)
    assert (simulation.weight, simulation.status["reason"]) == (25, "StepTimeout")
    assert "not passed within stepTimeout" in simulation.status["message"]


def test_nothing_is_asked_before_the_pods_have_warmed_up() -> None:
    simulation = begun(analysis={"warmup": "1h"})
    simulation.run(300)
    assert simulation.weight == 5
    assert simulation.asked == []


def test_variables_are_filled_in() -> None:
    simulation = begun()
    simulation.run(100, until=at_weight(25))
    assert {promql for promql, _ in simulation.asked} == {'sum(rate(errors{workload=~"(reviews-v2)"}[5s]))'}


def test_on_failure_pause_holds_until_a_person_resumes_with_a_fresh_count() -> None:
    simulation = begun(lambda simulation, at: one(0.9), onFailure="Pause")
    simulation.run(100, until=lambda s: s.phase == "Paused")
    simulation.run(60)
    assert (simulation.phase, simulation.weight) == ("Paused", 5)
    assert simulation.status["reason"] == "FailureLimitReached"
    analyzed = next(each for each in simulation.status["conditions"] if each["type"] == "Analyzed")
    assert analyzed["status"] == "False"
    simulation.answer = lambda simulation, at: one(0.1)
    simulation.command("resume")
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded"
    assert checked(simulation)["failures"] == 0


@pytest.mark.parametrize("by", ["spec", "command"])
def test_a_paused_canary_is_still_checked(by: str) -> None:
    simulation = begun()
    simulation.run(100, until=at_weight(5))
    if by == "spec":
        simulation.mesh.edit("TrafficShift", "reviews", lambda s: s["spec"].update(paused=True))
    else:
        simulation.command("pause")
    simulation.run(20)
    assert simulation.phase == "Paused"
    simulation.answer = lambda simulation, at: one(0.9)
    simulation.run(60, until=ended)
    assert simulation.status["reason"] == "FailureLimitReached"


def test_a_persons_promotion_stands_in_for_a_check_that_says_nothing() -> None:
    simulation = begun(lambda simulation, at: ())
    simulation.run(100)
    simulation.command("promote")
    simulation.run(10)
    assert simulation.weight == 25


@pytest.mark.parametrize(
    ("policy", "weight", "reason"),
    [("Hold", 5, "StepTimeout"), ("Rollback", 0, "StepTimeout"), ("Advance", 100, "Promoted")],
)
def test_silence_until_the_timeout_follows_on_inconclusive(policy: str, weight: float, reason: str) -> None:
    analysis = {"stepTimeout": "60s", "onInconclusive": policy}
    simulation = begun(lambda simulation, at: (), analysis=analysis)
    simulation.run(600, until=ended)
    assert (simulation.weight, simulation.status["reason"]) == (weight, reason)


def test_an_error_is_never_inconclusive() -> None:
    """Not even `onInconclusive: Advance` gets past a query that cannot be asked."""
    analysis = {"stepTimeout": "60s", "onInconclusive": "Advance"}
    simulation = begun(lambda simulation, at: QueryError("QueryFailed", "no"), analysis=analysis)
    simulation.run(600)
    assert (simulation.weight, simulation.status["reason"]) == (5, "CheckError")


# --- method Threshold ------------------------------------------------------------------------------------------------


def test_a_rate_below_its_objective_is_rolled_back_by_count() -> None:
    simulation = threshold()
    simulation.traffic.versions["v2"] = Behaviour(failing=0.05)
    simulation.run(600, until=ended)
    assert simulation.phase == "RolledBack"
    assert simulation.status["message"] == "5% → 0%: errors is 95%, below 99%, for the 3rd time"


def test_the_sequential_judge_is_shown_and_not_asked() -> None:
    simulation = threshold(
        indicators=[{"name": "errors", "successRate": {"objective": 99}, "failureLimit": 100}], tolerance=0
    )
    simulation.traffic.versions["v2"] = Behaviour(failing=0.5)
    simulation.run(200)
    assert (simulation.phase, simulation.weight) == ("Progressing", 5)
    assert simulation.status["reason"] == "CheckFailed"
    entry = checked(simulation, "errors")
    assert entry["worse"] > entry["worseBar"]
    assert entry["canaryBad"] > 0
    assert entry["requestsNeeded"] == 0
    assert "note" not in entry


def test_a_rate_above_its_objective_is_promoted_however_stable_does() -> None:
    simulation = threshold(90)
    simulation.traffic.versions["v2"] = Behaviour(failing=0.05)
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded"


def test_requests_that_never_reached_the_canary_count_against_it() -> None:
    simulation = threshold()
    simulation.traffic.versions["v2"] = Behaviour(unreachable=1.0)
    simulation.run(600, until=ended)
    assert simulation.status["reason"] == "FailureLimitReached", simulation.status["message"]


def test_a_canary_that_warms_up_may_fail() -> None:
    simulation = threshold(warmup="1h")
    simulation.traffic.versions["v2"] = Behaviour(failing=0.5)
    simulation.run(300)
    assert (simulation.phase, simulation.weight) == ("Progressing", 5)
    assert checked(simulation, "errors")["failures"] == 0


def test_a_canary_without_requests_holds() -> None:
    simulation = threshold()
    simulation.run(100, until=at_weight(5))
    simulation.shares = lambda: {"v1": 1.0}  # type: ignore[method-assign]
    simulation.run(300)
    assert simulation.phase == "Progressing"
    assert simulation.status["reason"] == "CheckNoData"
    assert "errors: no data: no request to the canary in 5 s" in simulation.status["message"]
    assert checked(simulation, "errors")["failures"] == 0


def test_latency_is_checked_on_the_boundary_of_the_histogram() -> None:
    indicators = [{"name": "latency", "latency": {"threshold": "500ms", "objective": 99}, "failureLimit": 2}]
    simulation = threshold(indicators=indicators)
    simulation.traffic.versions["v2"] = Behaviour(slow=0.03)
    simulation.run(600, until=ended)
    assert simulation.status["message"] == "5% → 0%: latency is 97%, below 99%, for the 2nd time"


def test_queries_alone_are_enough() -> None:
    indicators = [{"name": "checkout", "query": {"promql": "x", "max": 0.2}}]
    simulation = threshold(indicators=indicators)
    simulation.answer = lambda simulation, at: one(0.1)
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded", simulation.status["message"]
