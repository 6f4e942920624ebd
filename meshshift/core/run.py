"""The state of one run of a TrafficShift: all that must survive a restart, as one frozen value.

Safety rests on *intent before act*: `desired` is persisted before the mesh is written and `confirmed` only after the
mesh was seen to say so.  Whatever the moment of an interruption, each managed route then reads either `confirmed` (the
write did not happen: repeat it, if the rules still want it) or `desired` (it did: confirm it).  Anything else was
written by somebody else and is drift.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from meshshift.core.aftermath import Aftermath
from meshshift.core.deficit import Deficit
from meshshift.core.mesh.control import share
from meshshift.core.mesh.stickiness import Cookies
from meshshift.core.spec import Analyse, Gate, Pause, SetWeight
from meshshift.core.steps import FULL, extras_at

if TYPE_CHECKING:
    from meshshift.core.checks import CheckState
    from meshshift.core.gate_call import GateState
    from meshshift.core.judge import Evidence
    from meshshift.core.mesh.cohorts import Extras
    from meshshift.core.mesh.control import Shares
    from meshshift.core.scaling import Scaling
    from meshshift.core.spec import ShiftSpec, Step


class Phase(StrEnum):
    """Where a shift is; the words of `status.phase`."""

    PENDING = "Pending"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    PROMOTING = "Promoting"
    SUCCEEDED = "Succeeded"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    FAILED = "Failed"

    @property
    def ended(self) -> bool:
        """True once nothing moves any more without a person's word or a new spec."""
        return self in {Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.FAILED}


class Hold(StrEnum):
    """Why a run is held until a person speaks."""

    PERSON = "Person"
    REGRESSION = "Regression"
    GATE = "Gate"


