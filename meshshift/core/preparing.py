"""From nothing to the first weight: make before break, one persisted state at a time.

Objects that may be created are created, then the canary's subset is added, each settled before anything builds on it;
then pods must be ready, and stable's own failure rate known.  Only then does the first step begin.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshshift.core import words
from meshshift.core.capacity import carried
from meshshift.core.decision import Creation, Decision, Kind
from meshshift.core.drift import one_weight, selector
from meshshift.core.groundwork import unfit
from meshshift.core.judge import Evidence
from meshshift.core.look import IDLE, SOON
from meshshift.core.mesh.cohorts import Extras, extra_patches
from meshshift.core.mesh.creation import new_destination_rule, new_virtual_service
from meshshift.core.mesh.documents import Problem, Reason, shown
from meshshift.core.mesh.subsets import add_subset_patch
from meshshift.core.mesh.weighted_route import at_percent
from meshshift.core.observation import TelemetryFailure
from meshshift.core.run import Outcome, Phase, Run, begin
from meshshift.core.scaling import inherited
from meshshift.core.spec import CreatePolicy, OnDrift, OnInconclusive
from meshshift.core.steps import FULL, describe
from meshshift.core.telemetry import BadData, NoData

if TYPE_CHECKING:
    from meshshift.core.look import Look
    from meshshift.core.mesh.documents import Document
    from meshshift.core.run import Run
    from meshshift.core.spec import Subset


def start(look: Look, message: str, reason: str = "Started") -> Decision:
    """A fresh run with fresh evidence, of the spec as it is now; none while part of that cannot be had."""
    seen, analysis = look.seen, look.seen.spec.analysis
    if seen.unspecified is not None:
        lack, before = seen.unspecified, look.started
        phase = before.phase if before and not before.phase.ended else Phase.PENDING
        return Decision(Kind.HOLD, lack.reason, lack.message, phase, before, IDLE, stalled=True)
    evidence = Evidence.begin(analysis.indicators, analysis.judge, at=seen.now)
    run = begin(seen.fresh_id, seen.spec, seen.spec_hash, evidence, seen.now)
    run = replace(run, scaling=inherited(look.started, seen.spec, seen.now))
    return Decision(Kind.PREPARE, reason, message, Phase.PENDING, run, 0.0)


def may_create(look: Look) -> bool:
    """Is what is missing something that `create: IfMissing` lets this run create?"""
    run, mesh = look.run, look.seen.mesh
    allowed = run.phase is Phase.PENDING and run.spec.create is CreatePolicy.IF_MISSING and look.seen.service_exists
    return allowed and (_is(mesh.rule, Reason.NO_DESTINATION_RULE) or _is(mesh.routes, Reason.NO_VIRTUAL_SERVICE))


def creating(look: Look) -> Decision | None:
    """First the DestinationRule and, once it has settled, the VirtualService, with all traffic on stable."""
    if not may_create(look):
        return None
    spec, target = look.run.spec, look.seen.mesh.target
    if not _is(look.seen.mesh.rule, Reason.NO_DESTINATION_RULE):
        message = f"creating VirtualService {target.service}, all traffic on {spec.stable.name}"
        return _settling(look, "the DestinationRule") or _create(look, new_virtual_service(target), message)
    if not all(subset.labels for _, subset in spec.arms):
        asked = " and ".join(f"spec.{arm}.labels" for arm, _ in spec.arms)
        text = f"spec.create is IfMissing and there is no DestinationRule: give {asked}"
        return look.decide(Kind.HOLD, "LabelsMissing", text, stalled=True)
    beside = spec.baseline.labels if spec.baseline else None
    document = new_destination_rule(target, spec.stable.labels, spec.canary.labels, beside)
    return _create(look, document, f"creating DestinationRule {target.service}")


def _is(found: object, reason: Reason) -> bool:
    return isinstance(found, Problem) and found.reason is reason


def preparing(look: Look) -> Decision | None:
    """Everything between the start of a run and its first step."""
    if look.run.phase is not Phase.PENDING:
        return None
    for rule in (_already_there, unfit, _unsticky, _add_subsets, _too_few, _unready, _unlearned):
        decision = rule(look)
        if decision is not None:
            return decision
    return _begin(look)


def _begin(look: Look) -> Decision:
    """The first step, or the weight at which somebody else has left the traffic."""
    percent, run = one_weight(look), carried(look, _first(look))
    if isinstance(run, Decision):
        return run
    if percent:
        message = f"{percent}%: {look.canary} has that much already; the run goes on from there"
        return look.decide(Kind.ADVANCE, "WeightAdopted", message, run=run)
    first = f"{words.move(0, run.desired)}: the first weight is on faith"
    message = first if run.desired else f"0%: {describe(run.spec.steps[0])}"
    return look.decide(Kind.ADVANCE, "FirstStep", message, run=run)


def _first(look: Look) -> Run:
    """The run as it begins: in its first step, or at the weight that is there already."""
    mesh, percent = look.seen.mesh, one_weight(look)
    known = replace(
        look.run,
        stable_labels=selector(mesh.stable_labels or {}),
        canary_labels=selector(mesh.canary_labels or {}),
        baseline_labels=None if mesh.baseline_labels is None else selector(mesh.baseline_labels),
    )
    return known.adopt(percent, look.seen.now) if percent else known.enter(0, look.seen.now)


def _already_there(look: Look) -> Decision | None:
    """Traffic that is not where a shift begins: with the canary already (done), or mid-way (somebody's doing)."""
    shares = [route.percent for route in look.routes]
    if all(share == FULL for share in shares):
        message = f"{look.canary} already receives all traffic of {look.run.spec.service}"
        run = replace(look.run, desired=100, confirmed=100, weight_since=look.seen.now)
        return look.decide(
            Kind.END,
            "AlreadyShifted",
            message,
            run=run.end(Phase.SUCCEEDED, look.seen.now, Outcome("AlreadyShifted", message)),
        )
    if at_percent(look.routes, 0):
        return None
    if all(share == 0 for share in shares):
        return _baseline_first(look)
    whole = one_weight(look)
    adopts = look.run.adopts or look.run.spec.on_drift is OnDrift.ADOPT
    if adopts and whole:
        return None
    where = ", ".join(f"{route} at {float(route.percent):g}%" for route in look.routes)
    fix = "annotate with meshshift.io/command: resume to begin from there"
    message = (
        f"{look.canary} already receives part of the traffic ({where}) although this run has not begun: set its "
        f"weight to 0, or {fix if whole else 'to one whole percent on all routes'}"
    )
    return look.decide(Kind.HOLD, "WeightsMidWay", message, stalled=True)


def _unsticky(look: Look) -> Decision | None:
    """Routes that cannot keep users are told of before the first weight, when nothing has to be taken back."""
    routes = look.seen.mesh.routes
    if look.run.cookies is None or isinstance(routes, Problem):
        return None
    wanted = Extras(cookies=look.run.cookies)
    edits = extra_patches(routes.routes, routes.inserted, wanted, look.seen.mesh.target)
    if not isinstance(edits, Problem):
        return None
    return look.decide(Kind.HOLD, edits.reason, f"spec.stickiness: {edits.message}", stalled=True, again=SOON)


def _baseline_first(look: Look) -> Decision:
    """The baseline has weight without a canary: somebody's doing, and nothing that a run could go on from."""
    where = ", ".join(f"{route} at {float(route.baseline_percent):g}%" for route in look.routes)
    baseline = look.seen.mesh.target.baseline
    message = f"{baseline} receives part of the traffic ({where}) although this run has not begun: set its weight to 0"
    return look.decide(Kind.HOLD, "WeightsMidWay", message, stalled=True)


def _add_subsets(look: Look) -> Decision | None:
    """Add the subsets that are missing, and let them settle before any route may name them."""
    run, mesh = look.run, look.seen.mesh
    canary, baseline = run.spec.canary, run.spec.baseline
    if look.rule is None:
        return None
    if mesh.canary_labels is None:
        return _add_subset(look, look.rule, "canary", canary, replace(run, added_subset=True, settle_until=None))
    if baseline is not None and mesh.baseline_labels is None:
        return _add_subset(look, look.rule, "baseline", baseline, replace(run, added_baseline=True, settle_until=None))
    names = [canary.name] if run.added_subset else []
    names += [baseline.name] if baseline and run.added_baseline else []
    return _settling(look, f"subset {' and '.join(names)}") if names else None


def _add_subset(look: Look, rule: Document, arm: str, subset: Subset, adding: Run) -> Decision:
    if not subset.labels:
        fix = f"add it, or give spec.{arm}.labels"
        text = f"spec.{arm}.subset: the DestinationRule has no subset {shown(subset.name)}; {fix}"
        return look.decide(Kind.HOLD, "SubsetNotFound", text, stalled=True)
    patch = add_subset_patch(rule, subset.name, subset.labels, like=look.run.spec.stable.name)
    message = f"adding subset {subset.name} to the DestinationRule"
    if isinstance(patch, Problem) or patch is None:
        text = patch.message if patch else message
        return look.decide(Kind.HOLD, patch.reason if patch else "SubsetNotFound", text, stalled=True)
    return look.decide(Kind.PREPARE, "AddingSubset", message, run=adding, edits=(patch,), again=0.0)


def _too_few(look: Look) -> Decision | None:
    """With replica care the canary's pods are brought up; that goes on while stable is learned from."""
    found = carried(look, _first(look))
    return found if isinstance(found, Decision) else None


def _unready(look: Look) -> Decision | None:
    endpoints, spec = look.seen.endpoints, look.run.spec
    ready = {
        "stable": endpoints.stable_ready,
        "canary": endpoints.canary_ready,
        "baseline": endpoints.baseline_ready,
    }
    for arm, subset in spec.arms:
        if ready[arm] == 0:
            message = f"waiting for a ready pod of the {arm} subset {subset.name}"
            return look.decide(Kind.WAIT, f"{arm.capitalize()}NotReady", message, again=SOON)
    return None


def _unlearned(look: Look) -> Decision | None:
    """Stable's own rate and the traffic are learned from the windows before the first weight."""
    run, found = look.run, look.seen.telemetry
    if run.warmed or run.skip is not None:
        return None
    if isinstance(found, NoData) and not run.spec.analysis.indicators:
        return None  # Queries alone judge it: a service of tcp routes has no requests that could be counted.
    if isinstance(found, NoData):
        late = look.seen.now - run.step_since > run.spec.analysis.step_timeout
        if late and run.spec.analysis.on_inconclusive is OnInconclusive.ADVANCE:
            return None
        return look.decide(Kind.WAIT, "NoTraffic", f"waiting for traffic to learn from: {found.reason}", again=SOON)
    if isinstance(found, TelemetryFailure | BadData):
        text = found.message if isinstance(found, TelemetryFailure) else found.reason
        return look.decide(Kind.HOLD, "TelemetryUnavailable", f"waiting for telemetry: {text}", again=SOON)
    return look.decide(Kind.WAIT, "Learning", f"learning how {run.spec.stable.name} does", again=1.0)


def _create(look: Look, document: dict[str, object], message: str) -> Decision:
    run = replace(look.run, settle_until=None)
    return look.decide(Kind.PREPARE, "Creating", message, run=run, edits=(Creation(document),), again=0.0)


def _settling(look: Look, what: str) -> Decision | None:
    """Wait until what was just added has reached every proxy; the wait is persisted before it is relied on."""
    run, now = look.run, look.seen.now
    if run.settle_until is None:
        run = replace(run, settle_until=now + look.seen.timing.settle)
        return look.decide(Kind.PREPARE, "Settling", f"{what} settles", run=run)
    if now < run.settle_until:
        left = run.settle_until - now
        return look.decide(Kind.PREPARE, "Settling", f"{what} settles for {words.duration(left)} more", again=left)
    return None
