"""Every invariant is able to fail: each sees the one history that breaks it, and is silent about an honest one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from meshshift.core.gate_call import Answered
from tests.engine import (
    invariants,
    invariants_baseline,
    invariants_replicas,
    invariants_steps,
    invariants_sticky,
)
from tests.engine.history import BASELINE, History, Sight, Write
from tests.engine.invariants import INVARIANTS
from tests.engine.simulation import NAMESPACE, Document, Simulation, bookinfo, copied, pod, route, rule, shift
from tests.engine.stories import CARED, COHORTS, GATED, scaled

AS_OF = {"VirtualService": 10.0, "DestinationRule": 10.0, "Pod": 10.0, "TrafficShift": 10.0}


def at_five() -> Document:
    """A TrafficShift whose persisted step allows the canary 5%."""
    simulation = bookinfo()
    simulation.mesh.put(shift())
    simulation.run(60, until=lambda s: s.weight == 5)
    return simulation.mesh.get("TrafficShift", "reviews")


SHIFT = at_five()


def told(document: Document, checkpoint: dict[str, Any] | None = None, **status: Any) -> Document:
    """The shift with another status."""
    changed: Document = copied(document)
    changed["status"] |= status
    if checkpoint:
        state = json.loads(changed["status"]["checkpoint"]) | checkpoint
        changed["status"]["checkpoint"] = json.dumps(state)
    return changed


def named(document: Document) -> Document:
    """As it would come from the API server."""
    return {**document, "metadata": {**document["metadata"], "namespace": NAMESPACE}}


def weighing(at: float, before: Document, after: Document, stored: Document = SHIFT, **more: Any) -> Write:
    return Write(at, "patch VirtualService", named(before), named(after), stored, AS_OF, **more)


def telling(at: float, before: Document, after: Document, **more: Any) -> Write:
    return Write(at, "status", before, after, after, AS_OF, **more)


HONEST = History(
    sights=[Sight(9.0, 0.0, subset=True, ready=1), Sight(21.0, 5.0, subset=True, ready=1)],
    writes=[
        weighing(20.0, route({"v1": 100, "v2": 0}), route({"v1": 95, "v2": 5})),
        telling(22.0, SHIFT, told(SHIFT, weights={"desired": 5, "observed": 5.0}, history=[])),
    ],
    last=SHIFT,
)


def broken(**changes: Any) -> History:
    return replace(HONEST, **changes)


def more_than_the_step() -> History:
    return broken(writes=[weighing(20.0, route({"v1": 100, "v2": 0}), route({"v1": 90, "v2": 10}))])


def less_than_the_share() -> History:
    return broken(writes=[weighing(20.0, route({"v1": 100, "v2": 0}), route({"v1": 90, "v2": 5}))])


def after_a_regression() -> History:
    turned = told(SHIFT, {"phase": "RollingBack", "desired": 0, "outcome": ["RegressionProven", "worse"]})
    rise = weighing(21.0, route({"v1": 100, "v2": 0}), route({"v1": 95, "v2": 5}), turned)
    return broken(writes=[telling(20.0, SHIFT, turned), rise])


def after_an_abort() -> History:
    ten = told(SHIFT, {"desired": 10})
    rise = weighing(31.0, route({"v1": 95, "v2": 5}), route({"v1": 90, "v2": 10}), ten)
    return broken(writes=[*HONEST.writes, rise], orders=[(30.0, "abort")])


def in_blindness() -> History:
    before = told(SHIFT, weights={"desired": 5, "observed": 5.0})
    return broken(writes=[telling(22.0, before, told(SHIFT, weights={"desired": 25, "observed": 5.0}), blind="empty")])


def written_in_blindness() -> History:
    return broken(writes=[weighing(20.0, route({"v1": 100, "v2": 0}), route({"v1": 95, "v2": 5}), blind="unreadable")])


def without_subset() -> History:
    return broken(sights=[Sight(9.0, 0.0, subset=False, ready=1), Sight(15.0, 0.0, subset=False, ready=1)])


def without_pods() -> History:
    return broken(sights=[Sight(8.0, 0.0, subset=True, ready=1), Sight(9.0, 0.0, subset=True, ready=0)])


def unsettled() -> History:
    added = Write(19.0, "patch DestinationRule", named(rule("v1")), named(rule("v1", "v2")), SHIFT, AS_OF)
    return broken(writes=[added, *HONEST.writes])


def unseen() -> History:
    before = route({"v1": 100, "v2": 0})
    before["metadata"] = {**before["metadata"], "resourceVersion": "8"}
    return broken(writes=[weighing(20.0, before, route({"v1": 95, "v2": 5}), known="7")])


def another_spec() -> History:
    spec = {**json.loads(SHIFT["status"]["checkpoint"])["spec"], "strategy": {"canary": {"steps": [{"setWeight": 5}]}}}
    return broken(writes=[*HONEST.writes, telling(23.0, SHIFT, told(SHIFT, {"spec": spec}))])


def written_over() -> History:
    return broken(writes=[weighing(20.0, route({"v1": 98, "v2": 2}), route({"v1": 95, "v2": 5}))])


def foreign() -> History:
    after = route({"v1": 95, "v2": 5})
    after["spec"]["http"][0]["timeout"] = "3s"
    return broken(writes=[weighing(20.0, route({"v1": 100, "v2": 0}), after)])


def claimed_weight() -> History:
    return broken(writes=[telling(22.0, SHIFT, told(SHIFT, weights={"desired": 5, "observed": 25.0}))])


def claimed_end() -> History:
    return broken(writes=[telling(22.0, SHIFT, told(SHIFT, phase="Succeeded", weights={"desired": 100}))])


def untold() -> History:
    entry = {"at": "2026-01-01T00:00:00Z", "phase": "Paused", "reason": "Drifted", "message": "somebody", "weight": 5}
    return broken(writes=[telling(22.0, SHIFT, told(SHIFT, weights={"observed": 5.0}, history=[entry]))])


def told_of_nothing() -> History:
    return broken(events=[("2026-01-01T00:00:00Z", "Drifted", "nobody")])


def at_twenty() -> tuple[Document, Document]:
    """A sticky TrafficShift under way at 20%, and its VirtualService."""
    simulation = bookinfo()
    steps = {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}}
    simulation.mesh.put(shift(stickiness={"cookie": "reviews-version"}, strategy=steps))
    simulation.run(60, until=lambda s: s.phase == "Paused")
    return simulation.mesh.get("TrafficShift", "reviews"), simulation.mesh.get("VirtualService", "reviews")


STICKY_SHIFT, STICKY_SERVICE = at_twenty()


def turned_over(service: Document) -> Document:
    """Both versions' users are led to the other one."""
    changed: Document = copied(service)
    first, second, _ = changed["spec"]["http"]
    first["route"], second["route"] = second["route"], first["route"]
    return changed


