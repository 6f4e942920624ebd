"""Which VirtualService the sidecars obey where several speak for one host: they are not merged.

Istio lists what the proxies of a namespace see in this order: exported to nobody but its own namespace, exported to
this namespace by name, public; each by creation time, then name, then namespace (`SelectVirtualServices` in Istio's
`pilot/pkg/model/virtualservice.go`, `initVirtualServices` in `push_context.go`, `configCompareByCreationTime` in
`config.go`).  Of this list

- the first one with http routes for a host and port has all of its http requests; one that names the host comes before
  any that covers it by a wildcard (`BuildSidecarVirtualHostWrapper`, `pilot/pkg/networking/core/route/route.go`);
- tcp and tls routes are joined, and of two with the same conditions the first takes the connections
  (`buildSidecarOutboundTCPFilterChainOpts`, `buildSidecarOutboundTLSFilterChainOpts`, `core/tls.go`).

Gateways append the routes of all VirtualServices that are bound to them, so nothing here applies to them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from meshshift.core.mesh.hosts import covers, specificity
from meshshift.core.mesh.virtual_service import MESH, PUBLIC, Match, Protocol, Route, VirtualService

ELSEWHERE = ""
"""Stands for every namespace that no document names."""


@dataclass(frozen=True, slots=True)
class Lost:
    """In `namespace`, requests or connections to `host` go by the routes of `winner` instead of the loser's."""

    loser: VirtualService
    winner: VirtualService
    host: str
    namespace: str

    @property
    def why(self) -> str:
        """What makes the winner the first of the two."""
        near, far = (_nearness(each, self.namespace) for each in (self.winner, self.loser))
        if near != far:
            return f"is exported to namespace {self.namespace} by name, which comes before public ones"
        if not (self.winner.created and self.loser.created):
            return "wins if it is created first, or in the same second, as its name comes first"
        if self.winner.created == self.loser.created:
            return "was created in the same second and its name comes first"
        return "is older"


def contested(
    service: VirtualService, route: Route, services: Iterable[VirtualService], host: str
) -> tuple[bool, list[Lost]]:
    """Does the route act anywhere, for sidecars or at a gateway; and every place in the mesh where another one wins.

    The places are the hosts of its VirtualService, and `host` if one of these covers it.
    """
    if not service.exported_to:
        return False, []
    acts = service.gateways != {MESH} and route.at_gateways
    if MESH not in service.gateways:
        return acts, []
    places = sorted(service.hosts | ({host} if any(covers(each, host) for each in service.hosts) else set()))
    rivals = [each for each in services if any(_speaks(each, place) for place in places)]
    lost: list[Lost] = []
    for namespace in filter(service.is_seen_in, _namespaces(rivals)):
        ordered = in_order(rivals, namespace)
        firsts = [(place, _first(ordered, place, route.protocol, match)) for place in places for match in route.in_mesh]
        acts = acts or any(first is not None and first.ref == service.ref for _, first in firsts)
        lost += [
            Lost(service, first, place, namespace)
            for place, first in firsts
            if first is not None and first.ref != service.ref
        ]
    return acts, list(dict.fromkeys(lost))


def in_order(services: Iterable[VirtualService], namespace: str) -> list[VirtualService]:
    """What the proxies of a namespace see, the first first."""
    seen = (each for each in services if each.is_seen_in(namespace))
    return sorted(seen, key=lambda each: (_nearness(each, namespace), each.created, each.ref.name, each.ref.namespace))


def _nearness(service: VirtualService, namespace: str) -> int:
    if PUBLIC in service.exported_to:
        return 2
    return 0 if service.ref.namespace == namespace else 1


def _first(ordered: Sequence[VirtualService], host: str, protocol: Protocol, match: Match) -> VirtualService | None:
    claiming = [each for each in ordered if _speaks(each, host) and _claims(each, protocol, match)]
    if protocol != "http":
        return next(iter(claiming), None)
    return max(claiming, key=lambda each: _closest(each, host), default=None)


def _closest(service: VirtualService, host: str) -> tuple[bool, int]:
    return max(specificity(each) for each in service.hosts if covers(each, host))


def _speaks(service: VirtualService, host: str) -> bool:
    return MESH in service.gateways and any(covers(each, host) for each in service.hosts)


def _claims(service: VirtualService, protocol: Protocol, match: Match) -> bool:
    """Has it routes of the protocol for what `match` takes?"""
    theirs = (each for route in service.routes if route.protocol == protocol for each in route.in_mesh)
    return any(_TAKES[protocol](each, match) for each in theirs)


def _same_port(one: Match, other: Match) -> bool:
    return one.port is None or other.port is None or one.port == other.port


def _takes_connection(one: Match, other: Match) -> bool:
    subnets = not one.subnets or (bool(other.subnets) and other.subnets <= one.subnets)
    return _same_port(one, other) and subnets


def _takes_name(one: Match, other: Match) -> bool:
    subnets = one.subnets == other.subnets or bool(one.subnets & other.subnets)
    return _same_port(one, other) and subnets and bool(one.sni & other.sni)


_TAKES = {"http": _same_port, "tcp": _takes_connection, "tls": _takes_name}


def _namespaces(services: Iterable[VirtualService]) -> Iterator[str]:
    """Every namespace that could see something else than the rest: owners first, then those exported to."""
    listed = list(services)
    named = {each.ref.namespace for each in listed} | {name for each in listed for name in each.exported_to}
    yield from (ELSEWHERE, *sorted(named - {PUBLIC, ELSEWHERE}))
