"""The Deployment controller's arithmetic: how many pods each ReplicaSet is to have now.

Follows k8s.io/kubernetes/pkg/controller/deployment: `rolling.go` while a Deployment rolls, `sync.go` while it is
paused.  The new ReplicaSet grows as far as `maxSurge` allows, the old ones shrink as far as `maxUnavailable` allows,
pods that are not available go first.  Left out: a change of `replicas` in the middle of a roll-out is not spread over
the ReplicaSets, but for a paused one; and its shares are those of the pods that are there, not of an annotation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Generation:
    """A ReplicaSet as the rollout sees it.

    `wanted` pods is what it is told to have.  Of the `pods` that it has, `ready` ones pass their probe, and `available`
    ones have done so for `minReadySeconds`.
    """

    name: str
    wanted: int
    pods: int
    ready: int
    available: int


def plan(
    desired: int,
    strategy: Mapping[str, Any],
    new: Generation | None,
    old: Sequence[Generation],
    *,
    paused: bool = False,
) -> dict[str, int]:
    """How many pods each ReplicaSet is to have now; called again whenever availability changes, until nothing does.

    `new` is the ReplicaSet of the present template, `old` are all others, the oldest first.
    """
    if paused or new is None:
        return _paused(desired, strategy, new, old)
    if strategy.get("type") == "Recreate":
        still_there = any(one.wanted or one.pods for one in old)
        return {one.name: 0 for one in old} | {new.name: 0 if still_there else desired}
    room = desired + surge(strategy, desired) - sum(one.wanted for one in (new, *old))
    grown = min(desired, new.wanted + max(0, room))
    return {new.name: grown} | _shrunk(desired - unavailable(strategy, desired), new, old)


def surge(strategy: Mapping[str, Any], desired: int) -> int:
    """How many pods more than desired there may be during a roll-out."""
    if strategy.get("type") == "Recreate":
        return 0
    return _count((strategy.get("rollingUpdate") or {}).get("maxSurge", "25%"), desired, up=True)


def unavailable(strategy: Mapping[str, Any], desired: int) -> int:
    """How many pods fewer than desired may be available; at least one, if there may be no surge either."""
    if strategy.get("type") == "Recreate":
        return 0
    allowed = _count((strategy.get("rollingUpdate") or {}).get("maxUnavailable", "25%"), desired, up=False)
    return allowed if allowed or surge(strategy, desired) else min(1, desired)


def _shrunk(minimum: int, new: Generation, old: Sequence[Generation]) -> dict[str, int]:
    """The old ReplicaSets, smaller by pods that are not available and by as many others as `minimum` can spare."""
    held = {one.name: min(one.available, one.wanted) for one in (new, *old)}
    unneeded = max(0, sum(one.wanted for one in old) + held[new.name] - minimum)
    out = {}
    for one in old:
        lost = min(unneeded, one.wanted - held[one.name])
        unneeded -= lost
        out[one.name] = one.wanted - lost
    spare = max(0, sum(held.values()) - minimum)
    for one in old:
        given = min(spare, out[one.name])
        spare -= given
        out[one.name] -= given
    return out


def _paused(
    desired: int, strategy: Mapping[str, Any], new: Generation | None, old: Sequence[Generation]
) -> dict[str, int]:
    """Nothing rolls, but lost pods are replaced and a change of `replicas` is followed, by the share of each."""
    everything = [*old, *([new] if new else [])]
    wanted = {one.name: one.wanted for one in everything}
    active = [one for one in everything if one.wanted]
    if len(active) <= 1:
        only = active[0] if active else (new or (old[-1] if old else None))
        return wanted | ({only.name: desired} if only else {})
    if new is not None and new.wanted == new.available == desired:
        return {one.name: 0 for one in old} | {new.name: desired}
    if strategy.get("type") == "Recreate":
        return wanted
    allowed = desired + surge(strategy, desired) if desired else 0
    total = sum(wanted.values())
    # The youngest first when growing, the oldest first when shrinking; what rounding leaves goes to the first.
    order = sorted(active[:: -1 if allowed > total else 1], key=lambda one: -one.wanted)
    for one in order:
        wanted[one.name] = one.wanted * allowed // total
    wanted[order[0].name] += allowed - sum(wanted.values())
    return wanted


def _count(value: int | str, of: int, *, up: bool) -> int:
    """A number or a percentage of `of`, rounded as Kubernetes does: surge up, unavailable down."""
    if isinstance(value, str) and value.endswith("%"):
        exact = of * int(value[:-1]) / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(value)
