"""Red/black with a preview: testers meet the new version first, and a bad one never gets further than to them."""

from __future__ import annotations

from meshshift.core.run import Phase
from meshshift.lab.demo.story import Act, Expectation, Scenario, Version
from meshshift.lab.load import Cohort

STRATEGY = """\
redBlack:
  preview: {match: [{headers: {x-preview: {exact: "true"}}}]}
  prePromotion: {duration: 15s}
  postPromotion: {duration: 10s}"""

SCENARIO = Scenario(
    "preview",
    "red/black with a preview: testers meet a new version before everyone else, and a bad one nobody else meets",
    (
        Act(
            stable="v1",
            canary=Version("v2", "as good as v1", replicas=2),
            promise="v2 is as good as v1. A tenth of the requests carry x-preview: true; they meet v2 for 15 s, then "
            "all traffic does",
            expected=Expectation(Phase.SUCCEEDED, "Promoted", first="testers"),
            weights=(),
            strategy=STRATEGY,
        ),
        Act(
            stable="v2",
            canary=Version("v3", "10% of its answers are errors", error_rate=0.1),
            promise="v3 answers 10% of its requests with an error: testers meet it, and nobody else should",
            expected=Expectation(Phase.ROLLED_BACK, "RegressionProven", peak=0, first="testers"),
            weights=(),
            strategy=STRATEGY,
        ),
    ),
    (Cohort("everyone else", share=0.9), Cohort("testers", share=0.1, headers={"x-preview": "true"})),
)
