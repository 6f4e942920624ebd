"""Three services in one release: one of them regresses, and all three are back at stable."""

from __future__ import annotations

from meshshift.core.run import Phase
from meshshift.lab.demo.story import Act, Expectation, Scenario, Version

GROUP = "june"
STRATEGY = """\
canary:
  steps: [{setWeight: 10}, {setWeight: 25}, {setWeight: 50}]
  minStepDuration: 4s"""
GOOD = Version("v2", "as good as v1")
PROMISE = (
    "reviews, details and ratings are released together. ratings v2 answers 10% of its requests with an error: all "
    "three should be rolled back"
)


def act(service: str, canary: Version, reason: str) -> Act:
    """The part of one service."""
    return Act(
        stable="v1",
        canary=canary,
        promise=PROMISE,
        expected=Expectation(Phase.ROLLED_BACK, reason, peak=25),
        weights=(10, 25, 50),
        strategy=STRATEGY,
        service=service,
        group=GROUP,
    )


SCENARIO = Scenario(
    "group",
    "three services are released together; one regresses, and all three are rolled back",
    (
        act("reviews", GOOD, "GroupRolledBack"),
        act("details", GOOD, "GroupRolledBack"),
        act("ratings", Version("v2", "10% of its answers are errors", error_rate=0.1), "RegressionProven"),
    ),
)
