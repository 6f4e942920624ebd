"""An increase that was decided in sight is not carried out in blindness, unless a person has asked for it."""

from __future__ import annotations

import pytest

from meshshift.engine.failures import Transient
from meshshift.engine.ports import QueryError
from tests.engine.simulation import Behaviour, Simulation, bookinfo, route, shift

DOWN = QueryError("PrometheusUnreachable", "Prometheus cannot be reached")


def stuck(command: str = "") -> Simulation:
    """25% was decided and could not be written; since then Prometheus cannot be reached."""
    simulation = bookinfo()
    simulation.mesh.put(shift())
    simulation.run(100, until=lambda s: s.weight == 5)

    def refuse(call: str, number: int, moment: str) -> None:
        if call == "patch VirtualService" and moment == "before":
            raise Transient("the server is overloaded")

    simulation.mesh.interrupt = refuse
    if command:
        simulation.command(command)
    simulation.run(100, until=lambda s: s.status["weights"]["desired"] == 25)
    simulation.prometheus = DOWN
    simulation.run(12)
    assert simulation.weight == 5
    simulation.mesh.interrupt = lambda call, number, moment: None
    return simulation


def test_nothing_rises_in_blindness_although_it_was_decided_before() -> None:
    simulation = stuck()
    simulation.run(30)
    assert (simulation.status["reason"], simulation.weight) == ("TelemetryUnavailable", 5)
    simulation.prometheus = None
    simulation.run(10)
    assert simulation.weight == 25


def test_what_a_person_promoted_rises_in_blindness() -> None:
    simulation = stuck("promote")
    simulation.run(5)
    assert simulation.weight == 25


@pytest.mark.parametrize("blind", [True, False])
def test_the_way_back_needs_no_sight(blind: bool) -> None:
    simulation = stuck()
    if not blind:
        simulation.prometheus = None
    simulation.traffic.versions["v2"] = Behaviour(failing=0.5)
    simulation.command("abort")
    simulation.run(20)
    assert (simulation.phase, simulation.weight) == ("RolledBack", 0)


def test_enforce_sees_again_what_happens_while_the_last_weight_settles() -> None:
    simulation = bookinfo()
    simulation.mesh.put(shift(onDrift="Enforce"))
    simulation.run(900, until=lambda s: s.phase == "Promoting")
    simulation.mesh.put(route({"v1": 60, "v2": 40}))
    simulation.run(900, until=lambda s: s.phase == "Succeeded")
    assert (simulation.phase, simulation.weight) == ("Succeeded", 100), simulation.status["message"]
