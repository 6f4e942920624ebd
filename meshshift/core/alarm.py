"""Wealth that grows with evidence: the alarm ("worse than tolerated") and the proofs ("no worse than X").

Both start at 1 and, if their null is true, are expected to stay at or below 1 after every tick.  That is all Ville's
inequality needs to bound the chance that they *ever* reach a bar of 1/a by a.  Three things may be done to such
wealth without losing the promise, and everything below is one of them: move it between stakes, burn it, and bet it on
an e-value that was fixed before the data came.

- **Fresh starts.**  A third is held in reserve and flows into the stakes over about 15 minutes, so that a regression
  that begins late is not judged with stakes that a long good run has used up (Shin, Ramdas, Rinaldo 2023).
- **No single scrape decides.**  One tick may raise the alarm at most ``far ** (2/3)`` times.  What a terrible tick
  gains beyond that is burnt, and half of what it may keep is put by in the reserve: it is remembered for 15 minutes,
  and a second such tick decides.
- **Proofs stay current.**  A tick adds at most a third of the way, and the total is held under the square of the bar,
  so that an old proof does not outlive the canary becoming worse.

One exception is bounded instead of proved away: a reserve is never let below `LEAST_RESERVE`, or a run of many hours
would go blind. Topping it up gives away at most ``LEAST_RESERVE / RENEWAL`` per second: 0.3 % of the promise in 30
days (1 % becomes 1.003 %).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

STAKED = 2.0 / 3.0
"""Part of the wealth that is bet from the first tick; the rest is the reserve."""

RENEWAL = 900.0
"""Seconds: time constant with which the reserve becomes fresh starts."""

LEAST_RESERVE = 1e-6
"""See the module's last paragraph."""

PRIOR = tuple(16.0 / 31.0 / 2.0**k for k in range(5))
"""How the alarm's stakes are split over its alternatives, mildest first.

Mild regressions are the ones that cost time.
"""

EVEN = (1.0 / len(PRIOR),) * len(PRIOR)
"""The same for evidence that has to keep up with the alarm whatever the alternative: evenly."""

MOST_PER_TICK = 1.0 / 3.0
"""Part of the way to a proof, in logarithm, that one tick can bring at the most."""

RUNGS = 8
"""Proofs are kept against 1, 2, 4 … 128 times the harm budget."""

_MOST_ALARM = 1e12
_MOST_LOG = 60.0


@dataclass(frozen=True, slots=True)
class Alarm:
    """Evidence that the canary is beyond a margin: one stake for each alternative, and the reserve."""

    reserve: float = 1.0 - STAKED
    stakes: tuple[float, ...] = tuple(STAKED * part for part in PRIOR)

    def __post_init__(self) -> None:
        _require_stakes(self.stakes, len(PRIOR))

    @property
    def value(self) -> float:
        """The evidence E: at least 1/a with probability at most a, if the canary is within the margin throughout."""
        return self.reserve + sum(self.stakes)

    def update(
        self,
        logs: Sequence[float],
        seconds: float,
        far: float,
        *,
        most: float = _MOST_ALARM,
        prior: Sequence[float] = PRIOR,
    ) -> "Alarm":
        """Bet on one tick.

        `logs` are the log e-values of the alternatives (0 leaves a stake alone), `seconds` the tick's length, `far`
        the value at which this alarm would act on its own, `most` a ceiling on the wealth (the rest is burnt),
        `prior` how fresh stakes are split over the alternatives.
        """
        fresh, reserve = _renew(self.reserve, seconds)
        room = max(min(far ** (2.0 / 3.0) * self.value, most) - reserve, 0.0)
        stakes = [
            (stake + fresh * part) * exp(min(log_e, _MOST_LOG))
            for stake, part, log_e in zip(self.stakes, prior, logs, strict=True)
        ]
        total = sum(stakes)
        if total > room:
            stakes = [stake * room / total / 2.0 for stake in stakes]
            reserve += room / 2.0
        return Alarm(reserve, tuple(stakes))


@dataclass(frozen=True, slots=True)
class Proofs:
    """Evidence that the canary is within each rung of the harm ladder.

    The rungs share one reserve, which no data touches.
    """

    reserve: float = 1.0 - STAKED
    stakes: tuple[float, ...] = (STAKED,) * RUNGS

    def __post_init__(self) -> None:
        _require_stakes(self.stakes, RUNGS)

    def value(self, rung: int) -> float:
        """The evidence A_j: at least 1/b with probability at most b.

        If the canary is beyond this rung's margin throughout.
        """
        return self.reserve + self.stakes[rung]

    def update(self, logs: Sequence[float], seconds: float, false_promotion: float) -> "Proofs":
        """Bet on one tick: `logs` are the rungs' log e-values.

        Taking the smaller of an e-value and a constant keeps the promise.
        """
        fresh, reserve = _renew(self.reserve, seconds)
        step, top = log(1.0 / false_promotion) * MOST_PER_TICK, false_promotion**-2.0
        stakes = tuple(
            min((stake + fresh) * exp(min(log_e, step)), top) for stake, log_e in zip(self.stakes, logs, strict=True)
        )
        return Proofs(reserve, stakes)


def _require_stakes(stakes: tuple[float, ...], wanted: int) -> None:
    if len(stakes) != wanted:
        raise ValueError(f"stakes has {len(stakes)} items: expected {wanted}, start a new run")


def _renew(reserve: float, seconds: float) -> tuple[float, float]:
    """What a tick of this length takes out of the reserve for fresh starts, and what remains.

    Even a long tick leaves half.
    """
    fresh = reserve * min(0.5, seconds / RENEWAL)
    return fresh, max(reserve - fresh, LEAST_RESERVE)
