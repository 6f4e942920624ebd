"""What was seen of one shift: its statuses in order, and what can be read off them.

The verdict on a scenario is passed on this record alone, so it can be tested without a mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshshift.api.status import StatusModel
from meshshift.core.run import Phase
from meshshift.lab.demo.tally import NO_TRAFFIC, Traffic

if TYPE_CHECKING:
    from meshshift.lab.demo.story import Act
    from meshshift.lab.receiver import Asked

DECIDED = frozenset({Phase.PROMOTING, Phase.SUCCEEDED, Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.FAILED})


@dataclass(frozen=True, slots=True)
class Sight:
    """A status, and when it was seen: in seconds since the shift was applied."""

    at: float
    status: StatusModel


@dataclass(frozen=True, slots=True)
class Course:
    """One act as it went.

    `traffic`: while it was played, and `unweighted` only until the canary was meant to have weight.  `outage`: the
    stretch without telemetry, in seconds since the shift was applied.  `put_in`: routes and mirrors that the controller
    put into the VirtualService, and `left` those of them that were there at the end.  `asked`: what the gate was asked
    and said.  `told`: the turns that the receiver was told of, as notifications name them.  `copies`: requests that the
    canary took up before it was meant to have weight.  `undecided`: the traffic until the controller had made up its
    mind.  `waited`: seconds until the shift began by itself, after the version had been applied.
    """

    act: Act
    sights: tuple[Sight, ...] = ()
    traffic: Traffic = NO_TRAFFIC
    outage: tuple[float, float] | None = None
    unweighted: Traffic = NO_TRAFFIC
    put_in: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    asked: tuple[Asked, ...] = ()
    told: tuple[str, ...] = ()
    copies: int = 0
    undecided: Traffic = NO_TRAFFIC
    waited: float = 0.0

    @property
    def last(self) -> StatusModel:
        """The latest status; an empty one if the controller never wrote any."""
        return self.sights[-1].status if self.sights else StatusModel.from_wire(None)

    @property
    def ended(self) -> bool:
        """Whether the act is over."""
        return is_over(self.act, self.last)

    @property
    def decided_at(self) -> float | None:
        """When the controller had made up its mind, in seconds since the shift was applied."""
        return next((sight.at for sight in self.sights if sight.status.phase in DECIDED), None)

    @property
    def peak(self) -> int:
        """The most weight that the canary was meant to have, in percent."""
        return max((_weight(sight.status) for sight in self.sights), default=0)

    @property
    def held(self) -> float:
        """For how many seconds of the outage the weight stayed what it was when the outage began."""
        if self.outage is None:
            return 0.0
        start, end = self.outage
        before = [_weight(sight.status) for sight in self.sights if sight.at <= start]
        moved = (
            sight.at
            for sight in self.sights
            if start < sight.at <= end and before and _weight(sight.status) != before[-1]
        )
        return next(moved, end) - start

    def weights(self, start: float, end: float) -> frozenset[int]:
        """What the canary was meant to have between two instants, in percent; seconds since the shift was applied."""
        before = [_weight(sight.status) for sight in self.sights if sight.at <= start]
        within = (_weight(sight.status) for sight in self.sights if start < sight.at <= end)
        return frozenset([*before[-1:], *within])

    @property
    def said(self) -> frozenset[str]:
        """The reasons shown during the outage."""
        if self.outage is None:
            return frozenset()
        start, end = self.outage
        return frozenset(sight.status.reason or "" for sight in self.sights if start < sight.at <= end)


def is_over(act: Act, status: StatusModel) -> bool:
    """Whether nothing moves any more, or the shift has come as far as the act goes (`Expectation.phase`)."""
    return status.phase is not None and (status.phase.ended or status.phase is act.expected.phase)


def _weight(status: StatusModel) -> int:
    return status.weights.desired if status.weights else 0
