"""The smallest edit of a VirtualService that gives the canary its share.

Only weights are written.  Destinations of others keep theirs; if the weights of a route do not add up to 100, all of
them are written once as parts of 100, so that shares stay.  A patch trusts nothing that was read: it tests the object's
version, and the destination at every position that it relies on or writes to.
"""

from collections.abc import Iterable, Iterator

from meshshift.core.mesh.documents import (
    Document,
    ObjectRef,
    Patch,
    PatchOperation,
    Problem,
    Reason,
    operation,
    pointer,
    unmoved,
)
from meshshift.core.mesh.virtual_service import Destination
from meshshift.core.mesh.weighted_route import WeightedRoute, is_at, smallest_percent
from meshshift.core.mesh.weights import split


def weight_patches(routes: Iterable[WeightedRoute], percent: int) -> tuple[Patch, ...] | Problem:
    """The edits that give the canary `percent` (0 to 100) of the pair's traffic on every route, rounded down.

    One patch for each VirtualService that needs one, nothing where the mesh already says it.  A route whose pair is too
    small for the step is a Problem, and then nothing is to be written anywhere.  ValueError outside of 0 to 100.
    """
    edits: dict[ObjectRef, list[PatchOperation]] = {}
    for route in routes:
        if is_at(route, percent):
            continue
        stable, canary = split(route.parts[0], percent)
        if percent and not canary:
            return Problem(
                Reason.WEIGHT_TOO_SMALL,
                f"{route} has {route.parts[0]} of 100 for {route.target.host}, and {percent} % of that is less than "
                f"the smallest weight, 1; use a step of at least {smallest_percent(route)} %",
            )
        operations = edits.setdefault(route.owner, [unmoved(route.resource_version)])
        operations.extend(_write_weights(route, stable, canary))
    return _patches(edits)


def drop_canary_patches(routes: Iterable[WeightedRoute]) -> tuple[Patch, ...]:
    """The edits that take the canary's entries out again: only at weight 0, and only such as we would have added."""
    edits: dict[ObjectRef, list[PatchOperation]] = {}
    for route in routes:
        for entry in route.pair:
            if _is_removable(entry, route):
                path = pointer(*route.path, entry.index)
                operations = edits.setdefault(route.owner, [unmoved(route.resource_version)])
                operations += [operation("test", path, entry.document), {"op": "remove", "path": path}]
    return _patches(edits)


def _patches(edits: dict[ObjectRef, list[PatchOperation]]) -> tuple[Patch, ...]:
    return tuple(Patch(owner, tuple(operations)) for owner, operations in edits.items())


def _write_weights(route: WeightedRoute, stable: int, canary: int) -> Iterator[PatchOperation]:
    """Test and write the entries whose weight differs, then append the one of the pair that is missing."""
    wanted = dict(zip((each.index for each in route.foreign), route.parts[1:], strict=True))
    for each in route.pair:
        wanted[each.index] = canary if each.subset == route.target.canary else stable
    ours = {each.index for each in route.pair}
    # An entry without a weight has all of a route's traffic while it is the only one, and none beside another.
    unwritten = None if len(route.destinations) == 1 else 0
    for each in route.destinations:
        written = each.document.get("weight")
        differs = (unwritten if written is None else written) != wanted[each.index]
        path = (*route.path, each.index)
        if differs or each.index in ours:
            yield operation("test", pointer(*path, "destination"), each.document["destination"])
        if differs:
            yield operation("add" if written is None else "replace", pointer(*path, "weight"), wanted[each.index])
    if len(ours) == 1:
        subset, weight = (route.target.stable, stable) if route.has_canary else (route.target.canary, canary)
        entry = {"destination": _like(route.pair[0], subset), "weight": weight}
        yield operation("add", pointer(*route.path, "-"), entry)


def _like(destination: Destination, subset: str) -> Document:
    """The same host and port, another subset."""
    return {**destination.document["destination"], "subset": subset}


def _is_removable(entry: Destination, route: WeightedRoute) -> bool:
    if entry.subset != route.target.canary:
        return False
    as_added = [
        {"destination": _like(other, route.target.canary), "weight": 0} for other in route.pair if other != entry
    ]
    return [{"weight": 0, **entry.document}] == as_added
