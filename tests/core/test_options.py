"""Nothing is offered that would be refused, and everything offered does what is said."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from meshshift.core.gate_call import Answered
from meshshift.engine.explanation import explain
from meshshift.engine.ports import QueryError
from tests.engine.simulation import Behaviour, Simulation, bookinfo, route, shift


def begun(**spec: object) -> Simulation:
    simulation = bookinfo()
    simulation.mesh.put(shift(**spec))
    return simulation


def at_the_start() -> Simulation:
    simulation = begun()
    simulation.prometheus = QueryError("Unreachable", "gone")
    simulation.run(3)
    return simulation


def at_five() -> Simulation:
    simulation = begun()
    simulation.run(10)
    return simulation


def paused_by_a_person() -> Simulation:
    simulation = at_five()
    simulation.command("pause")
    simulation.run(3)
    return simulation


def paused_by_spec() -> Simulation:
    simulation = at_five()
    simulation.mesh.edit("TrafficShift", "reviews", lambda document: document["spec"].update(paused=True))
    simulation.run(3)
    return simulation


def at_a_pause_step() -> Simulation:
    simulation = begun(strategy={"canary": {"steps": [{"setWeight": 5}, {"pause": {}}], "minStepDuration": "5s"}})
    simulation.run(40, until=lambda each: each.phase == "Paused")
    return simulation


def held_by_regression() -> Simulation:
    simulation = begun(onFailure="Pause")
    simulation.traffic.versions["v2"] = Behaviour(failing=0.5)
    simulation.run(100, until=lambda each: each.phase == "Paused")
    return simulation


GATED = {"canary": {"steps": [{"setWeight": 5}, {"gate": {"url": "https://qa.example"}}], "minStepDuration": "5s"}}


def at_a_gate() -> Simulation:
    simulation = begun(strategy=GATED)
    simulation.gates.answer = lambda question: Answered(425)
    simulation.run(60, until=lambda each: bool(each.gates.asked))
    return simulation


def held_by_a_gate() -> Simulation:
    simulation = begun(strategy=GATED, onFailure="Pause")
    simulation.gates.answer = lambda question: Answered(403)
    simulation.run(60, until=lambda each: each.phase == "Paused")
    simulation.gates.answer = lambda question: Answered(200)
    return simulation


def drifted() -> Simulation:
    simulation = at_five()
    simulation.mesh.put(route({"v1": 60, "v2": 40}))
    simulation.run(3)
    return simulation


def mid_way_before_it_began() -> Simulation:
    simulation = bookinfo()
    simulation.mesh.put(route({"v1": 60, "v2": 40}))
    simulation.mesh.put(shift())
    simulation.run(3)
    return simulation


def rolled_back() -> Simulation:
    simulation = at_five()
    simulation.command("abort")
    simulation.run(60, until=lambda each: each.phase == "RolledBack")
    return simulation


def watched_after_the_flip() -> Simulation:
    simulation = begun(strategy={"redBlack": {"postPromotion": {"duration": "1h"}}})
    simulation.run(60, until=lambda each: each.weight == 100)
    simulation.run(10)
    return simulation


def finished() -> Simulation:
    simulation = begun()
    simulation.run(300, until=lambda each: each.phase == "Succeeded")
    return simulation


SITUATIONS = [
    at_the_start,
    at_five,
    paused_by_a_person,
    paused_by_spec,
    at_a_pause_step,
    held_by_regression,
    at_a_gate,
    held_by_a_gate,
    drifted,
    mid_way_before_it_began,
    rolled_back,
    watched_after_the_flip,
    finished,
]


def offered(simulation: Simulation) -> set[str]:
    return {str(option.command) for option in explain(simulation.mesh.get("TrafficShift", "reviews")).options}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_no_command_that_is_offered_is_refused(situation: Callable[[], Simulation]) -> None:
    for command in offered(situation()):
        simulation = situation()
        simulation.command(command)
        simulation.run(2)
        last = simulation.status["lastCommand"]
        assert last["command"] == command
        assert not last["result"].startswith("refused"), last


@pytest.mark.parametrize(
    "situation",
    [
        at_the_start,
        at_five,
        paused_by_a_person,
        at_a_pause_step,
        at_a_gate,
        held_by_a_gate,
        drifted,
        mid_way_before_it_began,
    ],
)
def test_what_is_offered_to_go_on_goes_on(situation: Callable[[], Simulation]) -> None:
    simulation = situation()
    before = (simulation.weight, simulation.phase, simulation.status["reason"])
    forward = offered(simulation) & {"promote", "resume"}
    assert forward
    simulation.command(min(forward))
    simulation.run(5)
    assert (simulation.weight, simulation.phase, simulation.status["reason"]) != before


def test_a_hold_that_comes_before_promotions_does_not_offer_them() -> None:
    for situation in (paused_by_spec, held_by_regression, drifted):
        assert not offered(situation()) & {"promote", "promote-full"}


def test_each_situation_offers_what_belongs_to_it() -> None:
    assert offered(at_five()) == {"abort", "restart", "pause", "promote", "promote-full"}
    assert offered(paused_by_a_person()) == {"resume", "abort", "restart", "promote", "promote-full"}
    assert offered(held_by_regression()) == {"resume", "abort", "restart"}
    assert offered(at_a_gate()) == {"abort", "restart", "pause", "promote", "promote-full"}
    assert offered(held_by_a_gate()) == {"resume", "abort", "restart", "promote", "promote-full"}
    assert offered(rolled_back()) == {"retry"}
    assert offered(watched_after_the_flip()) == {"abort", "restart", "pause", "promote"}
    assert offered(finished()) == {"undo"}
