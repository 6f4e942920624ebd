"""What has to hold of a baseline whatever goes wrong, as functions of what happened (`tests.engine.invariants`)."""

from __future__ import annotations

from collections.abc import Iterator

from tests.engine.history import BASELINE, CANARY, STABLE, Document, History, Write, percent, run_of, weights


def _ours(history: History) -> Iterator[Write]:
    return (write for write in history.writes if write.call == "patch VirtualService")


def _raises(history: History) -> Iterator[tuple[Write, float, float]]:
    """Our writes that give the baseline more than it had."""
    for write in _ours(history):
        before, after = (percent(each, BASELINE) or 0.0 for each in (write.before, write.after))
        if after > before:
            yield write, before, after


def _subsets(rule: Document) -> set[str]:
    return {each["name"] for each in rule["spec"].get("subsets", [])} if rule else set()


def the_baseline_gets_what_the_canarys_weight_says(history: History) -> list[str]:
    """After our write the baseline has the canary's weight, at most half of the rest, and nothing without a canary."""
    found = []
    for write in _ours(history):
        run, parts = run_of(write.shift), weights(write.after)
        if run is None or run.spec.baseline is None or weights(write.before) == parts:
            continue
        stable, canary, baseline = (parts.get(name, 0) for name in (STABLE, CANARY, BASELINE))
        if baseline != min(canary, (stable + baseline) // 2):
            found.append(f"{write.at}: {weights(write.before)} became {parts}")
    return found


def no_weight_reaches_a_baseline_without_subset_or_pods(history: History) -> list[str]:
    """Whoever is to be compared with is in the DestinationRule and has a ready pod."""
    found = []
    for write, before, after in _raises(history):
        told = f"{write.at}: the baseline's {before}% became {after}%"
        if not any(sight.baseline_subset for sight in history.seen(write.as_of["DestinationRule"], write.at)):
            found.append(f"{told} without its subset")
        if not any(sight.baseline_ready for sight in history.seen(write.as_of["Pod"], write.at)):
            found.append(f"{told} without a ready pod")
    return found


def no_weight_reaches_a_baseline_that_is_unsettled(history: History) -> list[str]:
    """Between our adding of its subset and its first weight lies the time that it needs to reach every proxy."""
    found = []
    added = None
    risen = {write.at for write, _, _ in _raises(history)}
    for write in history.writes:
        if write.call in {"patch DestinationRule", "create DestinationRule"}:
            had, has = (BASELINE in _subsets(each) for each in (write.before, write.after))
            added = write.at if has and not had else added
        elif write.at in risen and added is not None and write.at < added + history.settle:
            found.append(f"{write.at}: weight {write.at - added:g} s after the baseline's subset was added")
    return found


def an_added_baseline_goes_only_once_nothing_names_it(history: History) -> list[str]:
    """When we take its subset out, its destination has had no weight for as long as proxies need."""
    found = []
    for write in history.writes:
        if write.call != "patch DestinationRule":
            continue
        if BASELINE not in _subsets(write.before) or BASELINE in _subsets(write.after):
            continue
        held = [sight.at for sight in history.seen(write.at - history.settle, write.at) if sight.baseline]
        if held and max(held) > write.at - history.settle:
            found.append(f"{write.at}: the subset went while the baseline had weight at {max(held)}")
    return found
