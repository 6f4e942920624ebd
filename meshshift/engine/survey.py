"""Reading what decisions about replicas rest on: Deployments, their autoscalers, who else uses them, and their traffic.

Only shifts that ask for replica care are surveyed, and only in a pass whose decision hangs on it: before an increase,
before an undo, and when something is due to be scaled down.  Everything is read from the API server at that moment; a
watch on all Deployments would cost every installation memory and rights for what few shifts ask, and a cache that lags
is the wrong ground for taking pods away.  What cannot be read is a value that holds the shift, never an exception: a
server that will not show a Deployment must not keep traffic from going back.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshshift.api.status import StatusModel
from meshshift.core.lowering import QUIET
from meshshift.core.mesh.documents import ObjectRef, Problem, Reason, member
from meshshift.core.mesh.references import references
from meshshift.core.pods import selector_of
from meshshift.core.run import Phase
from meshshift.core.telemetry import Arm, Arms
from meshshift.core.ticks import Window
from meshshift.core.workloads import DEPLOYMENT, Workload, Workloads, missing, workload_of
from meshshift.engine.failures import ApiFailure, NotFound, Refused
from meshshift.engine.observe import Subject, read_window
from meshshift.engine.ports import ServiceId
from meshshift.engine.world import key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshshift.core.observation import Observation, Reading
    from meshshift.core.spec import Scale
    from meshshift.core.workloads import Owed, Survey
    from meshshift.engine.ports import Cluster, Telemetry
    from meshshift.engine.world import Document, World

RIGHTS = "give the controller the rights in manifests/components/scale"


async def survey(
    subject: Subject, observation: Observation, wanted: Survey, world: World, cluster: Cluster, telemetry: Telemetry
) -> Workloads | None:
    """What the decision asked for; None if the run has no replica care."""
    scale, namespace = subject.effective.scale, subject.namespace
    if scale is None:
        return None
    try:
        autoscalers: Sequence[Document] | Problem = await cluster.autoscalers(namespace)
    except ApiFailure as failure:
        autoscalers = _unreadable("HorizontalPodAutoscalers", failure)
    names = [("spec.scale.canary", scale.canary), ("spec.scale.stable", scale.stable)]
    if wanted.owed is not None:
        names.append(("scale", wanted.owed.deployment))
    found = await asyncio.gather(*(_read(*each, namespace, autoscalers, cluster) for each in names))
    if wanted.owed is None:
        return Workloads(found[0], found[1])
    workload = found[2]
    return Workloads(
        found[0],
        found[1],
        owed=workload,
        senders=_senders(subject, observation, wanted.owed, world),
        users=_users(subject, wanted.owed, world),
        traffic=await _traffic(subject, observation, workload, world, telemetry),
    )


async def _read(
    field: str, name: str, namespace: str, autoscalers: Sequence[Document] | Problem, cluster: Cluster
) -> Workload | Problem:
    if isinstance(autoscalers, Problem):
        return autoscalers
    try:
        return workload_of(await cluster.read(ObjectRef(DEPLOYMENT, namespace, name)), autoscalers)
    except NotFound:
        return missing(field, name, namespace)
    except ApiFailure as failure:
        return _unreadable(f"{field}: Deployment {name}", failure)


def _unreadable(what: str, failure: ApiFailure) -> Problem:
    fix = f"; {RIGHTS}" if isinstance(failure, Refused) else ""
    return Problem(Reason.DEPLOYMENT_UNREADABLE, f"{what} cannot be read: {failure}{fix}")


def _senders(subject: Subject, observation: Observation, owed: Owed, world: World) -> tuple[str, ...]:
    """Every place of the mesh that sends to the subset, whoever wrote it."""
    target = observation.mesh.target
    named = ((each.namespace, each.name) for each in subject.effective.virtual_services)
    return tuple(map(str, references(world.services_around(target.host, named), target, owed.subset)))


def _users(subject: Subject, owed: Owed, world: World) -> tuple[str, ...]:
    """The other shifts of the namespace that are not over and shift this service, or care for this Deployment."""
    own = key_of(subject.document)
    service = subject.effective.service
    return tuple(
        "/".join(key)
        for key in sorted(world.shifts_in(own[0]))
        if key != own and _needs(world.shifts.objects[key], service, owed.deployment)
    )


def _needs(shift: Document, service: str, deployment: str) -> bool:
    spec = shift.get("spec")
    cared = {member(spec, "scale", arm) for arm in ("canary", "stable")}
    if member(spec, "service") != service and deployment not in cared:
        return False
    phase = StatusModel.from_wire(shift.get("status")).phase
    return phase not in {Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.FAILED}


async def _traffic(
    subject: Subject, observation: Observation, workload: Workload | Problem, world: World, telemetry: Telemetry
) -> tuple[tuple[str, Reading], ...]:
    """What every Service that selects the Deployment's pods saw in the latest quiet time."""
    scale = subject.effective.scale
    if isinstance(workload, Problem) or scale is None:
        return ()
    end = observation.now - observation.timing.lag
    window = Window(end - QUIET, end)
    arms = Arms(canary=Arm(frozenset({_winner(subject, scale)})), stable=Arm(frozenset({workload.name})))
    services = _services(subject, workload, world)
    readings = await asyncio.gather(
        *(read_window(ServiceId(subject.namespace, name), window, arms, telemetry) for name in services)
    )
    return tuple(zip(services, readings, strict=True))


def _winner(subject: Subject, scale: Scale) -> str:
    """The Deployment that has the traffic now."""
    run = subject.run
    return scale.canary if run is not None and run.phase is Phase.SUCCEEDED else scale.stable


def _services(subject: Subject, workload: Workload, world: World) -> list[str]:
    """The shift's own Service first."""
    own = subject.effective.service
    found = [
        name
        for (namespace, name), service in sorted(world.services.objects.items())
        if namespace == subject.namespace and name != own and workload.makes(selector_of(service))
    ]
    return [own, *found]
