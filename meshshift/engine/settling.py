"""How long an edit of the mesh is given to reach every proxy.

There is no distribution status to ask for any more: istiod pushes without telling whom it has reached.  What it does
tell is how long proxies took lately (`pilot_proxy_convergence_time`, from a change until it was sent and taken, in
seconds; istio/istio `pilot/pkg/xds/monitoring.go`).  Its 99th percentile is waited for, and the configured settle time
at least: a mesh without istiod's metrics in Prometheus settles by that alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshshift.core.telemetry import Series
    from meshshift.engine.ports import QueryError, Telemetry

CONVERGENCE = "histogram_quantile(0.99, sum by (le) (rate(pilot_proxy_convergence_time_bucket[10m])))"
EVERY = 60.0
"""Seconds between two measurements."""
LONGEST = 60.0
"""Seconds that a measurement may ask for: beyond that a person has to look at istiod, and the edit goes on."""


async def settle_time(telemetry: Telemetry, least: float, at: float) -> float:
    """Seconds for one edit to settle: as measured in the ten minutes before unix time `at`, and at least `least`."""
    return max(least, min(LONGEST, _seconds(await telemetry.query(CONVERGENCE, at))))


def _seconds(answer: tuple[Series, ...] | QueryError) -> float:
    """0 if nothing was measured; a quantile beyond the last bucket is infinite, one of no pushes NaN."""
    values = [series.value for series in answer] if isinstance(answer, tuple) else []
    return max((value for value in values if not math.isnan(value)), default=0.0)
