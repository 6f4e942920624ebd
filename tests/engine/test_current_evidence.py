"""Evidence counts for the weight that it was seen under, while it is current, and from a past without gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from meshshift.core.deficit import Deficit
from meshshift.core.observation import Observation, Timing
from meshshift.core.rules import decide
from meshshift.core.telemetry import Arm, Arms, Series, Snapshot
from meshshift.engine.observe import read
from meshshift.engine.ports import ServiceId
from tests.engine.history import run_of
from tests.engine.simulation import RUNNER, START
from tests.engine.test_drift import at_weight, begun, ended

SERVICE = ServiceId("bookinfo", "reviews")


def test_what_was_counted_before_a_weight_was_in_the_mesh_is_not_looked_at() -> None:
    simulation = begun()
    simulation.run(900, until=ended)
    confirmed = [each.run for each in simulation.journal.decisions if each.reason == "WeightSet" and each.run]
    assert [run.desired for run in confirmed] == [5, 25, 50, 100]
    for run in confirmed:
        assert run.weight_since is not None
        assert run.evidence.until >= run.weight_since
        assert run.deficit == Deficit(share=run.deficit.share)


def test_nothing_rises_on_old_evidence_though_everything_was_proven() -> None:
    simulation = begun()
    proven: list[Observation] = []
    tell = simulation.journal.decided

    def decided(key: Any, shift: Any, observation: Observation | None, decision: Any) -> None:
        tell(key, shift, observation, decision)
        if observation is not None and decision.reason == "ProvenNotWorse":
            proven.append(observation)

    simulation.journal.decided = decided  # type: ignore[method-assign]
    simulation.run(900, until=ended)
    seen = proven[0]
    learned = decide(seen).run
    assert seen.run is not None
    assert learned is not None
    run = replace(seen.run, evidence=learned.evidence)
    assert decide(replace(seen, run=run, telemetry=None)).reason == "ProvenNotWorse"
    late = decide(replace(seen, run=run, telemetry=None, now=seen.now + 60.0))
    assert (late.reason, late.run) == ("TelemetryStale", run)


def test_a_window_that_begins_with_a_broken_counter_is_passed_over() -> None:
    simulation = begun()
    simulation.run(100, until=at_weight(5))
    counted = simulation.traffic.counts["v1", "200"]
    simulation.traffic.counts["v1", "200"] = float("nan")
    simulation.run(2)
    simulation.command("promote")
    simulation.run(12, until=at_weight(25))
    assert simulation.weight == 25
    simulation.run(8)
    simulation.traffic.counts["v1", "200"] = counted
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded", simulation.status["message"]


class Gap:
    """A Prometheus that had nothing for a while; its one counter grows by 10 each second."""

    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, end

    async def snapshots(self, services: Sequence[ServiceId], at: float) -> Mapping[ServiceId, Snapshot]:
        counter = Series.of(
            {"pod": "client-0", "destination_workload": "reviews-v1", "response_code": "200"}, 10.0 * (at - START)
        )
        return {services[0]: Snapshot(at, () if self.start <= at < self.end else (counter,), newest=at)}

    async def silence(self, service: ServiceId, at: float) -> str:
        return "nobody calls it"

    async def query(self, promql: str, at: float) -> tuple[Series, ...]:
        return ()


def test_windows_before_a_gap_are_not_learned_from() -> None:
    simulation = begun()
    simulation.run(2)
    run, now = run_of(simulation.mesh.get("TrafficShift", "reviews")), START + 200.0
    assert run is not None
    arms = Arms(Arm(frozenset({"reviews-v2"})), Arm(frozenset({"reviews-v1"})))
    begins, ends = now - 60.0, now - 50.0
    found = read(replace(run, warmed=False), SERVICE, arms, Gap(begins, ends), Timing(settle=2.0, lag=1.0), now)
    reading, windows = RUNNER.run(found)
    assert reading is None
    assert windows
    assert all(window.start >= ends for window in windows)
    assert all(window.stable.total == 50.0 for window in windows), "the window in which traffic begins is left out"
