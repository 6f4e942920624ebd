"""What is added settles before anything builds on it, and what is taken out goes last, and only if it was ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meshshift.engine.failures import Transient
from tests.engine.simulation import KEY, RUNNER, Behaviour, Simulation, bookinfo, pod, route, rule, shift
from tests.engine.stories import CREATED, LABELS
from tests.engine.test_drift import at_weight, ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.core.mesh.documents import Patch

SETTLE = 7.0


def begun(**spec: object) -> Simulation:
    simulation = bookinfo(settle=SETTLE)
    simulation.mesh.put(shift(**spec))
    return simulation


def without_subset(**spec: object) -> Simulation:
    """A run that has to add the canary's subset."""
    simulation = begun(canary=LABELS, **spec)
    simulation.mesh.put(rule("v1"))
    simulation.mesh.put(route({"v1": None}))
    return simulation


def subsets(simulation: Simulation) -> dict[str, Any]:
    document = simulation.mesh.peek("DestinationRule", "reviews")
    return {each["name"]: each["labels"] for each in document["spec"]["subsets"]} if document else {}


def routed(simulation: Simulation) -> list[str]:
    document = simulation.mesh.peek("VirtualService", "reviews")
    return [each["destination"]["subset"] for each in document["spec"]["http"][-1]["route"]] if document else []


def first(simulation: Simulation, holds: Callable[[Simulation], bool]) -> list[float]:
    """Will hold the instant at which something was first the case."""
    instants: list[float] = []

    def watch(seen: Simulation) -> None:
        if not instants and holds(seen):
            instants.append(seen.now)

    simulation.checks.append(watch)
    return instants


def test_on_the_way_back_each_stage_settles_before_the_next() -> None:
    simulation = without_subset()
    simulation.run(300, until=at_weight(25))
    simulation.command("abort")
    back = first(simulation, lambda s: s.weight == 0)
    unrouted = first(simulation, lambda s: routed(s) == ["v1"])
    removed = first(simulation, lambda s: set(subsets(s)) == {"v1"})
    simulation.run(120, until=ended)
    assert simulation.phase == "RolledBack"
    assert unrouted[0] - back[0] >= SETTLE
    assert removed[0] - unrouted[0] >= SETTLE


def test_a_created_route_waits_until_the_created_rule_has_settled() -> None:
    simulation = begun(**CREATED)
    for kind in ("VirtualService", "DestinationRule"):
        simulation.mesh.remove(kind, "reviews")
    subset = first(simulation, lambda s: "v1" in subsets(s))
    created = first(simulation, lambda s: bool(routed(s)))
    simulation.run(120, until=lambda s: bool(routed(s)))
    assert created[0] - subset[0] >= SETTLE


def test_a_settling_that_was_interrupted_is_waited_for_in_full() -> None:
    simulation = without_subset()
    added = first(simulation, lambda s: "v2" in subsets(s))
    weighted = first(simulation, lambda s: s.weight > 0)
    for _ in range(120):
        simulation.run(1)
        simulation.restart()
    assert weighted[0] - added[0] >= SETTLE


def test_a_subset_that_was_there_before_the_run_stays() -> None:
    simulation = begun(canary=LABELS)
    simulation.traffic.versions["v2"] = Behaviour(failing=0.3)
    simulation.run(300, until=ended)
    assert simulation.phase == "RolledBack"
    assert set(subsets(simulation)) == {"v1", "v2"}
    assert routed(simulation) == ["v1", "v2"]


def test_an_added_subset_that_somebody_changed_stays() -> None:
    simulation = without_subset()
    simulation.run(300, until=at_weight(5))

    def change(document: dict[str, Any]) -> None:
        document["spec"]["subsets"][1]["labels"] = {"version": "v2", "app": "reviews"}

    simulation.mesh.edit("DestinationRule", "reviews", change)
    simulation.run(120)
    assert simulation.weight == 0
    assert subsets(simulation)["v2"] == {"version": "v2", "app": "reviews"}


def test_an_added_subset_that_somebody_gave_a_policy_stays() -> None:
    simulation = without_subset()
    simulation.run(300, until=at_weight(5))

    def change(document: dict[str, Any]) -> None:
        document["spec"]["subsets"][1]["trafficPolicy"] = {"connectionPool": {"http": {"maxRetries": 1}}}

    simulation.mesh.edit("DestinationRule", "reviews", change)
    simulation.command("abort")
    simulation.run(60, until=ended)
    assert simulation.weight == 0
    assert set(subsets(simulation)) == {"v1", "v2"}


def test_what_vanishes_while_the_intent_is_persisted_gets_no_more_weight() -> None:
    def lose_rule(simulation: Simulation) -> None:
        simulation.mesh.remove("DestinationRule", "reviews")

    def lose_pod(simulation: Simulation) -> None:
        simulation.mesh.put(pod("v2", ready=False))

    for lose in (lose_rule, lose_pod):
        simulation = begun()
        struck: list[float] = []

        def slow_write(
            call: str,
            number: int,
            moment: str,
            simulation: Simulation = simulation,
            lose: Any = lose,
            struck: Any = struck,
        ) -> None:
            if (call, moment) == ("status", "after") and simulation.status["reason"] == "SettingWeight" and not struck:
                struck.append(simulation.weight)
                lose(simulation)
                simulation.sync()

        simulation.mesh.interrupt = slow_write
        simulation.run(60)
        assert struck == [0]
        assert simulation.weight == 0


def test_on_the_way_back_one_route_that_cannot_be_written_keeps_no_other_from_going_back() -> None:
    simulation = begun()
    edge = route({"v1": 100, "v2": 0})
    edge["metadata"]["name"] = "a-edge"
    edge["spec"].update(hosts=["shop.example.com"], gateways=["public"])
    simulation.mesh.put(edge)
    simulation.run(300, until=at_weight(25))
    write, broken = simulation.mesh.patch, True

    async def unless_broken(patch: Patch) -> dict[str, Any]:
        if broken and patch.target.name == "a-edge":
            raise Transient("504 for this one")
        return await write(patch)

    simulation.mesh.patch = unless_broken  # type: ignore[method-assign]
    simulation.command("abort")
    simulation.sync()
    RUNNER.run(simulation.reconciler.reconcile(KEY))
    with pytest.raises(Transient):
        RUNNER.run(simulation.reconciler.reconcile(KEY))
    assert simulation.weight == 0
    assert edge_weights(simulation) == [75, 25]
    broken = False
    simulation.run(60, until=ended)
    assert (simulation.phase, edge_weights(simulation)) == ("RolledBack", [100, 0])


def edge_weights(simulation: Simulation) -> list[int]:
    document = simulation.mesh.peek("VirtualService", "a-edge")
    return [each["weight"] for each in document["spec"]["http"][0]["route"]]
