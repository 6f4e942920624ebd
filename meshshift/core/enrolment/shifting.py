"""Which version is shifted in next, and what the service's TrafficShift is told.

A service has one TrafficShift, named after it (ADR 0014).  Its spec says the pair; a newer version that arrives takes
the place of the canary in the spec, and the shift does the rest: back to stable, settle, a new run.  The spec and what
is to be remembered of other versions are one write, so that no interruption can lose one of the two.

A version is new if it was not there when the latest shift was begun and no shift has taken it back, by name and by the
hashes of its pod templates.  Before there is any shift, it has to be younger than the version that serves: a version
that has lain there unused for longer is somebody's way back, not a release.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from meshshift.core.enrolment.adoption import place_of
from meshshift.core.enrolment.record import Record
from meshshift.core.enrolment.telling import Spec, commanding, kept, new_shift, pausing, tell
from meshshift.core.enrolment.view import (
    Act,
    OwnShift,
    Standing,
    View,
    is_owned_by,
    wait,
    warn,
)
from meshshift.core.mesh.documents import (
    PatchOperation,
    member,
    operation,
    pointer,
    shown,
)
from meshshift.core.mesh.subsets import joined_labels, listed_subsets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshshift.core.enrolment.adoption import Serves
    from meshshift.core.enrolment.versions import Version
    from meshshift.core.enrolment.wish import Wish


def keep_up(view: View, wish: Wish, shift: OwnShift) -> Act:
    """What a shift under way is told: to pause, to give up a version that has gone, to take a newer one."""
    if wish.paused != bool(shift.spec.get("paused", False)):
        return tell(shift, "Pausing" if wish.paused else "Resuming", pausing(paused=wish.paused))
    if wish.paused:
        return wait("Paused", "meshshift.io/paused is true")
    name, labels = shift.subset("canary")
    present = view.behind.taken_by(labels)
    newer = _newest(view, shift.record, _canary(shift, present))
    if newer is not None and _may_turn(shift):
        message = f"{newer.name} has arrived: it is shifted in instead of {shift.record.canary or name}"
        return _retarget(view, wish, shift, shift.subset("stable"), newer, "Retargeted", message)
    if not present and shift.standing is Standing.WAITING and not shift.commanded:
        message = f"no pod of {name} is left: its shift is taken back"
        return tell(shift, "Withdrawn", commanding(shift, "abort"), message=message)
    return _same_pair(view, wish, shift) or wait("Shifting", f"{shift.ref} is under way")


def begin(view: View, wish: Wish, server: Serves) -> Act | None:
    """A shift to the newest version that is new; None if there is none."""
    shift = view.shift
    record = shift.remembered if shift else None
    newer = _beside(view, server) if server.beside else _newest(view, record, None, server.version)
    if newer is None or wish.paused:
        return None if newer is None else wait("Paused", f"{newer.name} is new; meshshift.io/paused is true")
    if server.version is None or not server.version.ready:
        return warn(
            "StableNotReady",
            f"{server.subset} has the traffic and no ready pod, so {newer.name} cannot be judged beside it: start pods "
            f"of {server.subset}, or give {newer.name} the traffic in the VirtualService",
        )
    if view.policy is not None and not view.policy.found:
        fix = "create it, or correct the annotation meshshift.io/policy"
        return warn("PolicyNotFound", f"{newer.name} is new, and there is no ShiftPolicy {shown(wish.policy)}; {fix}")
    message = f"{newer.name} is new behind the service: it is shifted in, from {server.version.name}"
    if shift is None:
        spec = _spec(view, wish, (server.subset, server.labels), place_of(view, newer))
        return new_shift(view, spec, message, _remembering(view, Record(), newer, spec).annotations)
    return _retarget(view, wish, shift, (server.subset, dict(server.labels)), newer, "Starting", message)


def _beside(view: View, server: Serves) -> Version | None:
    """The version that has a part of the traffic already: the shift says how it can be begun from there."""
    labels = joined_labels(view.rules, view.target, server.beside)
    return next(iter(view.behind.taken_by(labels)), None) if labels else None


def _newest(view: View, record: Record | None, canary: Version | None, stable: Version | None = None) -> Version | None:
    """The youngest version with a ready pod that is new, and newer than the one that is being shifted in."""
    found = [
        each
        for each in view.behind.ready
        if _is_new(each, record, stable)
        and each != stable
        and (canary is None or (each.name != canary.name and each.is_newer_than(canary)))
    ]
    return max(found, key=lambda each: (each.since, _natural(each.name)), default=None)


def _is_new(version: Version, record: Record | None, stable: Version | None) -> bool:
    if record is not None:
        return not record.knows(version)
    return stable is None or version.is_newer_than(stable)


def _natural(name: str) -> list[tuple[int, str]]:
    """v10 comes after v9."""
    return [(int(each), "") if each.isdigit() else (-1, each) for each in re.split(r"(\d+)", name)]


def _canary(shift: OwnShift, present: tuple[Version, ...]) -> Version | None:
    return next((each for each in present if each.name == shift.record.canary), next(iter(present), None))


def _may_turn(shift: OwnShift) -> bool:
    """May another pair be asked for?  Not while all traffic settles on a version that is proven."""
    return shift.standing is not Standing.PROMOTING


def _same_pair(view: View, wish: Wish, shift: OwnShift) -> Act | None:
    """The annotations have changed: so does the spec, for the pair as it is.  On the way back nothing begins anew."""
    if shift.standing not in {Standing.WAITING, Standing.MOVING, Standing.TURNING}:
        return None
    spec = _spec(view, wish, shift.subset("stable"), shift.subset("canary"), shift)
    if wish.plain and set(shift.spec.get("strategy", {wish.strategy})) == {wish.strategy}:
        # A policy that changes meanwhile is for the next run.
        spec = {name: value for name, value in {**spec, "strategy": shift.spec.get("strategy")}.items() if value}
    if view.digest(spec) == view.digest(shift.spec):
        return None
    message = "the annotations have changed, and the shift begins anew with them"
    return tell(shift, "AnnotationsChanged", operation("replace", pointer("spec"), spec), message=message)


def _retarget(
    view: View,
    wish: Wish,
    shift: OwnShift,
    stable: tuple[str, Mapping[str, str]],
    version: Version,
    reason: str,
    message: str,
) -> Act:
    """Another pair in the spec, or the same one once more, with what is to be remembered of the others."""
    ended = shift.standing.ended
    before = shift.remembered
    spec = _spec(view, wish, stable, place_of(view, version), shift)
    record = _remembering(view, before, version, spec)
    operations: list[PatchOperation] = [
        operation("add", pointer("metadata", "annotations"), {**shift.annotations, **record.annotations})
    ]
    if view.digest(spec) != view.digest(shift.spec):
        operations.append(operation("replace", pointer("spec"), spec))
    elif shift.standing is Standing.PROMOTED:
        return warn("NotRepeated", f"{shift.ref} has shifted to {version.name} before; delete it to shift once more")
    elif shift.commanded:
        return wait("Commanded", f"{shift.ref} has a command to carry out first")
    elif ended:
        operations.append(commanding(replace(shift, document=_annotated(shift, record)), "retry"))
    return tell(shift, reason, *operations, message=message)


def _annotated(shift: OwnShift, record: Record) -> dict[str, Any]:
    metadata = {**shift.document["metadata"], "annotations": {**shift.annotations, **record.annotations}}
    return {**shift.document, "metadata": metadata}


def _remembering(view: View, before: Record, version: Version, spec: Spec) -> Record:
    """Everything that is there and no younger than the version that is begun is not new any more."""
    stable, record = member(spec, "stable", "labels"), before
    for each in view.behind.versions:
        serves = each in view.behind.taken_by(stable)
        if each != version and (serves or not each.is_newer_than(version)):
            record = record.noting(each)
    here = {each.name for each in view.behind.versions}
    subsets = dict(listed_subsets(view.rules, view.target))
    own = any(is_owned_by(rule, view.service) for rule in view.rules)
    name = member(spec, "canary", "subset")
    added = {each for each in record.added if each in subsets} | ({name} if name not in subsets and not own else set())
    return replace(record.forgetting(here).beginning(version), added=frozenset(added))


def _spec(
    view: View,
    wish: Wish,
    stable: tuple[str, Mapping[str, str]],
    canary: tuple[str, Mapping[str, str]],
    shift: OwnShift | None = None,
) -> Spec:
    arms = {
        arm: {"subset": name, "labels": dict(labels)}
        for arm, (name, labels) in (("stable", stable), ("canary", canary))
    }
    spec = {"service": view.target.service, **arms, **wish.fields, **kept(shift)}
    if wish.plain and view.policy is not None and view.policy.strategy == wish.strategy:
        del spec["strategy"]
    return spec
