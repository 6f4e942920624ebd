"""What happens to a shift, faults apart: good and bad canaries, people's commands, things that vanish.

A story names every end that is right for it.  Where an instant decides (an abort that may come after the promotion),
both ends are right; a canary that is bad from the start has one end only.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from meshshift.core.gate_call import Answered
from meshshift.core.telemetry import Series
from tests.engine.replicas import SCALE, deployed
from tests.engine.simulation import Behaviour, Simulation, pod, route, rule
from tests.engine.stories_policies import (
    GOVERNED,
    break_policy,
    edit_policy,
    edit_shift,
    give_policy,
    lose_policy,
    name_another,
)

Act = Callable[[Any], None]
LABELS = {"subset": "v2", "labels": {"version": "v2"}}
BACK, THERE = "RolledBack@0", "Succeeded@100"


@dataclass(frozen=True)
class Story:
    """A shift's spec, its world, what people do at which second, and the ends that are right."""

    name: str
    ends: frozenset[str]
    spec: dict[str, Any] = field(default_factory=dict)
    arrange: Act = lambda simulation: None
    script: tuple[tuple[float, Act], ...] = ()

    @property
    def instants(self) -> list[float]:
        """When something happens."""
        return [at for at, _ in self.script]


def bookinfo(simulation: Simulation, weights: dict[str, int | None] | None = None) -> None:
    """reviews with v1 serving and v2 ready."""
    mesh = simulation.mesh
    mesh.put({"kind": "Service", "metadata": {"name": "reviews"}, "spec": {"selector": {"app": "reviews"}}})
    mesh.put(pod("v1"))
    mesh.put(pod("v2"))
    mesh.put(rule("v1", "v2"))
    mesh.put(route(weights or {"v1": 100, "v2": 0}))


def shared(simulation: Simulation) -> None:
    """A fifth of the traffic goes somewhere else, by a destination, a rule and a comment that are not ours."""
    bookinfo(simulation, {"v1": 80, "v2": 0})

    def change(service: dict[str, Any]) -> None:
        service["metadata"]["annotations"] = {"team": "reviews"}
        service["spec"]["http"].insert(0, {"match": [{"uri": {"prefix": "/old"}}], "redirect": {"uri": "/new"}})
        service["spec"]["http"][-1]["route"].append({"destination": {"host": "legacy"}, "weight": 20})

    simulation.mesh.edit("VirtualService", "reviews", change)


def failing(simulation: Simulation) -> None:
    simulation.traffic.versions["v2"] = Behaviour(failing=0.3)


def slow(simulation: Simulation) -> None:
    simulation.traffic.versions["v2"] = Behaviour(slow=0.4)


def unreachable(simulation: Simulation) -> None:
    simulation.traffic.versions["v2"] = Behaviour(unreachable=1.0)


def without_subset(simulation: Simulation) -> None:
    bookinfo(simulation)
    simulation.mesh.put(rule("v1"))
    simulation.mesh.put(route({"v1": None}))


def without_objects(simulation: Simulation) -> None:
    bookinfo(simulation)
    for kind in ("VirtualService", "DestinationRule"):
        simulation.mesh.remove(kind, "reviews")


def both(*acts: Act) -> Act:
    """One after the other."""

    def act(simulation: Simulation) -> None:
        for each in acts:
            each(simulation)

    return act


def say(text: str) -> Act:
    return lambda simulation: simulation.command(text)


def delete(simulation: Simulation) -> None:
    if simulation.exists:
        simulation.delete()


def retarget(simulation: Simulation) -> None:
    steps = {"canary": {"steps": [{"setWeight": 10}], "minStepDuration": "10s"}}
    simulation.mesh.edit("TrafficShift", "reviews", lambda document: document["spec"].update(strategy=steps))


def canary_named(subset: str) -> Act:
    def act(simulation: Simulation) -> None:
        if simulation.exists:
            edit = {"canary": {"subset": subset}}
            simulation.mesh.edit("TrafficShift", "reviews", lambda document: document["spec"].update(edit))

    return act


