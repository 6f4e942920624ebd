"""What a person asked for, checked and in base units: seconds, fractions of one, whole percent for weights.

`meshshift.api` makes these from the wire models; nothing here knows how the user spelled it.  All of it is frozen for a
run: a run keeps the spec it was started with, and a changed spec starts a new run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from meshshift.core.mesh.documents import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshshift.core.checks import Check
    from meshshift.core.indicator import Indicator, JudgeSettings
    from meshshift.core.mesh.cohorts import Cohort
    from meshshift.core.mesh.routes import VirtualServiceSelector
    from meshshift.core.mesh.stickiness import Stickiness
    from meshshift.core.notices import SecretKey


@dataclass(frozen=True, slots=True)
class Subset:
    """A subset of the DestinationRule; `labels` allow it to be created when it is missing."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Give the canary `percent` (0..100) of the traffic."""

    percent: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Stay for `seconds`, or until a person says `promote` if None."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class SetHeaderRoute:
    """Give a cohort the canary whatever the weight; without alternatives, no longer."""

    cohort: Cohort


@dataclass(frozen=True, slots=True)
class SetMirror:
    """Copy `percent` (0..100) of the requests to the canary; their answers are thrown away."""

    percent: int


class OnFailure(StrEnum):
    """What a proven regression, or a gate that refuses, does."""

    ROLLBACK = "Rollback"
    PAUSE = "Pause"


@dataclass(frozen=True, slots=True)
class Gate:
    """Go on once an HTTP receiver says so.

    An attempt has `timeout` seconds; after a "wait", and after an attempt that failed, the next follows `interval`
    seconds later.  `retries` attempts in a row may fail before it counts as refused.  `on_failure` None is the shift's.
    """

    url: str
    timeout: float = 10.0
    interval: float = 15.0
    retries: int = 2
    on_failure: OnFailure | None = None
    bearer: SecretKey | None = None

    @property
    def host(self) -> str:
        """Host and port, by which people are told of it."""
        return re.split("[/?]", self.url.partition("://")[2], maxsplit=1)[0]


@dataclass(frozen=True, slots=True)
class Analyse:
    """Judge for `seconds`: it is left once nothing is suspicious and every check has passed, its own included.

    `checks` are queries that are asked during this step only; their names differ from those of the analysis.
    """

    seconds: float
    checks: tuple[Check, ...] = ()


Step = SetWeight | Pause | SetHeaderRoute | SetMirror | Gate | Analyse


class Strategy(StrEnum):
    """How the traffic moves; the words of `status.strategy`."""

    CANARY = "canary"
    ROLLING = "rolling"
    RED_BLACK = "redBlack"


class CreatePolicy(StrEnum):
    """May a missing VirtualService or DestinationRule be created?"""

    NEVER = "Never"
    IF_MISSING = "IfMissing"


class OnInconclusive(StrEnum):
    """What happens when a step's timeout passes without proof in either direction."""

    HOLD = "Hold"
    ROLLBACK = "Rollback"
    ADVANCE = "Advance"


class OnDelete(StrEnum):
    """What the deletion of the TrafficShift does to traffic that is under way."""

    RESTORE = "Restore"
    LEAVE = "Leave"


class OnDrift(StrEnum):
    """What happens when somebody else has written the weights of a run under way."""

    PAUSE = "Pause"
    ENFORCE = "Enforce"
    ADOPT = "Adopt"


class Method(StrEnum):
    """By what the canary is judged: evidence against stable, or objectives and a count of failures."""

    SEQUENTIAL = "Sequential"
    THRESHOLD = "Threshold"


@dataclass(frozen=True, slots=True)
class Analysis:
    """How the canary is judged; durations in seconds.

    `indicators` are compared with stable; with method Threshold only to be shown.  `checks` are held against bounds:
    queries, and with method Threshold every indicator.
    """

    judge: JudgeSettings
    indicators: tuple[Indicator, ...]
    warmup: float
    step_timeout: float
    on_inconclusive: OnInconclusive
    method: Method = Method.SEQUENTIAL
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Scale:
    """Whose replicas follow the weights: the Deployments of the two subsets, by name.

    The canary has `least` replicas before it gets any request.  `down_delay` seconds after the end, the version that
    lost the traffic is scaled down: after a success to `keep` replicas.
    """

    canary: str
    stable: str
    down_delay: float = 600.0
    least: int = 1
    keep: int = 0


@dataclass(frozen=True, slots=True)
class ShiftSpec:
    """One shift of one Service from its stable to its canary subset.

    `steps` is complete and ends with SetWeight(100); `min_step` is the least time, in seconds, a weight is held before
    the next is taken.  `baseline` are fresh pods of the stable version, with which the canary is compared.
    """

    service: str
    stable: Subset
    canary: Subset
    steps: tuple[Step, ...]
    min_step: float
    analysis: Analysis
    strategy: Strategy = Strategy.CANARY
    virtual_services: tuple[VirtualServiceSelector, ...] = ()
    destination_rule: str | None = None
    create: CreatePolicy = CreatePolicy.NEVER
    on_failure: OnFailure = OnFailure.ROLLBACK
    on_drift: OnDrift = OnDrift.PAUSE
    on_delete: OnDelete = OnDelete.RESTORE
    paused: bool = False
    group: str | None = None
    stickiness: Stickiness | None = None
    baseline: Subset | None = None
    scale: Scale | None = None

    @property
    def control(self) -> Subset:
        """What the canary is compared with."""
        return self.baseline or self.stable

    @property
    def arms(self) -> tuple[tuple[str, Subset], ...]:
        """The subsets that this shift gives weight, each with its field in the spec."""
        beside = (("baseline", self.baseline),) if self.baseline else ()
        return ("stable", self.stable), ("canary", self.canary), *beside

    def target(self, namespace: str, cluster_domain: str) -> Target:
        """Whose traffic is shifted, for a shift that lives in `namespace`."""
        beside = self.baseline.name if self.baseline else None
        return Target(self.service, namespace, self.stable.name, self.canary.name, cluster_domain, beside)
