"""Rules about TrafficShifts: what the controller would hold for, and what it would leave as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshshift.core.lint.findings import Finding, ManifestSet, error, place, warning
from meshshift.core.mesh.documents import ObjectRef, Problem, Reason, ref_of, shown
from meshshift.core.mesh.routes import FoundRoutes
from meshshift.core.planning import mesh_view
from meshshift.core.spec import CreatePolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshshift.core.lint.findings import Shift
    from meshshift.core.mesh.documents import Target
    from meshshift.core.mesh.virtual_service import Route, VirtualService
    from meshshift.core.observation import MeshView

_CREATABLE = {Reason.NO_VIRTUAL_SERVICE, Reason.NO_DESTINATION_RULE}


def service_missing(manifests: ManifestSet) -> Iterator[Finding]:
    """The Service that is shifted is not in the set; it may well be in the cluster."""
    for shift, target in manifests.targets:
        if ObjectRef("Service", target.namespace, target.service) not in manifests.services:
            yield warning(
                "service-missing",
                shift.ref,
                f"spec.service: Service {target.namespace}/{target.service} is not in the set; if it is not in the "
                "cluster either, create it, or correct spec.service",
            )


def unfit_mesh(manifests: ManifestSet) -> Iterator[Finding]:
    """VirtualServices and DestinationRules that the controller could not work with."""
    for shift, _ in manifests.targets:
        view = _view(manifests, shift)
        for problem in (view.routes, view.rule):
            if isinstance(problem, Problem) and not (_creates(shift, problem) or _is_read_elsewhere(problem, view)):
                yield error("unfit-mesh", shift.ref, problem.message)


def subset_missing(manifests: ManifestSet) -> Iterator[Finding]:
    """A subset of the pair that the DestinationRule lacks, and that the shift cannot add."""
    for shift, target in manifests.targets:
        view = _view(manifests, shift)
        if isinstance(view.rule, Problem):
            continue
        rule = ref_of(view.rule, "DestinationRule")
        if view.stable_labels is None:
            fix = "add it there"
            yield error(
                "subset-missing", shift.ref, f"spec.stable.subset: {rule} has no subset {shown(target.stable)}; {fix}"
            )
        if view.canary_labels is None and not shift.spec.canary.labels:
            fix = "add it there, or give spec.canary.labels"
            yield error(
                "subset-missing", shift.ref, f"spec.canary.subset: {rule} has no subset {shown(target.canary)}; {fix}"
            )
        baseline = shift.spec.baseline
        if baseline is not None and view.baseline_labels is None and not baseline.labels:
            fix = "add it there, or give spec.baseline.labels"
            yield error(
                "subset-missing", shift.ref, f"spec.baseline.subset: {rule} has no subset {shown(baseline.name)}; {fix}"
            )


def skipped_route(manifests: ManifestSet) -> Iterator[Finding]:
    """A route that concerns the pair and will stay as it is; those that `pinned_canary` tells of are left to it."""
    for shift, target in manifests.targets:
        routes = _view(manifests, shift).routes
        pins = {(service.ref, route.index) for service, route in _pins(manifests, target)}
        for skipped in routes.skipped if isinstance(routes, FoundRoutes) else ():
            if skipped.protocol == "http" and (skipped.owner, skipped.index) in pins:
                continue
            yield warning("skipped-route", skipped.owner, skipped.why.message)


def pinned_canary(manifests: ManifestSet) -> Iterator[Finding]:
    """A route with a match that sends to the canary alone: it gets requests at every weight, even after a rollback."""
    for shift, target in manifests.targets:
        for service, route in _pins(manifests, target):
            yield warning(
                "pinned-canary",
                service.ref,
                f"{place(route)} pins its requests to subset {shown(target.canary)}, the canary of {shift.ref}: it "
                "gets them at every weight, and after a rollback; take the route out when it no longer should",
            )


def mirrored_canary(manifests: ManifestSet) -> Iterator[Finding]:
    """A mirror to the canary's subset: it gets the copies at every weight, even after a rollback."""
    for shift, target in manifests.targets:
        for service, route in manifests.routes:
            for mirror in route.mirrors:
                if (mirror.host, mirror.subset) == (target.host, target.canary):
                    yield warning(
                        "mirrored-canary",
                        service.ref,
                        f"{place(route)}.{mirror.place} copies requests to subset {shown(target.canary)}, the canary "
                        f"of {shift.ref}, at every weight, and after a rollback; take the mirror out when it no longer "
                        "should",
                    )


def _view(manifests: ManifestSet, shift: Shift) -> MeshView:
    mesh = {ref_of(each, "VirtualService"): each for each in manifests.virtual_services}
    mesh |= {ref_of(each, "DestinationRule"): each for each in manifests.destination_rules}
    return mesh_view(shift.spec, shift.ref.namespace, mesh, manifests.cluster_domain)


def _creates(shift: Shift, problem: Problem) -> bool:
    return shift.spec.create is CreatePolicy.IF_MISSING and problem.reason in _CREATABLE


def _is_read_elsewhere(problem: Problem, view: MeshView) -> bool:
    """What is malformed in a VirtualService is told once, where it stands."""
    return problem is view.routes and problem.reason is Reason.MALFORMED


def _pins(manifests: ManifestSet, target: Target) -> Iterator[tuple[VirtualService, Route]]:
    for service, route, _ in manifests.http_routes:
        if route.matched and _only_canary(route, target):
            yield service, route


def _only_canary(route: Route, target: Target) -> bool:
    receiving = {(each.host, each.subset) for each in route.destinations if each.weight}
    return receiving == {(target.host, target.canary)}
