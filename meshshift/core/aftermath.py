"""After all traffic has moved there is no stable traffic beside it: what is left is to compare with before.

At the flip, what stable's bad requests were until then becomes a number for each question the judge had asked.  From
there on the question is whether the new version fails more than tolerated on top of that number: the alarm of
`meshshift.core.alarm` with a margin that stands still (relative 0), so the promise is the same one, and it may be
looked at as often as one likes: a version that keeps to the margin is taken back with a chance of at most
`false_rollback`.

What is *not* had any more is the other arm in the same seconds: an incident that would have hit both versions alike, or
a rush hour, now speaks against the new one.  The number before is therefore taken at the upper end of what the requests
it was learned from allow (two standard deviations).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log10, sqrt
from typing import TYPE_CHECKING

from meshshift.core.alarm import Alarm
from meshshift.core.evidence import Counts, Margin, Rates, log_e_value
from meshshift.core.question import SPREAD, refused_rate, tolerated

if TYPE_CHECKING:
    from meshshift.core.baseline import Baseline
    from meshshift.core.indicator import Indicator, JudgeSettings
    from meshshift.core.judge import Evidence
    from meshshift.core.telemetry import Tick

_SIGMAS = 2.0
_WORST_RATE = 0.9
_CLEAR = 1.05
_NONE = Counts(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Watch:
    """One question after the flip.

    `share` is its part of the error allowance; `boundary` is in seconds, None for "failed"; `before` is the share of
    bad requests that stable had at the most; `dispersion` the size of clumps; `seen` what came since.
    """

    indicator: str
    share: float
    boundary: float | None
    before: float
    dispersion: float
    alarm: Alarm
    seen: Counts

    def see(self, tick: Tick, settings: JudgeSettings) -> Watch:
        """Bet on one tick."""
        counts = tick.canary.counts(self.boundary)
        margin = Margin(0.0, tolerated(settings).at(self.before))
        mildest, highest = refused_rate(settings, self.before), max(_WORST_RATE, _CLEAR * margin.absolute)
        logs = [
            log_e_value(counts, _NONE, Rates(min(mildest * factor, highest), self.before), margin) / self.dispersion
            for factor in SPREAD
        ]
        far = 1.0 / (settings.false_rollback * self.share)
        return replace(self, alarm=self.alarm.update(logs, tick.seconds, far), seen=self.seen + counts)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """All questions after the flip; empty while there is nothing to compare with."""

    watches: tuple[Watch, ...] = ()

    @classmethod
    def begin(cls, evidence: Evidence) -> Aftermath:
        """The questions that the judge asked so far, of whatever stable was known by."""
        watches = []
        for course in evidence.courses:
            asked = [question for question in course.questions if question.alarm and question.baseline.seen > 0.0]
            share = course.indicator.share / max(1, len(asked))
            watches += [_watch(course.indicator, share, each.boundary, each.baseline) for each in asked]
        return cls(tuple(watches))

    def afresh(self) -> Aftermath:
        """The same questions, with nothing seen yet."""
        return Aftermath(tuple(replace(watch, alarm=Alarm(), seen=_NONE) for watch in self.watches))

    def see(self, tick: Tick, settings: JudgeSettings) -> Aftermath:
        """Judge a tick; each counts once, which the caller sees to."""
        return Aftermath(tuple(watch.see(tick, settings) for watch in self.watches))

    @property
    def evidence(self) -> float:
        """Evidence for taking the traffic back: the mean of the alarms, by their shares; 1 where nothing is asked."""
        whole = sum(watch.share for watch in self.watches)
        return sum(watch.share * watch.alarm.value for watch in self.watches) / whole if whole else 1.0

    @property
    def worse(self) -> float:
        """The same as log10."""
        return log10(max(self.evidence, 1e-300))

    def is_proven(self, settings: JudgeSettings) -> bool:
        """Is it proven that the new version fails more than tolerated?"""
        return self.evidence * settings.false_rollback >= 1.0

    def is_calm(self, settings: JudgeSettings) -> bool:
        """Is there no such proof under way: less than a third of the way to it, in logarithm?"""
        return self.worse < -log10(settings.false_rollback) / 3.0

    @property
    def loudest(self) -> Watch | None:
        """The question that speaks most strongly against the new version."""
        return max(self.watches, key=lambda watch: watch.alarm.value, default=None)


def _watch(indicator: Indicator, share: float, boundary: float | None, baseline: Baseline) -> Watch:
    error = _SIGMAS * sqrt(baseline.rate * baseline.dispersion / max(baseline.seen, 1.0))
    before = min(baseline.rate + error, 1.0)
    return Watch(indicator.name, share, boundary, before, baseline.dispersion, Alarm(), _NONE)
