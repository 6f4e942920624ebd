"""What the annotations of a Service ask for, checked; `meshshift.api.annotations` makes it from their text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Wish:
    """How a service's new versions are to be shifted in.

    `fields` are those of a TrafficShift's `spec` that the annotations decide (strategy, analysis, policyRef), in wire
    form.  `policy` is the name of a ShiftPolicy; with `plain`, its steps and durations count if its strategy is of the
    same kind.  `stable` names the version that serves, where that cannot be seen.  `hosts` and `gateways` are for a
    VirtualService that is created.  While `paused` nothing new is begun, and what is under way is held.
    `in_place`: the one Deployment behind the Service gets new pod templates, in place of new Deployments beside it.
    """

    fields: Mapping[str, Any]
    policy: str | None = None
    plain: bool = False
    stable: str | None = None
    hosts: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    paused: bool = False
    in_place: bool = False

    @property
    def strategy(self) -> str:
        """The kind of the strategy, as a spec calls it."""
        return next(iter(self.fields.get("strategy", {})), "")


@dataclass(frozen=True, slots=True)
class BadAnnotation:
    """An annotation that cannot be followed: its key, what it says, and what it may say."""

    key: str
    value: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.key}: {self.value}: {self.allowed}"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a Service says of itself: nothing (`wish` None and no `bad`), a wish, or what is wrong with it."""

    wish: Wish | None = None
    bad: tuple[BadAnnotation, ...] = field(default=())

    @property
    def enrolled(self) -> bool:
        """Has the service opted in, be it in words that cannot be followed?"""
        return self.wish is not None or bool(self.bad)
