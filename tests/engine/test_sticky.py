"""Sticky sessions through the whole engine: users stay where they are, and nothing of it stays after the run."""

from __future__ import annotations

from typing import Any

import pytest

from meshshift.engine.failures import Transient
from tests.engine.simulation import RUNNER, Behaviour, Simulation, bookinfo, pod, route, shift
from tests.engine.sticky_clients import Client, Clients

STICKY = {"cookie": "reviews-version", "maxAge": "2h"}
TESTERS = {"name": "testers", "match": [{"headers": {"x-canary": {"exact": "true"}}}]}
HELD: list[dict[str, Any]] = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}]
ENDED = {"Succeeded", "RolledBack", "Failed"}


def begun(steps: list[dict[str, Any]] | None = None, **spec: Any) -> Simulation:
    """A sticky run on its way; by default in the usual steps."""
    simulation = bookinfo()
    if steps is not None:
        spec["strategy"] = {"canary": {"steps": steps, "minStepDuration": "10s"}}
    simulation.mesh.put(shift(**{"stickiness": STICKY, **spec}))
    return simulation


def ended(simulation: Simulation) -> bool:
    return simulation.phase in ENDED


def waiting(simulation: Simulation) -> bool:
    return simulation.phase == "Paused"


def service(simulation: Simulation) -> dict[str, Any]:
    return simulation.mesh.get("VirtualService", "reviews")


def http(simulation: Simulation) -> list[dict[str, Any]]:
    routes: list[dict[str, Any]] = service(simulation)["spec"]["http"]
    return routes


def names(simulation: Simulation) -> list[str]:
    return [each["name"] for each in http(simulation)]


PINS = ["meshshift/bookinfo/reviews/sticky/stable", "meshshift/bookinfo/reviews/sticky/canary"]


def nothing_left(simulation: Simulation) -> bool:
    """The routes are what they were, but for the weights."""
    (only,) = http(simulation)
    return all(set(each) == {"destination", "weight"} for each in only["route"])


def watched(simulation: Simulation, count: int = 60) -> Clients:
    """Clients that send a request in every second, and between any two writes of the engine."""
    clients = Clients(count)
    simulation.checks.append(lambda s: clients.send(s.mesh.peek("VirtualService", "reviews"), s.phase))
    return clients


def test_cookies_and_their_routes_come_with_the_first_weight_in_one_write() -> None:
    simulation = begun([{"setHeaderRoute": TESTERS}, {"pause": {}}, *HELD])
    simulation.run(60, until=waiting)
    assert names(simulation) == ["meshshift/bookinfo/reviews/testers", "default"]
    writes = simulation.mesh.calls.count("patch VirtualService")
    simulation.command("promote")
    simulation.run(60, until=lambda s: s.weight == 20)
    assert names(simulation) == ["meshshift/bookinfo/reviews/testers", *PINS, "default"]
    simulation.run(10)
    assert simulation.mesh.calls.count("patch VirtualService") == writes + 1
    stable, canary = (each["headers"]["response"]["add"]["set-cookie"] for each in http(simulation)[-1]["route"])
    for cookie in (stable, canary):
        assert cookie.startswith("reviews-version=meshshift-")
        assert cookie.endswith("; Path=/; Max-Age=7200; HttpOnly; SameSite=Lax")
    assert stable != canary
    assert [each["route"] for each in http(simulation)[1:3]] == [
        [{"destination": {"host": "reviews", "subset": "v1"}}],
        [{"destination": {"host": "reviews", "subset": "v2"}}],
    ], "routes that a cookie leads to hand out none"


def test_nobody_changes_version_until_the_run_ends_and_then_everybody_has_the_canary() -> None:
    simulation = begun()
    clients = watched(simulation)
    simulation.run(600, until=ended)
    simulation.run(2)
    assert (simulation.phase, simulation.weight) == ("Succeeded", 100)
    assert all(client.changes in ([], [("v1", "v2", "Promoting")]) for client in clients.all)
    assert {len(client.changes) for client in clients.all} == {0, 1}
    assert clients.on("v1") == []
    assert nothing_left(simulation)


def test_a_rollback_takes_everybody_off_the_canary_in_the_write_that_takes_its_weight() -> None:
    simulation = begun(HELD)
    clients = watched(simulation)
    simulation.run(60, until=waiting)
    simulation.run(5)
    pinned = clients.on("v2")
    assert pinned
    writes = simulation.mesh.calls.count("patch VirtualService")
    simulation.command("abort")
    simulation.run(60, until=ended)
    assert simulation.phase == "RolledBack"
    assert simulation.mesh.calls.count("patch VirtualService") == writes + 1
    assert all(client.changes == [("v2", "v1", "RollingBack")] for client in pinned)
    assert nothing_left(simulation)
    assert clients.on("v2") == []