senseless = canary_named("v1")
"""Both arms by one name, which the API server would refuse by a CRD of this release."""


def ready(value: bool) -> Act:
    def act(simulation: Simulation) -> None:
        simulation.mesh.put(pod("v2", ready=value))

    return act


def lose_pod(simulation: Simulation) -> None:
    simulation.mesh.remove("Pod", "reviews-v2-0")


def set_weights(stable: int, canary: int) -> Act:
    def change(service: dict[str, Any]) -> None:
        service["spec"]["http"][-1]["route"] = route({"v1": stable, "v2": canary})["spec"]["http"][-1]["route"]

    return lambda simulation: simulation.mesh.edit("VirtualService", "reviews", change)


def lose(kind: str) -> Act:
    return lambda simulation: simulation.mesh.remove(kind, "reviews")


def give_back_rule(simulation: Simulation) -> None:
    simulation.mesh.put(rule("v1", "v2"))


def failing_query(simulation: Simulation) -> None:
    simulation.answer = lambda s, at: (Series.of({}, 0.9),)


def gated(*statuses: int) -> Act:
    """What every gate answers to one question after the other, the last for ever."""

    def act(simulation: Simulation) -> None:
        simulation.gates.answer = lambda question: Answered(statuses[min(question.attempt, len(statuses)) - 1])

    return act


GATE = {"gate": {"url": "https://qa.example/ok", "interval": "10s"}}
GATED = {"canary": {"steps": [GATE, {"setWeight": 25}, GATE, {"setWeight": 50}], "minStepDuration": "10s"}}
ASKED = {"strategy": GATED}
CHECKED = {
    "interval": "5s",
    "warmup": "0s",
    "indicators": [
        {"name": "errors", "successRate": {}},
        {"name": "checkout", "query": {"promql": "sum(x)", "max": 0.2}, "failureLimit": 2},
    ],
}
CREATED = {"create": "IfMissing", "stable": {"subset": "v1", "labels": {"version": "v1"}}, "canary": LABELS}


def _moment(rng: random.Random, until: float = 90.0) -> float:
    return rng.uniform(3.0, until)


def _ends(*ends: str) -> frozenset[str]:
    return frozenset(ends)


def good(rng: random.Random) -> Story:
    return Story("a good canary", _ends(THERE), arrange=rng.choice((bookinfo, shared)))


def bad(rng: random.Random) -> Story:
    behaviour = rng.choice((failing, slow, unreachable))
    return Story("a bad canary", _ends(BACK), arrange=both(rng.choice((bookinfo, shared)), behaviour))


def held(rng: random.Random) -> Story:
    end = _ends("Paused:RegressionProven")
    return Story("a bad canary that is held", end, {"onFailure": "Pause"}, both(bookinfo, failing))


def held_and_aborted(rng: random.Random) -> Story:
    script = ((rng.uniform(150.0, 300.0), say("abort")),)
    return Story("a bad canary, held, aborted", _ends(BACK), {"onFailure": "Pause"}, both(bookinfo, failing), script)


def turning_bad(rng: random.Random) -> Story:
    turn = rng.choice((failing, slow))
    return Story("a canary that turns bad", _ends(BACK, THERE), arrange=bookinfo, script=((_moment(rng), turn),))


def aborted(rng: random.Random) -> Story:
    return Story("an abort", _ends(BACK, THERE), arrange=bookinfo, script=((_moment(rng), say("abort")),))


def paused(rng: random.Random) -> Story:
    at = _moment(rng)
    script = ((at, say("pause")), (at + rng.uniform(1.0, 60.0), say("resume")))
    return Story("a pause and its end", _ends(THERE), arrange=bookinfo, script=script)


def paused_for_good(rng: random.Random) -> Story:
    ends = _ends("Paused:PausedByPerson", THERE)
    return Story("a pause", ends, arrange=bookinfo, script=((_moment(rng), say("pause")),))


