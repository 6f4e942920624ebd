"""What one look at an enrolled service saw, and what it leads to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from meshshift.core.enrolment.record import Fate, Record, read_record
from meshshift.core.mesh.documents import ObjectRef, Target, member, ref_of, text
from meshshift.core.observation import COMMAND_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meshshift.core.decision import Creation, Removal
    from meshshift.core.enrolment.versions import Behind
    from meshshift.core.enrolment.wish import Wishes
    from meshshift.core.mesh.documents import Patch

Document = dict[str, Any]
IDLE = 300.0
"""Seconds between looks at a service of which nothing is under way: only a safety net under the watches."""


class Standing(StrEnum):
    """How far a TrafficShift of a service has come, as its owner needs to know."""

    TURNING = "Turning"
    """It has not come to its present spec yet: it has just been asked, or is still on the way back from another one."""
    WAITING = "Waiting"
    """It has given the new version nothing, and would not have to take anything back."""
    MOVING = "Moving"
    RETURNING = "Returning"
    PROMOTING = "Promoting"
    PROMOTED = "Promoted"
    REJECTED = "Rejected"
    WITHDRAWN = "Withdrawn"
    """It was taken back because its version had gone, not because of anything that the version did."""

    @property
    def ended(self) -> bool:
        """Is nothing of it under way any more?"""
        return self in {Standing.PROMOTED, Standing.REJECTED, Standing.WITHDRAWN}


@dataclass(frozen=True, slots=True)
class OwnShift:
    """The TrafficShift of an enrolled service, and how it stands."""

    document: Document
    standing: Standing

    @property
    def ref(self) -> ObjectRef:
        """Which object it is."""
        return ref_of(self.document, "TrafficShift")

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its spec, as it is stored."""
        spec = member(self.document, "spec")
        return spec if isinstance(spec, dict) else {}

    @property
    def annotations(self) -> Mapping[str, Any]:
        """Its annotations."""
        return member(self.document, "metadata", "annotations") or {}

    @property
    def record(self) -> Record:
        """What it remembers of versions."""
        return read_record(self.annotations)

    @property
    def commanded(self) -> bool:
        """Has somebody given it a command that has not been carried out?"""
        return COMMAND_ANNOTATION in self.annotations

    def subset(self, arm: str) -> tuple[str, dict[str, str]]:
        """Name and labels of its `stable` or `canary` subset."""
        labels = member(self.spec, arm, "labels")
        return text(member(self.spec, arm, "subset")), dict(labels) if isinstance(labels, dict) else {}

    @property
    def remembered(self) -> Record:
        """The record once its own version is given up for another one: what has become of it so far."""
        match self.standing:
            case Standing.PROMOTED:
                return self.record.settled(Fate.FORMER)
            case Standing.REJECTED | Standing.RETURNING:
                return self.record.settled(Fate.REJECTED)
            case Standing.WITHDRAWN:
                return self.record.settled(None)
        return self.record.settled(Fate.SUPERSEDED)


@dataclass(frozen=True, slots=True)
class SeenPolicy:
    """The ShiftPolicy that the annotations name: is it there, and the kind of its strategy, empty if it has none."""

    found: bool
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """Everything that the next act may depend on, the time included.

    `virtual_services` and `rules` are those around the service's host.  `shift` is the service's own TrafficShift,
    `orphan` one that was its own before it was released.  `others` are TrafficShifts of the service that are somebody
    else's and not over; `taken` is true if the name of the service's own shift is somebody else's,
    `leaving` if a shift of the service is deleted and not gone yet.  `known` says since
    when this process has known objects as they are now (unix seconds), `settle` how many seconds a change is given to
    reach every proxy.  `digest` is the identity of a spec, `owned` are the objects that the Service owns,
    and `namesakes` what is called as something that would be created for it.
    """

    now: float
    settle: float
    service: Document
    selects: bool
    wishes: Wishes
    target: Target
    behind: Behind
    virtual_services: Sequence[Document]
    rules: Sequence[Document]
    shift: OwnShift | None
    orphan: OwnShift | None
    others: tuple[str, ...]
    taken: bool
    leaving: bool
    known: Mapping[ObjectRef, float]
    digest: Callable[[Mapping[str, Any]], str]
    owned: tuple[Document, ...] = ()
    namesakes: frozenset[ObjectRef] = frozenset()
    policy: SeenPolicy | None = None

    @property
    def owner(self) -> dict[str, Any]:
        """The ownerReference of what is created for the service; it blocks no deletion."""
        metadata = self.service["metadata"]
        reference = {"apiVersion": "v1", "kind": "Service", "name": metadata["name"], "uid": metadata["uid"]}
        return {**reference, "controller": True}

    def unsettled(self, documents: Sequence[Document], kind: str) -> float:
        """Seconds until the last change of these objects has had its time to reach every proxy; 0 if it had.

        An instant that nobody remembers is now: a restart can only make the wait longer.
        """
        since = (self.known.get(ref_of(each, kind), self.now) for each in documents)
        return max((at + self.settle - self.now for at in since), default=0.0)

    def free_name(self, kind: str) -> str:
        """A name for an object that is created: the service's, unless somebody's object has it."""
        name, namespace = self.target.service, self.target.namespace
        return f"{name}-mesh" if ObjectRef(kind, namespace, name) in self.namesakes else name

    def aimed(self, stable: str, canary: str = "") -> Target:
        """The target with these subsets."""
        return replace(self.target, stable=stable, canary=canary)


class Tell(StrEnum):
    """How the people behind a service hear of an act."""

    NOBODY = ""
    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Act:
    """What is done next, and the one reason for it; `again` is in how many seconds to look again at the latest."""

    reason: str
    message: str
    again: float = IDLE
    edits: tuple[Patch | Creation | Removal, ...] = ()
    tell: Tell = Tell.NOBODY


def wait(reason: str, message: str, again: float = IDLE) -> Act:
    """Nothing to do yet."""
    return Act(reason, message, again)


def warn(reason: str, message: str) -> Act:
    """Nothing is done until a person has done something; they are told once."""
    return Act(reason, message, tell=Tell.WARNING)


def write(reason: str, message: str, *edits: Patch | Creation | Removal, tell: Tell = Tell.NOBODY) -> Act:
    """Write, and look again at once."""
    return Act(reason, message, 0.0, edits, tell)


def is_owned_by(document: Document, service: Document) -> bool:
    """Does the Service, this very one and not an earlier one of its name, own the object?"""
    uid = member(service, "metadata", "uid")
    return bool(uid) and any(member(each, "uid") == uid for each in owners(document))


def owners(document: Document) -> list[Document]:
    """The ownerReferences of an object."""
    listed = member(document, "metadata", "ownerReferences")
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
