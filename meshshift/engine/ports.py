"""What the engine needs from the world, as small Protocols; `meshshift.adapters` implements them.

Every method that talks to the Kubernetes API raises one of the failures in `meshshift.engine.failures` and nothing
else.  Telemetry never raises: what went wrong is a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshshift.core.decision import Decision, Removal
    from meshshift.core.gate_call import Question, Reply
    from meshshift.core.mesh.documents import ObjectRef, Patch
    from meshshift.core.notices import Turn
    from meshshift.core.observation import Observation
    from meshshift.core.telemetry import Series, Snapshot

Document = dict[str, Any]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ServiceId:
    """A Service, as telemetry is asked for."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class QueryError:
    """Prometheus could not be asked, or did not answer properly: CamelCase reason, message, and the query."""

    reason: str
    message: str
    query: str = ""


class Cluster(Protocol):
    """Reads and guarded writes.  Every write returns the object as it is afterwards."""

    async def read(self, ref: ObjectRef) -> Document:
        """A VirtualService, a DestinationRule, a TrafficShift or a Deployment as it is now."""
        ...

    async def autoscalers(self, namespace: str) -> Sequence[Document]:
        """The HorizontalPodAutoscalers of a namespace; none where the API server has no such kind."""
        ...

    async def write_status(self, shift: Document, status: Mapping[str, Any]) -> Document:
        """Replace the status; Conflict unless the shift is still at the version of `shift`."""
        ...

    async def add_finalizer(self, shift: Document) -> Document:
        """Make the API server keep the shift until its traffic is back where it belongs."""
        ...

    async def remove_finalizer(self, shift: Document) -> None:
        """Let a deleted shift go; one that is gone already is fine."""
        ...

    async def remove_command(self, shift: Document, text: str) -> Document:
        """Take the command annotation off, if it still says `text`."""
        ...

    async def patch(self, patch: Patch) -> Document:
        """Apply a JSON Patch, of a Scale to that subresource of the Deployment; Conflict if one of its tests fails."""
        ...

    async def create(self, document: Document) -> Document:
        """Create an object of Istio or a TrafficShift; Conflict if there is one of that name."""
        ...

    async def delete(self, removal: Removal) -> None:
        """Delete an object of our own, if it is still the one that is meant; one that is gone already is fine."""
        ...

    async def emit(self, about: Document, *, name: str, warning: bool, reason: str, message: str, at: str) -> bool:
        """Record an Event about an object under a name of its own, so that a repetition changes nothing.

        False if there was one of that name already.
        """
        ...


class Telemetry(Protocol):
    """Raw counters and users' own queries, at pinned instants."""

    async def snapshots(self, services: Sequence[ServiceId], at: float) -> Mapping[ServiceId, Snapshot] | QueryError:
        """What every service's counters said at the unix time `at`."""
        ...

    async def silence(self, service: ServiceId, at: float) -> str:
        """Why there is no series for the service at the unix time `at`, in words."""
        ...

    async def query(self, promql: str, at: float) -> tuple[Series, ...] | QueryError:
        """The instant vector of a user's query at the unix time `at`, values as they came, NaN included."""
        ...


class Gates(Protocol):
    """HTTP receivers that say when a shift goes on."""

    async def ask(self, key: Key, question: Question) -> Reply | None:
        """The answer for the shift `key`; None while it is on its way.  Returns soon and raises nothing.

        The same question asks nobody a second time while it is under way, nor soon after it was answered; another one
        takes its place.
        """
        ...

    def forget(self, key: Key) -> None:
        """The shift is gone: nobody wants to know its answer."""
        ...


class Journal(Protocol):
    """Who is told what the engine does: own metrics, logs, notifications.  Nothing here may wait or raise."""

    def decided(self, key: Key, shift: Document, observation: Observation | None, decision: Decision) -> None:
        """A decision was made and its state persisted."""
        ...

    def wrote(self, kind: str, result: str) -> None:
        """A write to the mesh was tried: kind of the object, and `ok`, `conflict`, `refused` or `failed`."""
        ...

    def turned(self, key: Key, shift: Document, turn: Turn, *, new: bool) -> None:
        """The shift took a turn worth an Event; not `new` if the Event was there already.

        Then an earlier process has told of the turn or died before it could, or the answer to this one was lost.
        """
        ...

    def forgot(self, key: Key) -> None:
        """The shift is gone."""
        ...
