"""Do the routes that carry a service's traffic have any effect?

A route can be written and still move nobody: because an earlier entry of its VirtualService takes everything, because
nobody delegates to it, or because the sidecars obey another VirtualService for its host.  Shifting such a route would
look like progress while the traffic stays where it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from meshshift.core.mesh.delegation import carriers
from meshshift.core.mesh.documents import Problem, Reason, shown
from meshshift.core.mesh.precedence import ELSEWHERE, Lost, contested
from meshshift.core.mesh.virtual_service import Route, VirtualService
from meshshift.core.mesh.weighted_route import WeightedRoute


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """A route that carries traffic of the pair, where it stands; `named` if the shift asked for this very route."""

    owner: VirtualService
    route: Route
    weighted: WeightedRoute
    named: bool


def why_unreachable(owner: VirtualService, route: Route) -> Problem | None:
    """The first entry without a match takes all that comes to it (`BuildHTTPRoutesForVirtualService`, the `TcpLoop`).

    A delegate's own routes decide what it takes, so an entry that delegates is left out.
    """
    ahead = (each for each in owner.routes if each.protocol == route.protocol and each.index < route.index)
    first = next((each for each in ahead if not each.matched and each.delegate is None), None)
    if first is None or route.protocol == "tls":
        return None
    return Problem(
        Reason.ROUTE_UNREACHABLE,
        f"{owner.ref} route {route} is never reached: {route.protocol}[{first.index}] before it has no match, so it "
        "takes everything; move it behind, or give it a match",
    )


def shadowed(found: Sequence[Carried], services: Sequence[VirtualService], *, confined: bool) -> Problem | None:
    """Who is obeyed instead of a VirtualService that holds one of the routes, and why.

    A route that acts nowhere is always a Problem.  One that acts for some callers is a Problem if the others go by
    routes that are not shifted with it; unless the shift is `confined` to VirtualServices that it names: then that is
    what was asked for.
    """
    shifted = {carrier.ref for each in found for carrier in carriers(each.owner, services)}
    for each in found:
        host = each.weighted.target.host
        through = carriers(each.owner, services)
        fates = [contested(carrier, _entry(carrier, each), services, host) for carrier in through]
        lost = [one for _, ones in fates for one in ones]
        if not any(acts for acts, _ in fates):
            return _never(each, through, lost)
        partly = [one for one in lost if one.host == host and one.winner.ref not in shifted]
        if partly and not confined:
            return _partly(each, partly)
    return None


def _entry(carrier: VirtualService, carried: Carried) -> Route:
    """The route itself, or the entry of the root that it stands in for."""
    if carrier is carried.owner:
        return carried.route
    return next(route for route in carrier.routes if route.delegate == carried.owner.ref)


def _never(carried: Carried, through: Iterable[VirtualService], lost: Sequence[Lost]) -> Problem:
    if lost:
        return _shadowed(carried, lost[0], "")
    unseen = next(iter(through), carried.owner)
    if not unseen.exported_to:
        fix = "take exportTo out, or name the callers' namespaces"
        return Problem(Reason.SHADOWED, f'{unseen.ref}: spec.exportTo is ["~"], so that no proxy sees it; {fix}')
    return Problem(
        Reason.ROUTE_UNREACHABLE,
        f"{carried.weighted} is never reached: its match names gateways that are not in spec.gateways of {unseen.ref} "
        f"({shown(sorted(unseen.gateways))}); add them there",
    )


def _partly(carried: Carried, lost: Sequence[Lost]) -> Problem:
    where = "" if lost[0].namespace == ELSEWHERE else f" for callers in namespace {lost[0].namespace}"
    return _shadowed(carried, lost[0], where)


def _shadowed(carried: Carried, lost: Lost, where: str) -> Problem:
    via = "" if lost.loser.ref == carried.owner.ref else f" (which delegates to {carried.owner.ref})"
    return Problem(
        Reason.SHADOWED,
        f"{lost.loser.ref}{via} is ignored{where}: {lost.winner.ref} has the host {lost.host} in the mesh, too, "
        f"sidecars do not merge the two, and {lost.winner.ref} {lost.why}; {_fix(lost, where)}",
    )


def _fix(lost: Lost, where: str) -> str:
    if where:
        name = f"name {lost.loser.ref.namespace}/{lost.loser.ref.name} in virtualServices"
        return f"let {lost.winner.ref} send to the stable subset, too, or {name} to shift the other callers alone"
    return "join them into one, or delete one of them"
