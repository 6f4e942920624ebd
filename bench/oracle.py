"""A threshold rule that was told everything: the best that "roll back above x" can do in a given world.

For each world it learns the threshold, the window and the number of strikes from thousands of shifts of that very
world: of all combinations that roll back a canary on the margin of what is tolerated in at most 1 % of shifts (the
product's own promise), it takes the one with the fewest failed requests under the very regression it is then tested
on.  Nobody can tune a rule like this, for it needs to know the service's failure rate and the regression beforehand;
it shows how much of a difference is due to tuning.  It holds every weight for a minute and then advances.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.rules import DWELL
from bench.shifts import End, Outcome
from bench.worlds import INTERVAL, World, generator
from meshshift.core.judge import JudgeSettings

NAME = "threshold, tuned by an oracle"

_SETTINGS = JudgeSettings()
_WINDOWS = (1, 2, 3, 4, 6, 8, 12)
_STRIKES = (1, 2, 3, 5)

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Shifts:
    """Canary requests and failures of many shifts that nobody stopped, one row each."""

    requests: Matrix
    failed: Matrix

    @classmethod
    def draw(cls, world: World, canary: float, plan: Sequence[float], runs: int, rng: np.random.Generator) -> "_Shifts":
        weights = np.repeat(np.array(plan[:-1]), int(DWELL / INTERVAL))
        requests = rng.poisson(world.rps * INTERVAL * weights, size=(runs, len(weights)))
        return cls(requests.astype(float), rng.binomial(requests, canary).astype(float))

    def peaks(self, window: int, strikes: int) -> Matrix:
        """Per window of time, the rate that each of the last `strikes` looks was at or above."""
        total, bad = _recent(self.requests, window), _recent(self.failed, window)
        rates = np.divide(bad, total, out=np.zeros_like(bad), where=total > 0.0)
        padded = np.pad(rates, ((0, 0), (strikes - 1, 0)))
        peaks: Matrix = np.min([padded[:, k : k + rates.shape[1]] for k in range(strikes)], axis=0)
        return peaks

    def outcomes(self, window: int, strikes: int, threshold: float) -> list[Outcome]:
        """What became of these shifts under a rule."""
        beyond = self.peaks(window, strikes) > threshold
        caught, width = np.asarray(beyond.any(axis=1)), beyond.shape[1]
        last = np.where(caught, beyond.argmax(axis=1), width - 1)
        rows = np.arange(len(last))
        requests, failed = self.requests.cumsum(axis=1)[rows, last], self.failed.cumsum(axis=1)[rows, last]
        return [
            Outcome(End.ROLLED_BACK if back else End.PROMOTED, float(place + 1) * INTERVAL, float(total), float(bad))
            for back, place, total, bad in zip(caught, last, requests, failed, strict=True)
        ]


def oracle(world: World, plan: Sequence[float], runs: int, name: str) -> list[Outcome]:
    """Tune on one set of shifts, and say what becomes of another.  Only for worlds whose rates do not change."""
    rng = generator(name, 0)
    margin = (1.0 + _SETTINGS.tolerance) * world.stable + _SETTINGS.harm_budget / 10.0
    good = _Shifts.draw(world, margin, plan, 4 * runs, rng)
    bad = _Shifts.draw(world, max(world.canary, margin), plan, runs, rng)
    best = min(
        ((w, k, _quantile(good.peaks(w, k))) for w in _WINDOWS for k in _STRIKES), key=lambda one: _cost(bad, one)
    )
    return _Shifts.draw(world, world.canary, plan, runs, rng).outcomes(*best)


def _cost(bad: _Shifts, rule: tuple[int, int, float]) -> tuple[float, float]:
    """Shifts that a rule lets pass, then requests that fail before the rollback."""
    outcomes = bad.outcomes(*rule)
    missed = sum(one.end is End.PROMOTED for one in outcomes)
    return missed / len(outcomes), sum(one.failed for one in outcomes)


def _quantile(peaks: Matrix) -> float:
    """The least threshold that at most 1 % of the good shifts exceed."""
    return float(np.quantile(peaks.max(axis=1), 1.0 - _SETTINGS.false_rollback, method="higher"))


def _recent(counts: Matrix, window: int) -> Matrix:
    """Sums over the last `window` columns."""
    sums = counts.cumsum(axis=1)
    sums[:, window:] -= sums[:, :-window].copy() if window < sums.shape[1] else 0.0
    return sums