def promoted(rng: random.Random) -> Story:
    text = rng.choice(("promote", "promote-full"))
    return Story("a promotion by hand", _ends(THERE), arrange=bookinfo, script=((_moment(rng), say(text)),))


def retargeted(rng: random.Random) -> Story:
    return Story("another spec", _ends(THERE), arrange=bookinfo, script=((_moment(rng), retarget),))


def misspelt(rng: random.Random) -> Story:
    """An edit that makes no sense holds the run, and is put right, or the canary fails meanwhile."""
    at = _moment(rng)
    right = (at + rng.uniform(1.0, 90.0), canary_named("v2"))
    arrange, ends = rng.choice(((bookinfo, _ends(THERE)), (both(bookinfo, failing), _ends(BACK))))
    return Story("an edit that makes no sense for a while", ends, arrange=arrange, script=((at, senseless), right))


def deleted(rng: random.Random) -> Story:
    arrange, spec = rng.choice(((bookinfo, {}), (without_subset, {"canary": LABELS})))
    return Story("a deletion", _ends("gone@0", "gone@100"), spec, arrange, ((_moment(rng), delete),))


def added(rng: random.Random) -> Story:
    return Story("a subset that is added", _ends(THERE), {"canary": LABELS}, without_subset)


def added_and_removed(rng: random.Random) -> Story:
    return Story("a subset that is added and removed", _ends(BACK), {"canary": LABELS}, both(without_subset, failing))


def created(rng: random.Random) -> Story:
    return Story("objects that are created", _ends(THERE), CREATED, without_objects)


def unready(rng: random.Random) -> Story:
    lost = rng.choice((lose_pod, ready(False)))
    ends = _ends(BACK, THERE, "Pending@0")
    return Story("a canary that loses its pods", ends, arrange=bookinfo, script=((_moment(rng), lost),))


def late(rng: random.Random) -> Story:
    script = ((_moment(rng), ready(True)),)
    return Story("a canary that is ready late", _ends(THERE), arrange=both(bookinfo, ready(False)), script=script)


def edited(rng: random.Random) -> Story:
    canary = rng.choice((0, 17, 33))
    ends = _ends("Paused:Drifted", THERE, "Succeeded@17", "Succeeded@33", "Succeeded@0", "Pending:WeightsMidWay")
    return Story(
        "weights edited by hand", ends, arrange=bookinfo, script=((_moment(rng), set_weights(100 - canary, canary)),)
    )


def edited_and_resumed(rng: random.Random) -> Story:
    at = _moment(rng, 50.0)
    script = ((at, set_weights(60, 40)), (at + rng.uniform(90.0, 150.0), say("resume")))
    ends = _ends(THERE, "Succeeded@40", "Paused:Drifted", "Pending:WeightsMidWay")
    return Story("weights edited by hand, then resumed", ends, arrange=bookinfo, script=script)


def without_route(rng: random.Random) -> Story:
    held = (f"{phase}:NoVirtualService" for phase in ("Pending", "Progressing", "Promoting"))
    ends = _ends(*held, "Succeeded@0")
    return Story("a route that vanishes", ends, arrange=bookinfo, script=((_moment(rng), lose("VirtualService")),))


def without_rule(rng: random.Random) -> Story:
    at = _moment(rng, 60.0)
    script = ((at, lose("DestinationRule")), (at + rng.uniform(5.0, 60.0), give_back_rule))
    return Story("a rule that vanishes and returns", _ends(THERE, BACK), arrange=bookinfo, script=script)


def checked(rng: random.Random) -> Story:
    arrange = both(bookinfo, failing_query)
    return Story("a check that fails too often", _ends(BACK), {"analysis": CHECKED}, arrange)


def enforced(rng: random.Random) -> Story:
    """Enforced while it runs; before that, weights mid-way wait for a person, and after the end nobody cares."""
    canary = rng.choice((0, 40, 90))
    ends = _ends(THERE, f"Succeeded@{canary}", "Pending:WeightsMidWay")
    edit = (_moment(rng), set_weights(100 - canary, canary))
    return Story("weights edited by hand and enforced", ends, {"onDrift": "Enforce"}, bookinfo, (edit,))


