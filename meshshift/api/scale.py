"""Replica care as users write it: whose replicas follow the weights, and what becomes of the old version's."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictInt

from meshshift.api.durations import parse_duration
from meshshift.api.wire import Duration, ObjectName, Rule, WireModel
from meshshift.core.spec import Scale

MAX_REPLICAS = 1000
"""For the numbers that users write: enough for any subset, and a slip of a zero is refused."""


class ScaleModel(WireModel):
    """Bring the canary to the replicas its weight needs before it gets the weight; scale the old version down after."""

    canary: ObjectName = Field(
        description="Name of the Deployment behind the canary subset, in the namespace of this TrafficShift. It gets "
        "its weight's share of stable's replicas, rounded up, and never fewer than it has while the shift is under way."
    )
    stable: ObjectName = Field(
        description="Name of the Deployment behind the stable subset. It keeps its replicas until the shift has ended."
    )
    scale_down_delay: Duration = Field(
        "10m",
        description="Time after the end until the version that lost the traffic is scaled down: stable after a "
        "success, after a rollback the canary, to what it had before. It waits further while anything sends to it.",
    )
    min_replicas: Annotated[StrictInt, Field(ge=1, le=MAX_REPLICAS)] = Field(
        1, description="Replicas that the canary has at least before it gets any request, header routes included."
    )
    keep_replicas: Annotated[StrictInt, Field(ge=0, le=MAX_REPLICAS)] = Field(
        0, description="Replicas that stable keeps when it is scaled down after a success."
    )

    RULES = (
        Rule(
            "scale.canary and scale.stable must differ; name the Deployment of each subset",
            lambda scale: scale.canary != scale.stable,
            cel="self.canary != self.stable",
            at="canary",
            about=("canary", "stable"),
        ),
    )


def scale_of(model: ScaleModel) -> Scale:
    """Replica care in core's words."""
    return Scale(
        canary=model.canary,
        stable=model.stable,
        down_delay=parse_duration(model.scale_down_delay),
        least=model.min_replicas,
        keep=model.keep_replicas,
    )
