"""TrafficShifts as `kubectl get -o yaml` would have saved them, made by the simulation.

Run as `python -m tests.cli.saved` to write the expected explanations anew, then read the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from meshshift.cli.explain_text import render
from meshshift.engine.explanation import explain
from meshshift.engine.ports import QueryError
from tests.engine.simulation import Behaviour, Simulation, bookinfo, shift

GOLDENS = Path(__file__).parents[1] / "data" / "explain"


def ended(simulation: Simulation) -> bool:
    return simulation.phase in {"Succeeded", "RolledBack", "Failed"}


def begun(*, rps: float = 60.0, failing: float = 0.002, slow: float = 0.005, **spec: Any) -> Simulation:
    """A shift to a canary that behaves so, beside a stable that fails 0.2% of its requests."""
    simulation = bookinfo()
    simulation.traffic.rps = rps
    simulation.traffic.versions |= {"v1": Behaviour(failing=0.002), "v2": Behaviour(failing=failing, slow=slow)}
    simulation.mesh.put(shift(**spec))
    return simulation


def document(simulation: Simulation) -> dict[str, Any]:
    return simulation.mesh.get("TrafficShift", "reviews")


def progressing() -> Simulation:
    simulation = begun()
    simulation.run(40)
    return simulation


def suspicious() -> Simulation:
    simulation = begun(rps=200.0, failing=0.03)
    simulation.run(400, until=lambda each: "suspicious" in each.status.get("message", ""))
    return simulation


def rolled_back() -> Simulation:
    simulation = begun(rps=200.0, failing=0.03)
    simulation.run(400, until=ended)
    return simulation


def held_without_telemetry() -> Simulation:
    simulation = begun()
    simulation.run(25)
    simulation.prometheus = QueryError("PrometheusUnreachable", "Prometheus at http://prometheus cannot be reached")
    simulation.run(30)
    return simulation


def finished() -> Simulation:
    simulation = begun(rps=200.0)
    simulation.run(600, until=ended)
    return simulation


def held_by_regression() -> Simulation:
    simulation = begun(rps=200.0, failing=0.2, onFailure="Pause")
    simulation.run(200, until=lambda each: each.phase == "Paused")
    return simulation


def with_objectives() -> Simulation:
    indicators = [
        {"name": "success-rate", "share": 70, "successRate": {"objective": 99.5}},
        {"name": "latency", "latency": {"threshold": "500ms", "objective": "99%"}},
    ]
    simulation = begun(rps=200.0, failing=0.004, analysis={"interval": "5s", "warmup": "0s", "indicators": indicators})
    simulation.run(60)
    simulation.mesh.edit("TrafficShift", "reviews", lambda shift: shift["spec"].update(paused=True))
    simulation.run(10)
    return simulation


def by_thresholds() -> Simulation:
    """Objectives in place of evidence, and the second of three failures."""
    indicators = [
        {"name": "success-rate", "successRate": {"objective": 99.5}, "failureLimit": 3},
        {"name": "latency", "latency": {"threshold": "500ms", "objective": 99}},
    ]
    analysis = {"method": "Threshold", "interval": "5s", "warmup": "0s", "indicators": indicators}
    simulation = begun(rps=200.0, failing=0.03, analysis=analysis)
    simulation.run(200, until=lambda each: "2 of 3 failures" in each.status.get("message", ""))
    return simulation


def untouched() -> Simulation:
    return begun()


CASES: dict[str, Callable[[], Simulation]] = {
    case.__name__.replace("_", "-"): case
    for case in (
        progressing,
        suspicious,
        rolled_back,
        held_without_telemetry,
        finished,
        held_by_regression,
        with_objectives,
        by_thresholds,
        untouched,
    )
}


if __name__ == "__main__":
    GOLDENS.mkdir(parents=True, exist_ok=True)
    for name, case in CASES.items():
        (GOLDENS / f"{name}.txt").write_text(render(explain(document(case()))) + "\n")