def fought(rng: random.Random) -> Story:
    """Somebody who insists, until the run gives in."""
    at = rng.uniform(10.0, 40.0)
    edits = tuple((at + 10.0 * number, set_weights(97, 3)) for number in range(8))
    ends = _ends("Paused:DriftFight", "Paused:Drifted", THERE, "Succeeded@3", "Pending:WeightsMidWay")
    return Story("weights fought for", ends, {"onDrift": "Enforce"}, bookinfo, edits)


def adopted(rng: random.Random) -> Story:
    canary = rng.choice((0, 40, 90))
    ends = _ends(THERE, BACK, f"Succeeded@{canary}", "Pending:WeightsMidWay")
    edit = (_moment(rng), set_weights(100 - canary, canary))
    return Story("weights edited by hand and adopted", ends, {"onDrift": "Adopt"}, bookinfo, (edit,))


def undone(rng: random.Random) -> Story:
    script = ((rng.uniform(90.0, 300.0), say("undo")),)
    return Story("an undo", _ends(BACK, THERE), arrange=bookinfo, script=script)


def retried(rng: random.Random) -> Story:
    at = _moment(rng)
    script = ((at, say("abort")), (at + rng.uniform(20.0, 90.0), say("retry")))
    return Story("an abort and a retry", _ends(THERE, BACK), arrange=bookinfo, script=script)


def restarted(rng: random.Random) -> Story:
    arrange, ends = rng.choice(((bookinfo, _ends(THERE)), (both(bookinfo, failing), _ends(BACK))))
    return Story("a restart", ends, arrange=arrange, script=((_moment(rng), say("restart")),))


def mended(rng: random.Random) -> Story:
    """A bad canary is taken back, made good, and told to try again."""
    at = rng.uniform(150.0, 300.0)

    def mend(simulation: Simulation) -> None:
        simulation.traffic.versions["v2"] = Behaviour()

    script = ((at, mend), (at + 1.0, say("retry")))
    return Story("a bad canary that is mended", _ends(THERE, BACK), arrange=both(bookinfo, failing), script=script)


TESTERS = {"name": "testers", "match": [{"headers": {"x-canary": {"exact": "true"}}}]}
COHORTS = {
    "strategy": {
        "canary": {
            "steps": [{"setHeaderRoute": TESTERS}, {"setMirror": {"percentage": 20}}, {"setWeight": 25}],
            "minStepDuration": "10s",
        }
    }
}
RED_BLACK = {
    "strategy": {
        "redBlack": {
            "preview": {"match": TESTERS["match"]},
            "prePromotion": {"duration": "10s"},
            "postPromotion": {"duration": "30s"},
        }
    }
}


def cohorts(rng: random.Random) -> Story:
    turns = (say("abort"), failing, retarget, lose_pod, say("promote-full"))
    script = rng.choice(((), ((_moment(rng), rng.choice(turns)),)))
    ends = _ends(THERE, BACK, "Pending@0")
    return Story("a cohort and a mirror", ends, COHORTS, rng.choice((bookinfo, shared)), script)


def cohorts_and_gone(rng: random.Random) -> Story:
    spec = COHORTS | {"onDelete": rng.choice(("Restore", "Leave"))}
    ends = _ends("gone@0", "gone@25", "gone@100")
    return Story("a cohort and a mirror of a shift that is deleted", ends, spec, bookinfo, ((_moment(rng), delete),))


