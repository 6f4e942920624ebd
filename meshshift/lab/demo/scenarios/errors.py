"""A version that fails one request in twenty is rolled back before it gets more than a tenth of the traffic."""

from __future__ import annotations

from meshshift.core.run import Phase
from meshshift.lab.demo.story import Act, Expectation, Scenario, Version


def act(stable: str) -> Act:
    """The shift to the failing version, from the version that serves."""
    return Act(
        stable=stable,
        canary=Version("v3", "5% of its answers are errors", error_rate=0.05),
        promise="v3 answers 5% of its requests with an error: it should be rolled back",
        expected=Expectation(Phase.ROLLED_BACK, "RegressionProven", peak=10),
    )


SCENARIO = Scenario("errors", "a version with 5% errors is rolled back", (act("v1"),))
