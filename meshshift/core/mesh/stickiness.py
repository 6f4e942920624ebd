"""Sticky sessions: a cookie that keeps a user on the version that answered first, while weights decide for all others.

Istio chooses by weight anew for every request, and `consistentHash` acts only after that choice.  So the weighted
route's two destinations hand out a cookie each, and routes ahead of the weighted one take whoever brings it to the
version that it stands for.  Those routes are copies of the weighted one, as those for header cohorts are
(`meshshift.core.mesh.cohorts`); here is the cookie itself, and how it gets into a destination's headers and out again.

The cookie's value is made from the run.  A cookie of an earlier run, or one that somebody made up, matches no route:
its owner is drawn by weight like anybody new, and gets a new cookie.  Nobody who was rolled back is therefore sent to a
canary again unless the next run's weights say so.  The value is a digest, so that it names nothing of the cluster; it
is no secret and guards no access.

The routes that a cookie leads to hand out none.  If they did, two first requests at the same time, one answered by each
version, would renew each other's cookie for ever; as it is, the cookie that came last stays.

Facts used: a destination's `headers.response.add` becomes the weighted cluster's `response_headers_to_add`, by which
Envoy appends a header of its own beside those of the application (Istio 1.32, `TranslateHeadersOperations` in
pilot/pkg/networking/core/route/route.go); Envoy applies the route's own operations after the cluster's.  A cookie
without `Path` is sent only below the path that set it, one without `SameSite` as a browser sees fit (RFC 6265, 5.1.4;
draft-ietf-httpbis-rfc6265bis).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from meshshift.core.mesh.documents import (
    Document,
    PatchOperation,
    Problem,
    Reason,
    member,
    operation,
    pointer,
    shown,
    text,
)
from meshshift.core.mesh.weighted_route import is_at

if TYPE_CHECKING:
    from meshshift.core.mesh.virtual_service import Destination
    from meshshift.core.mesh.weighted_route import WeightedRoute

Side = Literal["stable", "canary"]
SET_COOKIE = "set-cookie"
_PLACE = ("headers", "response", "add")
_OURS = re.compile(r"[^=;\s]+=meshshift-[0-9a-f]{16}; Path=/; Max-Age=[0-9]+; HttpOnly; SameSite=Lax")


@dataclass(frozen=True, slots=True)
class Stickiness:
    """A person's wish: the cookie's name (RFC 6265 token), and for how many whole seconds, 1 or more, it is kept."""

    cookie: str
    max_age: int


@dataclass(frozen=True, slots=True)
class Cookies:
    """The two cookies of one run, told apart by their values."""

    wish: Stickiness
    run: str

    def value(self, side: Side) -> str:
        """What the cookie says of a user of that side."""
        return f"meshshift-{hashlib.sha256(f'{self.run}/{side}'.encode()).hexdigest()[:16]}"

    def header(self, side: Side) -> str:
        """The `Set-Cookie` that an answer of that side carries."""
        kept = f"Path=/; Max-Age={self.wish.max_age}; HttpOnly; SameSite=Lax"
        return f"{self.wish.cookie}={self.value(side)}; {kept}"

    def expression(self, side: Side) -> str:
        """RE2 for the whole `Cookie` header of such a user, which browsers send as `a=1; b=2` (RFC 6265, 4.2.1)."""
        return f"(.*;\\s*)?{re.escape(self.wish.cookie)}={self.value(side)}(;.*)?"


def why_not(route: WeightedRoute) -> Problem | None:
    """What keeps a route from being sticky; asked before anything is written."""
    if route.protocol != "http":
        fix = "leave stickiness out, or name the http routes to shift in virtualServices"
        return Problem(Reason.NOT_STICKY, f"{route} is a {route.protocol} route, and stickiness needs cookies; {fix}")
    if route.others:
        return Problem(
            Reason.NOT_STICKY,
            f"{route} gives other destinations {route.others} of its weight, and sticky users would not go there any "
            "more; take them off the route, or leave stickiness out",
        )
    return _overruled(route) or next(filter(None, (_taken(route, each) for each in route.pair)), None)


def bare(entry: Document) -> Document:
    """A destination's entry without the cookie that a run has put there; itself if there is none."""
    if _present(entry) is None:
        return entry
    return _without(entry, _PLACE)


