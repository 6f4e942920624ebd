"""Seeded schedules of faults: everything that can go wrong between the engine and its world, at random instants.

A schedule is drawn from `random.Random(seed)`, so a seed is a test case that can be repeated:

    .venv/bin/python -m tests.engine.faults 4711

tells what happened in schedule 4711.  First the story is drawn (`tests.engine.stories`), then what goes wrong while it
is told, for up to four minutes of simulated time.  Then the world calms down, the story has to come to its end, and an
eyewitness's account is held against every invariant (`tests.engine.invariants`).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.engine.faults_schedule import Schedule, draw
from tests.engine.faults_world import Disturbed
from tests.engine.history import Write, percent
from tests.engine.invariants import INVARIANTS
from tests.engine.simulation import copied

CALM_WITHIN = 1500.0
"""Seconds after the last fault in which a story has to come to its end: two resyncs and the longest backoffs."""
AFTERWARDS = 20.0
"""Seconds for which an end has to last, and in which the last Events are told."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a schedule: its story, its end, and the broken promises by name."""

    seed: int
    story: str
    outcome: str
    broken: Mapping[str, Sequence[str]]


def play(schedule: Schedule, world: Disturbed | None = None) -> tuple[Disturbed, Result]:
    """Let a schedule run, in a world of its own if none is given, until its story has ended, and a little longer."""
    world = world or Disturbed(schedule)
    ends = schedule.story.ends
    broken: dict[str, Sequence[str]] = {}
    try:
        world.run(schedule.calm + 1)
        deadline, lasts = world.now + CALM_WITHIN, False
        while world.now < deadline and not lasts:
            world.run(deadline - world.now, until=lambda _: world.outcome in ends)
            world.run(AFTERWARDS)
            lasts = world.outcome in ends
    except AssertionError as bug:
        broken["no_look_ends_in_a_bug"] = [str(bug)]
    world.history.last = copied(world.mesh.peek("TrafficShift", "reviews"))
    broken |= {invariant.__name__: found for invariant in INVARIANTS if (found := invariant(world.history))}
    if world.outcome not in ends:
        end = f"{world.outcome}, not one of {sorted(ends)}: {world.status.get('message')}"
        broken["every_story_comes_to_its_end"] = [end]
    return world, Result(schedule.seed, schedule.story.name, world.outcome, broken)


def account(seed: int) -> Iterator[str]:
    """What happened in a schedule, line by line."""
    schedule = draw(seed)
    world, result = play(schedule)
    yield f"{schedule.story.name}: {result.outcome} after {world.elapsed:.0f} s, calm since {schedule.calm:.0f} s"
    yield f"  Prometheus' clock is {schedule.skew:+g} s off"
    for where, spans in (("API", schedule.calls), ("Prometheus", schedule.prometheus), *schedule.watches.items()):
        yield from (f"  {where}: {span.what} {span.start:.0f}-{span.end:.0f} s ({span.strength:.1f})" for span in spans)
    yield from (f"  {at - world.begun:6.0f} a person says {order}" for at, order in world.history.orders)
    yield from (f"  {write.at - world.begun:6.0f} {write.call} {_gist(write)}" for write in world.history.writes)
    for name, found in result.broken.items():
        yield f"  {name}:"
        yield from (f"    {sentence}" for sentence in found)


def _gist(write: Write) -> str:
    if write.call == "status":
        status = write.after["status"]
        return f"{status['phase']} {status['reason']} {status.get('weights')}"
    return f"{percent(write.after)}%" if write.call.endswith("VirtualService") else ""


def main() -> None:
    """Tell of every schedule named on the command line."""
    logging.disable(logging.CRITICAL)
    for seed in map(int, sys.argv[1:]):
        sys.stdout.writelines(f"{line}\n" for line in account(seed))


if __name__ == "__main__":
    main()
