"""A good version is promoted, and nobody notices."""

from __future__ import annotations

from meshshift.core.run import Phase
from meshshift.lab.demo.story import Act, Expectation, Scenario, Version

ACT = Act(
    stable="v1",
    canary=Version("v2", "as good as v1"),
    promise="v2 is as good as v1: it should be promoted",
    expected=Expectation(Phase.SUCCEEDED, "Promoted"),
)
SCENARIO = Scenario("good", "a good version is promoted", (ACT,))
