"""The checks of a run: when they are due, what an observation adds to them, and where each of them stands.

An instant belongs to a weight once a whole interval has passed on it, and to the canary once its pods have warmed up:
before that, a query over `{{interval}}` would still count what happened before.  Nothing is asked while the canary is
to get no traffic, unless a step analyses what a cohort gets.  Instants lie on the grid that the evidence's windows end
on, so a tick reads both.

Two things make the count exact, whatever is interrupted: the state is persisted with the run before anything is done
about it, and an instant is counted once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from meshshift.core.checks import CheckState, Error, Query, Result, judge_answer, judge_tick, state_of
from meshshift.core.observation import TelemetryFailure
from meshshift.core.run import Phase
from meshshift.core.spec import Analyse
from meshshift.core.telemetry import NoData

if TYPE_CHECKING:
    from meshshift.core.checks import Check
    from meshshift.core.observation import Answer, Observation
    from meshshift.core.run import Run
    from meshshift.core.telemetry import Tick


class Standing(StrEnum):
    """What the latest instant of the present weight said."""

    UNCHECKED = "Unchecked"
    PASSED = "Passed"
    FAILED = "Failed"
    SILENT = "Silent"
    ERROR = "Error"


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """Where a check stands, for a person to read.

    `value` is the latest number, in `unit`; `lowest` and `highest` are its bounds.  `failures` of `limit` were counted
    in this run, `failed` is the value of the last of them.  `problem` says why there is no number, empty if there is.
    """

    name: str
    standing: Standing
    value: float | None
    lowest: float | None
    highest: float | None
    unit: str
    failures: int
    limit: int
    failed: float | None
    problem: str

    @property
    def spent(self) -> bool:
        """Has it failed as often as it may?"""
        return self.failures >= self.limit


def checks_of(run: Run) -> tuple[Check, ...]:
    """The checks of the whole run, and those of the step under way."""
    own = run.current.checks if isinstance(run.current, Analyse) else ()
    return (*run.spec.analysis.checks, *own)


def due_at(run: Run, ready_since: float | None, lag: float, now: float) -> float | None:
    """The instant (unix seconds) that queries are to be asked for now; None while there is none."""
    began = _began(run)
    if run.phase is not Phase.PROGRESSING or began is None:
        return None
    analysis = run.spec.analysis
    interval = analysis.judge.interval
    since = began + interval
    if ready_since is not None:
        since = max(since, ready_since + analysis.warmup)
    at = _latest(interval, lag, now)
    return at if at >= since else None


def due_checks(run: Run, at: float) -> tuple[Check, ...]:
    """The query checks that have not been answered for the instant `at`."""
    return tuple(
        check
        for check in checks_of(run)
        if isinstance(check.measure, Query) and state_of(run.checks, check.name).at < at
    )


def take_tick(run: Run, tick: Tick) -> tuple[CheckState, ...]:
    """The states after a window of traffic, for the checks that judge traffic."""
    return tuple(
        state
        if isinstance(check.measure, Query) or (run.desired == 0 and not isinstance(run.current, Analyse))
        else state.take(judge_tick(check.measure, tick), tick.end)
        for check, state in _pairs(run)
    )


def take_answers(run: Run | None, observation: Observation) -> Run | None:
    """The run after the answers to its queries."""
    answers = observation.answers
    if run is None or answers is None or run.phase is not Phase.PROGRESSING:
        return run
    results = {name: _result(run, name, answer) for name, answer in answers.by_check}
    states = tuple(
        state.take(results[check.name], answers.at) if check.name in results else state for check, state in _pairs(run)
    )
    return replace(run, checks=states)


def findings(run: Run, observation: Observation) -> tuple[CheckFinding, ...]:
    """Where every check stands, in the order of the spec."""
    answers = dict(observation.answers.by_check) if observation.answers else {}
    latest = _latest(run.spec.analysis.judge.interval, observation.timing.lag, observation.now)
    found = []
    for check, state in _pairs(run):
        result = _result(run, check.name, answers[check.name]) if check.name in answers else None
        if isinstance(result, Error):
            standing, problem = Standing.ERROR, result.reason
        else:
            standing, problem = _standing(run, state, latest), state.silence
        found.append(
            CheckFinding(
                check.name,
                standing,
                state.value,
                check.lowest,
                check.highest,
                check.unit,
                state.failures,
                check.failure_limit,
                state.failed,
                problem,
            )
        )
    return tuple(found)


def _pairs(run: Run) -> list[tuple[Check, CheckState]]:
    return [(check, state_of(run.checks, check.name)) for check in checks_of(run)]


def _began(run: Run) -> float | None:
    """Since when the canary has had the traffic that is checked; None while it is to get none."""
    if not isinstance(run.current, Analyse):
        return run.weight_since if run.desired else None
    if run.desired == 0:
        return run.step_since
    return None if run.weight_since is None else max(run.weight_since, run.step_since)


def _latest(interval: float, lag: float, now: float) -> float:
    """The newest instant of the grid whose data is complete."""
    return math.floor((now - lag) / interval) * interval


def _standing(run: Run, state: CheckState, latest: float) -> Standing:
    """An answer counts while it is of this weight and none newer can be had."""
    began = _began(run)
    if began is None or state.at <= began or state.at < latest:
        return Standing.UNCHECKED
    if state.silence:
        return Standing.SILENT
    return Standing.PASSED if state.passed else Standing.FAILED


def _result(run: Run, name: str, answer: Answer) -> Result:
    query = next(check.measure for check in checks_of(run) if check.name == name)
    if isinstance(answer, TelemetryFailure):
        return Error(answer.message)
    if isinstance(answer, NoData):
        return answer
    if not isinstance(query, Query):
        raise TypeError(f"{name} is not a query, but was answered as one")
    return judge_answer(query, answer)
