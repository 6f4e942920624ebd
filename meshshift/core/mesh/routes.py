"""Which routes carry a service's traffic.

A route is ours when it sends to the stable subset of the service: http routes by the request, tls and tcp routes by the
connection.  A route that sends to the canary alone is a pin (a header route for testers, a preview host) and stays as
it is; unless it takes every request and no route sends to stable any more: then it is the end of an earlier shift, and
the way back starts there.

What Istio would not obey is no obstacle to writing, and a shift under way must be able to take its weights back from
it; so it is told beside the routes (`conflict`), for the one who is about to begin.

Other people's documents must not be able to stop a shift: what is malformed is a Problem only in a VirtualService that
concerns the service or that the shift names.  What is found has been checked to be writable at some percentage; that is
decided here, before anything is touched, not half-way through a run.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from meshshift.core.mesh.cohorts import Inserted, is_inserted
from meshshift.core.mesh.delegation import outer_matches, why_ignored
from meshshift.core.mesh.documents import Document, ObjectRef, Problem, Reason, Target, listing, shown
from meshshift.core.mesh.effect import Carried, shadowed, why_unreachable
from meshshift.core.mesh.flaws import flaw, no_weight
from meshshift.core.mesh.virtual_service import Protocol, Route, VirtualService, read_virtual_service
from meshshift.core.mesh.weighted_route import WeightedRoute, is_pair


@dataclass(frozen=True, slots=True)
class VirtualServiceSelector:
    """A VirtualService that a shift names; without route names, the routes that it would find there by itself."""

    namespace: str
    name: str
    routes: tuple[str, ...] = ()

    @property
    def ref(self) -> ObjectRef:
        """The object that is named."""
        return ObjectRef("VirtualService", self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class SkippedRoute:
    """A route that concerns the pair and is left alone, and why."""

    owner: ObjectRef
    protocol: Protocol
    index: int
    name: str | None
    why: Problem


@dataclass(frozen=True, slots=True)
class FoundRoutes:
    """The routes to shift (at least one), and those that a person should know are not shifted.

    `conflict` says why Istio does not obey one of the routes, or not for everybody, and who wins.  `inserted` are the
    routes that a shift of the service has put in.
    """

    routes: tuple[WeightedRoute, ...]
    skipped: tuple[SkippedRoute, ...] = ()
    conflict: Problem | None = None
    inserted: tuple[Inserted, ...] = ()


def find_routes(
    virtual_services: Iterable[Document], target: Target, only: Sequence[VirtualServiceSelector] = ()
) -> FoundRoutes | Problem:
    """The routes that carry the target's traffic, in the order of the documents.

    Without `only`, every VirtualService is looked at; with it, exactly the named ones with their delegates, and a name
    that leads nowhere is a Problem.  A named route is taken even if it pins the canary: somebody asked for it.  All
    other documents count for who wins.  `NoVirtualService` means that nothing speaks for the host, so that one may be
    created; with every other reason creating one would be a conflict.
    """
    services = [read_virtual_service(document, target.cluster_domain) for document in virtual_services]
    chosen = _choose(services, target, only) if only else [(service, ()) for service in services]
    if isinstance(chosen, Problem):
        return chosen
    taken: list[Carried] = []
    pins: list[Carried] = []
    skipped: list[SkippedRoute] = []
    for service, names in chosen:
        if service.defects and (only or target.host in service.mentions):
            return service.defects[0]
        for route in _routes_to_pair(service, target, names):
            weighted = WeightedRoute(
                service.ref,
                service.resource_version,
                route.index,
                route.name,
                target,
                route.destinations,
                route.protocol,
                route.document,
            )
            why = _reason_to_skip(route, weighted, names)
            if why is not None:
                skipped.append(_skipped(route, service, why))
            else:
                carried = Carried(service, route, weighted, named=bool(names))
                (taken if names or weighted.has_stable else pins).append(carried)
    if not (taken or pins):
        return _nothing_found([service for service, _ in chosen], target)
    if taken:
        skipped += [_skipped(pin.route, pin.owner, _pinned(pin.weighted)) for pin in pins]
    found = _weighed(taken or pins, skipped, services, {selector.ref for selector in only})
    return found if isinstance(found, Problem) else replace(found, inserted=_inserted(chosen, target))


def _inserted(chosen: Iterable[tuple[VirtualService, object]], target: Target) -> tuple[Inserted, ...]:
    return tuple(
        Inserted(service.ref, service.resource_version, route.index, route.document)
        for service, _ in chosen
        for route in service.routes
        if is_inserted(route.name, target)
    )


def _weighed(
    found: Sequence[Carried],
    skipped: Sequence[SkippedRoute],
    services: Sequence[VirtualService],
    asked: AbstractSet[ObjectRef],
) -> FoundRoutes | Problem:
    """The routes if they can be written, with what Istio makes of them.

    A route without effect goes along with those that have one: it may get its effect back while the shift is under way.
    It is a conflict where nothing else has an effect, of all routes or of a VirtualService that was asked for.
    """
    unfit = next(filter(None, (flaw(each.weighted) for each in found)), None)
    if unfit is not None:
        return unfit
    idle = {each: why for each in found if (why := _why_idle(each, services)) is not None}
    working = [each for each in found if each not in idle]
    needed = asked - {each.owner.ref for each in working}
    lost = (why for each, why in idle.items() if each.named or not working or each.owner.ref in needed)
    return FoundRoutes(
        tuple(replace(each.weighted, within=outer_matches(each.owner, each.route, services)) for each in found),
        tuple(skipped),
        next(lost, None) or shadowed(working, services, confined=bool(asked)),
    )


def _why_idle(carried: Carried, services: Sequence[VirtualService]) -> Problem | None:
    return why_ignored(carried.owner, carried.route, services) or why_unreachable(carried.owner, carried.route)


def _skipped(route: Route, owner: VirtualService, why: Problem) -> SkippedRoute:
    return SkippedRoute(owner.ref, route.protocol, route.index, route.name, why)


def _choose(
    services: Sequence[VirtualService], target: Target, only: Sequence[VirtualServiceSelector]
) -> list[tuple[VirtualService, tuple[str, ...]]] | Problem:
    by_ref = {service.ref: service for service in services}
    names: dict[ObjectRef, tuple[str, ...]] = {}
    for selector in only:
        if selector.ref not in by_ref:
            fix = "create it, or take it out of virtualServices"
            return Problem(Reason.VIRTUAL_SERVICE_MISSING, f"{selector.ref} does not exist; {fix}")
        wrong = _wrong_name(by_ref[selector.ref], by_ref, target, selector.routes)
        if wrong is not None:
            return wrong
        before = names.get(selector.ref, selector.routes)
        names[selector.ref] = (*before, *selector.routes) if before and selector.routes else ()
    for ref in [ref for ref, routes in names.items() if not routes]:
        for delegate in _delegates(by_ref[ref], by_ref):
            names.setdefault(delegate.ref, ())
    return [(by_ref[ref], routes) for ref, routes in names.items()]


def _delegates(root: VirtualService, by_ref: Mapping[ObjectRef, VirtualService]) -> list[VirtualService]:
    named = dict.fromkeys(route.delegate for route in root.routes if route.delegate)
    return [by_ref[ref] for ref in named if ref in by_ref]


def _wrong_name(
    service: VirtualService, by_ref: Mapping[ObjectRef, VirtualService], target: Target, names: Sequence[str]
) -> Problem | None:
    """What keeps a named VirtualService, or its named routes, from being shifted."""
    if service.defects:
        return service.defects[0]
    whole = [service, *_delegates(service, by_ref)]
    if not names and not any(_routes_to_pair(each, target, names) for each in whole):
        return _not_routed(whole, target)
    return next(filter(None, (_wrong_route(service, target, name) for name in names)), None)


def _wrong_route(service: VirtualService, target: Target, name: str) -> Problem | None:
    existing = [route for route in service.routes if route.protocol == "http"]
    listed = listing(shown(route.name) if route.name else f"http[{route.index}] (unnamed)" for route in existing)
    if all(route.name != name for route in existing):
        others = sorted({route.protocol for route in service.routes} - {"http"})
        nameless = f" ({' and '.join(others)} routes have no name: to shift them, leave routes out)" if others else ""
        return Problem(
            Reason.ROUTE_MISSING,
            f"{service.ref} has no http route named {shown(name)}; "
            f"name one of its routes: {listed or 'none'}{nameless}",
        )
    if _routes_to_pair(service, target, [name]):
        return None
    delegate = next((each.delegate for each in existing if each.name == name and each.delegate), None)
    fix = f"name {delegate}, which it delegates to" if delegate else f"name another of its routes: {listed}"
    return Problem(
        Reason.NOT_ROUTED,
        f"{service.ref} route {shown(name)} sends neither to subset {shown(target.stable)} nor to subset "
        f"{shown(target.canary)} of {target.host}; {fix}",
    )


def _routes_to_pair(service: VirtualService, target: Target, names: Sequence[str]) -> list[Route]:
    return [
        route
        for route in service.routes
        if (not names or (route.protocol == "http" and route.name in names))
        and not is_inserted(route.name, target)
        and any(is_pair(each, target) for each in route.destinations)
    ]


def _reason_to_skip(route: Route, weighted: WeightedRoute, names: Sequence[str]) -> Problem | None:
    if not names and weighted.others and not weighted.shares.total:
        return no_weight(weighted)
    if not names and route.matched and not weighted.has_stable:
        return _pinned(weighted)
    return None


def _pinned(route: WeightedRoute) -> Problem:
    canary, stable = shown(route.target.canary), shown(route.target.stable)
    how = "name it in virtualServices" if route.protocol == "http" else f"add subset {stable} to it"
    return Problem(
        Reason.PINNED_TO_CANARY,
        f"{route} sends to subset {canary} alone and stays as it is; to shift it, {how}",
    )


def _nothing_found(services: Sequence[VirtualService], target: Target) -> Problem:
    speaking = [service for service in services if target.host in service.mentions]
    if speaking:
        return _not_routed(speaking, target)
    return Problem(
        Reason.NO_VIRTUAL_SERVICE,
        f"no VirtualService has the host {target.host} or sends to it; create one that sends to subset "
        f"{shown(target.stable)}, or set create: IfMissing",
    )


def _not_routed(services: Sequence[VirtualService], target: Target) -> Problem:
    destinations = [
        each
        for service in services
        for route in service.routes
        for each in route.destinations
        if each.host == target.host
    ]
    subsets = listing(sorted({shown(each.subset) if each.subset else "no subset" for each in destinations}))
    return Problem(
        Reason.NOT_ROUTED,
        f"{listing(str(service.ref) for service in services)}: no route sends to subset {shown(target.stable)} of "
        f"{target.host} (found: {subsets or 'no destination'}); set destination.subset to {shown(target.stable)}",
    )
