"""Somebody outside has a say: a gate says wait, wait, and yes; the next version is as good, but its gate says no."""

from __future__ import annotations

from meshshift.core.run import Phase
from meshshift.lab.demo.story import BY_ERRORS, RECEIVER, Act, Expectation, Scenario, Version


def strategy(answers: str) -> str:
    """Half of the traffic, and the gate before all of it; `answers` tells the lab's gate what to say."""
    return f"""\
canary:
  steps:
  - setWeight: 50
  - gate: {{url: "{RECEIVER}/gate?{answers}", interval: 3s}}
  minStepDuration: 3s"""


SCENARIO = Scenario(
    "gate",
    "a gate outside says wait, then yes; the next one says no, and a good version goes back",
    (
        Act(
            stable="v1",
            canary=Version("v2", "as good as v1"),
            promise="v2 is as good as v1. At 50% its gate says wait three times, then yes: it should be promoted",
            expected=Expectation(Phase.SUCCEEDED, "Promoted", waits=3),
            weights=(50,),
            analysis=BY_ERRORS,
            strategy=strategy("waits=3"),
        ),
        Act(
            stable="v2",
            canary=Version("v3", "as good as v2"),
            promise="v3 is as good as v2, but its gate says wait once, then no: it should be rolled back",
            expected=Expectation(Phase.ROLLED_BACK, "GateRefused", peak=50, waits=1),
            weights=(50,),
            analysis=BY_ERRORS,
            strategy=strategy("waits=1&answer=403"),
        ),
    ),
)
