"""A replay of a run's own counters takes the turns that the run took, at the same instants."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshshift.api.convert import spec_from_wire
from meshshift.core.telemetry import Arm
from meshshift.engine.observe import Arms
from meshshift.engine.ports import QueryError, ServiceId
from meshshift.engine.replay import Period, Recording, TelemetryLost, replay, workloads
from tests.engine.simulation import NAMESPACE, RUNNER, START, Behaviour, Simulation, bookinfo, shift

SERVICE = ServiceId(NAMESPACE, "reviews")
ARMS = Arms(Arm(frozenset({"reviews-v2"})), Arm(frozenset({"reviews-v1"})))
AFTER_THE_VERDICT = {"RolledBack", "Restored", "RegressionProven"}


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
        if entry["phase"] not in {"RolledBack"}
    ]


@settings(max_examples=25, deadline=None)
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