def without_pins(service: Document) -> Document:
    changed: Document = copied(service)
    changed["spec"]["http"] = changed["spec"]["http"][-1:]
    return changed


def without_weight(service: Document) -> Document:
    changed: Document = copied(service)
    for entry, weight in zip(changed["spec"]["http"][-1]["route"], (100, 0), strict=True):
        entry["weight"] = weight
    return changed


def users_moved() -> History:
    return broken(writes=[weighing(20.0, STICKY_SERVICE, turned_over(STICKY_SERVICE), STICKY_SHIFT)])


def users_drawn_again() -> History:
    return broken(writes=[weighing(20.0, STICKY_SERVICE, without_pins(STICKY_SERVICE), STICKY_SHIFT)])


def cookie_without_route() -> History:
    return broken(writes=[weighing(20.0, route({"v1": 100, "v2": 0}), without_pins(STICKY_SERVICE), STICKY_SHIFT)])


def kept_on_the_canary() -> History:
    return broken(writes=[weighing(20.0, STICKY_SERVICE, without_weight(STICKY_SERVICE), STICKY_SHIFT)])


def left_at_the_end() -> History:
    write = weighing(20.0, route({"v1": 100, "v2": 0}), STICKY_SERVICE, STICKY_SHIFT)
    return broken(writes=[write, telling(22.0, STICKY_SHIFT, told(STICKY_SHIFT, phase="RolledBack"))])


def with_a_cohort() -> tuple[Document, Document]:
    """A TrafficShift under way with a header route and a mirror, and its VirtualService."""
    simulation = bookinfo()
    simulation.mesh.put(shift(**COHORTS))
    simulation.run(60, until=lambda s: "mirrors" in s.mesh.get("VirtualService", "reviews")["spec"]["http"][-1])
    return simulation.mesh.get("TrafficShift", "reviews"), simulation.mesh.get("VirtualService", "reviews")


COHORT_SHIFT, COHORT_SERVICE = with_a_cohort()


def cohort_left_at_the_end() -> History:
    write = weighing(20.0, route({"v1": 100, "v2": 0}), COHORT_SERVICE, COHORT_SHIFT)
    return broken(writes=[write, telling(22.0, COHORT_SHIFT, told(COHORT_SHIFT, phase="Succeeded"))])


