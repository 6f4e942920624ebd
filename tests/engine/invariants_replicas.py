"""What has to hold of replica care whatever goes wrong, as functions of what happened (`tests.engine.invariants`)."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from tests.engine.history import CANARY, STABLE, History, Write, raises, run_of


def _scaled(history: History) -> Iterator[tuple[Write, str, int, int]]:
    """Our writes of a Deployment's replicas: its version, and the numbers before and after."""
    for write in history.writes:
        if write.call.startswith("patch Deployment"):
            version = write.after["metadata"]["name"].rpartition("-")[2]
            yield write, version, int(write.before["spec"]["replicas"]), int(write.after["spec"]["replicas"])


def no_weight_beyond_what_ready_replicas_carry(history: History) -> list[str]:
    """With replica care the canary has its share of stable's replicas ready before it gets the weight."""
    found = []
    for write, before, after in raises(history):
        run = run_of(write.shift)
        if run is None or run.spec.scale is None or not run.desired:
            continue
        sights = list(history.seen(write.as_of["Pod"], write.at))
        full = min(sight.replicas.get(STABLE, 0) for sight in sights)
        least = max(run.spec.scale.least, ceil(after * full / 100))
        if not any(sight.ready >= least for sight in sights):
            found.append(f"{write.at}: {before}% became {after}% with fewer than {least} of {full} replicas ready")
    return found


UNUSED = 30.0
"""Seconds for which a version had no weight before it may go: the controller asks for more, of a clock that is off."""


def no_version_is_scaled_down_while_it_is_used(history: History) -> list[str]:
    """A Deployment goes down only after the run has ended, and after a time in which nothing was sent to it."""
    found = []
    for write, version, before, after in _scaled(history):
        if after >= before:
            continue
        run = run_of(write.shift)
        if run is None or not run.phase.ended:
            found.append(f"{write.at}: {version} went from {before} to {after} while the run is {run and run.phase}")
        share = 0.0 if version == CANARY else 100.0
        until = min(write.as_of["VirtualService"], write.at)
        if any(sight.percent != share for sight in history.seen(write.at - UNUSED, until)):
            found.append(f"{write.at}: {version} went from {before} to {after} although it was sent to")
    return found
