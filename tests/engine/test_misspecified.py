"""A shift that is edited into one that makes no sense: its run goes no further, and its guard stays on (ADR 16)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.simulation import Behaviour, Simulation, bookinfo, shift

SENSELESS: dict[str, Any] = {"canary": {"subset": "v1"}}
"""Both arms by one name."""


def under_way(**spec: Any) -> Simulation:
    simulation = bookinfo()
    simulation.mesh.put(shift(**spec))
    simulation.run(600, until=lambda s: s.weight == 25)
    return simulation


def edit(simulation: Simulation, **spec: Any) -> None:
    simulation.mesh.edit("TrafficShift", "reviews", lambda each: each["spec"].update(spec))


def spoilt(**spec: Any) -> Simulation:
    simulation = under_way(**spec)
    edit(simulation, **SENSELESS)
    simulation.run(5)
    return simulation


def conditions(simulation: Simulation) -> dict[str, str]:
    return {each["type"]: each["status"] for each in simulation.status["conditions"]}


@pytest.mark.parametrize("restarted", [False, True])
def test_it_is_held_where_it_is_and_says_why(restarted: bool) -> None:
    simulation = spoilt()
    simulation.mesh.calls.clear()
    if restarted:
        simulation.restart()
    simulation.run(300)
    assert (simulation.phase, simulation.status["reason"], simulation.weight) == ("Progressing", "InvalidSpec", 25)
    assert simulation.status["message"].startswith('25%: held, spec.canary.subset = "v1"')
    assert conditions(simulation)["Stalled"] == "True"
    assert not any(call.startswith(("patch", "create")) for call in simulation.mesh.calls)


def test_put_right_it_goes_on_where_it_was() -> None:
    simulation = spoilt()
    run = simulation.status["runId"]
    simulation.run(60)
    edit(simulation, canary={"subset": "v2"})
    seen: list[float] = []
    simulation.checks.append(lambda s: seen.append(s.weight) if not seen or seen[-1] != s.weight else None)
    simulation.run(600, until=lambda s: s.phase == "Succeeded")
    assert (simulation.status["runId"], seen) == (run, [25, 50, 100])


def test_put_right_as_something_else_it_goes_back_and_begins_anew() -> None:
    simulation = spoilt()
    run = simulation.status["runId"]
    edit(simulation, canary={"subset": "v2"}, onFailure="Pause")
    simulation.run(120, until=lambda s: s.weight == 0)
    simulation.run(600, until=lambda s: s.phase == "Succeeded")
    assert simulation.status["runId"] != run


def test_a_canary_that_fails_meanwhile_is_taken_back() -> None:
    simulation = spoilt()
    simulation.traffic.versions["v2"] = Behaviour(failing=0.3)
    simulation.run(120, until=lambda s: s.weight == 0)
    assert (simulation.weight, "RegressionProven" in simulation.reasons()) == (0, True)


def test_a_canary_that_is_lost_meanwhile_is_taken_back() -> None:
    simulation = spoilt()
    simulation.mesh.remove("Pod", "reviews-v2-0")
    simulation.run(60)
    assert (simulation.weight, "CanaryLost" in simulation.reasons()) == (0, True)


def test_an_abort_is_carried_out() -> None:
    simulation = spoilt()
    simulation.command("abort")
    simulation.run(60)
    assert simulation.weight == 0


def test_deletion_gives_the_traffic_back() -> None:
    simulation = spoilt()
    simulation.delete()
    simulation.run(60)
    assert (simulation.exists, simulation.weight) == (False, 0)


def test_it_does_not_hold_up_the_way_back_and_nothing_begins_after_it() -> None:
    simulation = under_way()
    edit(simulation, onFailure="Pause")
    simulation.run(60, until=lambda s: s.phase == "RollingBack")
    edit(simulation, **SENSELESS)
    simulation.run(120)
    assert (simulation.weight, simulation.status["reason"]) == (0, "InvalidSpec")
    edit(simulation, canary={"subset": "v2"})
    simulation.run(600, until=lambda s: s.phase == "Succeeded")
    assert simulation.weight == 100


def test_a_promotion_waits_until_it_is_put_right() -> None:
    simulation = spoilt()
    simulation.command("promote-full")
    simulation.run(60)
    assert simulation.weight == 25
    edit(simulation, canary={"subset": "v2"})
    simulation.run(60)
    assert simulation.weight == 100
