"""A shift as the engine goes through it, without its I/O: the real rules decide, a dictionary is the mesh."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from meshshift.core.checks import Check
from meshshift.core.judge import Indicator, JudgeSettings, SuccessRate
from meshshift.core.mesh.documents import Problem, Reason, Target
from meshshift.core.mesh.routes import find_routes
from meshshift.core.observation import Command, Endpoints, MeshView, Observation, TelemetryFailure, Timing
from meshshift.core.rules import decide, invalid
from meshshift.core.run import Phase, Run
from meshshift.core.spec import Analysis, OnInconclusive, SetWeight, ShiftSpec, Subset
from meshshift.core.telemetry import Tick, Traffic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshshift.core.decision import Decision
    from meshshift.engine.ports import Journal, Key

INTERVAL = 15.0
OUTAGE = TelemetryFailure("Unreachable", "Prometheus does not answer")


def spec(canary: str = "v2", service: str = "reviews", steps: Sequence[int] = (5, 50, 100)) -> ShiftSpec:
    """A shift from v1 that is judged by its success rate and does not wait for anything else."""
    return ShiftSpec(
        service=service,
        stable=Subset("v1"),
        canary=Subset(canary),
        steps=tuple(SetWeight(step) for step in steps),
        min_step=0.0,
        analysis=Analysis(
            JudgeSettings(interval=INTERVAL),
            (Indicator("success-rate", 1.0, SuccessRate()),),
            warmup=0.0,
            step_timeout=1800.0,
            on_inconclusive=OnInconclusive.HOLD,
            checks=(Check("availability", 100, SuccessRate(0.5)),),
        ),
    )


@dataclass
class Story:
    """One shift.  `now` is unix seconds; `weights` are the canary's in each route of the mesh, in percent."""

    journal: Journal
    key: Key = ("bookinfo", "reviews")
    spec: ShiftSpec = field(default_factory=spec)
    now: float = 1_800_000_000.0
    weights: list[int] = field(default_factory=lambda: [0])
    run: Run | None = None
    runs: int = 0

    @property
    def document(self) -> dict[str, Any]:
        """The TrafficShift as it is stored."""
        wire = {"service": self.spec.service, "stable": {"subset": "v1"}, "canary": {"subset": self.spec.canary.name}}
        metadata = {"namespace": self.key[0], "name": self.key[1]}
        return {"metadata": metadata, "spec": wire, "status": {"strategy": "canary"}}

    def tick(self, *, requests: float = 3000.0, failing: float = 0.0) -> Tick:
        """The window that ends now: the canary gets its part of the requests, and fails as often as said."""
        start = self.run.evidence.until if self.run and self.run.warmed else self.now - INTERVAL
        canary = requests * self.weights[0] / 100
        return Tick(start, self.now, Traffic(canary, canary * failing), Traffic(requests - canary, 0.0))

    def look(
        self,
        telemetry: Tick | TelemetryFailure | None = None,
        *,
        command: str | None = None,
        deleted: bool = False,
        service_exists: bool = True,
    ) -> Decision:
        """One pass, told to the journal."""
        warm = () if self.run is None or self.run.warmed else (self.tick(),)
        self.runs += 1
        observation = Observation(
            now=self.now,
            timing=Timing(settle=0.0, lag=0.0),
            spec=self.spec,
            spec_hash=f"{self.spec.service}/{self.spec.canary.name}",
            fresh_id=f"run{self.runs}",
            deleted_since=self.now if deleted else None,
            command=Command(command, "ada", "") if command else None,
            run=self.run,
            service_exists=service_exists,
            mesh=self._mesh(),
            endpoints=Endpoints(2, 2, self.now - 3600),
            telemetry=telemetry,
            warm=warm if telemetry is None else (),
        )
        decision = decide(observation)
        self.journal.decided(self.key, self.document, observation, decision)
        self.run = decision.run
        if decision.edits and decision.run:
            self.weights = [decision.run.desired for _ in self.weights]
        return decision

    def misread(self) -> Decision:
        """One pass that cannot understand the spec."""
        decision = invalid(Problem(Reason.INVALID_SPEC, "spec.service is missing"), self.run)
        self.journal.decided(self.key, self.document, None, decision)
        return decision

    def begin(self) -> Decision:
        """From nothing to a canary that has its first weight and was judged once."""
        for _ in range(8):
            if self.run and self.run.applied and self.run.desired:
                break
            self.look()
        return self.judge()

    def judge(self, *, requests: float = 3000.0, failing: float = 0.0) -> Decision:
        """Let an interval pass and judge it."""
        self.now += INTERVAL
        return self.look(self.tick(requests=requests, failing=failing))

    def go_on(self, **traffic: float) -> Decision:
        """Judge interval after interval until the shift has ended."""
        for _ in range(400):
            decision = self.judge(**traffic) if self.judged else self.look()
            self.now += 0.0 if self.judged else 1.0
            if decision.phase.ended:
                return decision
        raise AssertionError(f"still {decision.phase}: {decision.message}")

    @property
    def judged(self) -> bool:
        """Is telemetry read in the present state of the run?"""
        return self.run is not None and self.run.phase is Phase.PROGRESSING and self.run.applied

    def with_canary(self, canary: str) -> None:
        """A person changes the spec."""
        self.spec = replace(self.spec, canary=Subset(canary))

    def _mesh(self) -> MeshView:
        effective = self.run.spec if self.run else self.spec
        target = Target(effective.service, self.key[0], "v1", effective.canary.name)
        http = [
            {
                "name": f"r{place}",
                "match": [{"uri": {"prefix": f"/{place}"}}],
                "route": [
                    {"destination": {"host": target.service, "subset": target.stable}, "weight": 100 - weight},
                    {"destination": {"host": target.service, "subset": target.canary}, "weight": weight},
                ],
            }
            for place, weight in enumerate(self.weights)
        ]
        metadata = {"name": target.service, "namespace": self.key[0], "resourceVersion": "1"}
        routes = find_routes([{"metadata": metadata, "spec": {"hosts": [target.service], "http": http}}], target)
        rule = {"metadata": metadata, "spec": {"host": target.host, "subsets": []}}
        return MeshView(target, routes, rule, {"version": "v1"}, {"version": target.canary})
