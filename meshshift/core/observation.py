"""What one look at the world saw: everything a decision may depend on, the time included."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from meshshift.core.telemetry import BadData, NoData, Series, Tick

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshshift.core.gate_call import Reply
    from meshshift.core.group import Member
    from meshshift.core.mesh.documents import Patch, Problem, Target
    from meshshift.core.mesh.routes import FoundRoutes
    from meshshift.core.run import Run
    from meshshift.core.spec import ShiftSpec
    from meshshift.core.workloads import Workloads

Document = dict[str, Any]
COMMAND_ANNOTATION = "meshshift.io/command"
"""Where a person puts a command, on the TrafficShift; it is taken off once carried out."""


class CommandName(StrEnum):
    """A person's words to a shift."""

    PROMOTE = "promote"
    PROMOTE_FULL = "promote-full"
    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"
    RETRY = "retry"
    RESTART = "restart"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Command:
    """The command annotation as found: its literal text, who wrote it (the field manager) and when."""

    text: str
    by: str
    at: str

    @property
    def name(self) -> CommandName | None:
        """The command, or None if the text is none that exists."""
        return CommandName(self.text) if self.text in set(CommandName) else None


@dataclass(frozen=True, slots=True)
class MeshView:
    """What the documents that carry the service's traffic say.

    `routes` are those that send to the pair; `rule` is the DestinationRule that serves the host; the labels are
    those of the subsets as Istio acts on them, None for a subset that is not there.  `canary_users` and
    `baseline_users` are the places that send to the subset of that name, ours and others.  `writers` are the field
    managers, meshshift aside, that wrote the managed VirtualServices last; `owned` are the edits that give up the
    ownership of what meshshift wrote.
    `conflict` says whom Istio obeys instead of these routes or this rule, for some callers or for all: a reason not to
    go on, none not to go back.
    """

    target: Target
    routes: FoundRoutes | Problem
    rule: Document | Problem
    stable_labels: Mapping[str, str] | None
    canary_labels: Mapping[str, str] | None
    canary_users: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()
    owned: tuple[Patch, ...] = ()
    conflict: Problem | None = None
    baseline_labels: Mapping[str, str] | None = None
    baseline_users: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Pods behind the Service: how many of each subset are ready, and since when canary and baseline have had one."""

    stable_ready: int
    canary_ready: int
    canary_ready_since: float | None
    baseline_ready: int = 0
    baseline_ready_since: float | None = None

    @property
    def fresh_since(self) -> float | None:
        """Since when all that is compared while it is fresh has had a ready pod; None while there is none."""
        known = [since for since in (self.canary_ready_since, self.baseline_ready_since) if since is not None]
        return max(known, default=None)


@dataclass(frozen=True, slots=True)
class TelemetryFailure:
    """Prometheus could not be asked, or its answer could not be used; never taken for a verdict."""

    reason: str
    message: str


Reading = Tick | NoData | BadData | TelemetryFailure
"""What came of one window of counters."""

Answer = tuple[Series, ...] | NoData | TelemetryFailure
"""What came of one query: its vector, nothing to ask for, or why it could not be asked."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the queries of checks gave at one instant (`at`, unix seconds), by the name of the check."""

    at: float
    by_check: tuple[tuple[str, Answer], ...]


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations in seconds that belong to the installation, not to the shift.

    `settle`: how long a mesh edit is given to reach every proxy.  `lag`: how far in the past telemetry is read.
    """

    settle: float = 5.0
    lag: float = 15.0


@dataclass(frozen=True, slots=True)
class Observation:
    """One look.  `spec` is what the user asks for now, `run.spec` what the run was started with.

    `telemetry` is None when no window was due; `warm` holds the windows before the run while it has not learned yet.
    `answers` is None when no query was due.
    `reply` is what the gate said that the decision without it asked for, None if it was not asked or is still silent.
    `service_exists` is False when the Service named by the spec is not there, `service_selects` when it has
    no selector.
    `deleted_since` is when the TrafficShift was deleted, None while it is not.
    `group` are the other TrafficShifts of its group.
    `rival` is another TrafficShift (namespace/name) of the same service that goes first.
    `kept_hash` is what `spec_hash` would be with the policy that the run was started with (ADR 10).
    `unspecified` says why no new run can begin: the shift, or the policy that would say how, makes no sense, or the
    policy is missing.  `misspecified`: it is the shift's own fields that make no sense; `spec` is that of the run then.
    `workloads` are the Deployments of the subsets, None unless the decision without them asked for them.
    """

    now: float
    timing: Timing
    spec: ShiftSpec
    spec_hash: str
    fresh_id: str
    deleted_since: float | None
    command: Command | None
    run: Run | None
    service_exists: bool
    mesh: MeshView
    endpoints: Endpoints
    telemetry: Reading | None = None
    warm: tuple[Tick, ...] = ()
    answers: Answers | None = None
    reply: Reply | None = None
    service_selects: bool = True
    rival: str | None = None
    group: tuple[Member, ...] = ()
    kept_hash: str = ""
    unspecified: Problem | None = None
    misspecified: bool = False
    workloads: Workloads | None = None

    @property
    def deleted(self) -> bool:
        """Is the TrafficShift on its way out?"""
        return self.deleted_since is not None
