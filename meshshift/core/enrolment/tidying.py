"""A version that has gone leaves nothing behind: first its entries on the routes, then its subset.

Only what was made for the service is taken away: subsets of a rule that it owns, and those that its shifts have added
to somebody else's.  A subset that somebody declared beforehand may wait for its version as long as it likes.

The way out is the way in, reversed: the entry (at weight 0) goes, that settles, and only then goes the subset.  Where
anything still sends to it, it stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshshift.core.enrolment.view import Act, View, is_owned_by, wait, write
from meshshift.core.mesh.documents import Problem
from meshshift.core.mesh.references import references
from meshshift.core.mesh.route_edits import drop_patches
from meshshift.core.mesh.routes import find_routes
from meshshift.core.mesh.subsets import listed_subsets, remove_subset_patch, subset_labels

if TYPE_CHECKING:
    from meshshift.core.enrolment.adoption import Serves
    from meshshift.core.mesh.documents import Document


def tidy(view: View, server: Serves) -> Act | None:
    """The next step of taking a version's traces away; None if there is nothing to take away."""
    for rule, subset in _left_behind(view, server):
        act = _take_out(view, server, rule, subset)
        if act is not None:
            return act
    return None


def _left_behind(view: View, server: Serves) -> list[tuple[Document, str]]:
    """Subsets of ours, with their rule, that select no pod, not even a terminating or a starting one."""
    added = view.shift.record.added if view.shift else frozenset()
    return [
        (rule, name)
        for rule in view.rules
        for name, labels in listed_subsets([rule], view.target)
        if name != server.subset
        and labels
        and not view.behind.taken_by(labels)
        and (is_owned_by(rule, view.service) or name in added)
    ]


def _take_out(view: View, server: Serves, rule: Document, subset: str) -> Act | None:
    target = view.aimed(server.subset, subset)
    if references(view.virtual_services, target, subset):
        return None
    routes = find_routes(view.virtual_services, target)
    entries = () if isinstance(routes, Problem) else drop_patches(routes.routes, {subset})
    if entries:
        return write("Tidying", f"{subset} has no pods and no traffic: its entries go from the routes", *entries)
    if not isinstance(routes, Problem) and any(route.has_canary for route in routes.routes):
        return None
    left = view.unsettled(view.virtual_services, "VirtualService")
    if left > 0:
        return wait("Settling", f"the routes without {subset} settle", left)
    patch = remove_subset_patch(rule, subset)
    if patch is None or subset_labels(rule, subset) is None:
        return None
    return write("Tidying", f"{subset} has no pods and no traffic: its subset goes", patch)
