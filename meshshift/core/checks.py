"""Checks: one number, held against a bound at every tick, with as many failures allowed as the user says.

Beside the evidence of `meshshift.core.judge` a check is a crude tool: it knows neither chance nor stable.  It is here
for what Istio's telemetry cannot say (a query of the user's own), and for those who want the rule they know from
elsewhere (method Threshold).  What it must not do is take silence for an answer.  A check ends in one of four ways:

- Pass or Fail: there was exactly one finite number, and it was within the bounds or not;
- NoData: nothing came back, or NaN or an infinity, which is what dividing by no requests gives;
- Error: Prometheus could not be asked or refused, or the answer is not one number.

NoData and Error are never failures and never passes: they hold.  Only a Fail counts towards the limit, and only a Pass
lets the shift advance.  `NaN > 0.2` is false in every language, so a comparison alone would let a canary without
requests pass: finiteness is asked first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meshshift.core.boundaries import around
from meshshift.core.indicator import Latency, SuccessRate
from meshshift.core.telemetry import NoData

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshshift.core.evidence import Counts
    from meshshift.core.telemetry import Series, Tick, Traffic

DEFAULT_FAILURE_LIMIT = 3
LONGEST_SILENCE = 160
"""Characters of a reason that are kept with a run."""

_SHOWN_SERIES = 3
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Query:
    """The one number that a PromQL template gives, and what it may be, bounds included.

    Raises ValueError unless there is a bound, they are finite, and in order.
    """

    promql: str
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.minimum, self.maximum) if bound is not None]
        if not bounds or not all(map(math.isfinite, bounds)) or bounds != sorted(bounds):
            raise ValueError(f"min is {self.minimum} and max {self.maximum}: give one of them, or both in order")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to be checked; the `failure_limit`-th failure of a run (1 or more) rolls it back.

    Raises ValueError for a limit below 1 and for a success rate or latency without an objective.
    """

    name: str
    failure_limit: int
    measure: Query | SuccessRate | Latency

    def __post_init__(self) -> None:
        if self.failure_limit < 1:
            raise ValueError(f"failure_limit of {self.name} is {self.failure_limit}: use 1 or more")
        if not isinstance(self.measure, Query) and self.measure.objective is None:
            raise ValueError(f"{self.name} has no objective: a check needs a bound")

    @property
    def lowest(self) -> float | None:
        """The least value that passes; for rates in percent of good requests."""
        if isinstance(self.measure, Query):
            return self.measure.minimum
        return round(100 * (self.measure.objective or 0.0), 9)

    @property
    def highest(self) -> float | None:
        """The greatest value that passes."""
        return self.measure.maximum if isinstance(self.measure, Query) else None

    @property
    def unit(self) -> str:
        """What stands behind the number."""
        return "" if isinstance(self.measure, Query) else "%"


@dataclass(frozen=True, slots=True)
class Pass:
    """The value is within its bounds."""

    value: float


@dataclass(frozen=True, slots=True)
class Fail:
    """The value is beyond `bound`."""

    value: float
    bound: float


@dataclass(frozen=True, slots=True)
class Error:
    """There is no one answer: nothing is known about the canary, only about the query or its source."""

    reason: str


Result = Pass | Fail | NoData | Error


def judge_answer(query: Query, answer: Sequence[Series]) -> Result:
    """What the instant vector that a query gave says."""
    if not answer:
        return NoData("no data: nothing matches at this instant; a range for rate() must span two scrapes or more")
    if len(answer) > 1:
        shown = ", ".join(_labels(series) for series in answer[:_SHOWN_SERIES])
        more = ", …" if len(answer) > _SHOWN_SERIES else ""
        return Error(f"the query gives {len(answer)} series ({shown}{more}), not one number: wrap it in sum() or max()")
    value = answer[0].value
    if not math.isfinite(value):
        return NoData(f"no data: the query gives {value}, as a division by no requests does")
    if query.maximum is not None and value > query.maximum:
        return Fail(value, query.maximum)
    if query.minimum is not None and value < query.minimum:
        return Fail(value, query.minimum)
    return Pass(value)


