"""One yes-or-no event ("failed", "failed or slower than 500 ms"), and everything a run has learned about it.

A question holds an alarm against stable, perhaps an alarm against an absolute objective, and the ladder of proofs.  A
latency threshold that is no histogram boundary needs two questions, one that may only roll back and one that may only
advance, so each part can be absent.

Three or four failures among a few dozen requests can raise the alarm, and once in some thousand shifts they come by
chance.  So a rollback also rests on evidence against a canary that is just like stable, with a bar `CAUTION` times as
high: a second promise, for the canary that deserves it most, at the price of about one more failure where there are
few.  Where there are many it costs nothing, because a canary beyond tolerance is all the further from stable.
"""

from dataclasses import dataclass, replace

from meshshift.core.alarm import EVEN, PRIOR, RUNGS, STAKED, Alarm, Proofs
from meshshift.core.baseline import Baseline
from meshshift.core.evidence import Counts, Margin, Rates, log_e_value
from meshshift.core.indicator import JudgeSettings
from meshshift.core.telemetry import Tick

SPREAD = tuple(3.0**k for k in range(len(PRIOR)))
"""The alarm's alternatives, as multiples of the mildest canary that would not be promoted."""

CATASTROPHE = 9.0
"""During warm-up only alternatives of at least this multiple are bet on."""

CAUTION = 30.0
"""How much more evidence a rollback takes against "no worse than stable" than against "within tolerance".

Where a canary within tolerance is rolled back with a chance of at most 1 %, one like stable is, by two indicators, with
a chance of at most 1 in 2800: 30 times less but for what suspicion alone may bring (docs/adr/0007).
"""

_WORST_RATE = 0.9
_CLEAR = 1.05
_ENOUGH = 1.1
_NO_REQUESTS = Counts(0.0, 0.0)
_NOTHING_LEARNED = Baseline()
_NO_WORSE = Margin(1.0, 0.0)
_EVENLY = Alarm(stakes=tuple(STAKED * part for part in EVEN))


@dataclass(frozen=True, slots=True)
class Question:
    """The state of one event.

    `boundary` is in seconds, None for "failed"; `canary` and `stable` are the totals of this run; `objective` is the
    alarm against an absolute objective, `unlike` the one against a canary no worse than stable.
    """

    boundary: float | None
    baseline: Baseline = _NOTHING_LEARNED
    alarm: Alarm | None = None
    objective: Alarm | None = None
    unlike: Alarm = _EVENLY
    proofs: Proofs | None = None
    canary: Counts = _NO_REQUESTS
    stable: Counts = _NO_REQUESTS

    @property
    def suspicion(self) -> float:
        """Evidence of being beyond tolerance *and* beyond the objective; shared failures blame neither."""
        relative = self.alarm.value if self.alarm else 1.0
        return min(relative, self.objective.value) if self.objective else relative

    def evidence(self, far: float) -> float:
        """Evidence for rolling back: beyond suspicion, no more than the canary is shown to be unlike stable.

        `far` is the evidence at which the indicator rolls back alone.  Never more than the suspicion, nor than
        suspicious(far) + unlike / CAUTION: both promises rest on that.
        """
        return min(self.suspicion, max(suspicious(far), self.unlike.value / CAUTION))

    def learn(self, tick: Tick) -> "Question":
        """Learn from stable without judging."""
        stable = tick.stable.counts(self.boundary)
        return replace(self, baseline=self.baseline.learn(stable, tick.stable.split(self.boundary), tick.seconds))

    def see(
        self, tick: Tick, settings: JudgeSettings, far: float, allowed_bad: float | None, warming_up: bool
    ) -> "Question":
        """Judge one tick with what was known before it, then learn from it.

        `far` is the evidence at which the indicator rolls back alone, `allowed_bad` is 1 - objective.  During warm-up
        a fresh canary may stumble: only bets on a catastrophe are placed and no proof is collected.  Not betting is
        always allowed, since it is decided before the tick is seen; so the promises hold unchanged.
        """
        canary, stable = tick.canary.counts(self.boundary), tick.stable.counts(self.boundary)
        least = CATASTROPHE if warming_up else 1.0
        rate, phi = self.baseline.rate, self.baseline.dispersion
        alarm, objective, unlike, proofs = self.alarm, self.objective, self.unlike, self.proofs
        informed = self.baseline.seen > 0.0
        if alarm and informed:
            margin = tolerated(settings)
            logs = _against(canary, stable, rate, margin, refused_rate(settings, rate), least, phi)
            alarm = alarm.update(logs, tick.seconds, far)
            logs = _against(canary, stable, rate, _NO_WORSE, refused_rate(settings, rate), least, phi)
            unlike = unlike.update(logs, tick.seconds, far * CAUTION, prior=EVEN)
        if objective and allowed_bad is not None:
            margin = Margin(0.0, allowed_bad)
            logs = _against(canary, stable, rate, margin, refused_rate(settings, allowed_bad), least, phi)
            # Little more than the bar is enough to decide; the rest would outlast an outage of both arms.
            objective = objective.update(logs, tick.seconds, far, most=_ENOUGH * far)
        if proofs and informed and not warming_up:
            same = Rates(rate, rate)
            rungs = [log_e_value(canary, stable, same, rung_margin(settings, rung)) / phi for rung in range(RUNGS)]
            proofs = proofs.update(rungs, tick.seconds, settings.false_promotion)
        judged = replace(
            self,
            alarm=alarm,
            objective=objective,
            unlike=unlike,
            proofs=proofs,
            canary=self.canary + canary,
            stable=self.stable + stable,
        )
        return judged.learn(tick)


def suspicious(far: float) -> float:
    """The evidence from which on a canary gets no more weight: a third of the way, in logarithm, to a rollback."""
    return float(far ** (1.0 / 3.0))


def tolerated(settings: JudgeSettings) -> Margin:
    """The alarm's margin: a canary within it is rolled back at most as often as promised."""
    return Margin(1.0 + settings.tolerance, settings.harm_budget / 10.0)


def rung_margin(settings: JudgeSettings, rung: int) -> Margin:
    """Rung j of the harm ladder: p_c = (1 + 2 tolerance) p_s + budget * 2**j."""
    return Margin(1.0 + 2.0 * settings.tolerance, settings.harm_budget * 2.0**rung)


def refused_rate(settings: JudgeSettings, reference: float) -> float:
    """The mildest canary that would be refused at full weight, beside a stable that fails at the `reference` rate."""
    return rung_margin(settings, 0).at(reference)


def _against(
    canary: Counts, stable: Counts, rate: float, margin: Margin, mildest: float, least: float, phi: float
) -> list[float]:
    """The alarm's log e-values: alternatives from the mildest up.

    Never above 90 % unless the margin itself is there.
    """
    highest = max(_WORST_RATE, _CLEAR * margin.at(rate))
    return [
        log_e_value(canary, stable, Rates(min(mildest * factor, highest), rate), margin) / phi
        if factor >= least
        else 0.0
        for factor in SPREAD
    ]
