"""The product's judge and the rules of its peers, each as one shift sees it.

The product is the product: `meshshift.core.judge.Evidence` itself.  The peers' rules are written anew from what their
source and manuals say (fluxcd/flagger `pkg/controller/scheduler.go`, argoproj/argo-rollouts `analysis/analysis.go`,
spinnaker/kayenta `MannWhitneyClassifier.scala`); where a setting has no default, it is the one of their own examples.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import floor, nan, sqrt
from typing import Literal

import numpy as np

from bench.shifts import BEGIN, Judge, Verdict
from bench.worlds import INTERVAL, World
from meshshift.core.evidence import Counts
from meshshift.core.judge import Evidence, Indicator, JudgeSettings, SuccessRate
from meshshift.core.telemetry import Tick

DWELL = 60.0
"""Seconds on each weight at least: the product's default `minStepDuration`, and the pauses given to the peers."""

HALF_SHARE = JudgeSettings(false_rollback=0.005)
"""One indicator alone with half of the default allowance: exactly the bar of an indicator with share 1/2."""

FAILURES = (Indicator("success-rate", 1.0, SuccessRate()),)


@dataclass(frozen=True, slots=True)
class Product:
    """The product's judge; for `warmup` seconds only evidence of a catastrophe counts, `dwell` is `minStepDuration`."""

    name: str = "meshshift"
    settings: JudgeSettings = HALF_SHARE
    indicators: tuple[Indicator, ...] = FAILURES
    warmup: float = 0.0
    dwell: float = DWELL

    def begin(self, world: World, plan: Sequence[float]) -> Judge:
        """A fresh run."""
        return _Sequential(Evidence.begin(self.indicators, self.settings, at=0.0), BEGIN + self.warmup, self.dwell)


@dataclass(slots=True)
class _Sequential:
    evidence: Evidence
    warm_at: float
    dwell: float

    def warm(self, tick: Tick) -> None:
        self.evidence = self.evidence.warm(tick)

    def see(self, tick: Tick, weight: float, next_weight: float, held: float) -> Verdict:
        self.evidence = self.evidence.see(tick, warming_up=tick.end < self.warm_at)
        assessment = self.evidence.assess(weight, next_weight)
        if assessment.regression:
            return Verdict.ROLL_BACK
        return Verdict.ADVANCE if held >= self.dwell and assessment.allowed else Verdict.WAIT

    def skip_to(self, at: float) -> None:
        self.evidence = self.evidence.skip_to(at)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Is the canary's success rate of the last `window` windows at least `least`?  Asked every `every` windows.

    Failed checks are counted over the whole shift, and a check without traffic (0/0, which is not at least anything)
    is one.

    - Flagger: a check that passes advances, one that fails does not; with `limit` failed checks the *next* look rolls
      back.
    - Argo: the analysis runs beside the steps, which only wait; more than `limit` failed measurements abort at once.
    """

    name: str
    peer: Literal["flagger", "argo"]
    least: float
    limit: int
    every: int
    window: int = 4

    def begin(self, world: World, plan: Sequence[float]) -> Judge:
        """No check has failed yet."""
        return _Strikes(self, deque(maxlen=self.window))


@dataclass(slots=True)
class _Strikes:
    rule: Threshold
    recent: deque[Counts]
    looks: int = 0
    failed: int = 0

    def warm(self, tick: Tick) -> None:
        """These rules do not look at stable."""

    def see(self, tick: Tick, weight: float, next_weight: float, held: float) -> Verdict:
        self.recent.append(tick.canary.counts())
        self.looks += 1
        if self.looks % self.rule.every:
            return Verdict.WAIT
        flagger = self.rule.peer == "flagger"
        if flagger and self.failed >= self.rule.limit:
            return Verdict.ROLL_BACK
        total, bad = sum(one.total for one in self.recent), sum(one.bad for one in self.recent)
        passed = (1.0 - bad / total if total else nan) >= self.rule.least
        self.failed += not passed
        if flagger:
            return Verdict.ADVANCE if passed else Verdict.WAIT
        if self.failed > self.rule.limit:
            return Verdict.ROLL_BACK
        return Verdict.ADVANCE if held >= DWELL else Verdict.WAIT

    def skip_to(self, at: float) -> None:
        """These rules do not mind what weight the data was from."""


@dataclass(frozen=True, slots=True)
class MannWhitney:
    """Kayenta's test on the failure rates of the windows so far, asked once a minute, no strikes.

    "High" rolls back: the lower end of the 98 % confidence interval of the shift between the two samples is above a
    quarter of the shift itself (the Hodges-Lehmann estimate), which are the numbers of Kayenta's default judge.
    """

    name: str = "Mann-Whitney"
    every: int = 4
    z: float = 2.326

    def begin(self, world: World, plan: Sequence[float]) -> Judge:
        """No windows yet."""
        return _Ranks(self)


@dataclass(slots=True)
class _Ranks:
    rule: MannWhitney
    canary: list[float] = field(default_factory=list)
    stable: list[float] = field(default_factory=list)
    looks: int = 0

    def warm(self, tick: Tick) -> None:
        """Kayenta compares the same time only."""

    def see(self, tick: Tick, weight: float, next_weight: float, held: float) -> Verdict:
        if tick.canary.total and tick.stable.total:
            self.canary.append(tick.canary.counts().rate)
            self.stable.append(tick.stable.counts().rate)
        self.looks += 1
        if self.looks % self.rule.every:
            return Verdict.WAIT
        if self._high():
            return Verdict.ROLL_BACK
        return Verdict.ADVANCE if held >= DWELL else Verdict.WAIT

    def skip_to(self, at: float) -> None:
        """Each sample is a rate, whatever the weight."""

    def _high(self) -> bool:
        m = len(self.canary)
        place = floor(m * m / 2.0 - self.rule.z * sqrt(m * m * (2.0 * m + 1.0) / 12.0))
        if place < 1:
            return False
        shifts = np.sort(np.subtract.outer(self.canary, self.stable), axis=None)
        return bool(shifts[place - 1] > 0.25 * abs(np.median(shifts)))


PRODUCT = Product()

PEERS: tuple[Threshold | MannWhitney, ...] = (
    Threshold("Flagger, 15 s, 5 strikes", "flagger", 0.99, 5, every=1, window=1),
    Threshold("Flagger's example, 15 s, 10 strikes", "flagger", 0.99, 10, every=1),
    Threshold("Flagger's tutorial, 60 s, 5 strikes", "flagger", 0.99, 5, every=int(DWELL / INTERVAL)),
    Threshold("Flagger's defaults, 60 s, 1 strike", "flagger", 0.99, 1, every=int(DWELL / INTERVAL)),
    Threshold("Argo, ≥ 99 %, 60 s, failureLimit 3", "argo", 0.99, 3, every=int(DWELL / INTERVAL)),
    Threshold("Argo's manual, ≥ 95 %, 60 s, failureLimit 0", "argo", 0.95, 0, every=int(DWELL / INTERVAL)),
    MannWhitney(),
)