def asked(rng: random.Random) -> Story:
    """Gates that open in the end, or refuse, or fail once too often; some shifts are aborted while they wait."""
    opening = ((200,), (425, 503, 200), (503, 429, 200), (425, 425, 425, 200))
    closing = ((403,), (425, 403), (503, 503, 503))
    answers = rng.choice((*opening, *closing))
    ends = _ends(THERE if answers in opening else BACK)
    if answers in opening and rng.random() < 0.4:
        turn = (_moment(rng), rng.choice((say("abort"), failing)))
        return Story("gates, and then a turn", _ends(THERE, BACK), ASKED, both(bookinfo, gated(*answers)), (turn,))
    return Story("gates", ends, ASKED, both(bookinfo, gated(*answers)))


def flipped(rng: random.Random) -> Story:
    script = rng.choice(((), ((_moment(rng), say("abort")),), ((_moment(rng), failing),)))
    return Story("red and black", _ends(THERE, BACK), RED_BLACK, rng.choice((bookinfo, shared)), script)


STICKY = {
    "stickiness": {"cookie": "reviews-version"},
    "strategy": {
        "canary": {
            "steps": [{"setWeight": 20}, {"setHeaderRoute": TESTERS}, {"setWeight": 60}],
            "minStepDuration": "10s",
        }
    },
}


def reapply(simulation: Simulation) -> None:
    """The manifest as it was before the shift, by a tool that knows nothing of it."""
    simulation.mesh.put(route({"v1": None}))


def sticky(rng: random.Random) -> Story:
    turns = (say("abort"), failing, retarget, lose_pod, say("promote-full"))
    script = rng.choice(((), ((_moment(rng), rng.choice(turns)),)))
    return Story("sticky users", _ends(THERE, BACK, "Pending@0"), STICKY, bookinfo, script)


def sticky_and_gone(rng: random.Random) -> Story:
    spec = STICKY | {"onDelete": rng.choice(("Restore", "Leave"))}
    ends = _ends("gone@0", "gone@20", "gone@60", "gone@100")
    return Story("sticky users of a shift that is deleted", ends, spec, bookinfo, ((_moment(rng), delete),))


def sticky_and_reapplied(rng: random.Random) -> Story:
    ends = _ends(THERE, "Succeeded@0")
    spec = STICKY | {"onDrift": "Enforce"}
    return Story("sticky users and a manifest applied again", ends, spec, bookinfo, ((_moment(rng), reapply),))


def governed(rng: random.Random) -> Story:
    """Whatever becomes of the policy under way, the run goes on as it began."""
    act = rng.choice((edit_policy, break_policy, lose_policy, name_another))
    arrange, ends = rng.choice(((bookinfo, _ends(THERE)), (both(bookinfo, failing), _ends(BACK))))
    script = ((_moment(rng), act),)
    # Before the run has begun, what became of the policy is what the run begins with, or waits for.
    early = {"Pending:PolicyNotFound", "Failed:InvalidSpec", "Failed@0", "Paused:RegressionProven"}
    return Story("a policy that changes", ends | early, GOVERNED, both(arrange, give_policy), script)


def awaited(rng: random.Random) -> Story:
    """An edit under way while the policy is gone: back to stable, and on once it is there again."""
    at = _moment(rng)
    script = ((at, lose_policy), (at + rng.uniform(1.0, 9.0), edit_shift), (at + rng.uniform(10.0, 90.0), give_policy))
    return Story("a policy that is gone for a while", _ends(THERE), GOVERNED, both(bookinfo, give_policy), script)


CARED = {**SCALE, "scaleDownDelay": "30s"}


def scaled(simulation: Simulation) -> None:
    """v2 has no pods until the shift brings them up."""
    bookinfo(simulation)
    deployed(simulation)


def rest(simulation: Simulation) -> None:
    """Nothing happens, but the story is not over before."""


def cared(rng: random.Random) -> Story:
    script = rng.choice(
        (
            ((250.0, rest),),
            ((_moment(rng), say("abort")), (250.0, rest)),
            ((_moment(rng), failing), (250.0, rest)),
            ((rng.uniform(90.0, 300.0), say("undo")), (400.0, rest)),
        )
    )
    return Story("replicas that follow the weights", _ends(THERE, BACK), {"scale": CARED}, scaled, script)


