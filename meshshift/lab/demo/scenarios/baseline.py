"""Fresh pods are slow until their caches are filled: beside fresh pods of the stable version that is no regression."""

from __future__ import annotations

from meshshift.core.run import Phase
from meshshift.lab.demo.story import Act, Expectation, Scenario, Version

COLD = 200
WEIGHTS = (25, 50)
STRATEGY = f"""\
canary:
  steps: [{", ".join(f"{{setWeight: {weight}}}" for weight in WEIGHTS)}]
  minStepDuration: 4s"""

INDICATORS = "[{name: success-rate, successRate: {}}, {name: latency, latency: {threshold: 100ms}}]"
ANALYSIS = f"{{interval: 2s, warmup: 2s, harmBudget: 3, indicators: {INDICATORS}}}"

SCENARIO = Scenario(
    "baseline",
    "cold starts: compared with stable a canary loses its traffic, compared with a baseline it is judged fairly",
    (
        Act(
            stable="v1",
            canary=Version("v2", f"slow for its first {COLD} requests", cold_requests=COLD),
            promise="v2 is as good as v1 once it is warm, and compared with v1's warm pods it should lose its traffic",
            expected=Expectation(Phase.ROLLED_BACK, "RegressionProven", blames="latency", peak=25),
            weights=WEIGHTS,
            strategy=STRATEGY,
            analysis=ANALYSIS,
        ),
        Act(
            stable="v1",
            canary=Version("v3", f"slow for its first {COLD} requests", cold_requests=COLD),
            baseline=Version("v1-baseline", f"fresh pods of v1, as slow for their first {COLD}", cold_requests=COLD),
            promise="v3 is as cold, but compared with fresh pods of v1 that are as cold it should get all traffic",
            expected=Expectation(Phase.SUCCEEDED, "Promoted"),
            weights=WEIGHTS,
            strategy=STRATEGY,
            analysis=ANALYSIS,
        ),
    ),
)
