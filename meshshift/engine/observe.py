"""One look at the world for one shift: caches for objects, Prometheus for the windows that are due, a clock for now."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from meshshift.core.checking import due_at, due_checks
from meshshift.core.checks import Query
from meshshift.core.mesh_view import Documents, read_mesh
from meshshift.core.observation import (
    Answer,
    Answers,
    Command,
    Endpoints,
    MeshView,
    Observation,
    Reading,
    TelemetryFailure,
    Timing,
)
from meshshift.core.pods import arm_of, ready_since, selector_of
from meshshift.core.run import Phase
from meshshift.core.scaling import is_short
from meshshift.core.telemetry import Arms, NoData, Tick, difference
from meshshift.core.template import Facts, Unknown, render
from meshshift.core.ticks import LEAST_WARM_WINDOWS, Window, due_window, warm_windows
from meshshift.engine.members import members_of
from meshshift.engine.ports import QueryError, ServiceId
from meshshift.engine.rivals import rival_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshshift.core.checks import Check
    from meshshift.core.mesh.documents import Problem, Target
    from meshshift.core.run import Run
    from meshshift.core.spec import ShiftSpec
    from meshshift.engine.ports import Telemetry
    from meshshift.engine.world import Document, World


@dataclass(frozen=True, slots=True)
class Subject:
    """The shift that is looked at: its document, what it asks for, and the run under way."""

    document: Document
    spec: ShiftSpec
    spec_hash: str
    run: Run | None
    command: Command | None
    kept_hash: str = ""
    unspecified: Problem | None = None
    held: bool = False

    @property
    def namespace(self) -> str:
        """The shift's namespace, which is its Service's."""
        return str(self.document["metadata"]["namespace"])

    @property
    def effective(self) -> ShiftSpec:
        """The spec that the mesh is read by: the run's own while there is one."""
        return self.run.spec if self.run else self.spec


@dataclass(frozen=True, slots=True)
class _Pods:
    endpoints: Endpoints
    arms: Arms


async def observe(subject: Subject, world: World, telemetry: Telemetry, timing: Timing, now: float) -> Observation:
    """Everything that the rules may depend on, at the unix time `now`."""
    spec = subject.effective
    mesh = _mesh(subject, world)
    service = world.services.get((subject.namespace, spec.service))
    pods = _pods(subject, world, mesh, service)
    service_id = ServiceId(subject.namespace, spec.service)
    (reading, warm), answers = await asyncio.gather(
        read(subject.run, service_id, pods.arms, telemetry, timing, now),
        ask(subject.run, mesh.target, pods.arms, pods.endpoints.fresh_since, telemetry, timing, now),
    )
    return Observation(
        now=now,
        timing=timing,
        spec=subject.spec,
        spec_hash=subject.spec_hash,
        fresh_id=secrets.token_hex(4),
        deleted_since=_deleted_since(subject.document),
        command=subject.command,
        run=subject.run,
        service_exists=service is not None,
        service_selects=bool(selector_of(service)),
        mesh=mesh,
        endpoints=pods.endpoints,
        telemetry=reading,
        warm=warm,
        answers=answers,
        rival=rival_of(subject.document, world),
        group=members_of(subject.document, world),
        kept_hash=subject.kept_hash,
        unspecified=subject.unspecified,
        misspecified=subject.held,
    )


def is_outdated(observation: Observation, subject: Subject, world: World) -> bool:
    """Have the caches heard since that the subsets or their pods are not what the look saw?

    Persisting the intent may take seconds, and what stands between the intent and its edit is guarded by nothing else:
    an edit tests the VirtualService that it changes, not the rule or the pods that it leads to.
    """
    mesh = _mesh(subject, world)
    service = world.services.get((subject.namespace, subject.effective.service))
    endpoints, before = _pods(subject, world, mesh, service).endpoints, observation.endpoints
    if is_short(subject.run, endpoints.canary_ready) and not is_short(subject.run, before.canary_ready):
        return True
    return _relied_on(mesh, endpoints) != _relied_on(observation.mesh, before)


def _relied_on(mesh: MeshView, endpoints: Endpoints) -> tuple[object, ...]:
    ready = endpoints.canary_ready > 0, endpoints.baseline_ready > 0
    return mesh.stable_labels, mesh.canary_labels, mesh.baseline_labels, *ready


def _deleted_since(shift: Document) -> float | None:
    at = shift["metadata"].get("deletionTimestamp")
    return datetime.fromisoformat(at).timestamp() if at else None


def _mesh(subject: Subject, world: World) -> MeshView:
    spec, namespace = subject.effective, subject.namespace
    target = spec.target(namespace, world.cluster_domain)
    rules = world.destination_rules.of(target.host)
    rule = world.destination_rules.get((namespace, spec.destination_rule)) if spec.destination_rule else None
    documents = Documents(
        virtual_services=world.services_around(
            target.host, ((each.namespace, each.name) for each in spec.virtual_services)
        ),
        destination_rules=rules if rule is None or rule in rules else [*rules, rule],
    )
    begun = subject.run is not None and subject.run.phase is not Phase.PENDING
    return read_mesh(spec, target, documents, begun=begun)