@pytest.mark.parametrize("end", ["abort", "delete", "leave", "regress", "lose", "retarget", "promote-full"])
def test_nothing_of_it_stays_at_any_end(end: str) -> None:
    simulation = begun(HELD, onDelete="Leave" if end == "leave" else "Restore")
    simulation.run(60, until=waiting)
    assert names(simulation) == [*PINS, "default"]
    if end in {"abort", "promote-full"}:
        simulation.command(end)
    elif end == "regress":
        simulation.traffic.versions["v2"] = Behaviour(failing=0.5)
    elif end == "lose":
        simulation.mesh.put(pod("v2", ready=False))
    elif end == "retarget":
        simulation.mesh.edit("TrafficShift", "reviews", lambda document: document["spec"].pop("stickiness"))
    else:
        simulation.delete()
    simulation.run(300, until=lambda s: ended(s) or not s.exists or (end == "retarget" and s.weight == 0))
    simulation.run(5)
    assert nothing_left(simulation), end


def test_under_a_root_that_asks_for_a_cookie_nothing_is_begun() -> None:
    simulation = begun()
    simulation.mesh.edit("VirtualService", "reviews", lambda each: each["spec"].pop("hosts"))
    match = [{"headers": {"cookie": {"regex": ".*beta=1.*"}}}]
    spec = {"hosts": ["reviews"], "http": [{"match": match, "delegate": {"name": "reviews"}}]}
    simulation.mesh.put({"kind": "VirtualService", "metadata": {"name": "shop"}, "spec": spec})
    before = http(simulation)
    simulation.run(60)
    assert http(simulation) == before
    assert simulation.status["reason"] == "HeaderTaken"
    assert "VirtualService bookinfo/shop http[0]" in simulation.status["message"]
    simulation.mesh.edit("VirtualService", "shop", lambda each: each["spec"]["http"][0].pop("match"))
    simulation.run(600, until=ended)
    assert simulation.phase == "Succeeded"


def test_a_cookie_of_an_earlier_run_pins_nobody() -> None:
    simulation = begun(HELD)
    clients = Clients(50)
    simulation.run(60, until=waiting)
    clients.send(service(simulation))
    before = {id(client): dict(client.cookies) for client in clients.all}
    pinned = clients.on("v2")
    simulation.command("abort")
    simulation.run(60, until=ended)
    simulation.command("retry")
    simulation.run(60, until=waiting)
    assert names(simulation) == [*PINS, "default"]
    clients.send(service(simulation))
    assert all(client.cookies != before[id(client)] for client in clients.all)
    assert any(client.met[-1][0] == "v1" for client in pinned), "they are drawn anew, at 20%"
    forged = Client({"reviews-version": "meshshift-0123456789abcdef"})
    clients.ask(forged, service(simulation))
    assert forged.cookies != {"reviews-version": "meshshift-0123456789abcdef"}


def test_a_reapply_that_drops_cookies_or_their_routes_is_drift_and_answered_as_the_spec_says() -> None:
    for change in (_drop_pins, _drop_cookie, _reapply):
        simulation = begun(HELD)
        simulation.run(60, until=waiting)
        simulation.run(3)
        change(simulation)
        simulation.run(10)
        assert simulation.status["reason"] == "Drifted", change.__name__
        simulation.command("resume")
        simulation.run(10)
        assert names(simulation) == [*PINS, "default"]
        assert simulation.weight == 20

        simulation = begun(HELD, onDrift="Enforce")
        simulation.run(60, until=waiting)
        simulation.run(3)
        change(simulation)
        simulation.run(15)
        assert names(simulation) == [*PINS, "default"]
        assert all("headers" in each for each in http(simulation)[-1]["route"]), change.__name__
        assert simulation.weight == 20


def _drop_pins(simulation: Simulation) -> None:
    simulation.mesh.edit(
        "VirtualService", "reviews", lambda document: document["spec"].update(http=document["spec"]["http"][-1:])
    )


def _drop_cookie(simulation: Simulation) -> None:
    simulation.mesh.edit(
        "VirtualService", "reviews", lambda document: document["spec"]["http"][-1]["route"][0].pop("headers")
    )


