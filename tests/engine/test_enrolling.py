"""Services that opt in: adopted without a change, new versions shifted in by themselves, released as they are."""

from __future__ import annotations

from tests.engine.enrolment import Enrolling, bare
from tests.engine.simulation import Simulation


def never_elsewhere(simulation: Simulation) -> None:
    assert simulation.shares() == {"v1": 1.0}, simulation.now


def opted_in() -> Enrolling:
    simulation = bare()
    simulation.opt_in()
    simulation.wait_for(lambda: simulation.reason == "Serving")
    assert simulation.weights() == {"v1": 100}
    return simulation


def test_what_is_missing_is_created_and_nobody_gets_other_pods() -> None:
    simulation = bare()
    simulation.checks.append(never_elsewhere)
    simulation.opt_in()
    simulation.run(60)
    assert simulation.subsets() == ["v1"]
    assert simulation.weights() == {"v1": 100}
    assert simulation.mesh.calls == ["create DestinationRule", "create VirtualService"]
    assert simulation.reason == "Serving"


def test_a_good_version_that_appears_is_shifted_in_and_serves() -> None:
    simulation = opted_in()
    simulation.deploy("v2", template="two")
    simulation.wait_for(lambda: simulation.serves("v2"))
    assert "lost" not in simulation.traffic.versions


def test_good_bad_and_good_again_while_the_bad_one_is_taken_back() -> None:
    simulation = opted_in()
    simulation.deploy("v2", template="two")
    simulation.wait_for(lambda: simulation.serves("v2"))
    simulation.deploy("v3", template="three", failing=0.4)
    simulation.wait_for(lambda: simulation.phase == "RollingBack")
    simulation.deploy("v4", template="four")
    simulation.wait_for(lambda: simulation.serves("v4"))
    simulation.run(600)
    assert simulation.serves("v4"), "v3 is not tried again"
    assert "lost" not in simulation.traffic.versions