def cohort_after_a_turn() -> History:
    turned = told(COHORT_SHIFT, {"phase": "RollingBack", "desired": 0, "outcome": ["RegressionProven", "worse"]})
    return broken(writes=[weighing(20.0, route({"v1": 100, "v2": 0}), COHORT_SERVICE, turned)])


def at_a_gate() -> Document:
    """A TrafficShift whose gate says wait."""
    simulation = bookinfo()
    simulation.gates.answer = lambda question: Answered(425)
    simulation.mesh.put(shift(strategy=GATED))
    simulation.run(60, until=lambda s: s.status.get("reason") == "GateWaiting")
    return simulation.mesh.get("TrafficShift", "reviews")


def past_a_gate() -> History:
    waiting = at_a_gate()
    return broken(writes=[telling(22.0, waiting, told(waiting, {"step": 1}))])


def compared_at_five() -> tuple[Document, Document]:
    """A TrafficShift with a baseline under way at 5%, and its VirtualService."""
    simulation = bookinfo()
    simulation.mesh.put(pod(BASELINE))
    simulation.mesh.put(rule("v1", "v2", BASELINE))
    simulation.mesh.put(shift(baseline={"subset": BASELINE}))
    simulation.run(60, until=lambda s: s.weight == 5)
    return simulation.mesh.get("TrafficShift", "reviews"), simulation.mesh.get("VirtualService", "reviews")


COMPARED_SHIFT, COMPARED_SERVICE = compared_at_five()
BEFORE = route({"v1": 100, "v2": 0})


def compared_sight(at: float, percent: float = 0.0, *, subset: bool = True, ready: int = 1) -> Sight:
    """Canary and baseline with the same weight; `subset` and `ready` are the baseline's."""
    return Sight(at, percent, subset=True, ready=1, baseline=percent, baseline_subset=subset, baseline_ready=ready)


def ruling(at: float, before: Document, after: Document) -> Write:
    return Write(at, "patch DestinationRule", named(before), named(after), SHIFT, AS_OF)


def baseline_beyond_the_canary() -> History:
    after = route({"v1": 85, "v2": 5, BASELINE: 10})
    return broken(sights=[compared_sight(9.0)], writes=[weighing(20.0, BEFORE, after, COMPARED_SHIFT)])


def baseline_without_pods() -> History:
    sights = [compared_sight(9.0, ready=0)]
    return broken(sights=sights, writes=[weighing(20.0, BEFORE, COMPARED_SERVICE, COMPARED_SHIFT)])


def baseline_without_subset() -> History:
    sights = [compared_sight(9.0, subset=False)]
    return broken(sights=sights, writes=[weighing(20.0, BEFORE, COMPARED_SERVICE, COMPARED_SHIFT)])


def baseline_unsettled() -> History:
    added = Write(
        19.0, "patch DestinationRule", named(rule("v1", "v2")), named(rule("v1", "v2", BASELINE)), SHIFT, AS_OF
    )
    sights = [compared_sight(9.0)]
    return broken(sights=sights, writes=[added, weighing(20.0, BEFORE, COMPARED_SERVICE, COMPARED_SHIFT)])


def baseline_removed_in_use() -> History:
    gone = Write(
        20.0, "patch DestinationRule", named(rule("v1", "v2", BASELINE)), named(rule("v1", "v2")), SHIFT, AS_OF
    )
    sights = [compared_sight(9.0, 5.0), compared_sight(19.0, 5.0)]
    return broken(sights=sights, writes=[gone])


def cared_at_five() -> tuple[Document, Document]:
    """A TrafficShift with replica care under way at 5%, and the Deployment of v1."""
    simulation = Simulation()
    scaled(simulation)
    simulation.mesh.put(shift(scale=CARED))
    simulation.run(200, until=lambda s: s.weight == 5)
    return simulation.mesh.get("TrafficShift", "reviews"), simulation.mesh.get("Deployment", "reviews-v1")


CARED_SHIFT, CARED_STABLE = cared_at_five()


def weight_beyond_replicas() -> History:
    sights = [Sight(9.0, 0.0, subset=True, ready=1, replicas={"v1": 40, "v2": 1})]
    return broken(sights=sights, writes=[weighing(20.0, BEFORE, route({"v1": 95, "v2": 5}), CARED_SHIFT)])


