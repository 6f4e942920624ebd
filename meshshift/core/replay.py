"""The controller's own rules, played through recorded time.

A replay answers "what would have been decided, and when?".  It has no rules of its own: each look is an Observation
that `decide` judges as it judges any other, with a mesh that obeys at once and pods that are ready.  What differs from
the recorded hours is only what cannot be known from counters: the canary had the weights that it had, not those of the
plan.  The judge compares rates in the same seconds, so its verdicts hold at any weight; with the plan's own weights
they would have come sooner or later, because evidence is paid in requests.  Only for requests that reached nobody does
the weight matter (see `meshshift.core.deficit`): they are counted by the weights that were recorded, and left out where
none are known.

Nobody is there to speak for a person.  A pause without an end is therefore taken as one that ends at once, and
`spec.paused` as false; `silenced` says what was left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from meshshift.core.decision import QUIET
from meshshift.core.deficit import Deficit
from meshshift.core.mesh.control import share
from meshshift.core.mesh.creation import new_destination_rule, new_virtual_service
from meshshift.core.mesh.routes import find_routes
from meshshift.core.observation import Endpoints, MeshView, Observation
from meshshift.core.rules import decide
from meshshift.core.run import Hold, Phase
from meshshift.core.spec import Gate, Pause, SetHeaderRoute, SetMirror
from meshshift.core.steps import FULL
from meshshift.core.telemetry import BadData, NoData, Tick, Traffic

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshshift.core.decision import Decision
    from meshshift.core.mesh.documents import Target
    from meshshift.core.observation import Answers, TelemetryFailure, Timing
    from meshshift.core.run import Run
    from meshshift.core.spec import ShiftSpec

_CLEARLY = 5.0
"""Standard errors by which a measured share must move to count as another weight."""

_LEAST_MOVE = 0.01
_DECIDED = frozenset({Phase.PROMOTING, Phase.ROLLING_BACK})
_VERSION_LABEL = "version"
_CLUSTER_DOMAIN = "cluster.local"


@dataclass(frozen=True, slots=True)
class Playback:
    """A run under way in recorded time.  Instants are unix seconds; `weight` is what the obedient mesh says.

    `ready_since` is when the canary's pods are taken to have become ready; before that the run waits for them.
    `recorded` are the weights that the mesh really had, (since, percent) in order; empty if they are not known;
    `lacking` is what the canary lacked since one of those instants.
    """

    spec: ShiftSpec
    namespace: str
    timing: Timing
    ready_since: float
    now: float
    recorded: tuple[tuple[float, int], ...] = ()
    run: Run | None = None
    weight: int = 0
    lacking: tuple[float, Deficit] = (0.0, Deficit())

    @property
    def over(self) -> bool:
        """Nothing is left to judge: all traffic given, ended, on the way back, or held for a proven regression."""
        run = self.run
        return run is not None and (run.phase.ended or run.phase in _DECIDED or run.hold is Hold.REGRESSION)

    @property
    def target(self) -> Target:
        """Whose traffic is shifted."""
        return self.spec.target(self.namespace, _CLUSTER_DOMAIN)

    def look(
        self,
        telemetry: Tick | NoData | BadData | TelemetryFailure | None,
        warm: tuple[Tick, ...] = (),
        answers: Answers | None = None,
    ) -> tuple[Playback, Decision]:
        """Decide at `now`; the playback returned stands at the instant of the next look."""
        lacking = self.lacking
        if isinstance(telemetry, Tick):
            lacking, telemetry = self._attributed(telemetry)
        decision = decide(
            Observation(
                now=self.now,
                timing=self.timing,
                spec=self.spec,
                spec_hash="",
                fresh_id="replay",
                deleted_since=None,
                command=None,
                run=self.run,
                service_exists=True,
                mesh=_obedient(self.target, self.weight),
                endpoints=self._endpoints(),
                telemetry=telemetry,
                warm=warm,
                answers=answers,
            )
        )
        weight = decision.run.desired if decision.run else 0
        now = self.now + decision.again
        return replace(self, run=decision.run, weight=weight, now=now, lacking=lacking), decision

    def _endpoints(self) -> Endpoints:
        """The pods of the canary, and with it of the baseline, have become ready together."""
        ready = int(self.now >= self.ready_since)
        if self.spec.baseline is None:
            return Endpoints(1, ready, self.ready_since)
        return Endpoints(1, ready, self.ready_since, ready, self.ready_since)

    def _attributed(self, tick: Tick) -> tuple[tuple[float, Deficit], Tick]:
        """The tick with what reached nobody counted as the canary's, as far as the weight it had accounts for it.

        What is left of them is taken out, so that the rules do not count it by the weight of the plan.
        """
        since, percent = max((each for each in self.recorded if each[0] <= tick.start), default=(0.0, 0))
        if not since or any(tick.start < each[0] < tick.end for each in self.recorded):
            return self.lacking, replace(tick, unattributed=Traffic())
        before = self.lacking[1] if self.lacking[0] == since else Deficit()
        deficit, seen = before.see(tick, percent / 100)
        return (since, deficit), replace(seen, unattributed=Traffic())


@lru_cache(maxsize=256)
def _obedient(target: Target, percent: int) -> MeshView:
    """A mesh with one route for the shift, the canary at `percent`."""
    labels = {_VERSION_LABEL: target.stable}, {_VERSION_LABEL: target.canary}
    control = {_VERSION_LABEL: target.baseline} if target.baseline else None
    rule, route = new_destination_rule(target, *labels, control), new_virtual_service(target)
    route["metadata"]["resourceVersion"] = "1"
    shares = share(FULL, percent, controlled=target.baseline is not None)
    stable, canary = route["spec"]["http"][0]["route"]
    stable["weight"], canary["weight"] = shares.stable, shares.canary
    if target.baseline is not None:
        destination = {**stable["destination"], "subset": target.baseline}
        route["spec"]["http"][0]["route"].append({"destination": destination, "weight": shares.baseline})
    return MeshView(target, find_routes([route], target), rule, *labels, baseline_labels=control)


def silenced(spec: ShiftSpec) -> tuple[ShiftSpec, tuple[str, ...]]:
    """The spec without what waits for a person, and sentences that say what was left out."""
    waits = [place for place, step in enumerate(spec.steps, start=1) if step == Pause(None)]
    steps = tuple(Pause(0.0) if step == Pause(None) else step for step in spec.steps)
    remarks = []
    if waits:
        listed = ", ".join(map(str, waits))
        remarks.append(f"the pause in step {listed} waits for a person: taken as promoted at once")
    gates = [place for place, step in enumerate(steps, start=1) if isinstance(step, Gate)]
    if gates:
        listed = ", ".join(map(str, gates))
        remarks.append(f"the gate in step {listed} is not asked: taken as open at once")
        steps = tuple(Pause(0.0) if isinstance(step, Gate) else step for step in steps)
    extras = [place for place, step in enumerate(steps, start=1) if isinstance(step, SetHeaderRoute | SetMirror)]
    if extras:
        listed = ", ".join(map(str, extras))
        remarks.append(f"header routes and mirrors of step {listed} are left out: they are no weight")
        steps = tuple(step for step in steps if not isinstance(step, SetHeaderRoute | SetMirror))
    if spec.stickiness:
        remarks.append("stickiness is left out: the requests that were counted went where they went")
    if spec.scale:
        remarks.append("scale is left out: replicas are taken as ready at once")
    if spec.paused:
        remarks.append("spec.paused is true: taken as false")
    # Which objects the real shift manages does not matter to a mesh that has just one of each.
    free = replace(spec, steps=steps, paused=False, virtual_services=(), destination_rule=None)
    return replace(free, stickiness=None, scale=None), tuple(remarks)


@dataclass(frozen=True, slots=True)
class Moment:
    """One look: when, what telemetry was read for it if any was due, and what was decided."""

    at: float
    reading: Tick | NoData | BadData | TelemetryFailure | None
    decision: Decision


@dataclass(frozen=True, slots=True)
class Turn:
    """A change of course that the replay would have taken; `weight` is the plan's, in percent, after it."""

    at: float
    phase: Phase
    reason: str
    message: str
    weight: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A span in which the canary's measured share of the pair's requests did not clearly move."""

    start: float
    end: float
    canary: float
    stable: float

    @property
    def share(self) -> float | None:
        """The canary's part, 0..1; None without any request."""
        total = self.canary + self.stable
        return self.canary / total if total > 0.0 else None


