"""What one look costs, for the product and for its peers, in this process and in turns."""

import statistics
import time

from bench.evalue import tick_cost
from bench.report import table
from bench.rules import PEERS, PRODUCT
from bench.shifts import BEGIN, RAMP, Rule
from bench.worlds import INTERVAL, World, generator
from meshshift.core.telemetry import Tick

_LOOKS = 40
_TURNS = 25
_WORLD = World(100.0, 0.005, 0.005)


def costs() -> str:
    """Microseconds per look, median over the turns."""
    rng = generator("cost", 0)
    ticks = [_WORLD.tick(rng, BEGIN + place * INTERVAL, place, RAMP[1]) for place in range(_LOOKS)]
    rules: list[Rule] = [PRODUCT, *PEERS]
    turns = [[_microseconds(rule, ticks) for rule in rules] for _ in range(_TURNS)]
    rows = [[rule.name, f"{statistics.median(turn[place] for turn in turns):.1f}"] for place, rule in enumerate(rules)]
    rows.append([f"{PRODUCT.name}, success rate and latency (four questions)", f"{tick_cost():.1f}"])
    return table(["rule", "µs per look"], rows)


def _microseconds(rule: Rule, ticks: list[Tick]) -> float:
    judge = rule.begin(_WORLD, RAMP)
    judge.warm(_WORLD.tick(generator("cost", 1), 0.0, -1, 0.0))
    start = time.perf_counter()
    for tick in ticks:
        judge.see(tick, RAMP[1], RAMP[2], DWELLING)
    return (time.perf_counter() - start) / len(ticks) * 1e6


DWELLING = 0.0
"""Seconds on the weight: no rule advances."""
