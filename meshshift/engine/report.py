"""A decision as people read it: the status of the TrafficShift, with conditions that kstatus and `kubectl wait` know.

kstatus (sigs.k8s.io/cli-utils) reads `Reconciling` and `Stalled` as the abnormal states and `Ready` as the aim, so a
GitOps health check needs nothing that is special to meshshift.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Literal

from meshshift.api.status import (
    MAX_VIRTUAL_SERVICES,
    BaselineStatus,
    ConditionStatus,
    EvidenceStatus,
    HistoryEntry,
    LastCommandStatus,
    StatusModel,
    StepStatus,
    VirtualServiceStatus,
    WeightsStatus,
    rfc3339,
    shorten,
)
from meshshift.core.decision import QUIET
from meshshift.core.lowering import SCALED_DOWN
from meshshift.core.mesh.documents import Problem
from meshshift.core.mesh.weighted_route import at_percent, is_at, observed_percent
from meshshift.core.run import Phase
from meshshift.core.steps import describe
from meshshift.core.telemetry import Tick

if TYPE_CHECKING:
    from meshshift.core.checking import CheckFinding
    from meshshift.core.decision import Decision
    from meshshift.core.evidence import Counts
    from meshshift.core.judge import Assessment, Finding
    from meshshift.core.mesh.documents import ObjectRef
    from meshshift.core.mesh.weighted_route import WeightedRoute
    from meshshift.core.observation import Observation
    from meshshift.core.run import Run
    from meshshift.core.spec import ShiftSpec
    from meshshift.core.telemetry import Traffic

WARNINGS = frozenset(
    {
        "RegressionProven",
        "FailureLimitReached",
        "CheckFailed",
        "CheckError",
        "CanaryLost",
        "BaselineLost",
        "SubsetLost",
        "StepTimeout",
        "GateRefused",
        "GateFailed",
        "GateFailing",
        "Drifted",
        "StableNotReady",
        "WeightsMidWay",
        "DriftEnforced",
        "DriftAdopted",
        "DriftFight",
        "SubsetChanged",
        "StableSubsetMissing",
        "LeftBehind",
    }
)

_ASIDES = frozenset({SCALED_DOWN, "EditRefused"})
"""What happens beside a record that stays: it is told once, and the record is not told anew behind it."""


def report(
    decision: Decision, observation: Observation | None, previous: StatusModel, *, generation: int, now: float
) -> StatusModel:
    """The status after `decision`; whatever the observation could not say stays as it was."""
    message = shorten(decision.message)
    status = previous.model_copy(
        update={
            "phase": decision.phase,
            "reason": decision.reason,
            "message": message,
            "strategy": previous.strategy if observation is None else str(_spec(decision, observation).strategy),
            "observed_generation": generation,
        }
    )
    if decision.run is not None:
        status = status.model_copy(update={"run_id": decision.run.id, "step": _step(decision)})
    if observation is not None:
        weights, services = _weights(decision, observation, previous), _virtual_services(decision, observation)
        status = status.model_copy(update={"weights": weights, "virtual_services": services})
    if decision.assessment is not None:
        status = status.model_copy(update={"evidence": _all_evidence(decision.assessment, decision.checks)})
    elif decision.run is not None and decision.phase is Phase.PENDING:
        status = status.model_copy(update={"evidence": ()})
    if decision.command is not None:
        command = decision.command.command
        last = LastCommandStatus(
            command=command.text,
            by=command.by,
            written=command.at,
            at=rfc3339(now),
            result=shorten(decision.command.result),
        )
        status = status.model_copy(update={"last_command": last})
    status = _with_turn(status, decision, now)
    return status.with_conditions(*_conditions(decision, generation, now))


def is_turn(decision: Decision, previous: StatusModel) -> bool:
    """Is this a change of course that history and Events should tell?"""
    if decision.command is not None or decision.reason == SCALED_DOWN:
        return True
    if decision.reason in QUIET:
        return False
    aside = decision.phase.ended and decision.reason in _ASIDES
    told = [each for each in previous.history if aside or each.reason not in _ASIDES or not decision.phase.ended]
    last = told[-1] if told else None
    weight = decision.run.desired if decision.run else None
    return last is None or (last.reason, last.phase, last.weight) != (decision.reason, decision.phase, weight)


def _spec(decision: Decision, observation: Observation) -> ShiftSpec:
    """What is carried out: the run's own, which a changed policy leaves alone."""
    return decision.run.spec if decision.run else observation.spec


def _with_turn(status: StatusModel, decision: Decision, now: float) -> StatusModel:
    if not is_turn(decision, status):
        return status
    entry = HistoryEntry(
        at=rfc3339(now),
        phase=decision.phase,
        reason=decision.reason,
        message=shorten(decision.message),
        weight=decision.run.desired if decision.run else None,
    )
    return status.with_history(entry)


def _step(decision: Decision) -> StepStatus | None:
    run = decision.run
    if run is None:
        return None
    name = describe(run.current) if run.current else "preparing"
    return StepStatus.at(run.step + 1, len(run.spec.steps), name, run.step_since)