@dataclass(frozen=True, slots=True)
class Gap:
    """A span without usable data, and why; the instants are those of the first and the last look that found none."""

    start: float
    end: float
    reason: str


def turns(moments: Iterable[Moment]) -> tuple[Turn, ...]:
    """The changes of course, as the history of a status would have told them."""
    found: list[Turn] = []
    for moment in moments:
        decision = moment.decision
        weight = decision.run.desired if decision.run else 0
        turn = Turn(moment.at, decision.phase, decision.reason, decision.message, weight)
        last = found[-1] if found else None
        same = last and (last.reason, last.phase, last.weight) == (turn.reason, turn.phase, turn.weight)
        if not same and turn.reason not in QUIET:
            found.append(turn)
    return tuple(found)


def stretches(ticks: Sequence[Tick]) -> tuple[Stretch, ...]:
    """The weights that were really there, as the requests tell them."""
    found: list[Stretch] = []
    for tick in ticks:
        here = Stretch(tick.start, tick.end, tick.canary.total, tick.answered - tick.canary.total)
        if found and not _moved(found[-1], here):
            last = found[-1]
            here = Stretch(last.start, here.end, last.canary + here.canary, last.stable + here.stable)
            found.pop()
        found.append(here)
    return tuple(found)


def gaps(moments: Iterable[Moment]) -> tuple[Gap, ...]:
    """The spans in which decisions had to do without data."""
    found: list[Gap] = []
    current: Gap | None = None
    for moment in moments:
        if isinstance(moment.reading, NoData | BadData):
            current = Gap(current.start if current else moment.at, moment.at, moment.reading.reason)
        elif isinstance(moment.reading, Tick) and current:
            found.append(replace(current, end=moment.at))
            current = None
    return (*found, current) if current else tuple(found)


def _moved(before: Stretch, after: Stretch) -> bool:
    """Whether the share differs by more than chance explains: pooled standard error of two proportions."""
    if before.share is None or after.share is None:
        return before.share is not after.share
    sizes = before.canary + before.stable, after.canary + after.stable
    pooled = (before.canary + after.canary) / sum(sizes)
    error = (pooled * (1.0 - pooled) * (1.0 / sizes[0] + 1.0 / sizes[1])) ** 0.5
    return bool(abs(before.share - after.share) > max(_LEAST_MOVE, _CLEARLY * error))
