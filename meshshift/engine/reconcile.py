"""Observe, decide, act: one pass for one shift.

The order of writes is what makes an interruption harmless.  First the run's new state is persisted, with the intent in
it; then the mesh is edited; then the person's command is taken off; Events last, under names that make a repetition the
same Event.  Dying after any of these leaves a state from which the next pass goes on (see `meshshift.core.run`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from meshshift.api.convert import InvalidSpec
from meshshift.api.status import StatusModel, shorten
from meshshift.core.decision import Creation, Decision, Kind
from meshshift.core.mesh.documents import ObjectRef, Problem, Reason, ref_of
from meshshift.core.observation import COMMAND_ANNOTATION, Command
from meshshift.core.rules import decide, invalid
from meshshift.core.run import Phase, Run
from meshshift.engine.afresh import read_afresh
from meshshift.engine.announcing import turn_name, turn_of
from meshshift.engine.checkpoint import Checkpoint, UnreadableCheckpoint
from meshshift.engine.failures import ApiFailure, Conflict, NotFound, Refused
from meshshift.engine.memory import Memory
from meshshift.engine.observe import Subject, is_outdated, observe
from meshshift.engine.policies import Asked, asked_for, policy_status, problem_of
from meshshift.engine.report import WARNINGS, report
from meshshift.engine.survey import survey
from meshshift.engine.world import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.core.mesh.documents import Patch
    from meshshift.core.observation import Observation, Timing
    from meshshift.engine.ports import Cluster, Gates, Journal, Telemetry
    from meshshift.engine.world import Document, Key, World

FINALIZER = "meshshift.io/traffic"
ANNOUNCE_AGAIN = 15.0
"""Seconds until an Event that could not be written is tried again, at the latest."""
REFUSED_AGAIN = 30.0
"""Seconds until an edit that the API server refused is tried again."""
ANNOUNCE_WITHIN = 600.0
"""Seconds: after a restart, turns in the history that are younger than this get their Event if they lack it."""


@dataclass
class Reconciler:
    """The engine's one loop body; `clock` gives unix seconds."""

    world: World
    cluster: Cluster
    telemetry: Telemetry
    journal: Journal
    timing: Timing
    gates: Gates
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self._announced: dict[Key, set[str]] = {}
        self._taken_off: dict[Key, Command] = {}
        self._memory = Memory()

    async def reconcile(self, key: Key) -> float | None:
        """One pass; returns the seconds until the next one is due, None if the shift is gone.

        Raises a failure of `meshshift.engine.failures` if a write or read of the API did not succeed.  After a Conflict
        or NotFound what the pass relied on has been read afresh.
        """
        shift = self.world.shifts.get(key)
        if shift is None:
            self._announced.pop(key, None)
            self._taken_off.pop(key, None)
            self._memory.forget(key)
            self.gates.forget(key)
            self.journal.forgot(key)
            return None
        try:
            return await self._pass(key, shift)
        except (Conflict, NotFound):
            await read_afresh(ObjectRef("TrafficShift", *key), self.world, self.cluster)
            raise

    async def _pass(self, key: Key, shift: Document) -> float | None:
        metadata = shift["metadata"]
        ours = FINALIZER in (metadata.get("finalizers") or [])
        if metadata.get("deletionTimestamp") and not ours:
            return None
        if not ours:
            shift = await self.cluster.add_finalizer(shift)
            self.world.shifts.put(shift)
        now = self.clock()
        previous = StatusModel.from_wire(shift.get("status"))
        observation, decision, checkpoint, subject = await self._decide(shift, previous, now)
        shift = await self._persist(shift, previous, observation, decision, checkpoint, now)
        self.journal.decided(key, shift, observation, decision)
        try:
            await self._write_all(decision, lambda: _is_overtaken(observation, subject, self.world))
        except Refused as refusal:
            return await self._tell_refusal(key, shift, observation, decision, checkpoint, refusal)
        await self._settle_command(shift)
        told = await self._announce(key, shift, decision.run)
        if decision.release:
            await self.cluster.remove_finalizer(shift)
            return None
        return decision.again if told else min(decision.again, ANNOUNCE_AGAIN)

    async def _decide(
        self, shift: Document, previous: StatusModel, now: float
    ) -> tuple[Observation | None, Decision, Checkpoint | None, Subject | None]:
        """Parse, look, and apply the rules."""
        key, deleted = key_of(shift), bool(shift["metadata"].get("deletionTimestamp"))
        try:
            stored = self._memory.decode(key, previous.checkpoint)
        except UnreadableCheckpoint as error:
            fix = "delete and re-apply the TrafficShift; traffic stays as it is"
            problem = Problem(Reason.CHECKPOINT_UNREADABLE, f"status.checkpoint cannot be read ({error}); {fix}")
            return None, _released(invalid(problem, None), deleted), None, None
        run = stored.run if stored else None
        try:
            asked = asked_for(shift, stored, self.world, self._memory)
        except InvalidSpec as error:
            return None, _released(invalid(problem_of(error), run), deleted), stored, None
        parsed, command = asked.parsed, self._new_command(shift, previous)
        subject = Subject(shift, parsed.spec, parsed.digest, run, command, asked.kept_hash, asked.problem, asked.held)
        observation = await observe(subject, self.world, self.telemetry, self.timing, now)
        decision = decide(observation)
        if decision.asks is not None and (reply := await self.gates.ask(key, decision.asks)) is not None:
            observation = replace(observation, reply=reply)
            decision = decide(observation)
        if decision.surveys is not None:
            workloads = await survey(subject, observation, decision.surveys, self.world, self.cluster, self.telemetry)
            observation = replace(observation, workloads=workloads)
            decision = decide(observation)
        return observation, decision, _checkpoint(decision.run, asked, stored), subject

    async def _persist(
        self,
        shift: Document,
        previous: StatusModel,
        observation: Observation | None,
        decision: Decision,
        checkpoint: Checkpoint | None,
        now: float,
    ) -> Document:
        generation = int(shift["metadata"].get("generation", 0))
        status = report(decision, observation, previous, generation=generation, now=now)
        text = self._memory.encode(key_of(shift), checkpoint) if checkpoint else previous.checkpoint
        policy = policy_status(shift, checkpoint, self.world, self._memory)
        wire = status.model_copy(update={"checkpoint": text, "policy": policy}).to_wire()
        if wire == shift.get("status"):
            return shift
        written = await self.cluster.write_status(shift, wire)
        self.world.shifts.put(written)
        return written

    async def _tell_refusal(
        self,
        key: Key,
        shift: Document,
        observation: Observation | None,
        decision: Decision,
        checkpoint: Checkpoint | None,
        refusal: Refused,
    ) -> float:
        """The API server will not take an edit (RBAC, a webhook): repeating it cannot help, a person has to know."""
        message = f"{decision.message}: the API server refused the edit: {refusal}"
        told = replace(decision, kind=Kind.HOLD, reason="EditRefused", message=message, stalled=True, edits=())
        shift = await self._persist(
            shift, StatusModel.from_wire(shift.get("status")), observation, told, checkpoint, self.clock()
        )
        self.journal.decided(key, shift, observation, told)
        await self._announce(key, shift, told.run)
        return REFUSED_AGAIN

    async def _write_all(self, decision: Decision, is_overtaken: Callable[[], bool]) -> None:
        """The edits in order, as long as what they were decided on still holds.

        On the way back nothing can overtake them, and one that fails keeps no other route from going back.

        At the end only ownership is left to give up; a server that will not have that keeps no run from ending.
        """
        failures: list[ApiFailure] = []
        for edit in decision.edits:
            if decision.kind not in {Kind.RESTORE, Kind.END} and is_overtaken():
                raise Conflict("the subsets or their pods have changed since this was decided")
            try:
                await self._write(edit)
            except ApiFailure as failure:
                if decision.kind is Kind.END and isinstance(failure, Refused):
                    continue
                if decision.kind is not Kind.RESTORE:
                    raise
                failures.append(failure)
        if failures:
            raise failures[0]

    async def _write(self, edit: Patch | Creation) -> None:
        """One edit of the mesh; the answer is in the caches before the next look."""
        ref = ref_of(edit.document, edit.document["kind"]) if isinstance(edit, Creation) else edit.target
        try:
            creates = isinstance(edit, Creation)
            document = await (self.cluster.create(edit.document) if creates else self.cluster.patch(edit))  # type: ignore[arg-type, union-attr]
        except ApiFailure as failure:
            self.journal.wrote(ref.kind, _result(failure))
            if isinstance(failure, Conflict | NotFound):
                await read_afresh(ref, self.world, self.cluster)
            raise
        self.journal.wrote(ref.kind, "ok")
        if ref.kind in self.world.tables:
            self.world.tables[ref.kind].put(document)

    def _new_command(self, shift: Document, previous: StatusModel) -> Command | None:
        """The command to carry out now: one that the status does not tell of yet.

        managedFields date a write to the second only, so the same command by the same hand in the same second counts as
        new once this process has seen the first one taken off.
        """
        command, last = _command(shift), previous.last_command
        if command is None or last is None or self._taken_off.get(key_of(shift)) == command:
            return command
        return None if (last.command, last.by, last.written) == (command.text, command.by, command.at) else command

    async def _settle_command(self, shift: Document) -> None:
        """Take the command annotation off: its result is in the status by now."""
        command = _command(shift)
        if command is not None:
            raw = shift["metadata"]["annotations"][COMMAND_ANNOTATION]
            self.world.shifts.put(await self.cluster.remove_command(shift, raw))
            self._taken_off[key_of(shift)] = command

    async def _announce(self, key: Key, shift: Document, run: Run | None) -> bool:
        """Every turn in the history becomes one Event; the name makes a repetition the same one.

        An Event that could not be written holds nothing up: False then, and the next pass finds it missing.
        """
        done = self._announced.setdefault(key, set())
        uid = shift["metadata"].get("uid", "")
        status = StatusModel.from_wire(shift.get("status"))
        for place, entry in enumerate(status.history):
            name = turn_name(key, uid, entry)
            if name in done or not _is_recent(entry.at, self.clock()):
                continue
            warning = entry.reason in WARNINGS or entry.phase in {Phase.FAILED, Phase.ROLLED_BACK}
            try:
                new = await self.cluster.emit(
                    shift, name=name, warning=warning, reason=entry.reason, message=entry.message, at=entry.at
                )
            except ApiFailure:
                return False
            done.add(name)
            self.journal.turned(key, shift, turn_of(shift, status, place, name, run), new=new)
        return True


