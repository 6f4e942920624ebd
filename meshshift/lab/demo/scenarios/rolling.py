"""Equal steps, one after the other: a good version goes all the way, a bad one not far."""

from __future__ import annotations

from meshshift.core.run import Phase
from meshshift.lab.demo.story import Act, Expectation, Scenario, Version

WEIGHTS = (25, 50, 75)
STRATEGY = "rolling: {by: 25, every: 4s}"

SCENARIO = Scenario(
    "rolling",
    "a rolling shift: equal steps without pauses, each of them earned",
    (
        Act(
            stable="v1",
            canary=Version("v2", "as good as v1", replicas=2),
            promise="v2 is as good as v1: it gets a quarter of the traffic more whenever that much is proven safe",
            expected=Expectation(Phase.SUCCEEDED, "Promoted"),
            weights=WEIGHTS,
            strategy=STRATEGY,
        ),
        Act(
            stable="v2",
            canary=Version("v3", "5% of its answers are errors", error_rate=0.05, replicas=2),
            promise="v3 answers 5% of its requests with an error: it should lose its quarter within seconds",
            expected=Expectation(Phase.ROLLED_BACK, "RegressionProven", peak=25),
            weights=WEIGHTS,
            strategy=STRATEGY,
        ),
    ),
)
