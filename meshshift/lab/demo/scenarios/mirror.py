"""A bad version works on copies of real requests: nobody gets its answers, until it has a share of the traffic."""

from __future__ import annotations

from meshshift.core.run import Phase
from meshshift.lab.demo.story import Act, Expectation, Scenario, Version

STRATEGY = """\
canary:
  steps: [{setMirror: {percentage: 50}}, {pause: {duration: 10s}}, {setWeight: 10}, {setWeight: 50}]
  minStepDuration: 3s"""

SCENARIO = Scenario(
    "mirror",
    "a bad version works on copies of half of the requests, and nobody gets its answers",
    (
        Act(
            stable="v1",
            canary=Version("v2", "20% of its answers are errors", error_rate=0.2),
            promise="v2 answers 20% of its requests with an error. While it works on copies, for 10 s, nobody notices; "
            "with 10% of the traffic it should be rolled back",
            expected=Expectation(Phase.ROLLED_BACK, "RegressionProven", peak=10, copies=500),
            weights=(10, 50),
            strategy=STRATEGY,
        ),
    ),
)
