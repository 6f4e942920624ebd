"""A receiver outside is told of a good version's way, turn by turn, and of a bad one's end."""

from __future__ import annotations

from meshshift.core.run import Phase
from meshshift.lab.demo.story import RECEIVER, Act, Expectation, Scenario, Version

STRATEGY = """\
canary:
  steps: [{setWeight: 10}, {setWeight: 50}]
  minStepDuration: 3s"""
MORE = f"""\
notifications:
- transitions: [Started, Advanced, RollingBack, RolledBack, Succeeded]
  webhook: {{url: "{RECEIVER}/told"}}"""

SCENARIO = Scenario(
    "notifications",
    "a receiver outside is told of each turn of a good version and of a bad one",
    (
        Act(
            stable="v1",
            canary=Version("v2", "as good as v1"),
            promise="v2 is as good as v1: the receiver is told of each step to its promotion",
            expected=Expectation(
                Phase.SUCCEEDED, "Promoted", told=("Started", "Advanced", "Advanced", "Advanced", "Succeeded")
            ),
            weights=(10, 50),
            strategy=STRATEGY,
            more=MORE,
        ),
        Act(
            stable="v2",
            canary=Version("v3", "10% of its answers are errors", error_rate=0.1),
            promise="v3 answers 10% of its requests with an error: the receiver is told that it goes back",
            expected=Expectation(
                Phase.ROLLED_BACK,
                "RegressionProven",
                peak=10,
                told=("Started", "Advanced", "RollingBack", "RolledBack"),
            ),
            weights=(10, 50),
            strategy=STRATEGY,
            more=MORE,
        ),
    ),
)
