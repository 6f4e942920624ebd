"""What a look at the world leads to: the next state of the run, the edits to the mesh, and one reason for all of it.

The reason is made once.  The status condition, the Event, the log line, the metric label, the command line and the page
all show that one string.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meshshift.core.checking import CheckFinding
    from meshshift.core.gate_call import Question
    from meshshift.core.judge import Assessment
    from meshshift.core.mesh.documents import ObjectRef, Patch
    from meshshift.core.observation import Command
    from meshshift.core.run import Phase, Run
    from meshshift.core.workloads import Survey


QUIET = frozenset(
    {
        "Dwell",
        "NotYetProven",
        "NotYetChecked",
        "Learning",
        "Settling",
        "SettingWeight",
        "WeightSet",
        "SettingRoutes",
        "RoutesSet",
        "Promoting",
        "AskingGate",
        "ScalingDown",
    }
)
"""Reasons of the daily course of a shift: shown in the status, not worth a line in its history or an Event."""


class Kind(StrEnum):
    """What is being done, as the `kind` label of the decisions metric."""

    HOLD = "Hold"
    WAIT = "Wait"
    PREPARE = "Prepare"
    ADVANCE = "Advance"
    APPLY = "Apply"
    PAUSE = "Pause"
    PROMOTE = "Promote"
    ROLL_BACK = "RollBack"
    RESTORE = "Restore"
    END = "End"


@dataclass(frozen=True, slots=True)
class Creation:
    """A mesh object to be created because `create: IfMissing` allows it."""

    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Removal:
    """An object of our own to be deleted, if it is still the one with this uid."""

    target: ObjectRef
    uid: str


@dataclass(frozen=True, slots=True)
class CommandResult:
    """A person's command and what became of it."""

    command: Command
    result: str


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision.

    `phase` is what people are shown (it may be Paused where the run's own phase goes on).
    `edits` are written only after `run` was persisted.  `again`: seconds until the next look is due at the latest.
    `asks`: what a gate has to be asked before anything else can be decided.
    `surveys`: what has to be read about Deployments before that.
    `stalled`: nothing will move without a person.  `release`: the finalizer may go.
    """

    kind: Kind
    reason: str
    message: str
    phase: Phase
    run: Run | None
    again: float
    edits: tuple[Patch | Creation, ...] = ()
    stalled: bool = False
    drifted: bool = False
    release: bool = False
    assessment: Assessment | None = None
    checks: tuple[CheckFinding, ...] = ()
    command: CommandResult | None = None
    asks: Question | None = None
    surveys: Survey | None = None
