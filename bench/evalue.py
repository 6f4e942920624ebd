"""What one e-value costs, beside the two-proportion z-test that a threshold judge would run: `python -m bench.evalue`.

Both are plain Python on the same counts in the same process, taken in turns, so their ratio means something even on a
busy machine.  The last line is a whole tick of a run with two indicators, as the controller ingests it.
"""

import random
import statistics
import time
from collections.abc import Callable
from math import erfc, sqrt

from meshshift.core.evidence import Counts, Margin, Rates, log_e_value
from meshshift.core.judge import Evidence, Indicator, JudgeSettings, Latency, SuccessRate
from meshshift.core.telemetry import Slow, Tick, Traffic

EVALUATIONS = 20_000
TURNS = 7


def z_test(canary: Counts, stable: Counts) -> float:
    """One-sided p-value for "the canary fails more", by the pooled normal approximation."""
    pooled = (canary.bad + stable.bad) / (canary.total + stable.total)
    spread = sqrt(pooled * (1.0 - pooled) * (1.0 / canary.total + 1.0 / stable.total))
    return 0.5 * erfc((canary.rate - stable.rate) / spread / sqrt(2.0)) if spread else 1.0


def microseconds(work: Callable[[], object], per: int) -> float:
    """Time of one of `per` units of work."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) / per * 1e6


def samples() -> list[tuple[Counts, Counts]]:
    """Counts as a busy service yields them."""
    rng = random.Random(1)
    return [
        (Counts(n, rng.randint(0, n // 20)), Counts(9 * n, rng.randint(1, n // 2)))
        for n in (rng.randint(20, 100_000) for _ in range(EVALUATIONS))
    ]


def tick_cost() -> float:
    """Microseconds to ingest one tick and assess it."""
    indicators = [Indicator("success-rate", 0.5, SuccessRate(0.99)), Indicator("latency", 0.5, Latency())]
    buckets = tuple(Slow(0.05 * 2**k, 100.0 / 2**k) for k in range(10))
    stable = Traffic(1350.0, 7.0, timed=1350.0, slow=buckets)
    canary = Traffic(150.0, 1.0, timed=150.0, slow=tuple(Slow(one.boundary, one.count / 9.0) for one in buckets))
    evidence = Evidence.begin(indicators, JudgeSettings(), 0.0).warm(Tick(0.0, 15.0, stable=stable))
    ticks = 1000

    def run() -> None:
        state = evidence
        for _ in range(ticks):
            state = state.see(Tick(state.until, state.until + 15.0, canary, stable))
            state.assess(0.1, 0.25)

    return microseconds(run, ticks)


def main() -> None:
    """Print the table."""
    found, margin, alternative = samples(), Margin(1.25, 0.0005), Rates(0.0125, 0.005)

    def e_values() -> None:
        for canary, stable in found:
            log_e_value(canary, stable, alternative, margin)

    def z_tests() -> None:
        for canary, stable in found:
            z_test(canary, stable)

    turns = [(microseconds(e_values, EVALUATIONS), microseconds(z_tests, EVALUATIONS)) for _ in range(TURNS)]
    e_value, baseline = (statistics.median(column) for column in zip(*turns, strict=True))
    print(f"e-value       {e_value:7.2f} µs/evaluation")
    print(f"z-test        {baseline:7.2f} µs/evaluation")
    print(f"ratio         {statistics.median(ours / theirs for ours, theirs in turns):7.2f}")
    print(f"tick, 2 ind.  {tick_cost():7.2f} µs/tick (seen and assessed)")


if __name__ == "__main__":
    main()
