"""What the API server does not take, or not at once: read afresh, told, tried again; and what cannot be understood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.engine.failures import Refused, Transient
from tests.engine.simulation import Simulation, failing_call
from tests.engine.test_drift import at_weight, begun, ended

if TYPE_CHECKING:
    pass


def touched(simulation: Simulation, kind: str) -> None:
    """Somebody writes what does not concern the run, and no watch tells of it."""

    def annotate(document: dict[str, Any]) -> None:
        document["metadata"].setdefault("annotations", {})["team"] = "reviews"

    simulation.watches = False
    simulation.mesh.edit(kind, "reviews", annotate, spec=False)


def test_after_a_conflict_the_object_is_read_afresh_though_no_watch_speaks() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(5))
    touched(simulation, "VirtualService")
    simulation.run(900, until=ended)
    assert (simulation.phase, simulation.weight) == ("Succeeded", 100)
    assert simulation.mesh.get("VirtualService", "reviews")["metadata"]["annotations"] == {"team": "reviews"}


def test_after_a_conflict_the_shift_is_read_afresh_though_no_watch_speaks() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(5))
    touched(simulation, "TrafficShift")
    simulation.run(900, until=ended)
    assert (simulation.phase, simulation.weight) == ("Succeeded", 100)


def test_an_edit_that_the_api_server_refuses_is_told() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(5))
    refused = True
    forbidden = Refused("403 virtualservices is forbidden")
    simulation.mesh.interrupt = failing_call("patch VirtualService", forbidden, lambda: refused)
    simulation.run(60)
    assert (simulation.phase, simulation.status["reason"]) == ("Progressing", "EditRefused")
    assert "403 virtualservices is forbidden" in simulation.status["message"]
    assert simulation.status["weights"]["observed"] == simulation.weight == 5
    refused = False
    simulation.run(900, until=ended)
    assert simulation.phase == "Succeeded"


def test_an_event_that_could_not_be_written_is_written_later() -> None:
    simulation = begun()
    broken = True
    simulation.mesh.interrupt = failing_call("event", Transient("503"), lambda: broken)
    simulation.run(60)
    assert simulation.mesh.events == {}
    broken = False
    simulation.run(20)
    assert {reason for reason, _ in simulation.mesh.events.values()} >= set(simulation.reasons())


def test_a_command_whose_removal_fails_is_carried_out_once() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(5))
    simulation.mesh.interrupt = failing_call("command", Transient("504"), lambda: True)
    simulation.command("promote")
    simulation.run(8)
    assert simulation.weight == 25
    assert simulation.mesh.calls.count("command") > 1
    assert simulation.reasons().count("Commanded") == 1


def test_a_deleted_shift_with_an_unreadable_checkpoint_is_let_go() -> None:
    simulation = begun()
    simulation.run(200, until=at_weight(25))
    simulation.mesh.edit("TrafficShift", "reviews", lambda each: each["status"].update(checkpoint="{}"), spec=False)
    simulation.restart()
    simulation.run(30)
    assert simulation.status["reason"] == "CheckpointUnreadable"
    simulation.delete()
    simulation.run(30)
    assert not simulation.exists
    assert simulation.weight == 25
