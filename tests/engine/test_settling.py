"""The settle time follows what istiod measures, within bounds, and never falls below what was configured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from meshshift.core.telemetry import Series
from meshshift.engine.ports import QueryError, ServiceId
from meshshift.engine.settling import LONGEST, settle_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshshift.core.telemetry import Snapshot


class Prometheus:
    """Answers the one query."""

    def __init__(self, answer: tuple[Series, ...] | QueryError) -> None:
        self.answer = answer

    async def query(self, promql: str, at: float) -> tuple[Series, ...] | QueryError:
        assert "pilot_proxy_convergence_time_bucket" in promql
        return self.answer

    async def snapshots(self, services: Sequence[ServiceId], at: float) -> Mapping[ServiceId, Snapshot] | QueryError:
        raise NotImplementedError

    async def silence(self, service: ServiceId, at: float) -> str:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ((Series.of({}, 12.5),), 12.5),
        ((Series.of({}, 0.3),), 5.0),
        ((Series.of({}, math.nan),), 5.0),
        ((Series.of({}, math.inf),), LONGEST),
        ((), 5.0),
        (QueryError("Unreachable", "connection refused"), 5.0),
    ],
    ids=["measured", "quicker than configured", "no pushes", "beyond the last bucket", "no istiod", "no Prometheus"],
)
async def test_the_longer_of_measured_and_configured_is_waited_for(
    answer: tuple[Series, ...] | QueryError, seconds: float
) -> None:
    assert await settle_time(Prometheus(answer), 5.0, 1000.0) == seconds
