"""All traffic at once, twice: a good version stays, and one that fails is flipped back within seconds."""

from __future__ import annotations

from meshshift.core.run import Phase
from meshshift.lab.demo.story import Act, Expectation, Scenario, Version

STRATEGY = """\
redBlack:
  postPromotion: {duration: 20s}"""

SCENARIO = Scenario(
    "red-black",
    "red/black: a good version keeps all traffic, a bad one gives it back at once",
    (
        Act(
            stable="v1",
            canary=Version("v2", "as good as v1", replicas=2),
            promise="v2 is as good as v1: it gets all traffic at once, is watched for 20 s, and keeps it",
            expected=Expectation(Phase.SUCCEEDED, "Promoted"),
            weights=(),
            strategy=STRATEGY,
        ),
        Act(
            stable="v2",
            canary=Version("v3", "5% of its answers are errors", error_rate=0.05, replicas=2),
            promise="v3 answers 5% of its requests with an error: it gets all traffic and should lose it again",
            expected=Expectation(Phase.ROLLED_BACK, "WorseThanBefore"),
            weights=(),
            strategy=STRATEGY,
        ),
    ),
)
