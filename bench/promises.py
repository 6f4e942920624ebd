"""The two promises at their very edge.

Everything here holds the canary at 10 % of the traffic.  A canary *on the margin* of what is tolerated is the worst
one that must not be rolled back, a canary *on the budget* the mildest that must not be promoted.
"""

from dataclasses import replace
from math import inf

from bench.beside import STABLE
from bench.report import Section, Size, Summaries, percent, table
from bench.rules import HALF_SHARE, PRODUCT
from bench.runs import Case
from bench.worlds import Incident, World
from meshshift.core.evidence import Margin

WEIGHT = 0.1
_HOLD, _ALL = (WEIGHT, WEIGHT), (WEIGHT, 1.0)
_NEVER = replace(PRODUCT, dwell=inf)
_AT_ONCE = replace(PRODUCT, dwell=0.0)
_HOUR = 240
_BUSY = (10.0, 100.0, 1000.0)

TOLERATED = Margin(1.0 + HALF_SHARE.tolerance, HALF_SHARE.harm_budget / 10.0)
BUDGET = Margin(1.0 + 2.0 * HALF_SHARE.tolerance, HALF_SHARE.harm_budget)

CALM = "calm"
"""Requests that fail independently, at constant rates."""

_EDGES = {
    CALM: World(0.0, STABLE, STABLE),
    "shared incidents, 20 % for 2 min every 20 min": World(
        0.0, STABLE, STABLE, incidents=(Incident(6, 8, canary=TOLERATED.at(0.2), stable=0.2, every=80),)
    ),
    "clumps of 5": World(0.0, STABLE, STABLE, clump=5),
    "clumps of 20": World(0.0, STABLE, STABLE, clump=20),
}


def edge_name(edge: str, what: str, rps: float) -> str:
    """The case of one row; `edge` is "margin" or "budget"."""
    return f"{edge}, {what}, {rps:.0f} rps"


def edges(size: Size) -> Section:
    """Rollbacks on the margin within an hour, promotions on the budget within the same."""
    margin = [
        Case(
            edge_name("margin", what, rps),
            replace(world, rps=rps, canary=TOLERATED.at(STABLE)),
            _runs(size, what),
            _NEVER,
            _HOLD,
            horizon=_HOUR,
        )
        for what, world in _EDGES.items()
        for rps in _BUSY
    ]
    budget = [
        Case(
            edge_name("budget", what, rps),
            replace(world, rps=rps, canary=BUDGET.at(STABLE)),
            _runs(size, what),
            _AT_ONCE,
            _ALL,
            horizon=_HOUR,
        )
        for what, world in _EDGES.items()
        if not world.incidents
        for rps in _BUSY
    ]

    def render(found: Summaries) -> str:
        rows = [_row(case, found[case.name].rolled_back, "rolled back", "0.5 %") for case in margin]
        rows += [_row(case, found[case.name].promoted, "promoted", "5 %") for case in budget]
        return table(["canary on the", "wrongly", "of shifts", "share", "promise"], rows)

    return Section((*margin, *budget), render)


def _runs(size: Size, what: str) -> int:
    return size.promise if what == CALM else size.runs


def _row(case: Case, wrong: int, how: str, promise: str) -> list[str]:
    return [case.name, f"{how}: {wrong}", str(case.runs), percent(wrong, case.runs), promise]
