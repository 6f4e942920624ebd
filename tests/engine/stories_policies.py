"""What happens to a shift's ShiftPolicy: it comes late, is edited, broken or removed, and another one is named."""

from __future__ import annotations

from typing import Any

from tests.engine.simulation import Simulation, policy, shift

GOVERNED: dict[str, Any] = {"policyRef": {"name": "careful"}, "strategy": None, "analysis": None}
"""What makes the usual shift one that leaves to its policy how it moves and how it is judged."""
_USUAL = {name: shift()["spec"][name] for name in ("strategy", "analysis")}
_OTHER = {"strategy": {"canary": {"steps": [{"setWeight": 40}], "minStepDuration": "15s"}}, "onFailure": "Pause"}


def give_policy(simulation: Simulation) -> None:
    """It says what the usual shift says itself."""
    simulation.mesh.put(policy(**_USUAL))


def lose_policy(simulation: Simulation) -> None:
    if simulation.mesh.peek("ShiftPolicy", "careful"):
        simulation.mesh.remove("ShiftPolicy", "careful")


def edit_policy(simulation: Simulation) -> None:
    """Other steps, and another answer to failure."""
    simulation.mesh.edit("ShiftPolicy", "careful", lambda document: document["spec"].update(_OTHER))


def break_policy(simulation: Simulation) -> None:
    simulation.mesh.edit("ShiftPolicy", "careful", lambda document: document["spec"].update(strategy="fast"))


def name_another(simulation: Simulation) -> None:
    simulation.mesh.put(policy("other", **{**_USUAL, **_OTHER}))
    _edit_shift(simulation, policyRef={"name": "other"})


def edit_shift(simulation: Simulation) -> None:
    """An edit that begins a new run, by whatever the policy says then."""
    _edit_shift(simulation, onDrift="Enforce")


def _edit_shift(simulation: Simulation, **spec: Any) -> None:
    if simulation.exists:
        simulation.mesh.edit("TrafficShift", "reviews", lambda document: document["spec"].update(spec))
