"""Reading recorded telemetry for a replay, just as the controller would have read it then.

Every look asks for the windows that the controller would have asked for at that instant, through the same port, and
differences them with the same arithmetic; `meshshift.core.replay` decides.  Several settings can be replayed at once:
windows that they share are asked for once by the port.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshshift.core.observation import TelemetryFailure
from meshshift.core.replay import Gap, Moment, Playback, Stretch, Turn, gaps, silenced, stretches, turns
from meshshift.core.telemetry import Tick
from meshshift.engine.observe import ask, read
from meshshift.engine.ports import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from meshshift.core.observation import Timing
    from meshshift.core.run import Run
    from meshshift.core.spec import ShiftSpec
    from meshshift.core.telemetry import Arms
    from meshshift.engine.ports import ServiceId, Telemetry


class TelemetryLost(RuntimeError):
    """Prometheus cannot be asked now; that says nothing about the recorded time."""


@dataclass(frozen=True, slots=True)
class Period:
    """The recorded time to replay, unix seconds.

    `ready_since`: when the canary's pods are taken to have become ready; `recorded`: the weights the mesh had, (since,
    percent), if they are known.
    """

    start: float
    end: float
    ready_since: float
    recorded: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """What a replay found.

    `message`: the last decision's; `remarks`: what was left out because nobody speaks for a person; `measured`: the
    weights that were really there; `unreached`: failed requests that reached neither arm; `other`: requests that
    reached workloads of neither arm.
    """

    run: Run | None
    over: bool
    message: str
    until: float
    remarks: tuple[str, ...]
    turns: tuple[Turn, ...]
    measured: tuple[Stretch, ...]
    gaps: tuple[Gap, ...]
    unreached: float
    other: float


async def replay(
    spec: ShiftSpec,
    service: ServiceId,
    arms: Arms,
    telemetry: Telemetry,
    timing: Timing,
    period: Period,
    progress: Callable[[float], None] = lambda at: None,
) -> Recording:
    """Play the spec through the period; `progress` is told the instant of each look.  Raises TelemetryLost."""
    free, remarks = silenced(spec)
    playback = Playback(free, service.namespace, timing, period.ready_since, period.start, period.recorded)
    moments: list[Moment] = []
    ticks: list[Tick] = []
    while not playback.over and playback.now <= period.end + timing.lag:
        progress(playback.now)
        at, run = playback.now, playback.run
        reading, warm = await read(run, service, arms, telemetry, timing, at)
        answers = await ask(run, playback.target, arms, period.ready_since, telemetry, timing, at)
        _insist([reading, *(answer for _, answer in (answers.by_check if answers else ()))])
        if isinstance(reading, Tick):
            ticks.append(reading)
        playback, decision = playback.look(reading, warm, answers)
        moments.append(Moment(at, reading, decision))
    return Recording(
        run=playback.run,
        over=playback.over,
        message=moments[-1].decision.message if moments else "nothing was looked at",
        until=moments[-1].at if moments else period.start,
        remarks=remarks,
        turns=turns(moments),
        measured=stretches(ticks),
        gaps=gaps(moments),
        unreached=sum(tick.unattributed.failed for tick in ticks),
        other=sum(tick.other.total for tick in ticks),
    )


def _insist(answers: Iterable[object]) -> None:
    """A query that Prometheus refuses says something about the query, as it would have then; silence now does not."""
    for answer in answers:
        if isinstance(answer, TelemetryFailure) and answer.reason != "QueryFailed":
            raise TelemetryLost(answer.message)


async def workloads(service: ServiceId, telemetry: Telemetry, period: Period) -> tuple[str, ...]:
    """The workloads that answered for the service in the period, as telemetry names them.  Raises TelemetryLost."""
    found: set[str] = set()
    for at in (period.start, (period.start + period.end) / 2, period.end):
        answer = await telemetry.snapshots((service,), at)
        if isinstance(answer, QueryError):
            raise TelemetryLost(answer.message)
        found |= {dict(series.labels).get("destination_workload", "") for series in answer[service].requests}
    return tuple(sorted(found - {"", "unknown"}))
