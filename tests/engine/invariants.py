"""What has to hold whatever goes wrong, as functions of what happened.

An invariant reads a history (`tests.engine.history`) and returns the sentences that describe how it was broken, none if
it held.  Nothing here looks into the engine but for the checkpoint, which tells the step that was persisted.

A controller can only know what its watches have told it.  So where an invariant speaks of pods, subsets or weights, it
asks what was true at some instant since the controller's caches were last complete (`Write.as_of`): a look that was
true then excuses an act, a look that never was true does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from meshshift.core.mesh.cohorts import is_inserted
from meshshift.core.mesh.documents import Target
from meshshift.core.mesh.stickiness import bare
from meshshift.core.run import Phase
from meshshift.core.spec import OnDrift, SetWeight
from tests.engine.history import (
    BASELINE,
    CANARY,
    OURS,
    STABLE,
    Document,
    History,
    Write,
    name_of,
    percent,
    raises,
    run_of,
    weights,
)
from tests.engine.invariants_baseline import (
    an_added_baseline_goes_only_once_nothing_names_it,
    no_weight_reaches_a_baseline_that_is_unsettled,
    no_weight_reaches_a_baseline_without_subset_or_pods,
    the_baseline_gets_what_the_canarys_weight_says,
)
from tests.engine.invariants_replicas import (
    no_version_is_scaled_down_while_it_is_used,
    no_weight_beyond_what_ready_replicas_carry,
)
from tests.engine.invariants_steps import (
    no_gate_is_passed_before_it_has_opened,
    nothing_is_put_in_without_a_run_that_goes_forward,
    nothing_put_in_is_left_at_an_end,
)
from tests.engine.invariants_sticky import (
    every_cookie_has_its_route_in_the_same_write,
    nobody_is_kept_on_a_canary_without_weight,
    nothing_sticky_is_left_at_an_end,
    sticky_users_stay_while_the_run_goes_forward,
)

COMMAND = "meshshift.io/command"
FINALIZER = "meshshift.io/traffic"

REVIEWS = Target("reviews", "bookinfo", STABLE, CANARY)


def _states(history: History) -> Iterator[tuple[Write, Document, Document]]:
    """Our writes of a status: what it said before and says now."""
    for write in history.writes:
        if write.call == "status":
            yield write, write.before.get("status") or {}, write.after["status"]


def weights_that_are_ours_keep_their_share(history: History) -> list[str]:
    """Stable, canary and baseline together keep the route's share that they had, all of it if nobody else is on it."""
    found = []
    for write in history.writes:
        if write.call == "patch VirtualService":
            shares = []
            for document in (write.before, write.after):
                parts = weights(document)
                shares.append(sum(parts.get(each, 0) for each in OURS) / sum(parts.values()))
            if abs(shares[0] - shares[1]) > 1e-9 or sum(weights(write.after).values()) != 100:
                found.append(f"{write.at}: {weights(write.before)} became {weights(write.after)}")
    return found


def the_canary_never_gets_more_than_its_step_allows(history: History) -> list[str]:
    """After our write the canary has at most the weight of the step that was persisted before."""
    found = []
    for write, before, after in raises(history):
        run = run_of(write.shift)
        if run is None:
            found.append(f"{write.at}: {before} became {after}% without a run")
            continue
        begun = [step.percent for step in run.spec.steps[: run.step + 1] if isinstance(step, SetWeight)]
        allowed = begun[-1] if begun else 0
        if after > allowed or after > run.desired:
            found.append(
                f"{write.at}: {after}% where step {run.step} allows {allowed}% and {run.desired}% was intended"
            )
    return found


def no_increase_after_a_regression_was_proven(history: History) -> list[str]:
    """Once a run was turned back, or is held for a regression, neither its intent nor its weight rises."""
    found = []
    turned: dict[str, float] = {}
    for write in history.writes:
        run = run_of(write.shift if write.call != "status" else write.after)
        if run is None:
            continue
        if write.call == "patch VirtualService" and run.id in turned:
            before, after = percent(write.before) or 0.0, percent(write.after) or 0.0
            if after > max(before, 0.0) and after > turned[run.id]:
                found.append(f"{write.at}: {before}% became {after}% after the run was turned back")
        if run.phase is Phase.ROLLING_BACK or run.hold == "Regression":
            turned[run.id] = min(turned.get(run.id, 100.0), float(run.desired))
        elif run.outcome is None:
            turned.pop(run.id, None)
    return found


