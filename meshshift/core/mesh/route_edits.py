"""The smallest edit of a VirtualService that gives the canary, and the baseline beside it, their shares.

Only weights are written.  Destinations of others keep theirs; if the weights of a route do not add up to 100, all of
them are written once as parts of 100, so that shares stay.  A patch trusts nothing that was read: it tests the object's
version, and the destination at every position that it relies on or writes to.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from meshshift.core.mesh.control import Shares
from meshshift.core.mesh.documents import (
    Document,
    ObjectRef,
    Patch,
    PatchOperation,
    Problem,
    Reason,
    operation,
    pointer,
    shown,
    unmoved,
)
from meshshift.core.mesh.virtual_service import Destination
from meshshift.core.mesh.weighted_route import WeightedRoute, is_at, smallest_percent, too_small


def weight_patches(routes: Iterable[WeightedRoute], percent: int) -> tuple[Patch, ...] | Problem:
    """The edits that give the canary `percent` (0 to 100) of our traffic on every route, rounded down.

    One patch for each VirtualService that needs one, nothing where the mesh already says it.  A route whose share is
    too small for the step is a Problem, and then nothing is to be written anywhere.  ValueError outside of 0 to 100.
    """
    edits: dict[ObjectRef, list[PatchOperation]] = {}
    for route in routes:
        if is_at(route, percent):
            continue
        if too_small(route, percent):
            return _lack(route, percent)
        operations = edits.setdefault(route.owner, [unmoved(route.resource_version)])
        operations.extend(_write_weights(route, route.at(percent)))
    return _patches(edits)


def _lack(route: WeightedRoute, percent: int) -> Problem:
    share = f"{route} has {route.parts[0]} of 100 for {route.target.host}, and {percent} % of that"
    if not route.at(percent).canary:
        fix = f"use a step of at least {smallest_percent(route)} %"
        return Problem(Reason.WEIGHT_TOO_SMALL, f"{share} is less than the smallest weight, 1; {fix}")
    beside = f"subsets {shown(route.target.stable)} and {shown(route.target.baseline)}"
    fix = "use a smaller step, 100 %, or no baseline"
    return Problem(Reason.WEIGHT_TOO_SMALL, f"{share} leaves no weight for each of {beside}; {fix}")


def drop_patches(routes: Iterable[WeightedRoute], subsets: AbstractSet[str]) -> tuple[Patch, ...]:
    """The edits that take these subsets' entries out again: only at weight 0, and only such as we would have added.

    From the last entry to the first, so that every index still is what was read.
    """
    edits: dict[ObjectRef, list[PatchOperation]] = {}
    for route in routes:
        for entry in reversed(route.ours):
            if entry.subset in subsets and _is_removable(entry, route):
                path = pointer(*route.path, entry.index)
                operations = edits.setdefault(route.owner, [unmoved(route.resource_version)])
                operations += [operation("test", path, entry.document), {"op": "remove", "path": path}]
    return _patches(edits)


def _patches(edits: dict[ObjectRef, list[PatchOperation]]) -> tuple[Patch, ...]:
    return tuple(Patch(owner, tuple(operations)) for owner, operations in edits.items())


def _write_weights(route: WeightedRoute, shares: Shares) -> Iterator[PatchOperation]:
    """Test and write the entries whose weight differs, then append those of ours that are missing."""
    target = route.target
    by_subset = {target.stable: shares.stable, target.canary: shares.canary}
    if target.baseline is not None:
        by_subset[target.baseline] = shares.baseline
    wanted = dict(zip((each.index for each in route.foreign), route.parts[1:], strict=True))
    wanted |= {each.index: by_subset[each.subset or ""] for each in route.ours}
    ours = {each.index for each in route.ours}
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
    present = {each.subset for each in route.ours}
    for subset, weight in by_subset.items():
        # A baseline is only put in to get weight: a route at 0 or 100 needs none.
        if subset not in present and (weight or subset != target.baseline):
            entry = {"destination": _like(route.model, subset), "weight": weight}
            yield operation("add", pointer(*route.path, "-"), entry)


def _like(destination: Destination, subset: str) -> Document:
    """The same host and port, another subset."""
    return {**destination.document["destination"], "subset": subset}


def _is_removable(entry: Destination, route: WeightedRoute) -> bool:
    """Is it at weight 0, and like another entry of the pair in all but the subset?"""
    others = [other for other in route.pair if other != entry]
    as_added = ({"destination": _like(other, entry.subset or ""), "weight": 0} for other in others)
    return {"weight": 0, **entry.document} in as_added
