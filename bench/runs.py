"""Many shifts at once: in two processes, politely, and with the same result whatever the number of processes."""

import os
import statistics
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from bench.oracle import oracle
from bench.rules import PRODUCT
from bench.shifts import HORIZON, RAMP, End, Outcome, Rule, simulate
from bench.worlds import World, generator

PROCESSES = 2
_NICE = 10
_CHUNK = 25

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Case:
    """Shifts of one kind: `runs` of them, told apart from all others by `name`.  Without a rule it is the oracle's."""

    name: str
    world: World
    runs: int
    rule: Rule | None = PRODUCT
    plan: tuple[float, ...] = RAMP
    lag: int = 0
    horizon: int = HORIZON


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of `runs` shifts.

    `promoted`, `rolled_back`: how many; `promotion`, `rollback`: median seconds until then; `requests`, `failed`: the
    canary's requests until the end of the shift and those that failed, means over all shifts.
    """

    runs: int
    promoted: int
    rolled_back: int
    promotion: float
    rollback: float
    requests: float
    failed: float

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> "Summary":
        """Count."""
        times = {end: [one.seconds for one in outcomes if one.end is end] for end in End}
        medians = {end: statistics.median(found) if found else 0.0 for end, found in times.items()}
        return cls(
            runs=len(outcomes),
            promoted=len(times[End.PROMOTED]),
            rolled_back=len(times[End.ROLLED_BACK]),
            promotion=medians[End.PROMOTED],
            rollback=medians[End.ROLLED_BACK],
            requests=statistics.fmean(one.requests for one in outcomes),
            failed=statistics.fmean(one.failed for one in outcomes),
        )


def run(cases: Sequence[Case], processes: int = PROCESSES) -> dict[str, Summary]:
    """Summaries by the cases' names.  Raises ValueError if a name is used twice: its shifts would be the same."""
    return {name: Summary.of(found) for name, found in outcomes(cases, processes).items()}


def outcomes(cases: Sequence[Case], processes: int = PROCESSES) -> dict[str, list[Outcome]]:
    """What became of every shift, by the cases' names."""
    names = [case.name for case in cases]
    if len(set(names)) < len(names):
        raise ValueError(f"cases are named {names}: give each a name of its own")
    chunks = [(case, start) for case in cases for start in range(0, case.runs, _CHUNK) if case.rule or start == 0]
    ended: dict[str, list[Outcome]] = {name: [] for name in names}
    for (case, _), found in zip(chunks, spread(_chunk, chunks, processes), strict=True):
        ended[case.name].extend(found)
    return ended


def spread(
    work: Callable[[tuple[Case, int]], Result], chunks: Sequence[tuple[Case, int]], processes: int
) -> Iterable[Result]:
    """`map` over processes that let others go first; in this process if there is to be only one."""
    if processes == 1:
        return [work(chunk) for chunk in chunks]
    with ProcessPoolExecutor(processes, initializer=os.nice, initargs=(_NICE,)) as pool:
        return list(pool.map(work, chunks))


def _chunk(chunk: tuple[Case, int]) -> list[Outcome]:
    case, start = chunk
    if case.rule is None:
        return oracle(case.world, case.plan, case.runs, case.name)
    repetitions = range(start, min(start + _CHUNK, case.runs))
    return [
        simulate(case.world, case.plan, case.rule, generator(case.name, place), lag=case.lag, horizon=case.horizon)
        for place in repetitions
    ]