class Skip(StrEnum):
    """How far a person's `promote` reaches: past the current wait, or straight to 100%."""

    STEP = "Step"
    FULL = "Full"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why a run is being rolled back, or how it ended: a CamelCase reason and the sentence that goes with it."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run.  Instants are unix seconds, weights whole percent.

    `phase` is never PAUSED: pausing is a hold on whatever phase the run is in.
    `step` is the index into `spec.steps` of the step under way, -1 before the first.
    `weight_since` is when the mesh was first seen to say `desired`; None until then.
    `settle_until` keeps the next mesh edit from following the last too closely; None when nothing settles.
    `added_subset` is set before the canary's subset is added to the DestinationRule, so that the way back removes it;
    `added_baseline` likewise for the baseline's, which goes at the end of every run.
    `restart` makes the way back end in a new run (the spec changed meanwhile).
    `deficit` counts what the canary was to get since the weight was set, and did not.
    `checks` are the states of the spec's checks as far as they have been asked; failures add up over the whole run.
    `skip` is a person's promotion that still has to be carried out; `by_person`: the step under way was begun by one.
    `after` compares with before once all traffic has moved and steps still follow; None until then.
    `gate` is how far the gate of the step under way has been asked, None before its first answer.
    `extras_set` is the step whose header routes and mirrors the mesh was last seen to have.
    `adopts`: a person wants the run to begin at the weight that the mesh says.
    `drifts` are the instants of the latest answers to weights that somebody else wrote, the oldest first;
    `answered` are the versions of the objects that the last of them was about.
    `scaling` is what it has to remember about replicas, None unless the spec asks for replica care.
    `stable_labels`, `canary_labels` and `baseline_labels` are what the subsets selected when the first weight was set,
    as selector text.
    """

    id: str
    spec: ShiftSpec
    spec_hash: str
    started: float
    step_since: float
    evidence: Evidence
    phase: Phase = Phase.PENDING
    step: int = -1
    desired: int = 0
    confirmed: int | None = 0
    weight_since: float | None = None
    settle_until: float | None = None
    settled_stage: str = ""
    added_subset: bool = False
    added_baseline: bool = False
    warmed: bool = False
    hold: Hold | None = None
    held_by: str = ""
    skip: Skip | None = None
    by_person: bool = False
    after: Aftermath | None = None
    gate: GateState | None = None
    extras_set: int | None = None
    adopts: bool = False
    drifts: tuple[float, ...] = ()
    answered: tuple[str, ...] = ()
    stable_labels: str | None = None
    canary_labels: str | None = None
    baseline_labels: str | None = None
    outcome: Outcome | None = None
    restart: bool = False
    deficit: Deficit = field(default_factory=Deficit)
    checks: tuple[CheckState, ...] = ()
    scaling: Scaling | None = None
    ended: float | None = None

    @property
    def current(self) -> Step | None:
        """The step under way; None before the first."""
        return self.spec.steps[self.step] if self.step >= 0 else None

    @property
    def upcoming(self) -> Step | None:
        """The step after this one; None after the last."""
        return self.spec.steps[self.step + 1] if self.step + 1 < len(self.spec.steps) else None

    @property
    def shares(self) -> Shares:
        """What each version gets of all requests at `desired`, in percent."""
        return share(FULL, self.desired, controlled=self.spec.baseline is not None)

    @property
    def extras(self) -> Extras:
        """What the steps so far ask for besides the weight, none of it once the run is promoting or on its way back.

        Cookies come with the first weight: before it, they would keep everybody on stable.
        """
        progressing = self.phase is Phase.PROGRESSING
        asked = extras_at(self.spec.steps, self.step if progressing else -1)
        return replace(asked, cookies=self.cookies) if progressing and self.desired else asked

    @property
    def cookies(self) -> Cookies | None:
        """The cookies by which this run's users are told; None if it is not to be sticky."""
        return Cookies(self.spec.stickiness, self.id) if self.spec.stickiness else None

    @property
    def applied(self) -> bool:
        """True once the mesh was seen to say `desired`."""
        return self.confirmed == self.desired and (self.weight_since is not None or self.desired == 0)

    def enter(self, step: int, now: float) -> Run:
        """Begin a step: a SetWeight states the intent that the mesh is to follow."""
        entered = replace(
            self,
            step=step,
            step_since=now,
            phase=Phase.PROGRESSING,
            hold=None,
            skip=None,
            by_person=self.skip is not None,
            gate=None,
        )
        match self.spec.steps[step]:
            case SetWeight(percent) if percent != self.desired:
                watched = percent == FULL and any(
                    isinstance(each, Pause | Gate | Analyse) for each in self.spec.steps[step:]
                )
                after = Aftermath.begin(self.evidence) if watched else None
                return replace(entered, desired=percent, weight_since=None, after=after)
        return entered

    def adopt(self, percent: int, now: float) -> Run:
        """Go on from a weight (1..100) that somebody else gave the canary, at the last step that asks for no more.

        With a baseline, stable and baseline may still have to divide the rest: nothing is confirmed then.
        """
        weights = [(i, step.percent) for i, step in enumerate(self.spec.steps) if isinstance(step, SetWeight)]
        step = max((i for i, weight in weights if weight <= percent), default=-1)
        return replace(
            self,
            phase=Phase.PROGRESSING,
            step=step,
            step_since=now,
            desired=percent,
            confirmed=percent if self.spec.baseline is None else None,
            weight_since=None,
            settle_until=None,
            skip=None,
            gate=None,
        )

    def confirm(self, now: float) -> Run:
        """The mesh says `desired`: data from before this instant belongs to the old weight and is not looked at."""
        evidence = self.evidence.skip_to(now)
        return replace(self, confirmed=self.desired, weight_since=now, evidence=evidence, deficit=self.deficit.anew())

    def roll_back(self, reason: str, message: str, now: float, *, restart: bool = False) -> Run:
        """Turn round; from here on only the way back is taken."""
        return replace(
            self,
            phase=Phase.ROLLING_BACK,
            step_since=now,
            desired=0,
            weight_since=None,
            settle_until=None,
            settled_stage="",
            hold=None,
            skip=None,
            after=None,
            gate=None,
            outcome=Outcome(reason, message),
            restart=restart,
        )

    def end(self, phase: Phase, now: float, outcome: Outcome | None = None) -> Run:
        """Come to rest; `outcome` is what the record will say, the present one if None."""
        return replace(
            self,
            phase=phase,
            ended=now,
            outcome=outcome or self.outcome,
            settle_until=None,
            settled_stage="",
            hold=None,
            skip=None,
        )


def begin(run_id: str, spec: ShiftSpec, spec_hash: str, evidence: Evidence, now: float) -> Run:
    """A fresh run that has touched nothing yet."""
    return Run(id=run_id, spec=spec, spec_hash=spec_hash, started=now, step_since=now, evidence=evidence)