def _pods(subject: Subject, world: World, mesh: MeshView, service: Document | None) -> _Pods:
    """The pods behind the Service that belong to a subset of the shift, as Istio would select them."""
    selector, spec = selector_of(service), subject.effective
    present = {"stable": mesh.stable_labels, "canary": mesh.canary_labels, "baseline": mesh.baseline_labels}
    groups: dict[str, list[dict[str, Any]]] = {}
    for arm, subset in spec.arms:
        labels = present[arm]
        wanted: Mapping[str, str] = labels if labels is not None else subset.labels
        found = world.pods.labelled(subject.namespace, {**selector, **wanted}) if selector and wanted else ()
        groups[arm] = list(found)
    ready = {arm: [s for pod in pods if (s := ready_since(pod)) is not None] for arm, pods in groups.items()}
    fresh, beside = ready["canary"], ready.get("baseline", [])
    endpoints = Endpoints(
        stable_ready=len(ready["stable"]),
        canary_ready=len(fresh),
        canary_ready_since=min(fresh, default=None),
        baseline_ready=len(beside),
        baseline_ready_since=min(beside, default=None),
    )
    control = arm_of(groups["baseline"]) if "baseline" in groups else None
    return _Pods(endpoints, Arms(arm_of(groups["canary"]), arm_of(groups["stable"]), control))


async def read(
    run: Run | None, service: ServiceId, arms: Arms, telemetry: Telemetry, timing: Timing, now: float
) -> tuple[Reading | None, tuple[Tick, ...]]:
    """The window that is due, or the windows before the shift while the run has not learned from them yet."""
    if run is None or run.phase.ended or run.phase is Phase.ROLLING_BACK:
        return None, ()
    interval = run.spec.analysis.judge.interval
    if not run.warmed:
        windows = warm_windows(interval, now, timing.lag)
        readings = await asyncio.gather(*(read_window(service, window, arms, telemetry) for window in windows))
        reading, ticks = _learned(readings)
        if isinstance(reading, NoData) and not ticks:
            reading = NoData(f"{reading.reason}; {await telemetry.silence(service, windows[-1].end)}")
        return reading, ticks
    window = due_window(run.evidence.until, interval, now, timing.lag)
    if window is None or run.phase is Phase.PENDING:
        return None, ()
    return await read_window(service, window, arms, telemetry), ()


async def ask(
    run: Run | None,
    target: Target,
    arms: Arms,
    ready_since: float | None,
    telemetry: Telemetry,
    timing: Timing,
    now: float,
) -> Answers | None:
    """What the queries of checks say at the instant that is due, all of them asked at once."""
    if run is None:
        return None
    at = due_at(run, ready_since, timing.lag, now)
    due = () if at is None else due_checks(run, at)
    if at is None or not due:
        return None
    facts = Facts(
        canary=target.canary,
        stable=target.stable,
        canary_workloads=arms.canary.workloads,
        stable_workloads=arms.stable.workloads,
        service=target.service,
        namespace=target.namespace,
        host=target.host,
        interval=run.spec.analysis.judge.interval,
        baseline=target.baseline or "",
        baseline_workloads=arms.baseline.workloads if arms.baseline else frozenset(),
    )
    answers = await asyncio.gather(*(_answer(check, facts, telemetry, at) for check in due))
    return Answers(at, tuple(zip((check.name for check in due), answers, strict=True)))


async def _answer(check: Check, facts: Facts, telemetry: Telemetry, at: float) -> Answer:
    if not isinstance(check.measure, Query):
        raise TypeError(f"{check.name} has no query to ask")
    try:
        promql = render(check.measure.promql, facts)
    except Unknown as unknown:
        return NoData(f"no data: {unknown}")
    answer = await telemetry.query(promql, at)
    return TelemetryFailure(answer.reason, answer.message) if isinstance(answer, QueryError) else answer


def _learned(readings: Sequence[Reading]) -> tuple[Reading | None, tuple[Tick, ...]]:
    """The latest windows without a gap, or what is in the way; None if only the past is silent still.

    A gap would make the traffic look smaller than it is, and the proofs too easy; so would the window after one, in
    which the traffic has only begun.
    """
    failure = next((reading for reading in readings if isinstance(reading, TelemetryFailure)), None)
    ticks: list[Tick] = []
    for reading in reversed(readings):
        if not isinstance(reading, Tick):
            break
        ticks.append(reading)
    whole = ticks if len(ticks) == len(readings) else ticks[:-1]
    if failure is None and len(whole) >= LEAST_WARM_WINDOWS:
        return None, tuple(reversed(whole))
    return failure or (None if ticks else readings[-1]), ()


async def read_window(service: ServiceId, window: Window, arms: Arms, telemetry: Telemetry) -> Reading:
    """What the counters of a service say about a window."""
    before = await telemetry.snapshots((service,), window.start)
    after = before if isinstance(before, QueryError) else await telemetry.snapshots((service,), window.end)
    if isinstance(before, QueryError) or isinstance(after, QueryError):
        error = before if isinstance(before, QueryError) else after
        return TelemetryFailure(error.reason, error.message)  # type: ignore[union-attr]
    return difference(before[service], after[service], arms.canary, arms.stable, arms.baseline)
