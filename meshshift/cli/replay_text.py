"""What a replay found, as text for people and as JSON for machines; instants are UTC."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshshift.api.durations import format_duration
from meshshift.cli.explain_text import evidence, plain
from meshshift.cli.layout import clock, page, time_of_day, wrapped
from meshshift.core.account import balance
from meshshift.core.run import Phase
from meshshift.core.words import duration, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshshift.cli.variants import Variant
    from meshshift.core.replay import Stretch
    from meshshift.core.telemetry import Arm, Arms
    from meshshift.engine.ports import ServiceId
    from meshshift.engine.replay import Period, Recording


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replay of one or several settings; `workloads` are those that telemetry names, if an arm was silent."""

    service: ServiceId
    arms: Arms
    period: Period
    tried: tuple[Variant, ...]
    recordings: tuple[Recording, ...]
    workloads: tuple[str, ...]


def render(found: Replayed) -> str:
    """All that was found; with several settings, their verdicts only."""
    first = found.recordings[0]
    alone = len(found.recordings) == 1
    return page(
        (
            _headline(found),
            _turns(first) if alone else (),
            _measured(first),
            _gaps(first),
            _evidence(first) if alone else (),
            _verdicts(found),
        )
    )


def verdict(recording: Recording, start: float) -> str:
    """One sentence: what the canary would have come to, when, and why."""
    run, at = recording.run, f"at {time_of_day(recording.until)}, {duration(recording.until - start)} after the start"
    if run is None or not recording.over:
        return f"undecided when the period ended {at}: {recording.message}"
    if run.hold is not None:
        return f"would have been held for a person {at}: {recording.message}"
    if run.phase is Phase.ROLLING_BACK:
        return f"would have been rolled back {at}: {recording.message}"
    return f"would have been promoted {at}: {recording.turns[-1].message}"


def allowed(recording: Recording) -> str:
    """When which weight would have been allowed: `5% at 14:02:00, 25% at 14:02:45`."""
    weights = {turn.weight: turn.at for turn in reversed(recording.turns) if turn.weight}
    return ", ".join(f"{weight}% at {time_of_day(weights[weight])}" for weight in sorted(weights)) or "none"


def as_json(found: Replayed) -> dict[str, Any]:
    """The same for machines; instants are unix seconds."""
    return {
        "namespace": found.service.namespace,
        "service": found.service.name,
        "period": {"start": found.period.start, "end": found.period.end},
        "arms": {
            name: {"workloads": sorted(arm.workloads), "revisions": sorted(arm.revisions)} for name, arm in _arms(found)
        },
        "workloadsSeen": list(found.workloads),
        "replays": [
            _recording_json(variant.label, recording, found.period.start)
            for variant, recording in zip(found.tried, found.recordings, strict=True)
        ],
    }


def _recording_json(label: str, recording: Recording, start: float) -> dict[str, Any]:
    run = recording.run
    together = balance(run) if run else None
    return {
        "settings": label,
        "verdict": verdict(recording, start),
        "phase": str(run.phase) if run else None,
        "decided": recording.over,
        "until": recording.until,
        "weight": run.desired if run else 0,
        "remarks": list(recording.remarks),
        "turns": [{**dataclasses.asdict(turn), "phase": str(turn.phase)} for turn in recording.turns],
        "measured": [{**dataclasses.asdict(each), "share": each.share} for each in recording.measured],
        "gaps": [dataclasses.asdict(gap) for gap in recording.gaps],
        "unreachedFailures": recording.unreached,
        "otherRequests": recording.other,
        "evidence": plain(dataclasses.asdict(together)) if together else None,
    }


def _headline(found: Replayed) -> Iterator[str]:
    spec, period, first = found.tried[0].spec, found.period, found.recordings[0]
    interval = format_duration(spec.analysis.judge.interval)
    yield (
        f"{found.service.namespace}/{found.service.name}: {spec.stable.name} to {spec.canary.name}, "
        f"replayed {clock(period.start)} to {clock(period.end)} UTC, a look every {interval}"
    )
    for name, arm in _arms(found):
        yield f"  {name}: {_recognised(arm)}"
    for remark in (*first.remarks, *_remarks(found)):
        yield from wrapped(f"! {remark}", "  ")


def _remarks(found: Replayed) -> Iterator[str]:
    """What of the data could not be used, and what to do about it."""
    first = found.recordings[0]
    for name, arm in _arms(found):
        if not sum(getattr(each, name) for each in first.measured):
            seen = ", ".join(found.workloads) or "none"
            yield (
                f"no request to the {name} arm ({_recognised(arm)}) was counted; workloads that answered: {seen}; name "
                f"the right one with --{name}-workload"
            )
    if first.other:
        yield f"{number(first.other)} requests went to workloads of neither arm: not counted"
    if first.unreached:
        how = (
            "counted by the weights that were recorded"
            if found.period.recorded
            else "the weights are not known: left out"
        )
        yield f"{number(first.unreached)} failed requests reached no workload: {how}"


def _turns(recording: Recording) -> Iterator[str]:
    yield "What would have been decided (UTC)"
    for turn in recording.turns:
        start = f"  {clock(turn.at)} {turn.weight:>3}%  "
        yield from wrapped(f"{turn.reason}: {turn.message}", start, " " * len(start))


def _measured(recording: Recording) -> Iterator[str]:
    yield "What the canary really got"
    if not recording.measured:
        yield "  nothing was measured"
    for each in recording.measured:
        yield f"  {clock(each.start)} to {time_of_day(each.end)}  {_share(each)}"


def _share(stretch: Stretch) -> str:
    if stretch.share is None:
        return "no requests"
    return f"{100 * stretch.share:.1f}% of {number(stretch.canary + stretch.stable)} requests"


def _gaps(recording: Recording) -> Iterator[str]:
    if recording.gaps:
        yield "Without data"
    for gap in recording.gaps:
        yield from wrapped(f"{clock(gap.start)} to {time_of_day(gap.end)}  {gap.reason}", "  ")


def _evidence(recording: Recording) -> list[str]:
    run = recording.run
    together = balance(run) if run else None
    return evidence(together, ended=recording.over) if together else []


def _verdicts(found: Replayed) -> Iterator[str]:
    start = found.period.start
    if len(found.recordings) == 1:
        yield from wrapped(f"Verdict: {verdict(found.recordings[0], start)}", "")
        return
    yield "Verdicts"
    for variant, recording in zip(found.tried, found.recordings, strict=True):
        yield f"  {variant.label}"
        yield from wrapped(verdict(recording, start), "    ")
        yield from wrapped(f"weights allowed: {allowed(recording)}", "    ")


def _arms(found: Replayed) -> tuple[tuple[str, Arm], ...]:
    beside = (("baseline", found.arms.baseline),) if found.arms.baseline else ()
    return ("canary", found.arms.canary), ("stable", found.arms.stable), *beside


def _recognised(arm: Arm) -> str:
    parts = [("workload", arm.workloads), ("revision", arm.revisions)]
    return "; ".join(f"{kind} {', '.join(sorted(names))}" for kind, names in parts if names)
