"""How many requests a decision takes, beside the fewest that anyone could need.

Wald's bound: a test that is wrong with a chance of at most a needs, in the mean, at least ln(1/a) / D requests, where
D is the least Kullback-Leibler divergence between the world and any world of the null.  It counts the canary's
requests, with the nine times as many of stable that come with them at 10 % weight, and is worked out for 0/1 outcomes
exactly.  No rule can know it, for it presumes that the world is known and that one may decide after any request.
Only cells are shown in which the bound is worth several windows: elsewhere the length of a window decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log

from bench.promises import BUDGET, TOLERATED, WEIGHT
from bench.report import Section, Size, Summaries, amount, percent, table
from bench.rules import HALF_SHARE, PRODUCT
from bench.runs import Case
from bench.worlds import INTERVAL, World
from meshshift.core.evidence import Margin

LEAST_WINDOWS = 4.0
"""Windows that the bound must be worth."""

_MOST_WINDOWS = 1000.0
_BESIDE = 1.0 / WEIGHT - 1.0
_TRAFFIC = (10.0, 100.0, 1000.0)
_BASELINES = (0.001, 0.005, 0.01)
_NEVER = replace(PRODUCT, dwell=float("inf"))
_AT_ONCE = replace(PRODUCT, dwell=0.0)


def bound(canary: float, stable: float, margin: Margin, chance: float) -> float:
    """The fewest canary requests, in the mean, that prove the canary off the margin when it is."""
    low, high = 1e-9, min(1.0, (1.0 - margin.absolute) / margin.relative) - 1e-9
    while high - low > 1e-12:  # the divergence is convex along the margin
        one, other = low + (high - low) / 3.0, high - (high - low) / 3.0
        if _divergence(canary, stable, one, margin) < _divergence(canary, stable, other, margin):
            high = other
        else:
            low = one
    return log(1.0 / chance) / _divergence(canary, stable, low, margin)


@dataclass(frozen=True, slots=True)
class Decision:
    """A case that is to end in one way, and the fewest requests that can take it there.

    `promised`: whether it is good enough to be promoted or bad enough to be refused; the judge bets on nothing between.
    """

    case: Case
    least: float
    promotion: bool
    promised: bool

    def used(self, found: Summaries) -> float:
        """Canary requests used, over the bound."""
        return found[self.case.name].requests / self.least


def decisions(size: Size) -> list[Decision]:
    """Rollbacks of bad canaries, and the proof that a good one needs for all traffic."""
    return [
        decision
        for base in _BASELINES
        for rps in _TRAFFIC
        for decision in (*_rollbacks(size, base, rps), *_promotions(size, base, rps))
    ]


def wald(size: Size) -> Section:
    """The table."""
    decided = decisions(size)

    def render(found: Summaries) -> str:
        rows = [_row(decision, found) for decision in decided]
        return table(["decision", "bound", "used", "used/bound", "decided"], rows)

    return Section(tuple(decision.case for decision in decided), render)


def _rollbacks(size: Size, base: float, rps: float) -> Iterator[Decision]:
    for extra in sorted({base, 4.0 * base, 0.01, 0.05}):
        least = bound(base + extra, base, TOLERATED, HALF_SHARE.false_rollback)
        windows = least / (rps * WEIGHT * INTERVAL)
        if LEAST_WINDOWS <= windows <= _MOST_WINDOWS / 4.0:
            within = base + extra < BUDGET.at(base)
            name = f"rollback, stable {100 * base:g} %, canary {100 * (base + extra):.3g} %, {rps:.0f} rps"
            name += ", within the budget" if within else ""
            world, plan = World(rps, base, base + extra), (WEIGHT, WEIGHT)
            yield Decision(
                Case(name, world, size.runs, _NEVER, plan, horizon=int(_MOST_WINDOWS)), least, False, not within
            )


def _promotions(size: Size, base: float, rps: float) -> Iterator[Decision]:
    least = bound(base, base, BUDGET, HALF_SHARE.false_promotion)
    if least >= LEAST_WINDOWS * rps * WEIGHT * INTERVAL:
        name = f"promotion, stable and canary {100 * base:g} %, {rps:.0f} rps"
        yield Decision(Case(name, World(rps, base, base), size.runs, _AT_ONCE, (WEIGHT, 1.0)), least, True, True)


def _row(decision: Decision, found: Summaries) -> list[str]:
    summary, used = found[decision.case.name], decision.used(found)
    decided = summary.promoted if decision.promotion else summary.rolled_back
    text = [amount(decision.least), amount(summary.requests), f"{used:.2f}", percent(decided, summary.runs)]
    return [decision.case.name, *text]


def _divergence(canary: float, stable: float, x: float, margin: Margin) -> float:
    return _bernoulli(canary, margin.at(x)) + _BESIDE * _bernoulli(stable, x)


def _bernoulli(q: float, p: float) -> float:
    return q * log(q / p) + (1.0 - q) * log((1.0 - q) / (1.0 - p))
