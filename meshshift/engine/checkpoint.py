"""The state of a run as the text in `status.checkpoint`, from which any controller can go on.

The run's spec is stored as its wire form with defaults, so what a run was started with does not change with a later
release's defaults.  The text is the controller's own: nobody else has to understand it, and a text that cannot be read
is reported, not guessed around.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from meshshift.api.convert import spec_from_wire
from meshshift.api.policies import Policy
from meshshift.api.status import shorten
from meshshift.core import record
from meshshift.core.aftermath import Aftermath
from meshshift.core.checks import CheckState
from meshshift.core.deficit import Deficit
from meshshift.core.gate_call import GateState
from meshshift.core.judge import Evidence
from meshshift.core.mesh.documents import member, shown
from meshshift.core.run import Hold, Outcome, Phase, Run, Skip
from meshshift.core.scaling import Scaling
from meshshift.engine.stored_run import hold_together, parsed

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1
LONGEST_REASON = 400
"""Characters of what is wrong with a checkpoint, so that the fix behind it is still read."""
Value = TypeVar("Value")
_ENUMS = {"phase": Phase, "hold": Hold, "skip": Skip}
_OBJECTS = {"spec", "evidence", "outcome", "deficit", "checks", "after", "gate", "scaling"}


class UnreadableCheckpoint(ValueError):
    """The text is not a checkpoint of this release."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A run, the wire form of the spec it was started with, and the policy that a part of that stood in."""

    run: Run
    wire_spec: Mapping[str, Any]
    policy: Policy | None = None


def encode(checkpoint: Checkpoint) -> str:
    """Compact JSON; equal checkpoints give equal text."""
    run = checkpoint.run
    fields = {field.name: getattr(run, field.name) for field in dataclasses.fields(run) if field.name not in _OBJECTS}
    state = {
        "format": FORMAT,
        "spec": checkpoint.wire_spec,
        "evidence": run.evidence.to_json(),
        "outcome": None if run.outcome is None else [run.outcome.reason, run.outcome.message],
        "deficit": dataclasses.astuple(run.deficit),
        "after": None if run.after is None else record.encode(run.after),
        "gate": None if run.gate is None else record.encode(run.gate),
        "scaling": None if run.scaling is None else record.encode(run.scaling),
        "checks": [state.to_json() for state in run.checks],
        **{name: value for name, value in fields.items() if value is not None},
    }
    if checkpoint.policy is not None:
        state["policy"] = {"name": checkpoint.policy.name, "spec": checkpoint.policy.spec}
    return json.dumps(state, separators=(",", ":"), sort_keys=True, allow_nan=False, ensure_ascii=False)


def decode(text: str, namespace: str) -> Checkpoint:
    """The checkpoint in `text`; raises UnreadableCheckpoint."""
    try:
        state = parsed(text)
        if (written := state.pop("format", None)) != FORMAT:
            raise ValueError(f"format is {shown(written)}, of another release: expected {FORMAT}")
        policy = _policy(state.pop("policy", None))
        if unknown := state.keys() - {field.name for field in dataclasses.fields(Run)}:
            raise ValueError(f"there is no field {shown(min(unknown))}")
        wire_spec, outcome = state.pop("spec"), state.pop("outcome")
        enums: dict[str, Any] = {name: kind(state.pop(name)) for name, kind in _ENUMS.items() if name in state}
        run = Run(
            spec=spec_from_wire(wire_spec, namespace=namespace),
            evidence=Evidence.from_json(state.pop("evidence")),
            deficit=Deficit(*state.pop("deficit")),
            after=_read(Aftermath, state.pop("after", None)),
            gate=_read(GateState, state.pop("gate", None)),
            scaling=_read(Scaling, state.pop("scaling", None)),
            checks=tuple(map(CheckState.from_json, state.pop("checks"))),
            outcome=None if outcome is None else Outcome(*outcome),
            confirmed=state.pop("confirmed", None),
            drifts=tuple(state.pop("drifts", ())),
            answered=tuple(state.pop("answered", ())),
            **enums,
            **state,
        )
        return Checkpoint(hold_together(run), wire_spec, policy)
    except KeyError as error:
        raise UnreadableCheckpoint(f"the field {error} is missing") from error
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise UnreadableCheckpoint(shorten(str(error), LONGEST_REASON)) from error


def _policy(data: object) -> Policy | None:
    if data is None:
        return None
    name, spec = member(data, "name"), member(data, "spec")
    if not isinstance(name, str) or not isinstance(spec, dict):
        raise ValueError(f"policy is {shown(data)}: expected an object with name and spec")
    return Policy(name, spec)


def _read(wanted: type[Value], data: object) -> Value | None:
    return None if data is None else record.decode(wanted, data)