def lowered(at: float, stored: Document) -> Write:
    fewer = copied(CARED_STABLE)
    fewer["spec"]["replicas"] = 0
    return Write(at, "patch Deployment", named(CARED_STABLE), named(fewer), stored, AS_OF)


def lowered_under_way() -> History:
    return broken(sights=[Sight(9.0, 100.0, subset=True, ready=1)], writes=[lowered(60.0, CARED_SHIFT)])


def lowered_in_use() -> History:
    ended = told(CARED_SHIFT, {"phase": "Succeeded", "ended": 50.0})
    return broken(sights=[Sight(9.0, 95.0, subset=True, ready=1)], writes=[lowered(60.0, ended)])


BREACHES = (
    (invariants_replicas.no_weight_beyond_what_ready_replicas_carry, weight_beyond_replicas),
    (invariants_replicas.no_version_is_scaled_down_while_it_is_used, lowered_under_way),
    (invariants_replicas.no_version_is_scaled_down_while_it_is_used, lowered_in_use),
    (invariants_baseline.the_baseline_gets_what_the_canarys_weight_says, baseline_beyond_the_canary),
    (invariants_baseline.no_weight_reaches_a_baseline_without_subset_or_pods, baseline_without_pods),
    (invariants_baseline.no_weight_reaches_a_baseline_without_subset_or_pods, baseline_without_subset),
    (invariants_baseline.no_weight_reaches_a_baseline_that_is_unsettled, baseline_unsettled),
    (invariants_baseline.an_added_baseline_goes_only_once_nothing_names_it, baseline_removed_in_use),
    (invariants.weights_that_are_ours_keep_their_share, less_than_the_share),
    (invariants.the_canary_never_gets_more_than_its_step_allows, more_than_the_step),
    (invariants.no_increase_after_a_regression_was_proven, after_a_regression),
    (invariants.no_increase_after_an_abort, after_an_abort),
    (invariants.no_increase_while_prometheus_cannot_be_read, in_blindness),
    (invariants.no_increase_while_prometheus_cannot_be_read, written_in_blindness),
    (invariants.no_weight_reaches_a_subset_that_is_missing, without_subset),
    (invariants.no_weight_reaches_a_subset_that_is_unsettled, unsettled),
    (invariants.no_weight_reaches_a_subset_without_ready_pods, without_pods),
    (invariants.no_write_lands_on_what_was_not_seen, unseen),
    (invariants.a_run_keeps_what_it_was_started_with, another_spec),
    (invariants.weights_of_others_are_not_written_over, written_over),
    (invariants.nothing_foreign_changes, foreign),
    (invariants.the_status_claims_only_what_the_mesh_says, claimed_weight),
    (invariants.the_status_claims_only_what_the_mesh_says, claimed_end),
    (invariants.every_turn_is_told_as_an_event, untold),
    (invariants.every_turn_is_told_as_an_event, told_of_nothing),
    (invariants_steps.nothing_put_in_is_left_at_an_end, cohort_left_at_the_end),
    (invariants_steps.nothing_is_put_in_without_a_run_that_goes_forward, cohort_after_a_turn),
    (invariants_steps.no_gate_is_passed_before_it_has_opened, past_a_gate),
    (invariants_sticky.sticky_users_stay_while_the_run_goes_forward, users_moved),
    (invariants_sticky.sticky_users_stay_while_the_run_goes_forward, users_drawn_again),
    (invariants_sticky.every_cookie_has_its_route_in_the_same_write, cookie_without_route),
    (invariants_sticky.nobody_is_kept_on_a_canary_without_weight, kept_on_the_canary),
    (invariants_sticky.nothing_sticky_is_left_at_an_end, left_at_the_end),
)


@pytest.mark.parametrize(("invariant", "breach"), BREACHES, ids=lambda each: each.__name__)
def test_the_invariant_sees_its_breach(
    invariant: Callable[[History], list[str]], breach: Callable[[], History]
) -> None:
    assert invariant(breach())


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda each: each.__name__)
def test_an_honest_history_breaks_nothing(invariant: Callable[[History], list[str]]) -> None:
    assert invariant(HONEST) == []


def test_every_invariant_has_a_breach() -> None:
    assert {invariant for invariant, _ in BREACHES} == set(INVARIANTS)


def test_what_was_true_since_the_caches_were_complete_excuses() -> None:
    history = broken(sights=[Sight(8.0, 0.0, subset=True, ready=1), Sight(12.0, 0.0, subset=True, ready=0)])
    assert invariants.no_weight_reaches_a_subset_without_ready_pods(history) == []