def _reapply(simulation: Simulation) -> None:
    """The manifest as it was before the shift, without the canary."""
    simulation.mesh.put(route({"v1": None}))


def test_a_run_that_begins_at_somebody_elses_weight_is_sticky_from_there() -> None:
    simulation = bookinfo()
    simulation.mesh.put(route({"v1": 60, "v2": 40}))
    simulation.mesh.put(shift(stickiness=STICKY, onDrift="Adopt"))
    simulation.run(60, until=lambda s: len(http(s)) == 3)
    assert names(simulation) == [*PINS, "default"]
    simulation.run(600, until=ended)
    assert (simulation.phase, nothing_left(simulation)) == ("Succeeded", True)


def test_the_end_settles_after_the_cookies_are_gone() -> None:
    """However long the API server refuses to take them away."""
    simulation = begun()

    def refuse(call: str, number: int, moment: str) -> None:
        if call == "patch VirtualService" and simulation.phase == "Promoting" and simulation.now < since + 20:
            raise Transient("the server is currently unable to handle the request")

    since = float("inf")
    simulation.mesh.interrupt = refuse
    simulation.run(600, until=lambda s: s.phase == "Promoting")
    since = simulation.now
    simulation.run(60, until=lambda s: len(http(s)) == 1)
    gone = simulation.now
    assert gone - since >= 20
    simulation.run(60, until=ended)
    assert simulation.now - gone >= simulation.timing.settle


def test_the_route_and_its_headers_are_restored_to_the_letter() -> None:
    simulation = bookinfo()
    document = route({"v1": 100, "v2": 0})
    stable, canary = document["spec"]["http"][0]["route"]
    stable["headers"] = {"request": {"set": {"x-from": "v1"}}, "response": {"add": {"x-version": "v1"}}}
    canary["headers"] = {"response": {"set": {"x-version": "v2"}, "remove": ["server"]}}
    simulation.mesh.put(document)
    simulation.mesh.put(shift(stickiness=STICKY, strategy={"canary": {"steps": HELD}}))
    simulation.run(60, until=waiting)
    assert len(http(simulation)) == 3
    simulation.command("abort")
    simulation.run(60, until=ended)
    assert service(simulation)["spec"] == document["spec"]


def test_users_who_stay_on_stable_are_no_lack_of_the_canary() -> None:
    """Everybody was drawn at 5%, and stable's pods refuse a few connections, which nobody can name."""
    simulation = begun([{"setWeight": 5}, {"setWeight": 50}, {"pause": {}}])
    simulation.run(300, until=lambda s: s.weight == 50)
    simulation.shares = lambda: {"v1": 0.95, "v2": 0.05}  # type: ignore[method-assign]
    simulation.traffic.versions["v1"] = Behaviour(unreachable=0.02)
    simulation.run(300)
    assert (simulation.phase, simulation.status["weights"]["desired"]) == ("Paused", 50)


def test_a_canary_that_refuses_its_users_is_still_blamed_for_what_reached_nobody() -> None:
    for weight in (5, 50):
        simulation = begun([{"setWeight": 5}, {"setWeight": 50}, {"pause": {}}])
        simulation.run(300, until=lambda s, weight=weight: s.weight == weight)  # type: ignore[misc]
        simulation.shares = lambda: {"v1": 0.95, "v2": 0.05}  # type: ignore[method-assign]
        simulation.traffic.versions["v2"] = Behaviour(unreachable=1.0)
        simulation.run(120, until=ended)
        assert (simulation.phase, simulation.status["reason"]) == ("RolledBack", "RegressionProven"), weight


def test_a_record_that_ended_leaves_the_routes_of_the_next_run_alone() -> None:
    simulation = bookinfo()
    simulation.mesh.put(shift())
    simulation.run(600, until=ended)
    old = simulation.mesh.get("TrafficShift", "reviews")
    simulation.mesh.remove("TrafficShift", "reviews")
    simulation.mesh.put(route({"v1": 100, "v2": 0}))
    following = shift(stickiness=STICKY, strategy={"canary": {"steps": HELD}})
    following["metadata"]["uid"] = "of-the-next"
    simulation.mesh.put(following)
    simulation.run(60, until=waiting)
    old["metadata"] |= {"name": "reviews-before", "uid": "another"}
    simulation.mesh.put(old)
    simulation.sync()
    RUNNER.run(simulation.reconciler.reconcile(("bookinfo", "reviews-before")))
    assert names(simulation) == [*PINS, "default"]
    simulation.command("abort")
    simulation.run(60, until=ended)
    assert nothing_left(simulation)