def _weights(decision: Decision, observation: Observation, previous: StatusModel) -> WeightsStatus:
    routes = observation.mesh.routes
    shares = () if isinstance(routes, Problem) else observed_percent(routes.routes)
    desired = decision.run.desired if decision.run else 0
    current = previous.weights is not None and previous.weights.desired == desired
    measured = previous.weights.measured if previous.weights and current else None
    if current and isinstance(observation.telemetry, Tick):
        measured = _part(observation.telemetry.canary, observation.telemetry)
    return WeightsStatus(
        desired=desired,
        observed=round(float(shares[0]), 2) if len(shares) == 1 else None,
        measured=measured,
        baseline=_baseline(observation, previous.weights if current else None),
    )


def _baseline(observation: Observation, known: WeightsStatus | None) -> BaselineStatus | None:
    """`known` is what was said of the same desired weight before."""
    routes, tick = observation.mesh.routes, observation.telemetry
    if observation.mesh.target.baseline is None:
        return None
    shares = set() if isinstance(routes, Problem) else {route.baseline_percent for route in routes.routes}
    measured = known.baseline.measured if known and known.baseline else None
    if known and isinstance(tick, Tick) and tick.baseline is not None:
        measured = _part(tick.baseline, tick)
    return BaselineStatus(observed=round(float(shares.pop()), 2) if len(shares) == 1 else None, measured=measured)


def _part(arm: Traffic, tick: Tick) -> float | None:
    """Percent of what the service's subsets answered."""
    return round(100 * arm.total / tick.answered, 2) if tick.answered else None


def _virtual_services(decision: Decision, observation: Observation) -> tuple[VirtualServiceStatus, ...]:
    """Every VirtualService for itself: after an interruption some may be written, and others still to be."""
    found, run = observation.mesh.routes, decision.run
    if isinstance(found, Problem) or run is None:
        return ()
    owners = groupby(sorted(found.routes, key=lambda route: route.owner), key=lambda route: route.owner)
    return tuple(_virtual_service(owner, list(routes), run) for owner, routes in owners)[:MAX_VIRTUAL_SERVICES]


def _virtual_service(owner: ObjectRef, routes: list[WeightedRoute], run: Run) -> VirtualServiceStatus:
    state: Literal["Current", "Behind", "Drifted"]
    if at_percent(routes, run.desired):
        state = "Current"
    else:
        ours = {percent for percent in (run.desired, run.confirmed) if percent is not None}
        known = run.confirmed is None or all(any(is_at(each, percent) for percent in ours) for each in routes)
        state = "Behind" if known or run.phase in {Phase.PENDING, Phase.ROLLING_BACK} else "Drifted"
    shares = observed_percent(routes)
    return VirtualServiceStatus(
        name=f"{owner.namespace}/{owner.name}",
        routes=len(routes),
        observed=round(float(shares[0]), 2) if len(shares) == 1 else None,
        state=state,
    )


def _all_evidence(assessment: Assessment, checks: tuple[CheckFinding, ...]) -> tuple[EvidenceStatus, ...]:
    """One entry for each indicator: what was counted, what was checked, or both."""
    entries = {finding.name: _evidence(finding) for finding in assessment.findings}
    for check in checks:
        entry = entries.get(check.name, EvidenceStatus(indicator=check.name))
        entries[check.name] = entry.model_copy(
            update={
                "value": check.value,
                "min": check.lowest,
                "max": check.highest,
                "failures": check.failures,
                "failure_limit": check.limit,
                "note": shorten(check.problem, 512) or None,
            }
        )
    return tuple(entries.values())


def _evidence(finding: Finding) -> EvidenceStatus:
    return EvidenceStatus(
        indicator=finding.name,
        worse=round(finding.worse, 2),
        worse_bar=round(finding.worse_bar, 2),
        proof=None if finding.proof is None else round(finding.proof, 2),
        proof_bar=None if finding.proof is None else round(finding.proof_bar, 2),
        canary_requests=round(finding.canary.total),
        canary_bad=round(finding.canary.bad),
        stable_requests=round(finding.stable.total),
        stable_bad=round(finding.stable.bad),
        canary_rate=_percent(finding.canary),
        stable_rate=_percent(finding.stable),
        requests_needed=None if finding.requests_needed == float("inf") else round(finding.requests_needed),
        note=shorten(finding.note, 512) or None,
    )


def _percent(counts: Counts) -> float | None:
    return round(100 * counts.bad / counts.total, 4) if counts.total > 0 else None


def _conditions(decision: Decision, generation: int, now: float) -> tuple[ConditionStatus, ...]:
    under_way = not decision.phase.ended and not decision.stalled
    failed = any(check.spent for check in decision.checks)
    regression = failed or (decision.assessment is not None and decision.assessment.regression)
    analyzed: Literal["True", "False", "Unknown"] = "Unknown"
    if decision.assessment is not None:
        analyzed = "False" if regression else "True"

    def condition(kind: str, status: Literal["True", "False", "Unknown"]) -> ConditionStatus:
        return ConditionStatus(
            type=kind,
            status=status,
            reason=decision.reason,
            message=shorten(decision.message) if status == "True" or kind == "Ready" else "",
            last_transition_time=rfc3339(now),
            observed_generation=generation,
        )

    def truth(holds: bool) -> Literal["True", "False"]:
        return "True" if holds else "False"

    return (
        condition("Ready", truth(decision.phase is Phase.SUCCEEDED)),
        condition("Reconciling", truth(under_way)),
        condition("Stalled", truth(decision.stalled)),
        condition("Progressing", truth(decision.phase in {Phase.PROGRESSING, Phase.PROMOTING})),
        condition("Analyzed", analyzed),
        condition("Drifted", truth(decision.drifted)),
    )
