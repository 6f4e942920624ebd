"""Which spec a shift goes by when part of it stands in a ShiftPolicy (ADR 10).

A run is frozen: it keeps the spec it was started with, and the checkpoint keeps the policy beside it.  So there are two
readings of a shift, its own fields with the policy as it is now, and with the policy as its run has it.  If either
means what the run was started with, nobody has changed the shift: an edited policy, or another one named, waits for the
next run and restarts nothing.  If the policy is gone or makes no sense, the run goes on by the second reading, and only
a new one cannot begin.  If the shift's own fields make no sense, the run stays where it is, by what it was started
with, and is still judged (ADR 16).

Nothing here is remembered: both readings follow from the shift, the policy and the checkpoint, so a process that dies
at any instant reads them again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshshift.api.errors import InvalidSpec, SpecError, show
from meshshift.api.policies import KIND, Policy, policy_name
from meshshift.api.status import PolicyStatus, shorten
from meshshift.core.mesh.documents import Problem, Reason
from meshshift.engine.memory import ParsedSpec
from meshshift.engine.world import key_of

if TYPE_CHECKING:
    from meshshift.engine.checkpoint import Checkpoint
    from meshshift.engine.memory import Memory
    from meshshift.engine.world import Document, World

CHANGED = (
    "the policy was changed, or another one named, after this run began; the run keeps what it was started with, and "
    "the next one takes the change"
)


class PolicyNotFound(InvalidSpec):
    """The policy that a shift names is not there."""

    def __init__(self, name: str, namespace: str) -> None:
        fix = f"there is no {KIND} {namespace}/{name}; create it, or correct the name"
        super().__init__([SpecError("spec.policyRef.name", show(name), fix)])


@dataclass(frozen=True, slots=True)
class Asked:
    """What a shift asks for.

    `parsed` is what the next run will go by; while that cannot be had, which `problem` explains, it is what the present
    one goes by.  `kept_hash` is the identity of the shift's own fields with the policy that the present run has.
    `held`: not even those make sense, so the present run goes no further.
    """

    parsed: ParsedSpec
    kept_hash: str = ""
    problem: Problem | None = None
    held: bool = False


def asked_for(shift: Document, stored: Checkpoint | None, world: World, memory: Memory) -> Asked:
    """Both readings of the shift, or what its run was started with if neither makes sense.

    Raises InvalidSpec if there is no run that anything could be kept of.
    """
    kept = _kept(shift, stored, memory)
    try:
        parsed = _present(shift, world, memory)
    except InvalidSpec as invalid:
        if kept is not None:
            return Asked(kept, kept.digest, problem_of(invalid))
        if stored is None or (stored.run.phase.ended and not shift["metadata"].get("deletionTimestamp")):
            raise
        return Asked(_started_with(stored), problem=problem_of(invalid), held=True)
    return Asked(parsed, kept.digest if kept else "")


def problem_of(invalid: InvalidSpec) -> Problem:
    """Why the spec cannot be carried out."""
    reason = Reason.POLICY_NOT_FOUND if isinstance(invalid, PolicyNotFound) else Reason.INVALID_SPEC
    return Problem(reason, str(invalid))


def policy_status(shift: Document, checkpoint: Checkpoint | None, world: World, memory: Memory) -> PolicyStatus | None:
    """What the status says of the policy; None where neither the shift nor its run has one."""
    name = policy_name(shift.get("spec"))
    if name is None and (checkpoint is None or checkpoint.policy is None):
        return None
    told = name or ""
    try:
        present = _present(shift, world, memory)
    except PolicyNotFound as missing:
        return PolicyStatus(name=told, state="Missing", message=shorten(str(missing)))
    except InvalidSpec as invalid:
        return PolicyStatus(name=told, state="Invalid", message=shorten(str(invalid)))
    kept = _kept(shift, checkpoint, memory)
    if checkpoint and kept and kept.digest == checkpoint.run.spec_hash != present.digest:
        return PolicyStatus(name=told, state="Changed", message=CHANGED)
    return PolicyStatus(name=told, state="Current")


def _present(shift: Document, world: World, memory: Memory) -> ParsedSpec:
    """The shift with its policy as it is now."""
    name = policy_name(shift.get("spec"))
    if name is None:
        return memory.spec_of(shift)
    document = world.policy_of(shift)
    if document is None:
        raise PolicyNotFound(name, key_of(shift)[0])
    return memory.spec_of(shift, Policy(name, document.get("spec")))


def _started_with(stored: Checkpoint) -> ParsedSpec:
    return ParsedSpec(stored.run.spec, stored.wire_spec, stored.run.spec_hash, stored.policy)


def _kept(shift: Document, stored: Checkpoint | None, memory: Memory) -> ParsedSpec | None:
    """The shift with the policy that its run was started with; None without a run, or if that makes no sense."""
    if stored is None:
        return None
    try:
        return memory.spec_of(shift, stored.policy)
    except InvalidSpec:
        return None
