"""Three services as one release, each simulated for itself; each sees the statuses of the others, as in one cluster."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.simulation import Behaviour, Killed, Simulation, bookinfo, shift

ENDED = {"Succeeded", "RolledBack", "Failed"}
NAMES = ("a", "b", "c")


class Release:
    """Simulations that show each other their TrafficShifts under other names."""

    def __init__(self, *names: str) -> None:
        self.services = {name: bookinfo() for name in names}
        for simulation in self.services.values():
            simulation.mesh.put(shift(group={"name": "bookinfo"}))

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            for name, simulation in self.services.items():
                self._show(name)
                simulation.run(1)

    def until_ended(self, seconds: int = 900) -> None:
        for _ in range(seconds):
            if all(simulation.phase in ENDED for simulation in self.services.values()):
                return
            self.run(1)
        raise AssertionError(self.said())

    def said(self) -> dict[str, str]:
        return {name: f"{each.phase}: {each.status.get('message')}" for name, each in self.services.items()}

    def _show(self, name: str) -> None:
        """What the watch brings of the other shifts."""
        mine = self.services[name].mesh
        for other, simulation in self.services.items():
            if other == name or not simulation.exists:
                continue
            document: dict[str, Any] = simulation.mesh.get("TrafficShift", "reviews")
            document["metadata"] = {"name": other, "namespace": "bookinfo"}
            document["spec"] = {**document["spec"], "service": other}
            known = mine.objects.get(("TrafficShift", "bookinfo", other))
            if known is None or known.get("status") != document.get("status"):
                mine.put(document)

    @property
    def weights(self) -> dict[str, float]:
        return {name: simulation.weight for name, simulation in self.services.items()}


def test_they_take_each_step_together_and_end_together() -> None:
    release = Release(*NAMES)
    release.services["b"].traffic.rps = 40.0
    order = [0.0, 5.0, 25.0, 50.0, 100.0]
    for _ in range(900):
        release.run(1)
        places = [order.index(weight) for weight in release.weights.values()]
        assert max(places) - min(places) <= 1, release.weights
        ended = [each.phase for each in release.services.values() if each.phase in ENDED]
        assert not ended or set(release.weights.values()) == {100.0}
        if len(ended) == len(NAMES):
            break
    assert {each.phase for each in release.services.values()} == {"Succeeded"}, release.said()


def test_when_one_regresses_all_are_back_at_stable() -> None:
    release = Release(*NAMES)
    release.services["c"].traffic.versions["v2"] = Behaviour(failing=0.3)
    release.until_ended()
    assert set(release.weights.values()) == {0.0}
    assert release.services["c"].status["reason"] == "RegressionProven"
    for name in ("a", "b"):
        status = release.services[name].status
        assert (status["phase"], status["reason"]) == ("RolledBack", "GroupRolledBack")
        assert "TrafficShift c of group bookinfo went back" in status["message"]


def test_a_person_who_aborts_one_aborts_all() -> None:
    release = Release(*NAMES)
    release.run(40)
    release.services["a"].command("abort")
    release.until_ended()
    assert set(release.weights.values()) == {0.0}


def test_one_that_cannot_begin_holds_the_others_and_is_named() -> None:
    release = Release("a", "b")
    release.services["b"].mesh.remove("VirtualService", "reviews")
    release.run(300)
    assert release.services["a"].weight == 5
    assert release.services["a"].status["reason"] == "GroupBehind"
    assert "b (Pending, 0%)" in release.services["a"].status["message"]


def test_a_failure_of_the_last_round_does_not_count_in_the_next() -> None:
    release = Release("a", "b")
    release.services["b"].traffic.versions["v2"] = Behaviour(failing=0.3)
    release.until_ended()
    release.services["b"].traffic.versions["v2"] = Behaviour()
    for simulation in release.services.values():
        simulation.command("retry")
    release.run(5)
    release.until_ended()
    assert set(release.weights.values()) == {100.0}, release.said()


def test_one_that_is_deleted_leaves_the_group() -> None:
    release = Release("a", "b")
    release.run(40)
    release.services["b"].delete()
    release.services["b"].run(30)
    release.services["a"].mesh.remove("TrafficShift", "b")
    release.services.pop("b")
    release.until_ended()
    assert release.services["a"].phase == "Succeeded"


def begun_alone() -> Simulation:
    simulation = bookinfo()
    simulation.mesh.put(shift(group={"name": "alone"}))
    return simulation


def test_a_group_of_one_is_a_shift_like_any_other() -> None:
    simulation = begun_alone()
    simulation.run(900, until=lambda s: s.phase in ENDED)
    assert simulation.phase == "Succeeded"


def regressing(name: str = "", victim: int = 0, moment: str = "") -> Release:
    """A release in which c regresses; the process of `name` dies at its call `victim`."""
    release = Release(*NAMES)
    release.services["c"].traffic.versions["v2"] = Behaviour(failing=0.3)
    struck: list[str] = []

    def strike(call: str, number: int, when: str) -> None:
        if not struck and (number, when) == (victim, moment):
            struck.append(call)
            raise Killed

    if name:
        release.services[name].mesh.interrupt = strike
    release.until_ended()
    assert bool(struck) == bool(name)
    return release


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("name", ["a", "c"])
def test_whoever_dies_at_whatever_call_all_are_back_at_stable(name: str, moment: str) -> None:
    calls = len(regressing().services[name].mesh.calls)
    assert calls > 10
    for victim in range(1, calls + 1):
        release = regressing(name, victim, moment)
        ends = {each: (simulation.phase, simulation.weight) for each, simulation in release.services.items()}
        assert set(ends.values()) == {("RolledBack", 0.0)}, f"{name} dies {moment} call {victim}: {ends}"
