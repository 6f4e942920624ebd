"""Rules about what Istio ignores, though its author meant it: rivals for a host, delegates, routes behind others."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from meshshift.core.lint.findings import Finding, ManifestSet, error, place, warning
from meshshift.core.mesh.delegation import why_ignored
from meshshift.core.mesh.effect import why_unreachable
from meshshift.core.mesh.precedence import ELSEWHERE, contested
from meshshift.core.mesh.virtual_service import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshshift.core.mesh.documents import Document, ObjectRef
    from meshshift.core.mesh.precedence import Lost
    from meshshift.core.mesh.virtual_service import Route, VirtualService


def competing(manifests: ManifestSet) -> Iterator[Finding]:
    """Two VirtualServices that both speak to the sidecars for one host: they are not merged, the first wins whole.

    Gateways are another matter: they append the routes of all VirtualServices that are bound to them.  One that wins
    in a caller's namespace alone, as it is exported there by name, may be meant to.
    """
    services = [service for service, _ in manifests.read]
    for service in services:
        places: dict[tuple[ObjectRef, str], list[Lost]] = defaultdict(list)
        for route in service.routes:
            for lost in contested(service, route, services, "")[1]:
                places[lost.winner.ref, lost.host].append(lost)
        for found in places.values():
            yield _lost(service, found)


def _lost(loser: VirtualService, found: list[Lost]) -> Finding:
    first, where = found[0], sorted({lost.namespace for lost in found})
    everywhere = ELSEWHERE in where or PUBLIC not in loser.exported_to
    whom = "" if everywhere else f" for callers in namespace {', '.join(where)}"
    fix = "join them into one" if everywhere else "if that is not meant, join them into one"
    return (error if everywhere else warning)(
        "competing",
        loser.ref,
        f"{first.winner.ref} has the host {first.host} in the mesh, too: sidecars do not merge the two, "
        f"{first.winner.ref} {first.why}, and the other is ignored{whom}; {fix}",
    )


def unreachable_route(manifests: ManifestSet) -> Iterator[Finding]:
    """A route behind one that takes everything."""
    for service, route in manifests.routes:
        why = why_unreachable(service, route)
        if why is not None:
            yield error("unreachable-route", service.ref, why.message)


def ignored_delegate(manifests: ManifestSet) -> Iterator[Finding]:
    """Roots and delegates that do not find each other, and what one of them says in vain."""
    services = {service.ref: service for service, _ in manifests.read}
    for service, document in manifests.read:
        for route in service.routes:
            why = why_ignored(service, route, tuple(services.values()))
            if why is not None:
                yield error("ignored-delegate", service.ref, why.message)
            if route.delegate is not None:
                message = _vain(route, services.get(route.delegate), document)
                if message:
                    yield error("ignored-delegate", service.ref, f"{place(route)} {message}")


def _vain(route: Route, delegate: VirtualService | None, root: Document) -> str:
    """What is wrong with an http entry that delegates; empty if nothing is."""
    if delegate is None:
        return (
            f"delegates to {route.delegate}, which is not in the set: the entry is left out, and its requests go to "
            "the entries behind it; create the delegate, or take the entry out"
        )
    if delegate.hosts:
        return f"delegates to {delegate.ref}, which has hosts of its own and is therefore no delegate; take them out"
    also = [each for each in ("route", "redirect", "directResponse") if root["spec"]["http"][route.index].get(each)]
    if also:
        return f"has {' and '.join(also)} beside delegate, which is refused or ignored; take it out"
    return ""
