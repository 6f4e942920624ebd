"""Several indicators, one verdict: may the canary get more traffic, must it lose all of it, or is it too early to say?

Two promises hold for a whole run, however often it is looked at:

- a canary within tolerance of stable is rolled back with a chance of at most `false_rollback`: the indicators' alarms
  are e-processes, their weighted sum is one whatever their dependence, and Ville's inequality bounds the chance that
  it ever reaches 1/false_rollback;
- a canary beyond the harm budget throughout gets past it with a chance of at most `false_promotion`: each further
  weight asks for the one rung of the harm ladder that belongs to it, of every indicator.

For that, data may be counted once only, and what is left out must be decided before it is seen.  `Evidence` therefore
carries the instant up to which it has looked: a tick that is not later is ignored, and `skip_to` moves the instant
without looking.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, inf, log, log10

from meshshift.core.alarm import MOST_PER_TICK, RUNGS
from meshshift.core.baseline import HALF_LIFE
from meshshift.core.course import Course
from meshshift.core.evidence import Counts
from meshshift.core.indicator import Indicator, JudgeSettings, Latency, SuccessRate
from meshshift.core.note import explain
from meshshift.core.question import rung_margin
from meshshift.core.record import decode, encode
from meshshift.core.telemetry import Tick

__all__ = ["Assessment", "Evidence", "Finding", "Indicator", "JudgeSettings", "Latency", "SuccessRate"]

_TICKS_AT_RISK = 3.0
_LEAST_EVIDENCE = 1e-300
_LEAST_WEIGHT = 1e-6
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Finding:
    """What one indicator has to say, for a person to read.

    - `canary`, `stable`: requests of this run and the bad ones among them, as this indicator judges them (for a
      latency: at the boundary that speaks most strongly against the canary).
    - `worse`, `worse_bar`: log10 of the evidence for rolling back, and of what it takes for this indicator alone.
    - `proof`, `proof_bar`: log10 of the proof for the next weight, and of what it takes; `proof` is None when none is
      needed.
    - `calm`: no alarm under way and the objective, if any, not disproven.
    - `requests_needed`: expected further canary requests until the next weight is allowed, should the canary be as
      good as stable; 0 if this indicator allows it, inf if no number of requests is known to do it.
    - `dispersion`: failures come in clumps of about this size, and a clump counts as one.
    - `note`: what else one should know; may be empty.
    - `looks`: ticks until the next weight at the least, however many requests each brings, for one adds no more than a
      third of the proof; 0 if this indicator allows it.
    - `control`: what the canary is compared with, "stable" or "baseline"; `stable` counts that one's requests.
    """

    name: str
    canary: Counts
    stable: Counts
    worse: float
    worse_bar: float
    proof: float | None
    proof_bar: float
    calm: bool
    requests_needed: float
    dispersion: float
    note: str
    looks: int = 0
    control: str = "stable"


@dataclass(frozen=True, slots=True)
class Assessment:
    """The verdict: `regression` means roll back, `allowed` means the next weight may be taken as far as evidence goes.

    `overall_worse` is log10 of the combined evidence for rolling back; a regression is proven at log10(1 /
    false_rollback).  `culprit` names the indicator that contributed most to a regression.
    """

    findings: tuple[Finding, ...]
    regression: bool
    allowed: bool
    overall_worse: float
    culprit: str | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a run has learned: a frozen value, bounded in size, that survives JSON exactly.

    `until`: end of what was looked at, unix seconds; `warmed`: the same for the windows before the run; `rps`:
    requests per second just before the run, frozen when it begins; `canary_requests`, `stable_requests`: seen so far
    in this run; `judging`: whether a tick was judged; `several_proxies`: whether ever more than one proxy reported,
    so that clumps could be noticed.
    """

    settings: JudgeSettings
    courses: tuple[Course, ...]
    until: float
    warmed: float = 0.0
    rps: float = 0.0
    canary_requests: float = 0.0
    stable_requests: float = 0.0
    judging: bool = False
    several_proxies: bool = False

    @classmethod
    def begin(cls, indicators: Sequence[Indicator], settings: JudgeSettings, at: float) -> "Evidence":
        """A fresh run that has looked at nothing before `at` (unix seconds).

        Without indicators it only keeps the time.  Raises ValueError unless names are unique and the shares sum to 1.
        """
        names = [indicator.name for indicator in indicators]
        if len(set(names)) < len(names):
            raise ValueError(f"indicators are named {names}: give each a name of its own")
        shares = sum(indicator.share for indicator in indicators)
        if names and abs(shares - 1.0) > _ROUNDING:
            raise ValueError(
                f"the indicators' shares sum to {shares}: they are parts of one allowance, make them sum to 1"
            )
        return cls(settings, tuple(Course.begin(indicator) for indicator in indicators), until=at)

    def warm(self, tick: Tick) -> "Evidence":
        """Learn stable's rate and the traffic from a window before the run; windows in order, each counted once.

        Raises ValueError once judging has begun: margins and traffic are frozen then.
        """
        if tick.end <= self.warmed:
            return self
        if self.judging:
            raise ValueError(f"warm() with a window ending at {tick.end}, but judging has begun: pass it to see()")
        keep = 0.5 ** (tick.seconds / HALF_LIFE) if self.warmed else 0.0
        return replace(
            self,
            courses=tuple(course.warm(tick) for course in self.courses),
            until=max(self.until, tick.end),
            warmed=tick.end,
            rps=self.rps * keep + (1.0 - keep) * tick.answered / tick.seconds,
            several_proxies=self.several_proxies or tick.stable.halves is not None,
        )

    def see(self, tick: Tick, *, warming_up: bool = False) -> "Evidence":
        """Judge a tick, once: one that ends at or before `until` changes nothing.

        While the canary is `warming_up`, only evidence of a catastrophe counts.  Raises ValueError if the tick begins
        before `until` and ends after it: part of it would be counted twice.
        """
        if tick.end <= self.until:
            return self
        if tick.start < self.until:
            raise ValueError(
                f"the tick {tick.start}..{tick.end} overlaps what was seen until {self.until}: start it there"
            )
        return replace(
            self,
            courses=tuple(course.see(tick, self.settings, warming_up) for course in self.courses),
            until=tick.end,
            canary_requests=self.canary_requests + tick.canary.total,
            stable_requests=self.stable_requests + tick.stable.total,
            judging=True,
            several_proxies=self.several_proxies or tick.stable.halves is not None,
        )

    def skip_to(self, at: float) -> "Evidence":
        """Do not look at data up to `at`, as while a new weight spreads.

        Sound because it is decided before seeing any of it.
        """
        return replace(self, until=max(self.until, at))

    def to_json(self) -> dict[str, object]:
        """Plain dicts, lists, numbers and strings."""
        encoded: dict[str, object] = encode(self)
        return encoded

    @classmethod
    def from_json(cls, data: object) -> "Evidence":
        """The value that `to_json` wrote; raises ValueError naming the path of whatever does not belong."""
        return decode(cls, data)

    def assess(self, weight: float, next_weight: float | None, control: float | None = None) -> Assessment:
        """The verdict at the present canary weight about the next one, both fractions 0..1.

        `control` is the part of the traffic that the canary is compared with, None for all that it leaves; it only
        tells how long a proof takes.  With `next_weight` None nothing needs proof.  The first weight (from 0) is taken
        on faith: there can be no evidence yet.
        """
        rung = None if next_weight is None or weight <= 0.0 else self.rung(next_weight)
        parts = [course.indicator.share * course.evidence(self.settings) for course in self.courses]
        regression = sum(parts) * self.settings.false_rollback >= 1.0
        beside = (1.0 - weight if control is None else control) / max(weight, _LEAST_WEIGHT)
        findings = tuple(self._finding(course, rung, beside) for course in self.courses)
        proven = all(finding.proof is None or finding.proof >= finding.proof_bar for finding in findings)
        loudest = max(zip(parts, self.courses, strict=True), key=lambda pair: pair[0], default=None)
        return Assessment(
            findings=findings,
            regression=regression,
            allowed=not regression and proven and all(finding.calm for finding in findings),
            overall_worse=_log10(sum(parts)),
            culprit=loudest[1].indicator.name if regression and loudest else None,
        )

    def rung(self, weight: float) -> int | None:
        """The rung that the canary must prove before it gets `weight`, a fraction above 0.

        The loosest that keeps weight x excess within the budget; None if no canary at all could exceed it.
        """
        budget = self.settings.harm_budget
        if weight < 1.0 and self.rps > 0.0:
            budget = max(budget, self.settings.spare_requests / (_TICKS_AT_RISK * self.settings.interval * self.rps))
            if budget >= weight:
                return None
        most = budget * (1.0 + _ROUNDING)
        return max(
            (rung for rung in range(RUNGS) if rung_margin(self.settings, rung).absolute * weight <= most), default=0
        )

    def _finding(self, course: Course, rung: int | None, beside: float) -> Finding:
        calm, shown = course.calm(self.settings), course.loudest
        nothing = Counts(0.0, 0.0)
        return Finding(
            name=course.indicator.name,
            canary=shown.canary if shown else nothing,
            stable=shown.stable if shown else nothing,
            worse=_log10(course.evidence(self.settings)),
            worse_bar=log10(course.indicator.far(self.settings)),
            proof=None if rung is None else _log10(course.proof(rung)),
            proof_bar=-log10(self.settings.false_promotion),
            calm=calm,
            requests_needed=self._requests_needed(course, rung, beside) if calm else inf,
            dispersion=course.dispersion,
            note=explain(course, self.settings, self.several_proxies),
            looks=0 if rung is None else _looks(course.proof(rung), 1.0 / self.settings.false_promotion),
        )

    def _requests_needed(self, course: Course, rung: int | None, beside: float) -> float:
        return 0.0 if rung is None else course.requests_needed(rung, beside, self.settings)


def _looks(proof: float, bar: float) -> int:
    missing = log(bar / max(proof, _LEAST_EVIDENCE)) / log(bar)
    return max(0, ceil(missing / MOST_PER_TICK - _ROUNDING))


def _log10(evidence: float) -> float:
    return log10(max(evidence, _LEAST_EVIDENCE))
