"""Mirrors that a shift sets for a while: the canary gets copies of requests, and nobody gets its answers.

Mirrors have no name.  One that copies to the canary's subset is a shift's own as long as its steps set mirrors; all
others, and their order, stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from meshshift.core.mesh.hosts import resolve_host

if TYPE_CHECKING:
    from meshshift.core.mesh.weighted_route import WeightedRoute


def mirror_operations(route: WeightedRoute, percent: int) -> list[PatchOperation] | Problem:
    """The edits that leave one mirror to the canary with this percentage, none for 0."""
    listed = route.document.get("mirrors")
    if listed is not None and not isinstance(listed, list):
        return Problem(Reason.MALFORMED, f"{route}: mirrors is {shown(listed)}; write a list of mirrors")
    wanted = _mirror_to(route, percent)
    ours = [i for i, each in enumerate(listed or []) if _copies_to_canary(each, route)]
    if wanted is not None and route.document.get("mirror") is not None:
        return Problem(
            Reason.MIRROR_TAKEN,
            f"{route} has mirror, and Istio takes no mirrors beside it; write it as the first entry of mirrors",
        )
    if [(listed or [])[i] for i in ours] == ([wanted] if wanted else []):
        return []
    place = ("spec", "http", route.index, "mirrors")
    operations: list[PatchOperation] = []
    for i in reversed(ours):
        operations += [
            operation("test", pointer(*place, i), (listed or [])[i]),
            {"op": "remove", "path": pointer(*place, i)},
        ]
    kept = len(listed or []) - len(ours)
    if wanted is None:
        return operations if kept else [*operations, {"op": "remove", "path": pointer(*place)}]
    if listed is None:
        return [operation("add", pointer(*place), [wanted])]
    return [*operations, operation("add", pointer(*place, "-"), wanted)]


def _mirror_to(route: WeightedRoute, percent: int) -> Document | None:
    there = next((each.document["destination"] for each in route.pair if each.subset == route.target.canary), None)
    destination = there or {**route.pair[0].document["destination"], "subset": route.target.canary}
    return {"destination": destination, "percentage": {"value": percent}} if percent else None


def mirrors_elsewhere(route: WeightedRoute) -> list[Document]:
    """The mirrors that lead elsewhere than to the canary."""
    listed = route.document.get("mirrors")
    return [each for each in listed if not _copies_to_canary(each, route)] if isinstance(listed, list) else []


def mirrors_after(route: WeightedRoute, percent: int | None) -> list[Document]:
    """The list that `mirror_operations` leaves in the managed route."""
    written = route.document.get("mirrors")
    listed = written if isinstance(written, list) else []
    if percent is None:
        return list(listed)
    wanted = _mirror_to(route, percent)
    ours = [each for each in listed if _copies_to_canary(each, route)]
    if ours == ([wanted] if wanted else []):
        return list(listed)
    return [*mirrors_elsewhere(route), *([wanted] if wanted else [])]


def _copies_to_canary(mirror: object, route: WeightedRoute) -> bool:
    host = resolve_host(text(member(mirror, "destination", "host")), route.owner.namespace, route.target.cluster_domain)
    return (host, member(mirror, "destination", "subset")) == (route.target.host, route.target.canary)
