"""Observe, decide, act for one Service: the second loop body, beside that of the shifts.

It keeps nothing that matters.  Who serves is read from the mesh, what is under way from the TrafficShift that the
Service owns, what has been tried from that shift's annotations (`meshshift.core.enrolment.record`); the annotations of
the Service say what is wanted.  Every pass writes at most what one rule asks for, each write guarded by the version of
the object that it was decided on, and the next pass looks again.  So the process may die anywhere.

Three things are in memory because losing them can only cost time: since when objects are as they are (what settles,
settles again after a restart), since when a Service is gone, and which Event was told last.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from meshshift.api.annotations import has_opted_in
from meshshift.api.status import rfc3339
from meshshift.core.decision import Creation, Removal
from meshshift.core.enrolment.view import Act, Tell
from meshshift.core.mesh.documents import ObjectRef, ref_of, resource_version
from meshshift.engine.afresh import read_afresh
from meshshift.engine.enrolled import Enrolled, owned_by
from meshshift.engine.failures import ApiFailure, Conflict, NotFound, Refused
from meshshift.engine.in_place import act_for, act_for_orphan, is_held_for, stand_in
from meshshift.engine.world import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.core.enrolment.view import View
    from meshshift.core.mesh.documents import Patch
    from meshshift.core.observation import Timing
    from meshshift.engine.ports import Cluster, Document, Key
    from meshshift.engine.world import World

REFUSED_AGAIN = 30.0
"""Seconds until an edit that the API server refused is tried again."""
TELL_AGAIN = 15.0
"""Seconds until an Event that could not be written is tried again, at the latest."""

_QUIET = "nothing to tell"


class Listener(Protocol):
    """Who is told what is done for services: the log.  Nothing here may wait or raise."""

    def acted(self, key: Key, act: Act) -> None:
        """An act was decided for the Service `key`."""
        ...

    def forgot(self, key: Key) -> None:
        """The Service is gone, or has nothing to do with this controller."""
        ...


@dataclass
class Enroller:
    """The loop body for Services; `clock` gives unix seconds, `timing` says for how long changes settle.

    `wake` is told of every TrafficShift that was written: what this process has written itself is no news to its
    watches.
    """

    world: World
    cluster: Cluster
    timing: Callable[[], Timing]
    listener: Listener
    wake: Callable[[Key], None]
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self._enrolled = Enrolled(self.world)
        self._known: dict[Key, dict[ObjectRef, tuple[str, float]]] = {}
        self._told: dict[Key, str] = {}
        self._gone: dict[Key, float] = {}

    async def reconcile(self, key: Key) -> float | None:
        """One pass; returns the seconds until the next one is due, None if there is nothing to do for the Service.

        Raises a failure of `meshshift.engine.failures` if a call to the API did not succeed.
        """
        service = self.world.services.get(key)
        if service is None:
            return await self._free(key)
        self._gone.pop(key, None)
        if not self._concerns(service):
            self._forget(key)
            return None
        now = self.clock()
        act = act_for(self._view(service, now), self.world)
        return await self._carry(key, act, service, now)

    async def _free(self, key: Key) -> float | None:
        """One pass over a Deployment that is paused for a Service that is gone.

        A watch may be silent: before anything is written, the API server is asked whether the Service is back.
        """
        service = stand_in(key, self.world)
        if service is None:
            self._forget(key)
            return None
        now = self.clock()
        gone = now - self._gone.setdefault(key, now)
        act, deployment = act_for_orphan(self._view(service, now), self.world, gone)
        if act.edits:
            await read_afresh(ObjectRef("Service", *key), self.world, self.cluster)
            if self.world.services.get(key) is not None:
                return 0.0
        return await self._carry(key, act, deployment, now)

    def _view(self, service: Document, now: float) -> View:
        return self._enrolled.view(service, now, self.timing().settle, self._since(key_of(service), now))

    async def _carry(self, key: Key, act: Act, about: Document, now: float) -> float:
        """Write what was decided, and tell it about the object that people look at."""
        self.listener.acted(key, act)
        try:
            for edit in act.edits:
                await self._write(edit)
        except Refused as refusal:
            message = f"{act.message}: the API server refused the edit: {refusal}"
            act = Act("EditRefused", message, REFUSED_AGAIN, tell=Tell.WARNING)
            self.listener.acted(key, act)
        told = await self._tell(key, about, act, now)
        return act.again if told else min(act.again, TELL_AGAIN)

    def _concerns(self, service: Document) -> bool:
        """Has the Service opted in, or is there still something that belongs to it?"""
        held = is_held_for(key_of(service), self.world)
        return has_opted_in(service) or held or bool(owned_by(service, self.world))

    def _forget(self, key: Key) -> None:
        self._known.pop(key, None)
        self._told.pop(key, None)
        self._gone.pop(key, None)
        self._enrolled.forget(key)
        self.listener.forgot(key)

    def _since(self, key: Key, now: float) -> dict[ObjectRef, float]:
        """Since when this process has known the objects around the Service in the version that they have."""
        host = self.world.host_of_service(key)
        around = [("VirtualService", each) for each in self.world.services_around(host, ())]
        around += [("DestinationRule", each) for each in self.world.destination_rules.of(host)]
        before, present = self._known.get(key, {}), {}
        for kind, document in around:
            ref, version = ref_of(document, kind), resource_version(document)
            known = before.get(ref)
            present[ref] = known if known is not None and known[0] == version else (version, now)
        self._known[key] = present
        return {ref: since for ref, (_, since) in present.items()}

    async def _write(self, edit: Patch | Creation | Removal) -> None:
        """One write; the answer is in the caches before the next look, and what was read wrongly is read afresh."""
        ref = ref_of(edit.document, edit.document["kind"]) if isinstance(edit, Creation) else edit.target
        try:
            document = await self._carry_out(edit)
        except (Conflict, NotFound):
            await read_afresh(ref, self.world, self.cluster)
            raise
        table = self.world.tables[ref.kind]
        if document is not None:
            table.put(document)
        elif gone := table.get((ref.namespace, ref.name)):
            table.drop(gone)
        if ref.kind == "TrafficShift":
            self.wake((ref.namespace, ref.name))

    async def _carry_out(self, edit: Patch | Creation | Removal) -> Document | None:
        """The object as it is then; None if it is gone, or on its way out."""
        match edit:
            case Creation():
                return await self.cluster.create(edit.document)
            case Removal():
                await self.cluster.delete(edit)
                return None
        return await self.cluster.patch(edit)

    async def _tell(self, key: Key, about: Document, act: Act, now: float) -> bool:
        """One Event for each thing that is worth one; the same words again are the same Event.

        What was said before is a part of its identity, so that what comes back is told again; what is said of a
        Service that is gone is said once, whichever process says it.  An Event that could not be written holds nothing
        up: False then, and the next pass tries again.
        """
        said = f"{act.reason}: {act.message}"
        before = self._told.get(key, "")
        if act.tell is Tell.NOBODY or before == said:
            self._told[key] = said if act.tell else _QUIET
            return True
        again = "" if key in self._gone else before
        identity = (about["metadata"].get("uid", ""), said, rfc3339(now) if act.edits else again)
        try:
            await self.cluster.emit(
                about,
                name=_event_name(key, identity),
                warning=act.tell is Tell.WARNING,
                reason=act.reason,
                message=act.message[:1024],
                at=rfc3339(now),
            )
        except ApiFailure:
            return False
        self._told[key] = said
        return True


def _event_name(key: Key, identity: tuple[str, ...]) -> str:
    return f"{key[1][:200]}.{hashlib.sha256('/'.join(identity).encode()).hexdigest()[:16]}"