def judge_tick(measure: SuccessRate | Latency, tick: Tick) -> Result:
    """The canary's good requests in this window against the objective, in percent; stable does not matter."""
    allowed = 1.0 - (measure.objective or 0.0)
    if isinstance(measure, SuccessRate):
        counts = tick.canary.counts()
        if counts.total <= 0:
            return NoData(f"no data: no request to the canary in {tick.seconds:g} s")
        return _missed(counts, allowed) or Pass(_good(counts))
    return _judge_latency(measure.threshold or 0.0, allowed, tick)


def _judge_latency(threshold: float, allowed: float, tick: Tick) -> Result:
    """As for evidence: failing needs the boundary above the threshold, passing the one below, nothing is guessed."""
    traffic = tick.canary
    if traffic.timed <= 0:
        return NoData(f"no data: no request to the canary was timed in {tick.seconds:g} s")
    below, above = around(threshold, [slow.boundary for slow in traffic.slow])
    missed = None if above is None else _missed(traffic.counts(above), allowed)
    if missed:
        return missed
    if below is not None and _missed(traffic.counts(below), allowed) is None:
        return Pass(_good(traffic.counts(below)))
    return NoData(f"no data: {_undecided(traffic, below, above)}; set the threshold to a boundary of the histogram")


def _undecided(traffic: Traffic, below: float | None, above: float | None) -> str:
    known = [
        f"{_good(traffic.counts(boundary)):.4g}% are within {boundary:g} s"
        for boundary in (below, above)
        if boundary is not None
    ]
    return " and ".join(known) or "the histogram has no boundaries"


def _missed(counts: Counts, allowed: float) -> Fail | None:
    if counts.bad <= counts.total * allowed * (1.0 + _ROUNDING):
        return None
    return Fail(_good(counts), round(100 * (1.0 - allowed), 9))


def _good(counts: Counts) -> float:
    return round(100 * (1.0 - counts.rate), 9)


def _labels(series: Series) -> str:
    inside = ", ".join(f'{name}="{value}"' for name, value in series.labels)
    return f"{{{inside}}}"


@dataclass(frozen=True, slots=True)
class CheckState:
    """What a run remembers of one check: bounded, whatever the length of the run.

    `at` is the instant (unix seconds) of the latest answer, NoData included: an instant is counted once.  `value` is
    the latest number, `passed` whether the latest answer was a Pass, `silence` why it was none.  `failures` are those
    of the whole run, `failed` is the value of the last one.
    """

    name: str
    at: float = 0.0
    value: float | None = None
    passed: bool = False
    silence: str = ""
    failures: int = 0
    failed: float | None = None

    def take(self, result: Result, at: float) -> CheckState:
        """Count a result of the instant `at`, once; an Error leaves no trace, so the instant can be asked again."""
        if at <= self.at:
            return self
        match result:
            case Pass(value):
                return replace(self, at=at, value=value, passed=True, silence="")
            case Fail(value):
                failures = self.failures + 1
                return replace(self, at=at, value=value, passed=False, silence="", failures=failures, failed=value)
            case NoData(reason):
                return replace(self, at=at, passed=False, silence=reason[:LONGEST_SILENCE])
            case Error():
                return self

    def to_json(self) -> list[object]:
        """A plain list, in the order of the fields."""
        return [self.name, self.at, self.value, self.passed, self.silence, self.failures, self.failed]

    @classmethod
    def from_json(cls, data: object) -> CheckState:
        """The state that `to_json` wrote; raises ValueError for anything else."""
        match data:
            case [str(name), at, value, bool(passed), str(silence), failures, failed]:
                count = _number(failures)
                if count == int(count) >= 0:
                    return cls(name, _number(at), _maybe(value), passed, silence, int(count), _maybe(failed))
        raise ValueError(f"{data!r} is not the state of a check")


def _number(data: object) -> float:
    if isinstance(data, bool) or not isinstance(data, int | float) or not math.isfinite(data):
        raise ValueError(f"{data!r} in the state of a check: expected a finite number")
    return float(data)


def _maybe(data: object) -> float | None:
    return None if data is None else _number(data)


def state_of(states: Iterable[CheckState], name: str) -> CheckState:
    """The state of the check of that name; a fresh one if it was never asked."""
    return next((state for state in states if state.name == name), CheckState(name))
