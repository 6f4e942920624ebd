"""One shift, simulated: traffic flows at the present weight, the rule looks at each window, the weight follows.

A look happens when a window ends.  With `lag` it happens that many windows later, as it does where a scrape must be
complete before it is read; the window in flight when the weight changes is then not looked at, as in the product.
The first weight is taken on faith, and the time counts from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np

from bench.worlds import INTERVAL, World
from meshshift.core.telemetry import Tick
from meshshift.core.ticks import WARM_WINDOWS

RAMP = (0.05, 0.10, 0.25, 0.50, 1.0)
LINEAR = tuple(tenth / 10.0 for tenth in range(1, 11))
DOUBLING = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0)
PLANS = {"5/10/25/50/100": RAMP, "10/20/…/100": LINEAR, "1/2/4/…/64/100": DOUBLING}

BEGIN = WARM_WINDOWS * INTERVAL
"""The instant (seconds) at which the first weight is set; the windows before it are for learning about stable."""

HORIZON = 480
"""Windows after which a shift counts as undecided: two hours."""


class Verdict(Enum):
    """What a rule wants after a look."""

    WAIT = "wait"
    ADVANCE = "advance"
    ROLL_BACK = "roll back"


class Judge(Protocol):
    """A rule at work in one shift."""

    def warm(self, tick: Tick) -> None:
        """Take in a window from before the shift."""

    def see(self, tick: Tick, weight: float, next_weight: float, held: float) -> Verdict:
        """Look at a window, the present weight being held for so many seconds."""

    def skip_to(self, at: float) -> None:
        """The weight changed: what came before this instant is not looked at."""


class Rule(Protocol):
    """A way to judge."""

    @property
    def name(self) -> str:
        """As the tables call it."""

    def begin(self, world: World, plan: Sequence[float]) -> Judge:
        """Start a shift; only a rule that is told so may use what it could not know of the world."""


class End(Enum):
    """How a shift ends."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a shift ended, after how many seconds, with how many of the canary's requests, and how many failed."""

    end: End
    seconds: float
    requests: float
    failed: float


def simulate(
    world: World, plan: Sequence[float], rule: Rule, rng: np.random.Generator, *, lag: int = 0, horizon: int = HORIZON
) -> Outcome:
    """Run one shift to its end."""
    judge = rule.begin(world, plan)
    for place in range(WARM_WINDOWS):
        judge.warm(world.tick(rng, place * INTERVAL, -1, 0.0))
    step, since, requests, failed = 0, BEGIN, 0.0, 0.0
    unread: list[Tick] = []
    for place in range(horizon):
        tick = world.tick(rng, BEGIN + place * INTERVAL, place, plan[step])
        requests, failed = requests + tick.canary.total, failed + tick.canary.failed
        unread.append(tick)
        if len(unread) <= lag:
            continue
        verdict = judge.see(unread.pop(0), plan[step], plan[step + 1], tick.end - since)
        if verdict is Verdict.ROLL_BACK:
            return Outcome(End.ROLLED_BACK, tick.end - BEGIN, requests, failed)
        if verdict is Verdict.ADVANCE:
            step, since, unread = step + 1, tick.end, []
            judge.skip_to(tick.end)
            if step == len(plan) - 1:
                return Outcome(End.PROMOTED, tick.end - BEGIN, requests, failed)
    return Outcome(End.UNDECIDED, horizon * INTERVAL, requests, failed)
