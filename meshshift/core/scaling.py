"""How many replicas a weight needs, and what a run has to remember about replicas.

A weight needs its share of the replicas with which stable carries all traffic, rounded up: 25 % of 10 are 3.  Copies
that a mirror sends are requests as well, so they count like weight.  What stable needs for everything is the most it
was seen to be asked for in this run: an autoscaler takes pods away from it as its traffic goes, and the canary has to
carry what stable carried before that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meshshift.core.run import Phase
from meshshift.core.steps import FULL
from meshshift.core.workloads import MOST_REPLICAS, Owed

if TYPE_CHECKING:
    from meshshift.core.run import Run
    from meshshift.core.spec import ShiftSpec

MOST_OWED = 4
"""Deployments that later runs carry along to be scaled down; a fifth is left as it is."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """What a run remembers.  Counts are replicas, instants unix seconds.

    `full`: what stable was asked for at most.  `before`: what the canary had when the run began, None until that was
    read.  `wanted`: the most that this run asked for the canary; `since`: when the present wait for pods began.
    `lowering` is the Deployment that is being scaled down, `lowered` are those that are done with.
    `owed` are Deployments that earlier runs of this shift left to be scaled down.
    """

    full: int = 0
    before: int | None = None
    wanted: int = 0
    since: float | None = None
    lowering: str = ""
    lowered: tuple[str, ...] = ()
    owed: tuple[Owed, ...] = ()

    def __post_init__(self) -> None:
        for name, count in (("full", self.full), ("before", self.before or 0), ("wanted", self.wanted)):
            if not 0 <= count <= MOST_REPLICAS:
                raise ValueError(f"scaling.{name} is {count}: expected 0 to {MOST_REPLICAS}")

    def seen(self, stable: int, canary: int) -> Scaling:
        """With what both Deployments are asked for now."""
        return replace(self, full=max(self.full, stable), before=canary if self.before is None else self.before)

    def waiting(self, wanted: int, now: float) -> Scaling:
        """With a wait for so many replicas of the canary, which goes on if it was under way."""
        since = self.since if self.since is not None and self.wanted == wanted else now
        return replace(self, wanted=wanted, since=since)


def load(run: Run) -> int:
    """Percent of the requests that the canary gets at most: its weight and what is mirrored to it."""
    return min(FULL, run.desired + (run.extras.mirror or 0))


def needed(run: Run, full: int) -> int:
    """Replicas of the canary for the run's load, when stable takes `full` for all of it."""
    least = run.spec.scale.least if run.spec.scale else 1
    return max(least, replicas_for(load(run), full))


def replicas_for(percent: int, full: int) -> int:
    """Replicas for this percentage of the requests, when `full` take all of them; rounded up."""
    return -(-percent * full // FULL)


def is_short(run: Run | None, ready: int) -> bool:
    """Are these ready pods fewer than the run's load needs?  Never without `scale`."""
    if run is None or run.spec.scale is None or run.scaling is None or run.phase is not Phase.PROGRESSING:
        return False
    return ready < needed(run, run.scaling.full)


def pending(run: Run) -> tuple[Owed, ...]:
    """What is still to be scaled down once the run has ended, what earlier runs left first."""
    if run.scaling is None or run.spec.scale is None:
        return ()
    own = _own(run)
    listed = (*run.scaling.owed, *((own,) if own else ()))
    return tuple(each for each in listed if each.deployment not in run.scaling.lowered)


def _own(run: Run) -> Owed | None:
    """What this run leaves behind: stable after a success, after a rollback the canary if it was scaled up."""
    spec, scale, scaling = run.spec, run.spec.scale, run.scaling
    if scale is None or scaling is None:
        return None
    due = (run.ended or 0.0) + scale.down_delay
    if run.phase is Phase.SUCCEEDED:
        return Owed(scale.stable, spec.stable.name, scale.keep, due) if run.step >= 0 else None
    if scaling.before is None or scaling.wanted <= scaling.before:
        return None
    return Owed(scale.canary, spec.canary.name, scaling.before, due)


def inherited(last: Run | None, spec: ShiftSpec, now: float) -> Scaling | None:
    """What a new run of `spec` takes over from the last one: what is owed, but for what it needs itself."""
    if spec.scale is None:
        return None
    if last is None or last.scaling is None or last.spec.scale is None:
        return Scaling()
    left = pending(last if last.ended is not None else replace(last, ended=now))
    before = next((each.replicas for each in left if each.deployment == spec.scale.canary), None)
    needs = {spec.scale.canary, spec.scale.stable}
    return Scaling(
        before=before,
        wanted=0 if before is None else max(last.scaling.wanted, last.scaling.full),
        owed=tuple(each for each in left if each.deployment not in needs)[:MOST_OWED],
    )
