"""Sticky sessions: people with browsers stay on the version first met, and leave it only when it is taken back."""

from __future__ import annotations

from meshshift.core.run import Phase
from meshshift.lab.demo.story import Act, Expectation, Scenario, Version
from meshshift.lab.load import Cohort

STICKINESS = "stickiness: {cookie: reviews-version, maxAge: 1h}"

SCENARIO = Scenario(
    "sticky",
    "sticky sessions: nobody changes version while a shift is under way",
    (
        Act(
            stable="v1",
            canary=Version("v2", "as good as v1"),
            promise="v2 is as good as v1, and every browser keeps the version that answered it first until v2 is "
            "promoted",
            expected=Expectation(Phase.SUCCEEDED, "Promoted", sticky=True),
            more=STICKINESS,
            timeout=240.0,
        ),
        Act(
            stable="v2",
            canary=Version("v3", "5% of its answers are errors", error_rate=0.05),
            promise="v3 answers 5% of its requests with an error: whoever met it is taken off it with its weight",
            expected=Expectation(Phase.ROLLED_BACK, "RegressionProven", peak=25, sticky=True),
            more=STICKINESS,
        ),
    ),
    (Cohort("browsers", browsers=300, visits=12),),
)
