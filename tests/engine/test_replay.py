"""A replay of a run's own counters takes the turns that the run took, at the same instants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshshift.api.convert import spec_from_wire
from meshshift.core.telemetry import Arm, Arms, Series, Snapshot
from meshshift.engine.ports import QueryError, ServiceId
from meshshift.engine.replay import Period, Recording, TelemetryLost, replay, workloads
from tests.engine.simulation import NAMESPACE, RUNNER, START, Behaviour, Simulation, bookinfo, shift

SERVICE = ServiceId(NAMESPACE, "reviews")
ARMS = Arms(Arm(frozenset({"reviews-v2"})), Arm(frozenset({"reviews-v1"})))


def ended(simulation: Simulation) -> bool:
    return simulation.phase in {"Succeeded", "RolledBack", "Failed"}


def instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def replayed(simulation: Simulation, **spec: object) -> Recording:
    wire = shift(**spec)["spec"]
    began = instant(simulation.status["history"][0]["at"])
    period = Period(began, simulation.now, ready_since=START)
    parsed = spec_from_wire(wire, namespace=NAMESPACE)
    return RUNNER.run(replay(parsed, SERVICE, ARMS, simulation, simulation.timing, period))


def turns_of(simulation: Simulation) -> list[tuple[float, str, int, str]]:
    return [
        (instant(entry["at"]), entry["reason"], entry["weight"], entry["message"])
        for entry in simulation.status["history"]
        if entry["phase"] not in {"RolledBack", "Succeeded"}
    ]


@settings(max_examples=25)
@given(
    failing=st.sampled_from([0.0, 0.001, 0.004, 0.01, 0.03, 0.2, 1.0]),
    slow=st.sampled_from([0.005, 0.02, 0.3]),
    rps=st.sampled_from([5.0, 40.0, 200.0, 2000.0]),
    warmup=st.sampled_from(["0s", "60s"]),
)
def test_the_same_counters_lead_to_the_same_turns_at_the_same_instants(
    failing: float, slow: float, rps: float, warmup: str
) -> None:
    analysis = {"interval": "5s", "warmup": warmup}
    simulation = bookinfo()
    simulation.traffic.rps = rps
    simulation.traffic.versions["v2"] = Behaviour(failing=failing, slow=slow)
    simulation.mesh.put(shift(analysis=analysis))
    simulation.run(400, until=ended)
    recording = replayed(simulation, analysis=analysis)
    assert [(turn.at, turn.reason, turn.weight, turn.message) for turn in recording.turns] == turns_of(simulation)
    assert recording.over == ended(simulation)


def rolled_back() -> Simulation:
    simulation = bookinfo()
    simulation.traffic.versions["v2"] = Behaviour(failing=0.03)
    simulation.mesh.put(shift())
    simulation.run(400, until=ended)
    return simulation


def test_the_weights_that_were_measured_are_those_that_the_mesh_had() -> None:
    simulation = bookinfo()
    simulation.mesh.put(shift())
    simulation.run(400, until=ended)
    recording = replayed(simulation)
    assert [round(each.share or 0.0, 3) for each in recording.measured] == [0.05, 0.25, 0.5]


def test_weights_of_another_plan_lead_to_a_verdict_as_well() -> None:
    """Recorded at 5%, 25%, 50%; asked whether a plan of 10% steps would have gone on."""
    simulation = bookinfo()
    simulation.mesh.put(shift())
    simulation.run(400, until=ended)
    canary = {"steps": [{"setWeight": 10}, {"setWeight": 20}], "minStepDuration": "5s"}
    recording = replayed(simulation, strategy={"canary": canary})
    weights = [turn.weight for turn in recording.turns]
    assert weights[:3] == [0, 10, 20]


def test_stricter_settings_decide_later() -> None:
    simulation = rolled_back()
    simulation.run(100)
    strict = {"interval": "5s", "warmup": "0s", "confidence": 99.99}
    first, second = replayed(simulation), replayed(simulation, analysis=strict)
    assert first.over
    assert second.until > first.until or not second.over


def test_a_gap_in_the_history_is_told_and_holds_the_shift() -> None:
    simulation = bookinfo()
    simulation.mesh.put(shift())
    simulation.run(20)
    simulation.watches = False
    gap = simulation.now, simulation.now + 60
    recorded = simulation.snapshots

    async def with_gap(services, at):  # type: ignore[no-untyped-def]
        found = await recorded(services, at)
        if gap[0] < at <= gap[1]:
            return {service: Snapshot(at, asked="istio_requests_total") for service in services}
        return found

    simulation.run(200, until=ended)
    simulation.snapshots = with_gap  # type: ignore[method-assign]
    recording = replayed(simulation)
    assert [turn.reason for turn in recording.turns].count("NoTraffic") == 1
    (found,) = recording.gaps
    assert gap[0] <= found.start <= found.end <= gap[1] + 10
    assert "no series for istio_requests_total" in found.reason


def test_a_prometheus_that_cannot_be_asked_is_no_finding_about_the_past() -> None:
    simulation = rolled_back()
    simulation.prometheus = QueryError("PrometheusUnreachable", "Prometheus at http://p cannot be reached")
    with pytest.raises(TelemetryLost, match="cannot be reached"):
        replayed(simulation)
    with pytest.raises(TelemetryLost, match="cannot be reached"):
        RUNNER.run(workloads(SERVICE, simulation, Period(START, simulation.now, START)))


def test_arms_that_do_not_exist_leave_their_requests_to_others() -> None:
    simulation = rolled_back()
    began = instant(simulation.status["history"][0]["at"])
    spec, period = spec_from_wire(shift()["spec"], namespace=NAMESPACE), Period(began, simulation.now, START)
    wrong = Arms(Arm(frozenset({"reviews-v9"})), ARMS.stable)
    recording = RUNNER.run(replay(spec, SERVICE, wrong, simulation, simulation.timing, period))
    assert recording.other > 0
    assert sum(each.canary for each in recording.measured) == 0
    assert RUNNER.run(workloads(SERVICE, simulation, period)) == ("reviews-v1", "reviews-v2")


def test_nothing_after_the_end_is_looked_at() -> None:
    simulation = rolled_back()
    began = instant(simulation.status["history"][0]["at"])
    asked: list[float] = []
    recorded = simulation.snapshots

    async def noting(services, at):  # type: ignore[no-untyped-def]
        asked.append(at)
        return await recorded(services, at)

    simulation.snapshots = noting  # type: ignore[method-assign]
    spec = spec_from_wire(shift()["spec"], namespace=NAMESPACE)
    recording = RUNNER.run(
        replay(spec, SERVICE, ARMS, simulation, simulation.timing, Period(began, began + 12, ready_since=START))
    )
    assert not recording.over
    assert max(asked) <= began + 12


QUERY = {"name": "checkout", "query": {"promql": "sum(errors)", "max": 0.2}, "failureLimit": 2}
WITH_QUERY = {"interval": "5s", "warmup": "0s", "indicators": [{"name": "errors", "successRate": {}}, QUERY]}


@pytest.mark.parametrize(
    "answer",
    [
        lambda simulation, at: (Series.of({}, 0.1),),
        lambda simulation, at: (Series.of({}, 0.1 if at < START + 60 else 0.3),),
        lambda simulation, at: () if START + 50 < at < START + 70 else (Series.of({}, 0.1),),
    ],
    ids=["within bounds", "beyond them later", "silent for a while"],
)
def test_queries_of_the_user_are_asked_for_the_same_instants_and_count_the_same(
    answer: Callable[[Simulation, float], tuple[Series, ...] | QueryError],
) -> None:
    simulation = bookinfo()
    simulation.answer = answer
    simulation.mesh.put(shift(analysis=WITH_QUERY))
    simulation.run(200, until=ended)
    asked, simulation.asked = list(simulation.asked), []
    recording = replayed(simulation, analysis=WITH_QUERY)
    assert [(turn.at, turn.reason, turn.weight, turn.message) for turn in recording.turns] == turns_of(simulation)
    assert set(simulation.asked) == set(asked)


def test_a_query_that_is_refused_would_have_been_refused_then() -> None:
    simulation = bookinfo()
    simulation.answer = lambda simulation, at: QueryError("QueryFailed", "Prometheus refused the query: parse error")
    simulation.mesh.put(shift(analysis=WITH_QUERY))
    simulation.run(100)
    recording = replayed(simulation, analysis=WITH_QUERY)
    assert [(turn.at, turn.reason, turn.weight, turn.message) for turn in recording.turns] == turns_of(simulation)
    assert recording.turns[-1].reason == "CheckError"


def test_a_query_that_cannot_be_asked_now_is_no_finding_about_the_past() -> None:
    simulation = bookinfo()
    simulation.mesh.put(shift(analysis=WITH_QUERY))
    simulation.answer = lambda simulation, at: (Series.of({}, 0.1),)
    simulation.run(200, until=ended)
    simulation.answer = lambda simulation, at: QueryError("PrometheusTimeout", "Prometheus did not answer")
    with pytest.raises(TelemetryLost, match="did not answer"):
        replayed(simulation, analysis=WITH_QUERY)
