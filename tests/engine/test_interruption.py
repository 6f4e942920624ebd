"""Safety under interruption: the process dies, or the API fails, at every single call of every scenario.

Each scenario is first run without interruption to learn how many calls it makes and how it ends.  Then it is run once
for every call and both moments (before it is carried out, and after it was but before anybody was told), and has to
come to the same end with the invariants holding in every second in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshshift.core.telemetry import Series
from meshshift.engine.failures import Conflict, Transient
from tests.engine.simulation import Behaviour, Killed, Simulation, bookinfo, route, rule, shift

ENDED = {"Succeeded", "RolledBack", "Failed"}
LABELS = {"subset": "v2", "labels": {"version": "v2"}}


@dataclass
class Scenario:
    """What happens, and when it is over."""

    name: str
    spec: dict[str, Any] = field(default_factory=dict)
    arrange: Callable[[Simulation], None] = lambda simulation: None
    script: tuple[tuple[float, Callable[[Simulation], None]], ...] = ()
    over: Callable[[Simulation], bool] = lambda simulation: simulation.phase in ENDED

    def play(self, interrupt: Callable[[str, int, str], None] | None = None, seconds: float = 400) -> Simulation:
        """Run it; `interrupt` is asked at every call."""
        simulation = bookinfo()
        self.arrange(simulation)
        simulation.mesh.put(shift(**self.spec))
        if interrupt:
            simulation.mesh.interrupt = interrupt
        watch_invariants(simulation)
        begin, script = simulation.now, list(self.script)
        while simulation.now < begin + seconds and (script or not self.over(simulation)):
            if script and simulation.now >= begin + script[0][0]:
                script.pop(0)[1](simulation)
            simulation.run(1)
        simulation.run(10)
        return simulation


def failing(simulation: Simulation) -> None:
    simulation.traffic.versions["v2"] = Behaviour(failing=0.3)


def without_subset(simulation: Simulation) -> None:
    failing(simulation)
    simulation.mesh.put(rule("v1"))
    simulation.mesh.put(route({"v1": None}))


def without_objects(simulation: Simulation) -> None:
    for kind in ("VirtualService", "DestinationRule"):
        simulation.mesh.remove(kind, "reviews")


def retarget(simulation: Simulation) -> None:
    steps = {"canary": {"steps": [{"setWeight": 10}], "minStepDuration": "10s"}}
    simulation.mesh.edit("TrafficShift", "reviews", lambda document: document["spec"].update(strategy=steps))


def failing_query(simulation: Simulation) -> None:
    simulation.answer = lambda s, at: (Series.of({}, 0.9 if at % 10 else 0.1),)


CHECKED = {
    "interval": "5s",
    "warmup": "0s",
    "indicators": [
        {"name": "errors", "successRate": {}},
        {"name": "checkout", "query": {"promql": "sum(x)", "max": 0.2}, "failureLimit": 2},
    ],
}
SCENARIOS = (
    Scenario("promotion"),
    Scenario("failure limit", {"analysis": CHECKED}, failing_query),
    Scenario("rollback", arrange=failing),
    Scenario("rollback of an added subset", {"canary": LABELS}, without_subset),
    Scenario(
        "creation",
        {"create": "IfMissing", "stable": {"subset": "v1", "labels": {"version": "v1"}}, "canary": LABELS},
        without_objects,
    ),
    Scenario("abort", script=((40, lambda s: s.command("abort")),)),
    Scenario("promote-full", script=((20, lambda s: s.command("promote-full")),)),
    Scenario("deletion", script=((40, Simulation.delete),), over=lambda s: not s.exists),
    Scenario(
        "deletion of an added subset",
        {"canary": LABELS},
        without_subset,
        ((20, Simulation.delete),),
        lambda s: not s.exists,
    ),
    Scenario("retarget", script=((40, retarget),)),
)


def watch_invariants(simulation: Simulation) -> None:
    """What has to hold in every second and after every pass."""
    allowed = {0.0}
    turned_back: dict[str, float] = {}

    def check(s: Simulation) -> None:
        status = s.status
        if status.get("weights"):
            allowed.add(float(status["weights"]["desired"]))
        assert s.weight in allowed, f"{s.weight}% was never an intent that was persisted"
        if status.get("phase") == "RollingBack":
            before = turned_back.setdefault(status["runId"], s.weight)
            assert s.weight <= before, "the weight rose on the way back"
            turned_back[status["runId"]] = s.weight
        subsets = subsets_of(s)
        assert not s.weight or "v2" in subsets, "weight on a subset that is not in the rule"
        assert not s.shares() or "v1" in subsets, "the stable subset went missing"

    simulation.checks.append(check)


def subsets_of(simulation: Simulation) -> set[str]:
    document = simulation.mesh.objects.get(("DestinationRule", "bookinfo", "reviews"))
    return {each["name"] for each in document["spec"]["subsets"]} if document else set()


def end_of(simulation: Simulation) -> dict[str, Any]:
    """The end as users see it: everything but versions and times."""
    specs = {
        kind: document["spec"]
        for (kind, _, _), document in simulation.mesh.objects.items()
        if kind in {"VirtualService", "DestinationRule"}
    }
    return {"specs": specs, "phase": simulation.phase, "reason": simulation.status.get("reason")}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_dying_at_any_call_comes_to_the_same_end(scenario: Scenario, moment: str) -> None:
    undisturbed = scenario.play()
    calls = len(undisturbed.mesh.calls)
    assert calls > 5
    for victim in range(1, calls + 1):
        struck: list[str] = []

        def kill(call: str, number: int, when: str, victim: int = victim, struck: list[str] = struck) -> None:
            if number == victim and when == moment and not struck:
                struck.append(call)
                raise Killed

        simulation = scenario.play(kill)
        assert struck, victim
        assert end_of(simulation) == end_of(undisturbed), f"killed {moment} call {victim}: {struck[0]}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_turn_in_the_history_becomes_exactly_one_event(scenario: Scenario) -> None:
    def kill(call: str, number: int, when: str) -> None:
        if number % 5 == 0 and when == "after" and number < 80:
            raise Killed

    simulation = scenario.play(kill)
    if not simulation.exists:
        return
    told = [reason for reason, _ in simulation.mesh.events.values()]
    for reason in simulation.reasons():
        assert told.count(reason) == simulation.reasons().count(reason), reason


FAULTS = st.dictionaries(
    st.integers(1, 60),
    st.tuples(st.sampled_from(["before", "after"]), st.sampled_from(["conflict", "transient", "kill"])),
    max_size=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(faults=FAULTS, scenario=st.sampled_from(SCENARIOS))
def test_any_schedule_of_faults_comes_to_the_same_end(faults: dict[int, tuple[str, str]], scenario: Scenario) -> None:
    kinds: dict[str, BaseException] = {
        "conflict": Conflict("the object has been modified"),
        "transient": Transient("the server is overloaded"),
        "kill": Killed(),
    }

    def disturb(call: str, number: int, when: str) -> None:
        planned = faults.get(number)
        if planned and planned[0] == when and not (when == "after" and planned[1] == "conflict"):
            raise kinds[planned[1]]

    assert end_of(scenario.play(disturb)) == end_of(scenario.play())
