"""A Service opts in by annotations; from then on its owner deploys versions, and does nothing else."""

from __future__ import annotations

from meshshift.core.run import Phase
from meshshift.lab.demo.story import BY_ERRORS, Act, Expectation, OptIn, Scenario, Version

ANNOTATIONS = {"strategy": "canary", "policy": "quick", "steps": "20,50", "step-duration": "3s"}
WEIGHTS = (20, 50)
POLICY = f"{{analysis: {BY_ERRORS}}}"


def acts(news: str) -> tuple[Act, ...]:
    """Good, bad, and good again before the bad one is back; `news`: what little its owner does."""
    return (
        Act(
            stable="v1",
            canary=Version("v2", "as good as v1", replicas=2),
            promise=f"v2 is as good as v1, and nobody {news}: it should be promoted",
            expected=Expectation(Phase.SUCCEEDED, "Promoted"),
            weights=WEIGHTS,
        ),
        Act(
            stable="v2",
            canary=Version("v3", "10% of its answers are errors", error_rate=0.1, replicas=2),
            promise="v3 answers 10% of its requests with an error: it should be rolled back",
            expected=Expectation(Phase.ROLLING_BACK, "RegressionProven", peak=20),
            weights=WEIGHTS,
        ),
        Act(
            stable="v2",
            canary=Version("v4", "as good as v2", replicas=2),
            promise="v3 is still on its way back when v4 comes, which is good: it should be shifted in from v2",
            expected=Expectation(Phase.SUCCEEDED, "Promoted"),
            weights=WEIGHTS,
        ),
    )


SCENARIO = Scenario(
    "annotated",
    "a Service is annotated once; then versions are deployed: good, bad, and good again",
    acts("applies anything but its Deployment"),
    opt_in=OptIn(ANNOTATIONS, POLICY),
)
