"""A receiver outside is told of each turn of a shift: here of a version that fails, and goes back."""

from __future__ import annotations

from meshshift.core.run import Phase
from meshshift.lab.demo.story import RECEIVER, Act, Expectation, Scenario, Version

SCENARIO = Scenario(
    "notifications",
    "a receiver outside is told of each turn of a shift that is rolled back",
    (
        Act(
            stable="v1",
            canary=Version("v2", "20% of its answers are errors", error_rate=0.2),
            promise="v2 answers 20% of its requests with an error: a receiver outside is told how it comes and goes",
            expected=Expectation(
                Phase.ROLLED_BACK,
                "RegressionProven",
                peak=5,
                told=("Started", "Advanced", "RollingBack", "RolledBack"),
            ),
            more=f"""\
notifications:
- transitions: [Started, Advanced, RollingBack, RolledBack, Succeeded]
  webhook: {{url: "{RECEIVER}/told"}}""",
        ),
    ),
)
