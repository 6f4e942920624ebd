"""What goes wrong and when, drawn from a seed: calls to the API, watches, Prometheus and its clock."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from meshshift.adapters.kube import DESTINATION_RULES, PODS, SERVICES, SHIFT_POLICIES, TRAFFIC_SHIFTS, VIRTUAL_SERVICES
from tests.engine.stories import Story, draw_story

WATCHED = (TRAFFIC_SHIFTS, VIRTUAL_SERVICES, DESTINATION_RULES, SERVICES, PODS, SHIFT_POLICIES)
RESOURCES = {each.kind: each for each in WATCHED}
CALLS = ("slow", "conflict", "throttled", "error", "timeout", "reset", "refused", "kill")
WATCHES = ("late", "silent", "gone")
PROMETHEUS = ("down", "slow", "empty", "nan", "partial", "lagging")
SKEWS = (0.0, 0.0, 0.0, -30.0, -5.0, -1.0, 1.0, 5.0, 30.0)


@dataclass(frozen=True, slots=True)
class Span:
    """Something is wrong from `start` to `end`, in seconds since the story began."""

    start: float
    end: float
    what: str
    strength: float = 0.0

    def holds(self, at: float) -> bool:
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class Schedule:
    """What goes wrong and when: `calls` with a chance for each call, `watches` by kind, `prometheus`, and its clock.

    `touches` are instants at which somebody annotates an object of a kind, which is nobody's fault.
    """

    seed: int
    story: Story
    calls: tuple[Span, ...]
    watches: Mapping[str, tuple[Span, ...]]
    prometheus: tuple[Span, ...]
    skew: float
    calm: float
    touches: tuple[tuple[float, str], ...] = ()


def undisturbed(story: Story) -> Schedule:
    """The story, and nothing that goes wrong."""
    return Schedule(0, story, (), dict.fromkeys(RESOURCES, ()), (), 0.0, max([*story.instants, 0.0]))


def draw(seed: int) -> Schedule:
    """The schedule of a seed."""
    rng = random.Random(seed)  # noqa: S311 - a test case, no secret
    story = draw_story(rng)
    until = rng.uniform(30.0, 240.0)
    calls = tuple(_span(rng, until, 5.0, 60.0, "calls", rng.choice((0.1, 0.3, 0.7))) for _ in range(rng.randint(0, 4)))
    watches = {
        kind: tuple(
            _span(rng, until, 2.0, 70.0, rng.choice(WATCHES), rng.uniform(1.0, 6.0))
            for _ in range(rng.choice((0, 0, 1, 2)))
        )
        for kind in RESOURCES
    }
    prometheus = tuple(
        _span(rng, until, 3.0, 80.0, rng.choice(PROMETHEUS), rng.uniform(1.0, 9.0)) for _ in range(rng.randint(0, 3))
    )
    skew = rng.choice(SKEWS)
    ends = [span.end for span in (*calls, *prometheus, *(each for spans in watches.values() for each in spans))]
    calm = max([*ends, *story.instants, 0.0])
    return Schedule(seed, story, calls, watches, prometheus, skew, calm, _touches(rng, until))


def _touches(rng: random.Random, until: float) -> tuple[tuple[float, str], ...]:
    kinds = ("VirtualService", "VirtualService", "DestinationRule", "TrafficShift")
    return tuple((rng.uniform(0.0, until), rng.choice(kinds)) for _ in range(rng.choice((0, 0, 4, 12))))


def _span(rng: random.Random, until: float, least: float, most: float, what: str, strength: float) -> Span:
    start = rng.uniform(0.0, until)
    return Span(start, min(start + rng.uniform(least, most), until + most), what, strength)
