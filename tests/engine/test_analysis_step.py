"""Steps that judge: left once nothing is suspicious and every check has passed, their own queries included."""

from __future__ import annotations

from typing import Any

from meshshift.core.telemetry import Series
from meshshift.engine.ports import QueryError
from tests.engine.simulation import Behaviour, Simulation, bookinfo, shift

ENDED = {"Succeeded", "RolledBack", "Failed"}
CHECKOUT = {"name": "checkout", "query": {"promql": "sum(checkout)", "max": 0.2}, "failureLimit": 2}


def begun(*steps: dict[str, Any], **spec: Any) -> Simulation:
    simulation = bookinfo()
    simulation.answer = lambda s, at: (Series.of({}, 0.1),)
    strategy = {"canary": {"steps": list(steps), "minStepDuration": "5s"}}
    simulation.mesh.put(shift(strategy=strategy, **spec))
    return simulation


def ended(simulation: Simulation) -> bool:
    return simulation.phase in ENDED


def at_fifty(simulation: Simulation) -> bool:
    return simulation.weight == 50


ANALYSIS = {"analysis": {"duration": "60s", "indicators": [CHECKOUT]}}


def test_its_queries_are_asked_during_the_step_alone() -> None:
    simulation = begun({"setWeight": 5}, ANALYSIS, {"setWeight": 50})
    simulation.run(200, until=at_fifty)
    asked = [at for _, at in simulation.asked]
    assert asked
    assert max(asked) - min(asked) >= 45
    simulation.asked.clear()
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded"
    assert simulation.asked == []


def test_it_lasts_as_long_as_it_says() -> None:
    simulation = begun({"setWeight": 5}, {"analysis": {"duration": "120s"}}, {"setWeight": 50})
    simulation.run(60, until=lambda s: s.weight == 5)
    since = simulation.now
    simulation.run(600, until=at_fifty)
    assert simulation.now - since >= 120


def test_a_query_that_fails_too_often_rolls_back() -> None:
    simulation = begun({"setWeight": 5}, ANALYSIS, {"setWeight": 50})
    simulation.answer = lambda s, at: (Series.of({}, 0.9),)
    simulation.run(300, until=ended)
    assert (simulation.phase, simulation.weight, simulation.status["reason"]) == (
        "RolledBack",
        0,
        "FailureLimitReached",
    )
    assert "checkout is 0.9" in simulation.status["message"]


def test_without_an_answer_it_is_not_left() -> None:
    simulation = begun({"setWeight": 5}, ANALYSIS, {"setWeight": 50})
    simulation.answer = lambda s, at: ()
    simulation.run(400)
    assert (simulation.phase, simulation.weight) == ("Progressing", 5)
    assert "checkout" in simulation.status["message"]
    simulation.answer = lambda s, at: QueryError("BadQuery", "parse error")
    simulation.run(60)
    assert simulation.weight == 5
    simulation.answer = lambda s, at: (Series.of({}, 0.1),)
    simulation.run(60, until=at_fifty)
    assert simulation.weight == 50


def test_what_a_cohort_gets_is_analysed_before_there_is_any_weight() -> None:
    cohort = {"setHeaderRoute": {"name": "testers", "match": [{"headers": {"x-canary": {"exact": "true"}}}]}}
    simulation = begun(cohort, ANALYSIS, {"setWeight": 50})
    simulation.answer = lambda s, at: (Series.of({}, 0.9),)
    simulation.run(120, until=ended)
    assert (simulation.phase, simulation.status["reason"]) == ("RolledBack", "FailureLimitReached")
    assert len(simulation.mesh.get("VirtualService", "reviews")["spec"]["http"]) == 1

    simulation = begun(cohort, ANALYSIS, {"setWeight": 50})
    simulation.run(20, until=lambda s: len(s.mesh.get("VirtualService", "reviews")["spec"]["http"]) == 2)
    since = simulation.now
    simulation.run(300, until=at_fifty)
    assert simulation.weight == 50
    assert simulation.now - since >= 60


def test_a_regression_ends_it_at_once() -> None:
    simulation = begun({"setWeight": 25}, {"analysis": {"duration": "1h"}}, {"setWeight": 50})
    simulation.run(60, until=lambda s: s.weight == 25)
    simulation.run(20)
    simulation.traffic.versions["v2"] = Behaviour(failing=0.3)
    simulation.run(60, until=ended)
    assert (simulation.phase, simulation.status["reason"]) == ("RolledBack", "RegressionProven")


def test_a_person_may_go_on() -> None:
    simulation = begun({"setWeight": 5}, {"analysis": {"duration": "1h"}}, {"setWeight": 50})
    simulation.run(60, until=lambda s: s.weight == 5)
    simulation.run(10)
    simulation.command("promote")
    simulation.run(20, until=at_fifty)
    assert simulation.weight == 50


def test_red_black_asks_the_queries_of_the_analysis_before_and_after_the_flip() -> None:
    analysis = {"interval": "5s", "warmup": "0s", "indicators": [{"name": "errors", "successRate": {}}, CHECKOUT]}
    preview = {"match": [{"headers": {"x-preview": {"exact": "true"}}}]}
    for when in ("before", "after"):
        simulation = bookinfo()
        flip = {"preview": preview, "prePromotion": {"duration": "30s"}, "postPromotion": {"duration": "60s"}}
        simulation.mesh.put(shift(strategy={"redBlack": flip}, analysis=analysis))
        good, bad = (Series.of({}, 0.1),), (Series.of({}, 0.9),)
        simulation.answer = lambda s, at, when=when, good=good, bad=bad: (  # type: ignore[misc]
            bad if when == "before" or s.weight == 100 else good
        )
        seen: list[float] = []
        simulation.checks.append(lambda s, seen=seen: seen.append(s.weight))  # type: ignore[misc]
        simulation.run(300, until=ended)
        assert (simulation.phase, simulation.status["reason"]) == ("RolledBack", "FailureLimitReached")
        assert (100 in seen) == (when == "after")
