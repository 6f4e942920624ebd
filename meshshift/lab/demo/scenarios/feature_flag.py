"""A feature flag as a header: users who have it meet the new version before it gets a share of everybody's traffic."""

from __future__ import annotations

from meshshift.core.run import Phase
from meshshift.lab.demo.story import BY_ERRORS, Act, Expectation, Scenario, Version
from meshshift.lab.load import Cohort

STRATEGY = """\
canary:
  steps:
  - setHeaderRoute: {name: search, match: [{headers: {x-feature-search: {exact: "on"}}}]}
  - analysis: {duration: 10s}
  - setWeight: 50
  minStepDuration: 3s"""
USERS = "users with the flag"

SCENARIO = Scenario(
    "feature-flag",
    "users with a feature flag in a header meet a new version before everyone else",
    (
        Act(
            stable="v1",
            canary=Version("v2", "as good as v1"),
            promise="v2 is as good as v1. A tenth of the requests carry x-feature-search: on; they alone meet v2 for "
            "10 s, then half of the others do, then all",
            expected=Expectation(Phase.SUCCEEDED, "Promoted", first=USERS),
            weights=(50,),
            analysis=BY_ERRORS,
            strategy=STRATEGY,
        ),
        Act(
            stable="v2",
            canary=Version("v3", "10% of its answers are errors", error_rate=0.1),
            promise="v3 answers 10% of its requests with an error: users with the flag meet it, and nobody else should",
            expected=Expectation(Phase.ROLLED_BACK, "RegressionProven", peak=0, first=USERS),
            weights=(50,),
            analysis=BY_ERRORS,
            strategy=STRATEGY,
        ),
    ),
    (Cohort("everyone else", share=0.9), Cohort(USERS, share=0.1, headers={"x-feature-search": "on"})),
)
