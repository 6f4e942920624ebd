"""Why a shift is where it is, from nothing but its document: status for what people were told, checkpoint for the rest.

The checkpoint holds the whole evidence, so the account given here is that of the controller itself and not a
reconstruction.  Whatever is not there (a shift that no controller has looked at, a checkpoint of another release) is
said in a remark; nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshshift.api.convert import InvalidSpec, spec_hash
from meshshift.api.policies import with_policy
from meshshift.api.status import StatusModel
from meshshift.core.account import Balance, balance
from meshshift.core.options import Option, options
from meshshift.engine.checkpoint import Checkpoint, UnreadableCheckpoint, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshshift.core.run import Run


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything there is to say about a shift.

    `run` is None when there is none that can be read; `balance` when nothing was judged yet.  `paused` is whether
    `spec.paused` holds it.
    """

    namespace: str
    name: str
    status: StatusModel
    run: Run | None
    balance: Balance | None
    options: tuple[Option, ...]
    paused: bool
    remarks: tuple[str, ...]


def explain(shift: Mapping[str, Any]) -> Explanation:
    """The explanation of a TrafficShift as the API server returns it."""
    metadata, wire = shift.get("metadata") or {}, shift.get("spec") or {}
    namespace = str(metadata.get("namespace") or "default")
    status = StatusModel.from_wire(shift.get("status"))
    remarks, run = [], None
    if status.phase is None:
        remarks.append("no controller has looked at this shift yet: is one running, and does it watch this namespace?")
    elif status.checkpoint:
        try:
            stored = decode(status.checkpoint, namespace)
            run = stored.run
            remarks += _difference(wire, stored)
        except UnreadableCheckpoint as error:
            remarks.append(f"the evidence cannot be shown: status.checkpoint cannot be read here ({error})")
    if status.policy is not None and status.policy.message:
        remarks.append(f"ShiftPolicy {status.policy.name}: {status.policy.message}")
    paused = bool(wire.get("paused")) and run is not None and not run.phase.ended
    return Explanation(
        namespace=namespace,
        name=str(metadata.get("name", "")),
        status=status,
        run=run,
        balance=balance(run) if run else None,
        options=options(run, status.reason or "", paused=paused) if run else (),
        paused=paused,
        remarks=tuple(remarks),
    )


def _difference(wire: Mapping[str, Any], stored: Checkpoint) -> list[str]:
    try:
        changed = spec_hash(with_policy(wire, stored.policy)) != stored.run.spec_hash
    except InvalidSpec as error:
        return [f"spec is not valid, the run goes by the one it was started with: {error}"]
    return ["spec was changed after this run began: what is shown here is what the run goes by"] if changed else []
