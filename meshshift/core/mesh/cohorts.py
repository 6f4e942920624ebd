"""Routes that a shift puts into a VirtualService for a while: who gets which version whatever the weight.

A cohort's route is a copy of the managed route with the cohort's conditions added and all traffic on the canary: its
rewrites, CORS, retries, timeouts and its own conditions stay, so a tester meets the same service.  It stands right
ahead of the route it was copied from, because the first match wins.  Its name says whose it is, which is all that is
needed to take it away again: nothing is remembered elsewhere, and a controller that comes back after a crash finds what
its predecessor left.

Sticky users are such cohorts, too, told by their cookie (`meshshift.core.mesh.stickiness`): one for each version,
behind the cohorts that the steps name and ahead of the route that draws by weight.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from meshshift.core.mesh.documents import (
    Document,
    ObjectRef,
    Patch,
    PatchOperation,
    Problem,
    Reason,
    member,
    operation,
    pointer,
    shown,
    unmoved,
)
from meshshift.core.mesh.match_conflicts import contradict
from meshshift.core.mesh.mirrors import mirror_operations, mirrors_after, mirrors_elsewhere
from meshshift.core.mesh.stickiness import bare, cookie_operations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshshift.core.mesh.documents import Target
    from meshshift.core.mesh.stickiness import Cookies, Side
    from meshshift.core.mesh.weighted_route import WeightedRoute

OWNER = "meshshift"
"""The first part of the names of all routes that are put in."""


@dataclass(frozen=True, slots=True)
class StringMatch:
    """A condition on a text, as Istio's StringMatch: `regex` is RE2 and has to match all of it."""

    kind: Literal["exact", "prefix", "regex"]
    value: str


@dataclass(frozen=True, slots=True)
class Cohort:
    """Requests that their headers tell: those that meet all conditions of one of the alternatives."""

    name: str
    alternatives: tuple[tuple[tuple[str, StringMatch], ...], ...]


@dataclass(frozen=True, slots=True)
class Inserted:
    """A route that a shift has put in: where it stands, and its document."""

    owner: ObjectRef
    resource_version: str
    index: int
    document: Document


@dataclass(frozen=True, slots=True)
class Extras:
    """What a run wants besides weights: routes for cohorts, and copies of `mirror` percent of the other requests.

    `mirror` is None for a run whose steps set none: whatever mirrors are there are somebody else's.  `cookies` keep
    users on the version that they have met, None as long as everybody is drawn.
    """

    cohorts: tuple[Cohort, ...] = ()
    mirror: int | None = None
    cookies: Cookies | None = None

    @property
    def any(self) -> bool:
        """Is anything of it to be in the mesh?"""
        return bool(self.cohorts or self.mirror or self.cookies)


NOTHING = Extras()


def inserted_name(target: Target, cohort: str) -> str:
    """The name of the route that is put in for a cohort of the target's service."""
    return f"{OWNER}/{target.namespace}/{target.service}/{cohort}"


def is_inserted(name: str | None, target: Target) -> bool:
    """Is it a route that a shift of this service has put in?"""
    return (name or "").startswith(inserted_name(target, ""))


def extra_patches(
    routes: Sequence[WeightedRoute],
    inserted: Sequence[Inserted],
    wanted: Extras,
    target: Target,
    percent: int | None = None,
) -> tuple[Patch, ...] | Problem:
    """The edits after which the mesh has exactly the wanted extras; nothing where it has them already.

    Routes of a VirtualService are put in and taken out in one patch, so that no request meets half of them.  `percent`
    is the canary's weight that the same patch brings the routes to, if it does (`joined`).
    """
    http = [route for route in routes if route.protocol == "http" or wanted.cookies]
    edits: dict[ObjectRef, list[PatchOperation]] = {}
    for owner in dict.fromkeys([*(each.owner for each in inserted), *(route.owner for route in http)]):
        ours = [route for route in http if route.owner == owner]
        present = [each for each in inserted if each.owner == owner]
        operations = _of_one(ours, present, wanted, target, percent)
        if isinstance(operations, Problem):
            return operations
        if operations:
            version = (present[0] if present else ours[0]).resource_version
            edits[owner] = [unmoved(version), *operations]
    return tuple(Patch(owner, tuple(operations)) for owner, operations in edits.items())


def joined(*patches: tuple[Patch, ...]) -> tuple[Patch, ...]:
    """Edits of several kinds as one patch for each object; later ones must not move what earlier ones point at."""
    operations: dict[ObjectRef, list[PatchOperation]] = {}
    for patch in (each for some in patches for each in some):
        listed = operations.setdefault(patch.target, [])
        listed += [each for each in patch.operations if each not in listed or each["op"] != "test"]
    return tuple(Patch(target, tuple(each)) for target, each in operations.items())


def _of_one(
    routes: list[WeightedRoute], present: list[Inserted], wanted: Extras, target: Target, percent: int | None
) -> list[PatchOperation] | Problem:
    """Cookies and mirrors first, while every index still is what was read; then routes out, from the last; then in."""
    operations: list[PatchOperation] = []
    clones: list[tuple[int, Document]] = []
    for number, route in enumerate(routes, start=1):
        edits = _in_place(route, wanted, percent)
        if isinstance(edits, Problem):
            return edits
        copies = _clones(route, wanted, target)
        if isinstance(copies, Problem):
            return copies
        operations += edits
        if len(routes) > 1:
            copies = [{**clone, "name": f"{clone['name']}/{number}"} for clone in copies]
        clones += [(route.index, clone) for clone in copies]
    if [each.document for each in present] == [clone for _, clone in clones] and _stand_ahead(present, routes):
        return operations
    for each in sorted(present, key=lambda one: -one.index):
        path = pointer("spec", "http", each.index)
        operations += [operation("test", path, each.document), {"op": "remove", "path": path}]
    for index, clone in reversed(clones):
        place = index - sum(each.index < index for each in present)
        operations.append(operation("add", pointer("spec", "http", place), clone))
    return operations


