"""What one shift exports, as a frozen value: taken from a decision and what that decision was based on.

Only what is known is in it.  A weight that the mesh does not say with one voice, telemetry that nobody reads any more,
evidence that this process has not seen: each is None or empty, and its series is absent rather than stale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshshift.core.mesh.documents import Problem, member, text
from meshshift.core.mesh.weighted_route import observed_percent
from meshshift.core.run import Phase
from meshshift.core.steps import FULL
from meshshift.core.telemetry import Tick

if TYPE_CHECKING:
    from meshshift.core.checking import CheckFinding
    from meshshift.core.decision import Decision
    from meshshift.core.judge import Finding
    from meshshift.core.observation import Observation
    from meshshift.core.run import Run
    from meshshift.engine.ports import Document

JUDGING = frozenset({Phase.PENDING, Phase.PROGRESSING})
"""Phases of a run in which telemetry is read; on the way back and after the end nobody asks for it any more."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A subset's weights as ratios 0..1; None where nothing is known."""

    desired: float | None = None
    observed: float | None = None
    measured: float | None = None


@dataclass(frozen=True, slots=True)
class ShiftSnapshot:
    """What one shift exports.

    Weights are the canary's, as ratios 0..1; None where nothing is known.  `baseline` is the subset that the canary is
    compared with in stable's place, empty if there is none, and `beside` its weights, likewise.  `telemetry_until` is
    unix seconds.
    """

    namespace: str
    name: str
    service: str
    strategy: str
    stable: str
    canary: str
    phase: Phase
    kind: str
    reason: str
    run_id: str | None = None
    step: int = 0
    steps: int = 0
    desired: float | None = None
    observed: float | None = None
    measured: float | None = None
    telemetry_until: float | None = None
    findings: tuple[Finding, ...] = ()
    checks: tuple[CheckFinding, ...] = ()
    baseline: str = ""
    beside: Weights = Weights()

    @property
    def control(self) -> str:
        """The subset that the canary is compared with."""
        return self.baseline or self.stable


def snapshot_of(
    shift: Document, observation: Observation | None, decision: Decision, previous: ShiftSnapshot | None
) -> ShiftSnapshot:
    """The snapshot after a decision; what a pass of the same run does not bring anew is taken from `previous`."""
    run, metadata = decision.run, shift["metadata"]
    identity = (metadata["namespace"], metadata["name"])
    strategy = text(member(shift, "status", "strategy"))
    if run is None:
        spec = shift.get("spec")
        names = (text(member(spec, "service")), strategy, _subset(spec, "stable"), _subset(spec, "canary"))
        return ShiftSnapshot(*identity, *names, decision.phase, decision.kind, decision.reason)
    same = previous if previous is not None and previous.run_id == run.id else None
    return ShiftSnapshot(
        *identity,
        run.spec.service,
        strategy,
        run.spec.stable.name,
        run.spec.canary.name,
        decision.phase,
        decision.kind,
        decision.reason,
        run_id=run.id,
        step=run.step + 1,
        steps=len(run.spec.steps),
        desired=run.desired / 100,
        observed=_observed(observation),
        measured=_measured(observation, run, same),
        telemetry_until=_telemetry_until(run),
        findings=_findings(decision, same),
        checks=_checks(decision, same),
        baseline=run.spec.baseline.name if run.spec.baseline else "",
        beside=_beside(observation, run, same),
    )


def _subset(spec: object, arm: str) -> str:
    return text(member(spec, arm, "subset"))


def _observed(observation: Observation | None) -> float | None:
    if observation is None or isinstance(observation.mesh.routes, Problem):
        return None
    shares = observed_percent(observation.mesh.routes.routes)
    return float(shares[0]) / 100 if len(shares) == 1 else None


def _measured(observation: Observation | None, run: Run, same: ShiftSnapshot | None) -> float | None:
    if run.phase not in JUDGING:
        return None
    if observation is None or not isinstance(observation.telemetry, Tick):
        return same.measured if same else None
    tick = observation.telemetry
    return tick.canary.total / tick.answered if tick.answered > 0 else None


def _beside(observation: Observation | None, run: Run, same: ShiftSnapshot | None) -> Weights:
    """The baseline's weights, nothing without a baseline."""
    if run.spec.baseline is None:
        return Weights()
    routes = None if observation is None else observation.mesh.routes
    shares = set() if routes is None or isinstance(routes, Problem) else {r.baseline_percent for r in routes.routes}
    measured = same.beside.measured if same else None
    tick = observation.telemetry if observation else None
    if isinstance(tick, Tick) and tick.baseline is not None:
        measured = tick.baseline.total / tick.answered if tick.answered > 0 else None
    return Weights(
        desired=run.shares.baseline / FULL,
        observed=float(shares.pop()) / FULL if len(shares) == 1 else None,
        measured=measured if run.phase in JUDGING else None,
    )


def _telemetry_until(run: Run) -> float | None:
    """Taken from the run's own record, so that a restart does not make silence look like news."""
    until = run.evidence.until if run.evidence.judging else run.evidence.warmed
    return until if run.phase in JUDGING and until > 0 else None


def _findings(decision: Decision, same: ShiftSnapshot | None) -> tuple[Finding, ...]:
    if decision.assessment is not None:
        return decision.assessment.findings
    return same.findings if same else ()


def _checks(decision: Decision, same: ShiftSnapshot | None) -> tuple[CheckFinding, ...]:
    if decision.checks:
        return decision.checks
    return same.checks if same else ()