BASELINE = "v1-baseline"
BASELINED = {"baseline": {"subset": BASELINE}}
BASELINE_ADDED = {"baseline": {"subset": BASELINE, "labels": {"version": BASELINE}}}


def beside(arrange: Act = bookinfo) -> Act:
    """The world with fresh pods of the stable version, and a subset for them."""

    def act(simulation: Simulation) -> None:
        arrange(simulation)
        simulation.mesh.put(pod(BASELINE))
        simulation.mesh.put(rule("v1", "v2", BASELINE))

    return act


def with_fresh_pods(simulation: Simulation) -> None:
    """Fresh pods of the stable version, whose subset is still to be added."""
    bookinfo(simulation)
    simulation.mesh.put(pod(BASELINE))


def lose_baseline(simulation: Simulation) -> None:
    if simulation.mesh.peek("Pod", f"reviews-{BASELINE}-0"):
        simulation.mesh.remove("Pod", f"reviews-{BASELINE}-0")


def give_back_baseline(simulation: Simulation) -> None:
    simulation.mesh.put(pod(BASELINE))


def without_control(simulation: Simulation) -> None:
    """Somebody gives the baseline's weight to stable."""

    def change(service: dict[str, Any]) -> None:
        entries = service["spec"]["http"][-1]["route"]
        taken = sum(each["weight"] for each in entries if each["destination"].get("subset") == BASELINE)
        for each in entries:
            subset = each["destination"].get("subset")
            each["weight"] += taken if subset == "v1" else -taken if subset == BASELINE else 0

    simulation.mesh.edit("VirtualService", "reviews", change)


def compared(rng: random.Random) -> Story:
    turns = (say("abort"), failing, retarget, lose_pod, say("promote-full"))
    script = rng.choice(((), ((_moment(rng), rng.choice(turns)),)))
    return Story(
        "a baseline", _ends(THERE, BACK, "Pending@0"), BASELINED, beside(rng.choice((bookinfo, shared))), script
    )


def compared_with_an_added_one(rng: random.Random) -> Story:
    turns = (say("abort"), failing, retarget, delete, say("undo"))
    script = rng.choice(((), ((_moment(rng, 200.0), rng.choice(turns)),)))
    ends = _ends(THERE, BACK, "gone@0", "gone@100")
    return Story("a baseline that is added and removed", ends, BASELINE_ADDED, with_fresh_pods, script)


def compared_and_lost(rng: random.Random) -> Story:
    at = _moment(rng)
    script = ((at, lose_baseline), (at + rng.uniform(1.0, 60.0), give_back_baseline))
    return Story("a baseline that loses its pods and returns", _ends(THERE), BASELINED, beside(), script)


def compared_and_edited(rng: random.Random) -> Story:
    policy = rng.choice(("Pause", "Enforce", "Adopt"))
    ends = _ends(THERE, "Paused:Drifted", "Pending:WeightsMidWay")
    script = ((_moment(rng), without_control),)
    return Story("a baseline whose weight is edited by hand", ends, BASELINED | {"onDrift": policy}, beside(), script)


STORIES = (
    good,
    bad,
    held,
    held_and_aborted,
    turning_bad,
    aborted,
    paused,
    paused_for_good,
    promoted,
    retargeted,
    misspelt,
    deleted,
    added,
    added_and_removed,
    created,
    unready,
    late,
    edited,
    edited_and_resumed,
    without_route,
    without_rule,
    checked,
    enforced,
    fought,
    adopted,
    undone,
    retried,
    restarted,
    mended,
    cohorts,
    cohorts_and_gone,
    asked,
    flipped,
    governed,
    awaited,
    sticky,
    sticky_and_gone,
    sticky_and_reapplied,
    cared,
    compared,
    compared_with_an_added_one,
    compared_and_lost,
    compared_and_edited,
)


def draw_story(rng: random.Random) -> Story:
    """One of the stories, good and bad canaries more often than others."""
    return rng.choice((*STORIES, good, bad, turning_bad))(rng)
