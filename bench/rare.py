"""How rare a false rollback of a canary like stable is, measured where counting shifts would take hours.

One in tens of thousands cannot be seen in thousands of shifts.  So the shifts are drawn with canaries that fail more,
at rates from 0.6 to 30 %, and every rollback counts with the weight that makes up for it: how likely its requests and
failures are with a canary like stable, over how likely they were in this mixture.  That is unbiased (importance
sampling with the balance heuristic: Veach, Guibas 1995), and the error is that of a mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum, log, log1p, sqrt

from bench.beside import EQUAL, STABLE
from bench.report import Size, table
from bench.rules import PRODUCT
from bench.runs import Case, outcomes
from bench.shifts import End, Outcome
from bench.worlds import World

_DRAWN = (0.006, 0.01, 0.02, 0.04, 0.08, 0.16, 0.3)
_BUSY = (10.0, 100.0, 1000.0)


@dataclass(frozen=True, slots=True)
class Rarity:
    """A chance, and the standard error of what was measured of it."""

    chance: float
    error: float

    @classmethod
    def of(cls, drawn: Sequence[Outcome], true: float, rates: Sequence[float]) -> "Rarity":
        """The chance of a rollback at the failure rate `true`, from shifts drawn equally often at each of `rates`."""
        weights = [_weight(one, true, rates) if one.end is End.ROLLED_BACK else 0.0 for one in drawn]
        mean = fsum(weights) / len(weights)
        variance = fsum((weight - mean) ** 2 for weight in weights) / (len(weights) - 1)
        return cls(mean, sqrt(variance / len(weights)))


def rare(size: Size, processes: int) -> str:
    """The table."""
    cases = {rps: [Case(_name(rate, rps), World(rps, STABLE, rate), size.runs) for rate in _DRAWN] for rps in _BUSY}
    found = outcomes([case for some in cases.values() for case in some], processes)
    rows = []
    for rps, some in cases.items():
        drawn = [one for case in some for one in found[case.name]]
        rows.append([f"{rps:.0f} rps", str(len(drawn)), *_cells(Rarity.of(drawn, STABLE, _DRAWN))])
    return table(["canary like stable", "shifts drawn", "rolled back", "give or take", "one shift in"], rows)


def _cells(found: Rarity) -> list[str]:
    often = f"{1.0 / found.chance:,.0f}" if found.chance else "—"
    return [f"{100.0 * found.chance:.2g} %", f"{100.0 * found.error:.1g} %", often]


def _name(rate: float, rps: float) -> str:
    return f"rare: {rate:g} in place of {EQUAL} at {rps:.0f} rps: {PRODUCT.name}"


def _weight(one: Outcome, true: float, rates: Sequence[float]) -> float:
    likely = [_log_likelihood(one, rate) for rate in rates]
    top = max(likely)
    mixture = top + log(fsum(exp(each - top) for each in likely) / len(rates))
    return exp(_log_likelihood(one, true) - mixture)


def _log_likelihood(one: Outcome, rate: float) -> float:
    return one.failed * log(rate) + (one.requests - one.failed) * log1p(-rate)
