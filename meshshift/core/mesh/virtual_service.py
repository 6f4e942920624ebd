"""A VirtualService document, understood: who is routed where, with which weight.

This is the only place that walks the document, so it is the place that distrusts it.  What is malformed becomes a
defect beside the routes that could be read: whether a defect matters depends on whose document it is, and that is not
known here.

Facts used (istio/api `networking/v1alpha3/virtual_service.proto`): `weight` is an int32; without it a destination gets
nothing unless it is the only one of its route, which gets everything whatever its weight says.  An http entry with a
`delegate` takes nothing else from the entry's own `route` (`mergeHTTPRoute` in Istio's
`pilot/pkg/model/virtualservice.go`).  Without `gateways` a VirtualService speaks for the sidecars, which are the
gateway `mesh`; without `exportTo` all namespaces see it.
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
from meshshift.core.mesh.hosts import is_wildcard, resolve_host

Protocol: TypeAlias = Literal["http", "tls", "tcp"]

MESH = "mesh"
"""The gateway that stands for all sidecars."""

PUBLIC = "*"
"""In `exportTo`: all namespaces."""

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
class Match:
    """The conditions of a route that decide which listeners have it at all; those on single requests are left out."""

    gateways: frozenset[str] = frozenset()
    """Empty: those of the VirtualService."""
    port: int | None = None
    sni: frozenset[str] = frozenset()
    subnets: frozenset[str] = frozenset()


ALWAYS = Match()


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
    matches: tuple[Match, ...] = (ALWAYS,)
    """At least one; the route takes what any of them takes."""
    delegate: ObjectRef | None = None
    """The VirtualService whose http routes stand here instead."""
    document: Document = field(default_factory=dict, hash=False, repr=False)
    """The entry as it is written."""

    @property
    def conditions(self) -> list[Document]:
        """Its matches as they are written; empty if it takes everything."""
        return _conditions(self.document)

    @property
    def in_mesh(self) -> tuple[Match, ...]:
        """The matches that sidecars have."""
        return tuple(each for each in self.matches if not each.gateways or MESH in each.gateways)

    @property
    def at_gateways(self) -> bool:
        """Do any of its matches act at another gateway than the sidecars?"""
        return any(each.gateways != {MESH} for each in self.matches)

    def __str__(self) -> str:
        return shown(self.name) if self.name else f"{self.protocol}[{self.index}]"


@dataclass(frozen=True, slots=True)
class VirtualService:
    """What could be read of a document, and what could not."""

    ref: ObjectRef
    resource_version: str
    hosts: frozenset[str]
    routes: tuple[Route, ...]
    defects: tuple[Problem, ...]
    gateways: frozenset[str] = frozenset({MESH})
    exported_to: frozenset[str] = frozenset({PUBLIC})
    """Namespaces, or PUBLIC; never `.`, which is its own namespace."""
    created: str = ""
    """When it was created (RFC 3339 in UTC, to the second); empty for a manifest."""

    @property
    def mentions(self) -> frozenset[str]:
        """Every fully qualified host that it speaks for or sends to."""
        sent = {each.host for route in self.routes for each in route.destinations}
        return self.hosts | sent | {each.host for route in self.routes for each in route.mirrors}

    @property
    def keys(self) -> frozenset[str]:
        """What a cache would index it by: the hosts it mentions, and the delegates it refers to (`delegate_key`).

        A wildcard matters only where VirtualServices compete for a host, which is in the mesh.
        """
        hosts = (host for host in self.mentions if MESH in self.gateways or not is_wildcard(host))
        return frozenset(hosts) | {delegate_key(each.delegate) for each in self.routes if each.delegate}

    def is_seen_in(self, namespace: str) -> bool:
        """Do the proxies of a namespace hear of it?"""
        return bool(self.exported_to & {PUBLIC, namespace})


def delegate_key(ref: ObjectRef) -> str:
    """The key that a root is found by; it cannot be taken for a host."""
    return f"{ref.namespace}/{ref.name}"


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
    return VirtualService(
        ref=ref,
        resource_version=resource_version(document),
        hosts=frozenset(resolve_host(each, ref.namespace, cluster_domain) for each in texts(spec, "hosts")),
        routes=tuple(routes),
        defects=tuple(defects),
        gateways=frozenset(texts(spec, "gateways")) or frozenset({MESH}),
        exported_to=exports(document),
        created=text(member(document, "metadata", "creationTimestamp")),
    )


def exports(document: Document) -> frozenset[str]:
    """The namespaces that a VirtualService or a DestinationRule is exported to, PUBLIC for all of them.

    `~` beside nothing else leaves none (`initVirtualServices` in Istio's pilot/pkg/model/push_context.go).
    """
    listed = texts(member(document, "spec"), "exportTo")
    own = ref_of(document, "").namespace
    return frozenset(own if each == "." else each for each in listed if each != "~") if listed else frozenset({PUBLIC})


def texts(parent: object, name: str) -> list[str]:
    """The strings of a list; whatever else is there is left out."""
    listed = member(parent, name)
    return [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []


def _read_route(ref: ObjectRef, protocol: Protocol, index: int, entry: object, cluster_domain: str) -> Route | Problem:
    place = f"spec.{protocol}[{index}]"
    if not isinstance(entry, dict):
        return _malformed(ref, place, entry, "write an object with a route")
    delegate = _read_delegate(ref, entry) if protocol == "http" else None
    listed = None if delegate else entry.get("route")
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
        matches=tuple(map(_read_match, _conditions(entry))) or (ALWAYS,),
        delegate=delegate,
        document=entry,
    )


def _read_delegate(ref: ObjectRef, entry: Document) -> ObjectRef | None:
    """The delegate is in the root's namespace unless another one is named."""
    name = text(member(entry, "delegate", "name"))
    namespace = text(member(entry, "delegate", "namespace")) or ref.namespace
    return ObjectRef(ref.kind, namespace, name) if name else None


def _conditions(entry: Document) -> list[Document]:
    listed = entry.get("match")
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _read_match(condition: Document) -> Match:
    return Match(
        gateways=frozenset(texts(condition, "gateways")),
        port=condition["port"] if isinstance(condition.get("port"), int) else None,
        sni=frozenset(texts(condition, "sniHosts")),
        subnets=frozenset(texts(condition, "destinationSubnets")),
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