def cookie_operations(
    route: WeightedRoute, cookies: Cookies | None, percent: int | None = None
) -> list[PatchOperation] | Problem:
    """The edits after which exactly the wanted cookies are handed out; without a wish, none of ours.

    An entry that is missing is given its cookie only if the same patch appends it to bring the route to `percent`.
    """
    problem = why_not(route) if cookies else None
    if problem is not None:
        return problem
    operations: list[PatchOperation] = []
    for entry in route.destinations:
        side = _side(entry, route) if cookies else None
        wanted = cookies.header(side) if cookies and side else None
        if entry.host == route.target.host and _present(entry.document) != wanted:
            operations += _written(route, entry, wanted)
    appends = percent is not None and len(route.pair) == 1 and not is_at(route, percent)
    if cookies and appends:
        missing: Side = "stable" if route.has_canary else "canary"
        path = pointer(*route.path, len(route.destinations), "headers")
        operations.append(operation("add", path, {"response": {"add": {SET_COOKIE: cookies.header(missing)}}}))
    return operations


def _side(entry: Destination, route: WeightedRoute) -> Side | None:
    if entry not in route.pair:
        return None
    return "canary" if entry.subset == route.target.canary else "stable"


def _present(entry: Document) -> str | None:
    """The cookie that a run has put there, whichever run it was."""
    value = text(member(entry, *_PLACE, SET_COOKIE))
    return value if _OURS.fullmatch(value) else None


def _without(parent: Document, place: tuple[str, ...]) -> Document:
    """A copy without the cookie under `place`, and without the objects that held nothing else."""
    if not place:
        return {name: value for name, value in parent.items() if name != SET_COOKIE}
    rest = _without(parent[place[0]], place[1:])
    return {name: rest if name == place[0] else value for name, value in parent.items() if name != place[0] or rest}


def _written(route: WeightedRoute, entry: Destination, wanted: str | None) -> list[PatchOperation]:
    """The least edit of one entry, after a test that it is still the one that is meant."""
    path = (*route.path, entry.index)
    operations = [operation("test", pointer(*path, "destination"), entry.document["destination"])]
    present = _present(entry.document)
    if present is not None:
        operations.append(operation("test", pointer(*path, *_PLACE, SET_COOKIE), present))
    if wanted is None:
        return [*operations, {"op": "remove", "path": pointer(*path, *_emptied(entry.document))}]
    depth = next((i for i in range(3) if not isinstance(member(entry.document, *_PLACE[: i + 1]), dict)), 3)
    value: object = wanted
    for name in reversed((*_PLACE, SET_COOKIE)[depth + 1 :]):
        value = {name: value}
    return [*operations, operation("add", pointer(*path, *(*_PLACE, SET_COOKIE)[: depth + 1]), value)]


def _emptied(entry: Document) -> tuple[str, ...]:
    """The outermost object that would hold nothing without the cookie, or the cookie itself."""
    steps = (*_PLACE, SET_COOKIE)
    alone = 3
    while alone and len(member(entry, *steps[:alone])) == 1:
        alone -= 1
    return steps[: alone + 1]


def _overruled(route: WeightedRoute) -> Problem | None:
    """Operations of the route come after those of its destinations: they would take our cookie away."""
    response = member(route.document, "headers", "response")
    removed = member(response, "remove")
    listed = removed if isinstance(removed, list) else []
    if not (_names_it(member(response, "set")) or any(text(each).lower() == SET_COOKIE for each in listed)):
        return None
    return Problem(
        Reason.SET_COOKIE_TAKEN,
        f"{route}: headers.response sets or removes {shown(SET_COOKIE)}, and so the cookie of stickiness; move that to "
        "headers.response.add, or leave stickiness out",
    )


def _taken(route: WeightedRoute, entry: Destination) -> Problem | None:
    document, subset = bare(entry.document), shown(entry.subset)
    if any(_names_it(member(document, "headers", "response", kind)) for kind in ("add", "set")):
        return Problem(
            Reason.SET_COOKIE_TAKEN,
            f"{route} sets {shown(SET_COOKIE)} on subset {subset} already, and a header can be added there once; let "
            "the application set that cookie, or leave stickiness out",
        )
    for depth in range(1, 4):
        found = member(document, *_PLACE[:depth])
        if found is not None and not (isinstance(found, dict) and found):
            place = ".".join(_PLACE[:depth])
            return Problem(
                Reason.DESTINATION_HEADERS,
                f"{route}: {place} of subset {subset} is {shown(found)}, which could not be restored; delete it",
            )
    return None


def _names_it(values: object) -> bool:
    return isinstance(values, dict) and any(text(name).lower() == SET_COOKIE for name in values)