def _is_overtaken(observation: Observation | None, subject: Subject | None, world: World) -> bool:
    return observation is not None and subject is not None and is_outdated(observation, subject, world)


def _checkpoint(run: Run | None, asked: Asked, stored: Checkpoint | None) -> Checkpoint | None:
    """A run goes with the spec it was started with, whatever its policy says by now.

    A policy that says the same by other words, or where the shift said it before, is kept in place of the old one.
    """
    if run is None:
        return None
    parsed = asked.parsed
    if stored is None or stored.run.id != run.id:
        return Checkpoint(run, parsed.wire, parsed.policy)
    same = asked.problem is None and parsed.digest == run.spec_hash
    policy = parsed.policy if same else stored.policy
    return stored if stored.run == run and stored.policy == policy else Checkpoint(run, stored.wire_spec, policy)


def _released(decision: Decision, deleted: bool) -> Decision:
    """Nothing that cannot be understood may keep a deleted object from going."""
    if not deleted:
        return decision
    return Decision(Kind.END, "Deleted", decision.message, decision.phase, decision.run, decision.again, release=True)


def _command(shift: Document) -> Command | None:
    """The command annotation with who wrote it and when, as managedFields have it."""
    text = (shift["metadata"].get("annotations") or {}).get(COMMAND_ANNOTATION)
    if text is None:
        return None
    field = f"f:{COMMAND_ANNOTATION}"
    for entry in reversed(shift["metadata"].get("managedFields") or []):
        annotations = ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:annotations") or {}
        if field in annotations:
            return Command(
                shorten(str(text).strip(), 63), str(entry.get("manager", ""))[:253], str(entry.get("time", ""))
            )
    return Command(shorten(str(text).strip(), 63), "somebody", "")


def _is_recent(at: str, now: float) -> bool:
    return datetime.fromisoformat(at).timestamp() > now - ANNOUNCE_WITHIN


def _result(failure: ApiFailure) -> str:
    match failure:
        case Conflict():
            return "conflict"
        case Refused():
            return "refused"
        case _:
            return "failed"
