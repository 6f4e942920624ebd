"""Shifts that leave something to a ShiftPolicy: what holds when the policy comes, changes, goes, or makes no sense."""

from __future__ import annotations

from typing import Any

import pytest

from meshshift.engine.explanation import explain
from meshshift.engine.policies import CHANGED
from tests.engine.simulation import Behaviour, Document, Simulation, bookinfo, governed, policy, shift

STEPS = {"canary": {"steps": [{"setWeight": 5}, {"setWeight": 25}, {"setWeight": 50}], "minStepDuration": "10s"}}
SLOWER = {"canary": {"steps": [{"setWeight": 1}, {"setWeight": 2}], "minStepDuration": "10s"}}
QUICK = {"interval": "5s", "warmup": "0s"}


def careful(**spec: Any) -> Document:
    return policy(**{"strategy": STEPS, "analysis": QUICK, **spec})


def under_way(weight: int = 25, **spec: Any) -> Simulation:
    """A shift with a policy that has come as far as `weight`."""
    simulation = bookinfo()
    simulation.mesh.put(careful())
    simulation.mesh.put(governed(**spec))
    simulation.run(600, until=lambda s: s.weight == weight)
    assert simulation.weight == weight
    return simulation


def conditions(simulation: Simulation) -> dict[str, str]:
    return {each["type"]: each["status"] for each in simulation.status["conditions"]}


def edit(simulation: Simulation, **spec: Any) -> None:
    simulation.mesh.edit("ShiftPolicy", "careful", lambda document: document["spec"].update(spec))


def change(simulation: Simulation, **spec: Any) -> None:
    simulation.mesh.edit("TrafficShift", "reviews", lambda document: document["spec"].update(spec))


def test_a_policy_says_how_the_shift_moves_and_is_judged() -> None:
    simulation = under_way()
    simulation.run(600, until=lambda s: s.phase == "Succeeded")
    assert simulation.weight == 100
    assert simulation.status["policy"] == {"name": "careful", "state": "Current", "message": ""}


def test_the_fields_of_the_shift_itself_win() -> None:
    simulation = bookinfo()
    simulation.mesh.put(careful(onFailure="Pause", analysis={**QUICK, "tolerance": 10}))
    simulation.mesh.put(governed(onFailure="Rollback", analysis={"confidence": 99.9}))
    simulation.run(5)
    observation = simulation.reconciler._memory.decode(("bookinfo", "reviews"), simulation.status["checkpoint"])
    assert observation is not None
    spec = observation.run.spec
    assert (spec.analysis.judge.tolerance, spec.analysis.judge.false_rollback) == (0.1, 0.001)
    assert str(spec.on_failure) == "Rollback"


def test_without_its_policy_a_shift_touches_nothing_and_begins_once_it_is_there() -> None:
    simulation = bookinfo()
    simulation.mesh.put(governed())
    simulation.run(30)
    assert (simulation.phase, simulation.status["reason"]) == ("Pending", "PolicyNotFound")
    assert conditions(simulation)["Stalled"] == "True"
    assert simulation.status["message"] == (
        'spec.policyRef.name = "careful": there is no ShiftPolicy bookinfo/careful; create it, or correct the name'
    )
    assert not [call for call in simulation.mesh.calls if call.startswith(("patch", "create"))]
    simulation.mesh.put(careful())
    simulation.run(600, until=lambda s: s.phase == "Succeeded")
    assert simulation.weight == 100


def test_a_bad_policy_stalls_the_shift_and_is_named() -> None:
    simulation = bookinfo()
    simulation.mesh.put(careful(analysis={"interval": "often"}))
    simulation.mesh.put(governed())
    simulation.run(5)
    assert simulation.status["reason"] == "InvalidSpec"
    assert simulation.status["message"].startswith('ShiftPolicy careful: spec.analysis.interval = "often": not allowed')
    assert not [call for call in simulation.mesh.calls if call.startswith(("patch", "create"))]
    assert simulation.status["policy"]["state"] == "Invalid"


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("what", ["edited", "gone", "broken", "another"])
def test_whatever_becomes_of_its_policy_a_run_goes_on_as_it_began(what: str, restarted: bool) -> None:
    simulation = under_way()
    run = simulation.status["runId"]
    if what == "gone":
        simulation.mesh.remove("ShiftPolicy", "careful")
    elif what == "another":
        change(simulation, policyRef={"name": "other"})
        simulation.mesh.put(policy("other", strategy=SLOWER, analysis=QUICK))
    else:
        edit(simulation, strategy=SLOWER if what == "edited" else {"canary": {"steps": "few"}})
    simulation.run(6)
    assert simulation.weight == 25
    if restarted:
        simulation.restart()
        simulation.run(1)
    state = {"edited": "Changed", "gone": "Missing", "broken": "Invalid", "another": "Changed"}[what]
    assert simulation.status["policy"]["state"] == state
    assert conditions(simulation)["Stalled"] == "False"
    simulation.run(600, until=lambda s: s.weight != 25)
    assert simulation.weight == 50
    simulation.run(600, until=lambda s: s.phase == "Succeeded")
    assert (simulation.status["runId"], simulation.weight) == (run, 100)
    simulation.run(60)
    assert simulation.phase == "Succeeded"