def _in_place(route: WeightedRoute, wanted: Extras, percent: int | None) -> list[PatchOperation] | Problem:
    """The edits within the managed route itself."""
    cookies = cookie_operations(route, wanted.cookies, percent)
    mirrors = [] if wanted.mirror is None else mirror_operations(route, wanted.mirror)
    if isinstance(cookies, Problem) or isinstance(mirrors, Problem):
        return cookies if isinstance(cookies, Problem) else mirrors
    return [*cookies, *mirrors]


def _stand_ahead(present: list[Inserted], routes: list[WeightedRoute]) -> bool:
    """Does every managed route have its cohorts right ahead of it?"""
    per_route = len(present) // len(routes) if routes else 0
    places = [route.index - per_route + offset for route in routes for offset in range(per_route)]
    return [each.index for each in present] == places


def _clones(route: WeightedRoute, wanted: Extras, target: Target) -> list[Document] | Problem:
    """The routes that belong ahead of the managed one, in their order: cohorts, then sticky users of either version."""
    found: list[Document] = []
    pins = [(sticky_cohort(wanted.cookies, side), side) for side in _SIDES] if wanted.cookies else []
    for cohort, side in [*((each, _CANARY) for each in wanted.cohorts), *pins]:
        clone = _clone(route, cohort, side, wanted.mirror)
        if isinstance(clone, Problem):
            return clone
        found.append({"name": inserted_name(target, cohort.name), **clone})
    return found


_CANARY: Side = "canary"
_SIDES: tuple[Side, ...] = ("stable", "canary")
_STICKY = "sticky/"


def sticky_cohort(cookies: Cookies, side: Side) -> Cohort:
    """The users that a run's cookie keeps on one side; no cohort of the steps can have the name."""
    return Cohort(_STICKY + side, ((("cookie", StringMatch("regex", cookies.expression(side))),),))


def _clone(route: WeightedRoute, cohort: Cohort, side: Side, mirror: int | None) -> Document | Problem:
    """The route with the cohort's conditions in front of its own and everything on one side."""
    clone = deepcopy(route.document)
    matches = _both(route, clone.get("match"), cohort)
    if isinstance(matches, Problem):
        return matches
    clone.pop("name", None)
    clone["match"] = matches
    clone["route"] = [_all_to(route, side)]
    mirrors = mirrors_elsewhere(route) if side == _CANARY else mirrors_after(route, mirror)
    clone.pop("mirrors", None)
    return {**clone, **({"mirrors": deepcopy(mirrors)} if mirrors else {})}


def _all_to(route: WeightedRoute, side: Side) -> Document:
    """The entry of one side, without weight and cookie; as it would be written if it is not there."""
    subset = route.target.canary if side == _CANARY else route.target.stable
    entry = next((each.document for each in route.pair if each.subset == subset), None)
    if entry is None:
        return {"destination": {**route.pair[0].document["destination"], "subset": subset}}
    return deepcopy({name: value for name, value in bare(entry).items() if name != "weight"})


def _both(route: WeightedRoute, own: Any, cohort: Cohort) -> list[Document] | Problem:
    """Every alternative of the route with every alternative of the cohort."""
    combined: list[Document] = []
    for condition in own or [{}]:
        for alternative in cohort.alternatives:
            headers = dict(member(condition, "headers") or {})
            taken = next((name for name, match in alternative if headers.get(name, _wire(match)) != _wire(match)), None)
            if taken is not None:
                return Problem(Reason.HEADER_TAKEN, _why_taken(route, cohort, taken))
            headers |= {name: _wire(match) for name, match in alternative}
            both = {**deepcopy(condition), "headers": headers}
            left_out = _left_out(route, cohort, condition, both)
            if left_out is not None:
                return left_out
            combined.append(both)
    return combined


def _left_out(route: WeightedRoute, cohort: Cohort, condition: Document, both: Document) -> Problem | None:
    """Istio leaves a delegate's route out whose match goes beyond that of the root, or may do so for all it knows."""
    for place, outer in route.within:
        if (condition and contradict(outer, condition)) or not contradict(outer, both):
            continue
        asked, found = member(both, "headers"), member(outer, "headers")
        taken = next((name for name in asked if isinstance(found, dict) and name in found), None)
        if taken is not None:
            return Problem(Reason.HEADER_TAKEN, _why_taken(route, cohort, taken, place))
        what = "sticky users" if cohort.name.startswith(_STICKY) else f"header route {shown(cohort.name)}"
        return Problem(
            Reason.DELEGATE_IGNORED,
            f"{place} delegates to {route} by a match that a route for {what} would not lie within, so that Istio "
            "would leave that route out; give both the same sourceNamespace and ignoreUriCase",
        )
    return None


def _why_taken(route: WeightedRoute, cohort: Cohort, header: str, root: str = "") -> str:
    where = f"{root}, which delegates to {route}," if root else str(route)
    if cohort.name.startswith(_STICKY):
        leave = "delegate by another condition" if root else "leave it out of virtualServices[].routes"
        fix = f"{leave}, or leave stickiness out"
        return f"{where} has a condition on header {shown(header)} already, and stickiness needs one of its own; {fix}"
    return (
        f"{where} has a condition on header {shown(header)} already, and header route {shown(cohort.name)} another; "
        "tell the cohort by another header"
    )


def _wire(match: StringMatch) -> Document:
    return {match.kind: match.value}