def no_increase_after_an_abort(history: History) -> list[str]:
    """Once a person has said abort, the canary gets no more than was intended at that instant."""
    found = []
    for at, order in history.orders:
        if order != "abort":
            continue
        shift = next((write.shift for write in reversed(history.writes) if write.at <= at), {})
        run = run_of(shift)
        if run is None:
            continue
        present = [sight.percent or 0.0 for sight in history.sights if sight.at <= at]
        most = max(float(run.desired), present[-1] if present else 0.0)
        later = min((when for when, _ in history.orders if when > at), default=float("inf"))
        for write, before, after in raises(history):
            # A pass that had persisted its intent when the order came may still be writing it down.
            if at < write.at < later and after > most and run_of(write.shift) is not None:
                now = run_of(write.shift)
                if now is not None and now.id == run.id:
                    found.append(f"{write.at}: {before}% became {after}% although abort was said at {at}")
    return found


def no_increase_while_prometheus_cannot_be_read(history: History) -> list[str]:
    """Unless a person asked for it, nothing is raised while the last reading of Prometheus had failed.

    To adopt what somebody else has raised raises nothing.
    Without traffic nothing is decided either, but what was decided before may be carried out.
    """
    if any(order.startswith("promote") for _, order in history.orders):
        return []
    found = []
    for write, before, after in _states(history):
        was, now = (each.get("weights", {}).get("desired", 0) for each in (before, after))
        there = [sight.percent or 0.0 for sight in history.seen(write.as_of["VirtualService"], write.at)]
        if write.blind and now > max(was, *there):
            found.append(f"{write.at}: {was}% became {now}% in blindness: {after['message']}")
    for write, was, now in raises(history):
        if write.blind == "unreadable":
            found.append(f"{write.at}: {was}% became {now}% in blindness")
    return found


def no_weight_reaches_a_subset_that_is_missing(history: History) -> list[str]:
    """Whoever gets weight is in the DestinationRule."""
    return [
        f"{write.at}: {before}% became {after}% without subset {CANARY}"
        for write, before, after in raises(history)
        if not any(sight.subset for sight in history.seen(write.as_of["DestinationRule"], write.at))
    ]


def no_weight_reaches_a_subset_that_is_unsettled(history: History) -> list[str]:
    """Between our adding of a subset and the first weight on it lies the time that it needs to reach every proxy."""
    found = []
    added = None
    for write in history.writes:
        if write.call in {"patch DestinationRule", "create DestinationRule"}:
            had = CANARY in subsets(write.before)
            added = write.at if CANARY in subsets(write.after) and not had else added
        elif write.call == "patch VirtualService":
            rose = (percent(write.after) or 0.0) > (percent(write.before) or 0.0)
            if rose and added is not None and write.at < added + history.settle:
                found.append(f"{write.at}: weight {write.at - added:g} s after the subset was added")
    return found


def subsets(rule: Document) -> set[str]:
    """The names of the subsets in a DestinationRule."""
    return {each["name"] for each in rule["spec"].get("subsets", [])} if rule else set()


def no_weight_reaches_a_subset_without_ready_pods(history: History) -> list[str]:
    """Whoever gets more weight has a ready pod."""
    return [
        f"{write.at}: {before}% became {after}% without a ready pod since {write.as_of['Pod']}"
        for write, before, after in raises(history)
        if not any(sight.ready for sight in history.seen(write.as_of["Pod"], write.at))
    ]


def no_write_lands_on_what_was_not_seen(history: History) -> list[str]:
    """Between the look and the write of it nobody else has changed the object."""
    return [
        f"{write.at}: {write.call} was decided on version {write.known} and landed on {_version(write.before)}"
        for write in history.writes
        if write.call in {"patch VirtualService", "patch DestinationRule"} and write.known != _version(write.before)
    ]


def _version(document: Document) -> str:
    return str(document["metadata"].get("resourceVersion", ""))


def a_run_keeps_what_it_was_started_with(history: History) -> list[str]:
    """Whatever becomes of the spec and of its policy, the run that is persisted goes by one spec."""
    found = []
    known: dict[str, object] = {}
    for write, _, _ in _states(history):
        run = run_of(write.after)
        if run is not None and known.setdefault(run.id, run.spec) != run.spec:
            found.append(f"{write.at}: run {run.id} goes by another spec than it began with")
    return found


def weights_of_others_are_not_written_over(history: History) -> list[str]:
    """Unless a person or the spec says so, only weights that we had set are set anew; the way back is always open."""
    found = []
    ours = {0.0}
    for write in history.writes:
        if write.call != "patch VirtualService":
            continue
        before, run = percent(write.before), run_of(write.shift)
        told = any(at <= write.at and order == "resume" for at, order in history.orders)
        if run is None or run.phase is Phase.ROLLING_BACK or run.spec.on_drift is not OnDrift.PAUSE or told:
            ours.add(percent(write.after) or 0.0)
            continue
        if before not in ours:
            found.append(f"{write.at}: {before}%, which was somebody else's, became {percent(write.after)}%")
        ours.add(percent(write.after) or 0.0)
    return found


def nothing_foreign_changes(history: History) -> list[str]:
    """A write changes what is ours to change, and nothing else of the object."""
    return [
        f"{write.at}: {write.call} changed more than its own: {_foreign(write.before)} became {_foreign(write.after)}"
        for write in history.writes
        if write.before and write.after and _foreign(write.before) != _foreign(write.after)
    ]


