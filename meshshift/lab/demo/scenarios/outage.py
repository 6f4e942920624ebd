"""Telemetry goes away in the middle of a shift to a good version: the shift holds, says so, and goes on afterwards.

"No data" is neither "all is well" nor "it fails": moving on would be blind, and rolling back would blame the canary for
the monitoring.  Prometheus is frozen rather than stopped: it accepts connections and never answers.
"""

from __future__ import annotations

from meshshift.core.run import Phase
from meshshift.lab.demo.story import Act, Expectation, Outage, Scenario, Version

SCENARIO = Scenario(
    "outage",
    "Prometheus goes away in the middle of a shift",
    (
        Act(
            stable="v1",
            canary=Version("v2", "as good as v1"),
            promise="v2 is good, but at 10% Prometheus stops answering for 25 s: hold, then go on",
            expected=Expectation(
                Phase.SUCCEEDED,
                "Promoted",
                held=20.0,
                said=frozenset({"TelemetryUnavailable", "TelemetryStale"}),
            ),
            outage=Outage(at_weight=10, seconds=25.0),
            timeout=180.0,
        ),
    ),
)
