"""A version without errors but with a longer tail is rolled back: its 99th percentile is two and a half times v1's."""

from __future__ import annotations

from meshshift.core.run import Phase
from meshshift.lab.demo.story import Act, Expectation, Scenario, Version

SCENARIO = Scenario(
    "slow",
    "a version with a long tail of slow answers is rolled back",
    (
        Act(
            stable="v1",
            canary=Version("v2", "99th percentile 62 ms instead of 25 ms", latency_ms=8.0, latency_p99_ms=62.0),
            promise="v2 makes no more errors, but its slowest answers take 2.5 times as long: it should be rolled back",
            expected=Expectation(Phase.ROLLED_BACK, "RegressionProven", blames="latency", peak=25),
        ),
    ),
)
