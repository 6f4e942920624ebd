"""Header routes and mirrors through the whole engine: there when the steps say so, and gone at every end."""

from __future__ import annotations

from typing import Any

from tests.engine.simulation import Behaviour, Simulation, bookinfo, pod, route, shift

TESTERS = {"name": "testers", "match": [{"headers": {"x-canary": {"exact": "true"}}}]}
STEPS: list[dict[str, Any]] = [
    {"setHeaderRoute": TESTERS},
    {"setMirror": {"percentage": 20}},
    {"pause": {}},
    {"setWeight": 50},
]
ENDED = {"Succeeded", "RolledBack", "Failed"}


def begun(steps: list[dict[str, Any]] = STEPS, **spec: Any) -> Simulation:
    simulation = bookinfo()
    simulation.mesh.put(shift(strategy={"canary": {"steps": steps, "minStepDuration": "10s"}}, **spec))
    return simulation


def ended(simulation: Simulation) -> bool:
    return simulation.phase in ENDED


def http(simulation: Simulation) -> list[dict[str, Any]]:
    routes: list[dict[str, Any]] = simulation.mesh.get("VirtualService", "reviews")["spec"]["http"]
    return routes


def extras(simulation: Simulation) -> tuple[list[str], bool]:
    """Names of the routes that were put in, and whether the managed route has a mirror."""
    names = [each["name"] for each in http(simulation)]
    return [name for name in names if name.startswith("meshshift/")], "mirrors" in http(simulation)[-1]


def waiting(simulation: Simulation) -> bool:
    return simulation.phase == "Paused"


THERE = (["meshshift/bookinfo/reviews/testers"], True)
GONE: tuple[list[str], bool] = ([], False)


def test_a_cohort_meets_the_canary_before_any_weight_and_until_the_end() -> None:
    simulation = begun()
    simulation.run(60, until=waiting)
    assert extras(simulation) == THERE
    assert simulation.weight == 0
    assert http(simulation)[0]["route"] == [{"destination": {"host": "reviews", "subset": "v2"}}]
    simulation.command("promote")
    simulation.run(60, until=lambda s: s.weight == 50)
    assert extras(simulation) == THERE
    simulation.run(600, until=ended)
    assert (simulation.phase, simulation.weight) == ("Succeeded", 100)
    assert extras(simulation) == GONE
    assert len(http(simulation)) == 1


def test_a_step_may_take_a_cohort_and_a_mirror_away_again() -> None:
    away: list[dict[str, Any]] = [{"setHeaderRoute": {"name": "testers"}}, {"setMirror": {"percentage": 0}}]
    steps = [*STEPS[:3], *away, {"setWeight": 50}]
    simulation = begun(steps)
    simulation.run(60, until=waiting)
    simulation.command("promote")
    simulation.run(60, until=lambda s: s.weight == 50)
    assert extras(simulation) == GONE


def test_nothing_of_it_stays_after_an_abort_a_deletion_or_a_regression() -> None:
    for end in ("abort", "delete", "leave", "regress", "lose"):
        simulation = begun(onDelete="Leave" if end == "leave" else "Restore")
        simulation.run(60, until=waiting)
        if end == "abort":
            simulation.command("abort")
        elif end == "regress":
            simulation.command("promote")
            simulation.traffic.versions["v2"] = Behaviour(failing=0.5)
        elif end == "lose":
            simulation.mesh.put(pod("v2", ready=False))
        else:
            simulation.delete()
        simulation.run(200, until=lambda s: ended(s) or not s.exists)
        simulation.run(5)
        assert extras(simulation) == GONE, end
        assert simulation.weight == 0, end


def test_a_reapply_that_drops_the_header_route_is_drift_and_answered_as_the_spec_says() -> None:
    simulation = begun()
    simulation.run(60, until=waiting)
    simulation.mesh.put(route({"v1": 100, "v2": 0}))
    simulation.run(10)
    assert simulation.status["reason"] == "Drifted"
    assert "header routes, mirrors or cookies" in simulation.status["message"]
    assert extras(simulation) == GONE
    simulation.command("resume")
    simulation.run(10)
    assert extras(simulation) == THERE

    simulation = begun(onDrift="Enforce")
    simulation.run(60, until=waiting)
    simulation.mesh.put(route({"v1": 100, "v2": 0}))
    simulation.run(10)
    assert extras(simulation) == THERE


def test_what_a_crashed_predecessor_left_is_cleared_by_whoever_comes_next() -> None:
    simulation = begun()
    simulation.run(60, until=waiting)
    left = simulation.mesh.get("VirtualService", "reviews")
    simulation = bookinfo()
    simulation.mesh.put(left)
    simulation.mesh.put(shift(strategy={"canary": {"steps": [{"pause": {}}, {"setWeight": 50}]}}))
    simulation.run(20, until=waiting)
    assert extras(simulation)[0] == [], "before any weight is written"


def test_a_route_that_cannot_take_the_cohort_holds_the_shift_and_says_why() -> None:
    simulation = bookinfo()
    document = route({"v1": 100, "v2": 0})
    document["spec"]["http"][0]["mirror"] = {"host": "recorder"}
    simulation.mesh.put(document)
    simulation.mesh.put(shift(strategy={"canary": {"steps": STEPS}}))
    simulation.run(60)
    assert simulation.status["reason"] == "MirrorTaken"
    assert "write it as the first entry of mirrors" in simulation.status["message"]
    assert simulation.weight == 0