def _foreign(document: Document) -> Document:
    """The object without what is ours."""
    volatile = {"resourceVersion", "generation", "managedFields"}
    metadata = {name: value for name, value in document["metadata"].items() if name not in volatile}
    rest = {name: value for name, value in document.items() if name not in {"metadata", "status"}}
    if document["kind"] == "TrafficShift":
        metadata["finalizers"] = [each for each in metadata.get("finalizers", []) if each != FINALIZER]
        metadata["annotations"] = {k: v for k, v in metadata.get("annotations", {}).items() if k != COMMAND}
    if document["kind"] == "Deployment":
        rest["spec"] = {**document["spec"], "replicas": 0}
    if document["kind"] == "VirtualService":
        *others, ours = document["spec"]["http"]
        left = [
            each if name_of(each) not in {STABLE, CANARY} else bare({**each, "weight": 0}) for each in ours["route"]
        ]
        left = [each for each in left if name_of(each) not in {CANARY, BASELINE}]
        others = [each for each in others if not is_inserted(each.get("name"), REVIEWS)]
        mirrors = [each for each in ours.get("mirrors", []) if name_of(each) != CANARY]
        without = {name: value for name, value in ours.items() if name != "mirrors"} | {"route": left}
        rest["spec"] = {**document["spec"], "http": [*others, without | ({"mirrors": mirrors} if mirrors else {})]}
    if document["kind"] == "DestinationRule":
        kept = [each for each in document["spec"].get("subsets", []) if each["name"] not in {CANARY, BASELINE}]
        rest["spec"] = {**document["spec"], "subsets": kept}
    return {"metadata": metadata, **rest}


def the_status_claims_only_what_the_mesh_says(history: History) -> list[str]:
    """The weight that is shown was in the mesh, and an end is only told once the mesh is there."""
    found = []
    for write, before, after in _states(history):
        sights = list(history.seen(write.as_of["VirtualService"], write.at))
        true = {None if sight.percent is None else round(sight.percent, 2) for sight in sights}
        shown = after.get("weights", {}).get("observed")
        if shown is not None and round(shown, 2) not in true:
            found.append(f"{write.at}: shows {shown}% where the mesh said {true}")
        if after["phase"] == before.get("phase"):
            continue
        if after["phase"] == "Succeeded" and 100.0 not in true:
            found.append(f"{write.at}: Succeeded where the mesh said {true}")
        if after["phase"] == "RolledBack" and not {0.0, None} & true:
            found.append(f"{write.at}: RolledBack where the mesh said {true}")
    return found


def every_turn_is_told_as_an_event(history: History) -> list[str]:
    """Every entry that ever stood in the history of a shift that is still there has its Event, and one only."""
    if not history.last:
        return []
    turns = {
        (entry["at"], entry["phase"], entry["reason"], entry.get("weight")): (
            entry["at"],
            entry["reason"],
            entry["message"],
        )
        for _, _, after in _states(history)
        for entry in after.get("history", [])
    }
    wanted, told = Counter(turns.values()), Counter(history.events)
    return [
        *(f"no Event tells of {turn}" for turn in wanted - told),
        *(f"told too often: {turn}" for turn in told - wanted),
    ]


Invariant = Callable[[History], list[str]]
INVARIANTS: tuple[Invariant, ...] = (
    weights_that_are_ours_keep_their_share,
    the_canary_never_gets_more_than_its_step_allows,
    no_increase_after_a_regression_was_proven,
    no_increase_after_an_abort,
    no_increase_while_prometheus_cannot_be_read,
    no_weight_reaches_a_subset_that_is_missing,
    no_weight_reaches_a_subset_that_is_unsettled,
    no_weight_reaches_a_subset_without_ready_pods,
    no_weight_beyond_what_ready_replicas_carry,
    no_version_is_scaled_down_while_it_is_used,
    no_write_lands_on_what_was_not_seen,
    a_run_keeps_what_it_was_started_with,
    weights_of_others_are_not_written_over,
    nothing_foreign_changes,
    the_status_claims_only_what_the_mesh_says,
    every_turn_is_told_as_an_event,
    nothing_put_in_is_left_at_an_end,
    nothing_is_put_in_without_a_run_that_goes_forward,
    no_gate_is_passed_before_it_has_opened,
    sticky_users_stay_while_the_run_goes_forward,
    every_cookie_has_its_route_in_the_same_write,
    nobody_is_kept_on_a_canary_without_weight,
    nothing_sticky_is_left_at_an_end,
    the_baseline_gets_what_the_canarys_weight_says,
    no_weight_reaches_a_baseline_without_subset_or_pods,
    no_weight_reaches_a_baseline_that_is_unsettled,
    an_added_baseline_goes_only_once_nothing_names_it,
)
