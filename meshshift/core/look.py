"""One observation together with the run it belongs to, and the questions that several rules ask of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from meshshift.core import checking, words
from meshshift.core.checking import Standing
from meshshift.core.decision import Creation, Decision, Kind
from meshshift.core.mesh.cohorts import NOTHING, extra_patches, joined
from meshshift.core.mesh.documents import Patch, Problem, Reason, shown
from meshshift.core.mesh.route_edits import weight_patches
from meshshift.core.mesh.weighted_route import is_at
from meshshift.core.run import Phase, Run
from meshshift.core.spec import Method
from meshshift.core.steps import next_weight
from meshshift.core.ticks import next_tick
from meshshift.core.verdict import verdict

if TYPE_CHECKING:
    from meshshift.core.checking import CheckFinding
    from meshshift.core.decision import CommandResult
    from meshshift.core.judge import Assessment
    from meshshift.core.mesh.weighted_route import WeightedRoute
    from meshshift.core.observation import Document, Observation

IDLE = 300.0
"""Seconds between looks at a shift in which nothing is under way: only a safety net under the watches."""

SOON = 5.0
"""Seconds between looks while something outside is waited for that a watch should report anyway."""


@dataclass(frozen=True)
class Look:
    """What the rules work on.  `started` is None before the first run; `run` asserts there is one."""

    seen: Observation
    started: Run | None

    @property
    def run(self) -> Run:
        """The run; only rules behind `no_run` may ask."""
        if self.started is None:
            raise AssertionError("asked for the run before there is one")
        return self.started

    @property
    def respecified(self) -> bool:
        """Has somebody changed the shift since the run began?  An edit of its policy alone is none."""
        return self.run.spec_hash not in {self.seen.spec_hash, self.seen.kept_hash}

    @property
    def canary(self) -> str:
        """The name of the canary's subset."""
        return self.run.spec.canary.name

    @property
    def at_weight(self) -> str:
        """The canary's weight as it was last set."""
        return f"{self.run.desired}%"

    def weight_to(self, after: int) -> str:
        """The change from the present weight to `after`."""
        return words.move(self.run.desired, after)

    @cached_property
    def routes(self) -> tuple[WeightedRoute, ...]:
        """The routes that carry the pair; empty when they could not be read."""
        routes = self.seen.mesh.routes
        return () if isinstance(routes, Problem) else routes.routes

    @cached_property
    def rule(self) -> Document | None:
        """The DestinationRule, if it could be read."""
        rule = self.seen.mesh.rule
        return None if isinstance(rule, Problem) else rule

    @cached_property
    def mesh_problem(self) -> Problem | None:
        """What keeps the mesh from carrying this shift, VirtualService first."""
        mesh, spec = self.seen.mesh, self.run.spec
        if not self.seen.service_exists:
            fix = f"create it, or set spec.service to a Service in namespace {mesh.target.namespace}"
            return Problem(Reason.SERVICE_NOT_FOUND, f"spec.service: there is no Service {shown(spec.service)}; {fix}")
        if isinstance(mesh.routes, Problem):
            return mesh.routes
        if isinstance(mesh.rule, Problem):
            return mesh.rule
        if mesh.stable_labels is None:
            rule, name = mesh.rule["metadata"]["name"], spec.stable.name
            text = f"spec.stable.subset: DestinationRule {rule} has no subset {shown(name)}; add it there"
            return Problem(Reason.SUBSET_NOT_FOUND, text)
        return None

    @property
    def lacking_baseline(self) -> str:
        """What the baseline lacks to be sent traffic; empty if nothing, or if there is to be none."""
        baseline = self.run.spec.baseline
        if baseline is None:
            return ""
        if self.seen.mesh.baseline_labels is None:
            return f"subset {baseline.name}, the baseline, is no longer in the DestinationRule"
        ready = self.seen.endpoints.baseline_ready > 0
        return "" if ready else f"subset {baseline.name}, the baseline, has no ready pod"

    @cached_property
    def strange_routes(self) -> tuple[WeightedRoute, ...]:
        """Routes that say neither what was last seen nor what is to come: somebody else wrote them."""
        ours = {self.run.desired, self.run.confirmed}
        if None in ours:
            return ()
        return tuple(
            route for route in self.routes if not any(percent is not None and is_at(route, percent) for percent in ours)
        )

    @cached_property
    def extra_edits(self) -> tuple[Patch, ...] | Problem:
        """The edits that put in, and take out, what the run wants besides weights; nothing where routes are unknown."""
        routes = self.seen.mesh.routes
        if isinstance(routes, Problem):
            return ()
        extras = NOTHING if self.run.phase.ended else self.run.extras
        return extra_patches(routes.routes, routes.inserted, extras, self.seen.mesh.target, self.run.desired)

    @property
    def as_intended(self) -> tuple[Patch, ...] | Problem:
        """The edits that bring weights and all else to what the run wants, in one patch for each object."""
        weights, extras = weight_patches(self.routes, self.run.desired), self.extra_edits
        if isinstance(weights, Problem):
            return weights
        return extras if isinstance(extras, Problem) else joined(weights, extras)

    @property
    def extras_lost(self) -> bool:
        """Has somebody taken out, or changed, a header route or mirror that this step had put in?"""
        run = self.run
        return run.phase is Phase.PROGRESSING and run.extras_set == run.step and self.extra_edits != ()

    @property
    def drifted(self) -> bool:
        """Is a run under way that somebody else's weights are in the way of?"""
        run = self.started
        waits = run is None or run.phase.ended or run.phase in {Phase.PENDING, Phase.ROLLING_BACK}
        return not waits and (bool(self.strange_routes) or self.extras_lost)

    @property
    def stale(self) -> bool:
        """Is what telemetry said last too old to rest an increase on?"""
        run, timing = self.run, self.seen.timing
        allowed = 2 * run.spec.analysis.judge.interval + timing.lag + 1
        return run.desired > 0 and self.seen.now - run.evidence.until > allowed

    @cached_property
    def goal(self) -> int | None:
        """The next weight the steps ask for, None after the last."""
        return next_weight(self.run.spec.steps, self.run.step)

    @cached_property
    def assessment(self) -> Assessment:
        """The judge's view at the present weight with the next one in mind; with method Threshold only to be shown."""
        if self.run.spec.analysis.method is Method.SEQUENTIAL:
            return verdict(self.run, self.goal)
        unasked = verdict(self.run, None)
        shown = tuple(replace(finding, note="", requests_needed=0.0) for finding in unasked.findings)
        return replace(unasked, findings=shown, regression=False, allowed=True, culprit=None)

    @cached_property
    def checks(self) -> tuple[CheckFinding, ...]:
        """Where every check stands."""
        return checking.findings(self.run, self.seen)

    @property
    def allowed(self) -> bool:
        """Do the judge and every check allow the next weight?"""
        return self.assessment.allowed and all(check.standing is Standing.PASSED for check in self.checks)

    def decide(
        self,
        kind: Kind,
        reason: str,
        message: str,
        *,
        run: Run | None = None,
        phase: Phase | None = None,
        again: float | None = None,
        edits: tuple[Patch | Creation, ...] = (),
        stalled: bool = False,
        release: bool = False,
        command: CommandResult | None = None,
    ) -> Decision:
        """A decision about this run.  A changed run is looked at again at once, an unchanged one at its next tick."""
        new = run or self.run
        if again is None:
            at_once = bool(edits) or (run is not None and run != self.run)
            again = 0.0 if at_once else self.until_tick()
        assessment = None if new.phase is Phase.PENDING else self.assessment
        return Decision(
            kind,
            reason,
            message,
            phase or new.phase,
            new,
            again,
            edits=edits,
            stalled=stalled,
            drifted=self.drifted,
            release=release,
            assessment=assessment,
            checks=() if new.phase is Phase.PENDING else self.checks,
            command=command,
        )

    def until_tick(self, *instants: float) -> float:
        """Seconds until the next tick is due, or until the first of `instants` if that is sooner.

        A tick that is due and was not had by this look is asked for again soon, not at once.
        """
        now = self.seen.now
        due = next_tick(self.run.evidence.until, self.run.spec.analysis.judge.interval, self.seen.timing.lag)
        if due <= now:
            due = now + SOON
        return max(0.05, min([due, *(instant for instant in instants if instant > now)]) - now)
