"""What has to hold of sticky users whatever goes wrong, as functions of what was written (`tests.engine.invariants`).

A user is on a version because a cookie says so and a route believes it.  So users stay where they are if no write of a
run takes away such a route, or leads it elsewhere, while it goes forward; they are all off the canary if the write that
takes its weight leaves no route to it; and nothing of it stays if the last write before an end leaves none of both.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshshift.core.mesh.cohorts import is_inserted
from meshshift.core.mesh.documents import Target
from meshshift.core.run import Phase
from tests.engine.history import CANARY, STABLE, Document, History, Write, ends, name_of, percent, run_of

REVIEWS = Target("reviews", "bookinfo", STABLE, CANARY)


def cookies(document: Document) -> dict[str, str]:
    """The cookies that are handed out, by the version that they stand for."""
    handed = {
        name_of(each): each.get("headers", {}).get("response", {}).get("add", {}).get("set-cookie", "")
        for each in (document["spec"]["http"][-1]["route"] if document else ())
    }
    return {version: cookie.partition(";")[0] for version, cookie in handed.items() if "=meshshift-" in cookie}


def pins(document: Document) -> dict[str, str]:
    """Where the routes for sticky users lead, by the expression that takes them there."""
    return {
        match["headers"]["cookie"]["regex"]: name_of(each["route"][0])
        for each in (document["spec"]["http"] if document else ())
        if is_inserted(each.get("name"), REVIEWS) and "/sticky/" in each["name"]
        for match in each["match"]
    }


def _ours(history: History) -> Iterator[Write]:
    return (write for write in history.writes if write.call == "patch VirtualService")


def sticky_users_stay_while_the_run_goes_forward(history: History) -> list[str]:
    """No write of a run that goes forward, and is not deleted, takes a user's route away or leads it elsewhere."""
    found = []
    for write in _ours(history):
        run = run_of(write.shift)
        over = "deletionTimestamp" in write.shift.get("metadata", {})
        if over or run is None or run.phase is not Phase.PROGRESSING or run.cookies is None:
            continue
        mine = {run.cookies.expression("stable"), run.cookies.expression("canary")}
        before, after = pins(write.before), pins(write.after)
        found += [
            f"{write.at}: users of {version} were led to {after.get(each)}"
            for each, version in before.items()
            if each in mine and after.get(each) != version
        ]
    return found


def every_cookie_has_its_route_in_the_same_write(history: History) -> list[str]:
    """A cookie that is handed out leads to who handed it out, from the same write on; and no route is without one."""
    found = []
    for write in _ours(history):
        routes = pins(write.after)
        led = {version: [each for each, to in routes.items() if to == version] for version in (STABLE, CANARY)}
        for version, cookie in cookies(write.after).items():
            value = cookie.partition("=")[2]
            if not any(value in expression for expression in led.get(version, [])):
                found.append(f"{write.at}: {version} hands out {cookie}, and no route knows it")
        if routes and not cookies(write.after):
            found.append(f"{write.at}: there are routes for cookies that nobody hands out: {sorted(routes)}")
    return found


def nobody_is_kept_on_a_canary_without_weight(history: History) -> list[str]:
    """The write that takes the canary's weight away, or finds it gone, leaves no route that keeps users on it."""
    return [
        f"{write.at}: {CANARY} has no weight and keeps its users"
        for write in _ours(history)
        if not percent(write.after) and CANARY in pins(write.after).values()
    ]


def nothing_sticky_is_left_at_an_end(history: History) -> list[str]:
    """When an end is told, or the object goes, our last write has left neither cookie nor route."""
    return [
        f"{write.at}: {write.call} with {cookies(last)} and routes to {sorted(pins(last).values())}"
        for write, last in ends(history)
        if pins(last) or cookies(last)
    ]
