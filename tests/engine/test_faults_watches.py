"""Caches that are wrong because a watch is silent: a write finds out, and the next look is a true one."""

from __future__ import annotations

from typing import Any

from tests.engine.simulation import Simulation, bookinfo, shift


def deaf(weight: float) -> Simulation:
    """A shift at a weight whose watches have just fallen silent."""
    simulation = bookinfo()
    simulation.mesh.put(shift())
    simulation.run(100, until=lambda s: s.weight == weight and s.status["reason"] == "Dwell")
    assert simulation.weight == weight
    simulation.watches = False
    return simulation


def test_a_route_that_went_unheard_is_told_once_a_write_misses_it() -> None:
    simulation = deaf(5)

    def vanish(call: str, number: int, moment: str) -> None:
        if call == "patch VirtualService" and moment == "before":
            simulation.mesh.interrupt = lambda call, number, moment: None
            simulation.mesh.remove("VirtualService", "reviews")

    simulation.mesh.interrupt = vanish
    simulation.run(60, until=lambda s: s.status["reason"] == "NoVirtualService")
    assert simulation.status["reason"] == "NoVirtualService", simulation.status["message"]


def test_a_shift_that_went_unheard_is_forgotten_once_a_write_misses_it() -> None:
    simulation = deaf(5)
    simulation.mesh.remove("TrafficShift", "reviews")
    simulation.run(30)
    assert simulation.world.shifts.objects == {}


def test_weights_edited_unheard_are_not_written_over() -> None:
    simulation = deaf(5)

    def edit(service: dict[str, Any]) -> None:
        for destination, weight in zip(service["spec"]["http"][-1]["route"], (60, 40), strict=True):
            destination["weight"] = weight

    simulation.mesh.edit("VirtualService", "reviews", edit)
    simulation.run(60, until=lambda s: s.status["reason"] == "Drifted")
    assert (simulation.status["reason"], simulation.weight) == ("Drifted", 40)


def test_an_abort_that_went_unheard_lets_nothing_rise() -> None:
    simulation = deaf(5)
    simulation.command("abort")
    simulation.run(60)
    assert (simulation.phase, simulation.weight) == ("RolledBack", 0)
