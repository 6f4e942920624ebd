"""A VirtualService document, understood: who is routed where, with which weight.

This is the only place that walks the document, so it is the place that distrusts it.  What is malformed becomes a
defect beside the routes that could be read: whether a defect matters depends on whose document it is, and that is not
known here.

Facts used (istio/api `networking/v1alpha3/virtual_service.proto`): `weight` is an int32; without it a destination gets
nothing unless it is the only one of its route, which gets everything whatever its weight says.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from meshshift.core.mesh.documents import (
    Document,
    ObjectRef,
    Problem,
    Reason,
    member,
    ref_of,
    resource_version,
    shown,
    text,
)
from meshshift.core.mesh.hosts import resolve_host

Protocol: TypeAlias = Literal["http", "tls", "tcp"]

_PROTOCOLS: tuple[Protocol, ...] = ("http", "tls", "tcp")
_INT32_MAX = 2**31 - 1
_WHOLE = 100


@dataclass(frozen=True, slots=True)
class Destination:
    """One entry of a route's list."""

    index: int
    host: str
    """Fully qualified."""
    subset: str | None
    weight: int
    """What Istio acts on, not what is written: 100 for the only destination, 0 where the weight is missing."""
    document: Document = field(hash=False, repr=False)


@dataclass(frozen=True, slots=True)
class Mirror:
    """A place that copies of a route's requests go to; their answers are thrown away."""

    place: str
    """The field under the route: `mirror`, `mirrors[0]`."""
    host: str
    subset: str | None


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of `spec.http`, `spec.tls` or `spec.tcp`; redirects, direct responses and delegates send nowhere."""

    protocol: Protocol
    index: int
    name: str | None
    matched: bool
    """It has conditions of its own, so it takes only some of the host's requests."""
    destinations: tuple[Destination, ...]
    mirrors: tuple[Mirror, ...] = ()


@dataclass(frozen=True, slots=True)
class VirtualService:
    """What could be read of a document, and what could not."""

    ref: ObjectRef
    resource_version: str
    hosts: frozenset[str]
    routes: tuple[Route, ...]
    defects: tuple[Problem, ...]

    @property
    def mentions(self) -> frozenset[str]:
        """Every fully qualified host that it speaks for or sends to: what a cache would index it by."""
        sent = {each.host for route in self.routes for each in route.destinations}
        return self.hosts | sent | {each.host for route in self.routes for each in route.mirrors}


def read_virtual_service(document: Document, cluster_domain: str) -> VirtualService:
    """Understand a document as far as possible; never raises, whatever the document is."""
    ref = ref_of(document, "VirtualService")
    spec = member(document, "spec")
    routes: list[Route] = []
    defects: list[Problem] = []
    if not isinstance(spec, dict):
        defects.append(_malformed(ref, "spec", spec, "write an object with hosts and http"))
    for protocol in _PROTOCOLS:
        entries = member(spec, protocol)
        if entries is not None and not isinstance(entries, list):
            defects.append(_malformed(ref, f"spec.{protocol}", entries, "write a list of routes"))
            continue
        for index, entry in enumerate(entries or ()):
            route = _read_route(ref, protocol, index, entry, cluster_domain)
            if isinstance(route, Problem):
                defects.append(route)
            else:
                routes.append(route)
    hosts = member(spec, "hosts")
    own_hosts = (host for host in (hosts if isinstance(hosts, list) else ()) if isinstance(host, str))
    return VirtualService(
        ref=ref,
        resource_version=resource_version(document),
        hosts=frozenset(resolve_host(host, ref.namespace, cluster_domain) for host in own_hosts),
        routes=tuple(routes),
        defects=tuple(defects),
    )


def _read_route(ref: ObjectRef, protocol: Protocol, index: int, entry: object, cluster_domain: str) -> Route | Problem:
    place = f"spec.{protocol}[{index}]"
    if not isinstance(entry, dict):
        return _malformed(ref, place, entry, "write an object with a route")
    listed = entry.get("route")
    if listed is not None and not isinstance(listed, list):
        return _malformed(ref, f"{place}.route", listed, "write a list of destinations")
    destinations: list[Destination] = []
    for position, each in enumerate(listed or ()):
        destination = _read_destination(ref, f"{place}.route[{position}]", position, each, cluster_domain)
        if isinstance(destination, Problem):
            return destination
        destinations.append(destination)
    if len(destinations) == 1:
        only = destinations[0]
        destinations = [Destination(0, only.host, only.subset, _WHOLE, only.document)]
    name = entry.get("name")
    return Route(
        protocol=protocol,
        index=index,
        name=name if isinstance(name, str) and name else None,
        matched=bool(entry.get("match")),
        destinations=tuple(destinations),
        mirrors=tuple(_read_mirrors(ref, entry, cluster_domain)),
    )


def _read_mirrors(ref: ObjectRef, entry: Document, cluster_domain: str) -> Iterator[Mirror]:
    listed = entry.get("mirrors")
    places = {"mirror": entry.get("mirror")}
    for index, each in enumerate(listed if isinstance(listed, list) else ()):
        places[f"mirrors[{index}]"] = member(each, "destination")
    for place, destination in places.items():
        host = text(member(destination, "host"))
        if host:
            resolved = resolve_host(host, ref.namespace, cluster_domain)
            yield Mirror(place, resolved, text(member(destination, "subset")) or None)


def _read_destination(
    ref: ObjectRef, place: str, index: int, entry: object, cluster_domain: str
) -> Destination | Problem:
    if not isinstance(entry, dict):
        return _malformed(ref, place, entry, "write an object with a destination")
    host = member(entry, "destination", "host")
    if not isinstance(host, str) or not host:
        return _malformed(ref, f"{place}.destination.host", host, "write the service's host")
    subset = member(entry, "destination", "subset")
    if subset is not None and not isinstance(subset, str):
        return _malformed(ref, f"{place}.destination.subset", subset, "write a subset's name")
    weight = entry.get("weight", 0)
    if not isinstance(weight, int) or isinstance(weight, bool) or not 0 <= weight <= _INT32_MAX:
        return _malformed(ref, f"{place}.weight", weight, f"write a whole number from 0 to {_INT32_MAX}")
    return Destination(index, resolve_host(host, ref.namespace, cluster_domain), subset or None, weight, entry)


def _malformed(ref: ObjectRef, place: str, value: object, fix: str) -> Problem:
    return Problem(Reason.MALFORMED, f"{ref}: {place} is {shown(value)}; {fix}")