def test_a_finished_shift_is_not_begun_anew_by_its_policy() -> None:
    simulation = under_way()
    simulation.run(600, until=lambda s: s.phase == "Succeeded")
    edit(simulation, strategy=SLOWER)
    simulation.run(60)
    assert (simulation.phase, simulation.weight) == ("Succeeded", 100)
    assert simulation.status["policy"]["state"] == "Changed"
    simulation.mesh.remove("ShiftPolicy", "careful")
    simulation.run(60)
    assert (simulation.phase, simulation.weight) == ("Succeeded", 100)


def test_the_next_run_takes_the_policy_as_it_is_then() -> None:
    simulation = under_way()
    edit(simulation, strategy=SLOWER)
    simulation.run(5)
    simulation.command("abort")
    simulation.run(120, until=lambda s: s.phase == "RolledBack")
    simulation.command("retry")
    simulation.run(600, until=lambda s: s.weight > 0)
    assert simulation.weight == 1
    assert simulation.status["policy"]["state"] == "Current"
    simulation.run(600, until=lambda s: s.phase == "Succeeded")
    assert simulation.reasons().count("SpecChanged") == 0


def test_a_restart_takes_the_policy_as_it_is_by_now_and_none_without_it() -> None:
    simulation = under_way()
    simulation.mesh.remove("ShiftPolicy", "careful")
    simulation.command("restart")
    simulation.run(5)
    assert simulation.weight == 25
    assert "refused: spec.policyRef.name" in simulation.status["lastCommand"]["result"]
    simulation.mesh.put(careful(strategy=SLOWER))
    simulation.command("restart")
    simulation.run(120, until=lambda s: s.weight == 0)
    simulation.run(600, until=lambda s: s.weight > 0)
    assert simulation.weight == 1


def test_no_run_begins_anew_without_its_policy() -> None:
    simulation = under_way()
    simulation.command("abort")
    simulation.run(120, until=lambda s: s.phase == "RolledBack")
    simulation.mesh.remove("ShiftPolicy", "careful")
    simulation.command("retry")
    simulation.run(60)
    assert (simulation.phase, simulation.weight) == ("RolledBack", 0)
    assert "refused: spec.policyRef.name" in simulation.status["lastCommand"]["result"]


def test_an_edit_of_the_shift_while_its_policy_is_gone_goes_back_and_waits_for_it() -> None:
    simulation = under_way()
    simulation.mesh.remove("ShiftPolicy", "careful")
    simulation.run(5)
    change(simulation, onFailure="Pause")
    simulation.run(120)
    assert (simulation.weight, simulation.status["reason"]) == (0, "PolicyNotFound")
    assert conditions(simulation)["Stalled"] == "True"
    simulation.mesh.put(careful(strategy=SLOWER))
    simulation.run(600, until=lambda s: s.weight > 0)
    assert simulation.weight == 1


def test_a_bad_canary_is_taken_back_while_the_policy_is_gone() -> None:
    simulation = under_way()
    simulation.mesh.remove("ShiftPolicy", "careful")
    simulation.traffic.versions["v2"] = Behaviour(failing=0.3)
    simulation.run(600, until=lambda s: s.phase == "RolledBack")
    assert (simulation.weight, simulation.status["reason"]) == (0, "RegressionProven")


def test_the_shift_itself_is_still_obeyed_while_the_policy_is_gone() -> None:
    simulation = under_way()
    simulation.mesh.remove("ShiftPolicy", "careful")
    change(simulation, paused=True)
    simulation.run(120)
    assert (simulation.weight, simulation.status["reason"]) == (25, "PausedBySpec")
    simulation.delete()
    simulation.run(60)
    assert (simulation.exists, simulation.weight) == (False, 0)


def test_moving_fields_into_a_policy_starts_no_new_run() -> None:
    simulation = bookinfo()
    simulation.mesh.put(shift(strategy=STEPS, analysis=QUICK))
    simulation.run(600, until=lambda s: s.weight == 25)
    run = simulation.status["runId"]
    simulation.mesh.put(careful())

    def move(document: Document) -> None:
        del document["spec"]["strategy"], document["spec"]["analysis"]
        document["spec"]["policyRef"] = {"name": "careful"}

    simulation.mesh.edit("TrafficShift", "reviews", move)
    simulation.run(5)
    edit(simulation, strategy=SLOWER)
    simulation.run(600, until=lambda s: s.phase == "Succeeded")
    assert (simulation.status["runId"], simulation.weight) == (run, 100)
    assert "SpecChanged" not in simulation.reasons()


def test_an_edit_of_the_shift_begins_a_new_run_by_the_policy_as_it_is_now() -> None:
    simulation = under_way()
    edit(simulation, strategy=SLOWER)
    change(simulation, onFailure="Pause")
    simulation.run(600, until=lambda s: s.weight == 1)
    assert "SpecChanged" in simulation.reasons()


def test_the_account_of_a_run_says_what_became_of_its_policy() -> None:
    simulation = under_way()
    edit(simulation, strategy=SLOWER)
    simulation.run(3)
    document = simulation.mesh.get("TrafficShift", "reviews")
    assert [each for each in explain(document).remarks if "policy" in each] == [f"ShiftPolicy careful: {CHANGED}"]
    assert not [each for each in explain(document).remarks if "spec was changed" in each]
