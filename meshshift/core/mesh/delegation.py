"""Roots and delegates: which VirtualServices have their routes in another one's place.

A VirtualService without hosts has no effect by itself.  One with hosts, the root, may hand an http entry to it, and
then the delegate's http routes stand in the entry's place, except those that match more than the entry does; `tls`
and `tcp` of a delegate go nowhere.  Delegates are not nested: only what has hosts is a root.  A delegate that is
missing, or not exported to the root's namespace, costs the root this one entry (`mergeVirtualServices` in Istio's
`pilot/pkg/model/virtualservice_controller.go`, `mergeHTTPRoute` in `virtualservice.go`).
"""

from collections.abc import Iterable, Sequence

from meshshift.core.mesh.documents import Document, Problem, Reason, shown
from meshshift.core.mesh.match_conflicts import fits
from meshshift.core.mesh.virtual_service import Route, VirtualService


def carriers(service: VirtualService, services: Iterable[VirtualService]) -> tuple[VirtualService, ...]:
    """The VirtualServices through which its routes act: itself, or the roots of a delegate that they see."""
    if service.hosts:
        return (service,)
    return tuple(root for root in roots_of(service, services) if service.is_seen_in(root.ref.namespace))


def roots_of(delegate: VirtualService, services: Iterable[VirtualService]) -> tuple[VirtualService, ...]:
    """The VirtualServices with hosts that refer to it, whether they see it or not."""
    return tuple(each for each in services if each.hosts and _refers(each, delegate))


def outer_matches(
    service: VirtualService, route: Route, services: Sequence[VirtualService]
) -> tuple[tuple[str, Document], ...]:
    """The matches that come before those of a delegate's route, each with its place; none if nobody delegates to it.

    Whatever stands beside the route in the delegate has to lie within them as well, or Istio leaves it out.
    """
    if service.hosts:
        return ()
    entries = [(root, each) for root in carriers(service, services) for each in root.routes]
    return tuple(
        (f"{root.ref} {each}", match)
        for root, each in entries
        if each.delegate == service.ref and fits(each.conditions, route.conditions)
        for match in each.conditions
    )


def why_ignored(service: VirtualService, route: Route, services: Sequence[VirtualService]) -> Problem | None:
    """What keeps a route of a VirtualService without hosts from any effect; None for all others."""
    if service.hosts:
        return None
    if route.protocol != "http":
        return _ignored(
            f"{service.ref} {route}: a VirtualService without hosts lends only its http routes; move the "
            f"{route.protocol} route to one with hosts"
        )
    roots = roots_of(service, services)
    if not roots:
        return _ignored(
            f"{service.ref} has no spec.hosts and {_nobody(service, services)}, so that its routes have no effect; "
            "give it hosts, or refer to it by http[].delegate of a VirtualService with hosts"
        )
    seen = [root for root in roots if service.is_seen_in(root.ref.namespace)]
    entries = [(root, each) for root in seen for each in root.routes if each.delegate == service.ref]
    if any(fits(each.conditions, route.conditions) for _, each in entries):
        return None
    if entries:
        return _ignored(
            f"{service.ref} {route} is left out, because its match goes beyond that of every entry that delegates to "
            f"it ({', '.join(f'{root.ref} {each}' for root, each in entries)}); match there what it matches, or less "
            "here"
        )
    root = roots[0].ref
    return _ignored(
        f"{service.ref} has the spec.exportTo {shown(sorted(service.exported_to))}, so that {root} cannot delegate to "
        f"it; add {shown(root.namespace)} to exportTo"
    )


def _nobody(delegate: VirtualService, services: Iterable[VirtualService]) -> str:
    nested = next((each for each in services if not each.hosts and _refers(each, delegate)), None)
    if nested is None:
        return "no VirtualService delegates to it"
    return f"only {nested.ref} delegates to it, which has no hosts either (delegates are not nested)"


def _refers(root: VirtualService, delegate: VirtualService) -> bool:
    return any(route.delegate == delegate.ref for route in root.routes)


def _ignored(message: str) -> Problem:
    return Problem(Reason.DELEGATE_IGNORED, message)
