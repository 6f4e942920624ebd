"""The ordered rules for a service that has opted in; the first that speaks wins.

The order is the safety argument in short.  A service that is not enrolled is let go.  While anything is wrong with what
was asked for, or somebody else shifts the service, nothing is written.  While the service's own shift is under way,
only that shift is told anything; the mesh is the shift's alone.  Only then is the mesh prepared, a new version shifted
in, and what versions have left behind taken away.
"""

from __future__ import annotations

from meshshift.core.enrolment.adoption import adopt
from meshshift.core.enrolment.releasing import give_up, reclaim, release
from meshshift.core.enrolment.shifting import begin, keep_up
from meshshift.core.enrolment.tidying import tidy
from meshshift.core.enrolment.view import Act, View, wait, warn


def decide(view: View) -> Act:
    """The next act for one service; pure, total and deterministic."""
    wish = view.wishes.wish
    if not view.wishes.enrolled:
        return release(view)
    hindered = obstacle(view)
    if hindered is not None or wish is None:
        return hindered or release(view)
    names = [each.name for each in view.behind.versions]
    if twice := next((name for name in names if names.count(name) > 1), None):
        return warn("VersionLabelsDiffer", f"pods of version {twice} say so by different labels: use one of the two")
    if view.shift is not None and not view.shift.standing.ended:
        return keep_up(view, wish, view.shift)
    server = adopt(view)
    if isinstance(server, Act):
        return server
    act = begin(view, wish, server) or tidy(view, server) or give_up(view)
    return act or wait("Serving", f"{server.subset} serves")


def obstacle(view: View) -> Act | None:
    """What is wrong with what was asked for, or who else shifts the service; None if nothing is in the way."""
    if view.wishes.wish is None:
        return warn("InvalidAnnotation", "; ".join(map(str, view.wishes.bad)))
    if not view.selects:
        return warn("ServiceWithoutSelector", "the Service selects no pods by label: give it a selector")
    if view.leaving:
        return wait("Leaving", "a TrafficShift of this service is deleted and gives its traffic back")
    if view.orphan is not None:
        return reclaim(view, view.orphan.document)
    if view.others:
        held = ", ".join(view.others)
        return warn("AnotherShift", f"{held} shifts this service and is not its own: it goes first")
    return None
