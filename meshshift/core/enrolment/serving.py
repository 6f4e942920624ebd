"""Who gets a service's traffic, as the VirtualServices around it say; and the edit that makes them say it by subset.

A destination without a subset spreads requests over all pods of the service, in proportion to how many each version
has.  Once it names the subset of the only version that has ready pods, exactly the same pods get them; from then on a
new version gets none by merely being there.

Routes with conditions of their own (header routes for testers, preview hosts) say who gets some requests, not who
serves; they count only where there is no other route.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshshift.core.mesh.documents import (
    Document,
    ObjectRef,
    Patch,
    PatchOperation,
    Problem,
    Target,
    operation,
    pointer,
    unmoved,
)
from meshshift.core.mesh.hosts import covers
from meshshift.core.mesh.virtual_service import MESH, Destination, Route, VirtualService, read_virtual_service

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True)
class Sending:
    """A destination of the service, and where it stands."""

    owner: VirtualService
    route: Route
    destination: Destination


@dataclass(frozen=True, slots=True)
class Serving:
    """What the VirtualServices say.

    `weights` are the parts of the traffic by subset name, summed over the routes that count, "" for destinations
    without one; empty if nothing sends to the service.  `spread` are the destinations without a subset, on any route.
    `spoken` is true if a VirtualService speaks for the service's own host in the mesh, so that its callers follow it;
    `names` are the VirtualServices of the service's namespace.
    """

    weights: dict[str, int]
    spread: tuple[Sending, ...]
    spoken: bool
    names: frozenset[str]

    @property
    def subsets(self) -> tuple[str, ...]:
        """The subsets that get traffic."""
        return tuple(sorted(name for name, weight in self.weights.items() if weight and name))

    @property
    def is_spread(self) -> bool:
        """Does any traffic go to all pods alike?"""
        return not self.spoken or bool(self.spread)


def serving(documents: Iterable[Document], target: Target) -> Serving | Problem:
    """What is said of the target's host; a Problem if what speaks of it is malformed."""
    services = [read_virtual_service(document, target.cluster_domain) for document in documents]
    sending: list[Sending] = []
    for service in services:
        if service.defects and target.host in service.mentions:
            return service.defects[0]
        sending += [
            Sending(service, route, each)
            for route in service.routes
            for each in route.destinations
            if each.host == target.host
        ]
    counted = [each for each in sending if not each.route.matched] or sending
    weights: dict[str, int] = {}
    for each in counted:
        name = each.destination.subset or ""
        weights[name] = weights.get(name, 0) + each.destination.weight
    return Serving(
        weights=weights,
        spread=tuple(each for each in sending if each.destination.subset is None and each.destination.weight),
        spoken=any(MESH in service.gateways and target.host in service.hosts for service in services),
        names=frozenset(each.ref.name for each in services if each.ref.namespace == target.namespace),
    )


def covering(documents: Iterable[Document], target: Target) -> ObjectRef | None:
    """The VirtualService that speaks for the host by a wildcard in the mesh; one for the host alone would take over."""
    for document in documents:
        service = read_virtual_service(document, target.cluster_domain)
        wide = (each for each in service.hosts if each != target.host and covers(each, target.host))
        if MESH in service.gateways and any(wide):
            return service.ref
    return None


def pin_patches(spread: Sequence[Sending], subset: str) -> tuple[Patch, ...]:
    """The edits that give every destination without a subset this one, one for each VirtualService."""
    edits: dict[ObjectRef, list[PatchOperation]] = {}
    for each in spread:
        operations = edits.setdefault(each.owner.ref, [unmoved(each.owner.resource_version)])
        path = ("spec", each.route.protocol, each.route.index, "route", each.destination.index, "destination")
        operations.append(operation("test", pointer(*path), each.destination.document["destination"]))
        operations.append(operation("add", pointer(*path, "subset"), subset))
    return tuple(Patch(owner, tuple(operations)) for owner, operations in edits.items())
