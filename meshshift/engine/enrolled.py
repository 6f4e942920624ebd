"""One look at a Service that has opted in: everything around it, from the caches."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from meshshift.api.annotations import has_opted_in, policy_of, wishes_of
from meshshift.api.convert import InvalidSpec, spec_hash
from meshshift.api.status import StatusModel
from meshshift.core.enrolment.record import CANARY
from meshshift.core.enrolment.versions import versions_of
from meshshift.core.enrolment.view import OwnShift, SeenPolicy, Standing, View, is_owned_by, owners
from meshshift.core.mesh.documents import ObjectRef, Target, member
from meshshift.core.mesh.writers import MANAGER, is_made_by_us
from meshshift.core.observation import COMMAND_ANNOTATION
from meshshift.core.pods import selector_of
from meshshift.core.run import Phase
from meshshift.engine.checkpoint import UnreadableCheckpoint
from meshshift.engine.in_place import is_held_for
from meshshift.engine.memory import Memory
from meshshift.engine.policies import asked_for
from meshshift.engine.world import key_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshshift.core.enrolment.wish import Wish, Wishes
    from meshshift.core.run import Run
    from meshshift.engine.world import Document, Key, World


def owned_by(service: Document, world: World) -> list[Document]:
    """The objects around the Service that it owns."""
    host = world.host_of_service(key_of(service))
    found = [
        *((each, "VirtualService") for each in world.virtual_services.of(host)),
        *((each, "DestinationRule") for each in world.destination_rules.of(host)),
        *((each, "TrafficShift") for each in world.shifts.of(host)),
    ]
    return [{**each, "kind": kind} for each, kind in found if is_owned_by(each, service)]


class Enrolled:
    """Makes views; remembers only what it has parsed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._memory = Memory()
        self._wishes: dict[Key, tuple[Mapping[str, str], Wishes]] = {}

    def forget(self, key: Key) -> None:
        """The Service is gone; its shift goes by the same name."""
        self._memory.forget(key)
        self._wishes.pop(key, None)

    def view(self, service: Document, now: float, settle: float, known: Mapping[ObjectRef, float]) -> View:
        """What is there at the unix time `now`."""
        world, key = self._world, key_of(service)
        namespace, name = key
        target = Target(name, namespace, "", "", world.cluster_domain)
        selector = selector_of(service)
        listed = world.shifts.of(target.host)
        shifts = [each for each in listed if not each["metadata"].get("deletionTimestamp")]
        own = next((each for each in shifts if is_owned_by(each, service)), None)
        orphan = next((each for each in shifts if own is None and key_of(each) == key and _was_own(each)), None)
        others = [each for each in shifts if each is not own and each is not orphan and not _is_over(each)]
        wishes = self._wished(key, service)
        return View(
            now=now,
            settle=settle,
            service=service,
            selects=bool(selector),
            wishes=wishes,
            target=target,
            behind=versions_of(world.pods.labelled(namespace, selector)),
            virtual_services=world.services_around(target.host, ()),
            rules=world.destination_rules.of(target.host),
            shift=self._own(own),
            orphan=self._own(orphan),
            others=tuple("TrafficShift " + "/".join(key_of(each)) for each in others),
            taken=own is None and key in world.shifts.objects,
            leaving=len(shifts) < len(listed),
            known=known,
            digest=digest,
            owned=tuple(owned_by(service, world)),
            namesakes=self._namesakes(key),
            policy=self._policy(key, wishes.wish),
        )

    def _policy(self, key: Key, wish: Wish | None) -> SeenPolicy | None:
        if wish is None or wish.policy is None:
            return None
        document = self._world.policies.get((key[0], wish.policy))
        strategy = member(document, "spec", "strategy")
        return SeenPolicy(document is not None, next(iter(strategy), "") if isinstance(strategy, dict) else "")

    def _wished(self, key: Key, service: Document) -> Wishes:
        annotations = service["metadata"].get("annotations") or {}
        found = self._wishes.get(key)
        if found is None or found[0] != annotations:
            found = self._wishes[key] = annotations, wishes_of(service)
        return found[1]

    def _namesakes(self, key: Key) -> frozenset[ObjectRef]:
        world = self._world
        tables = {"VirtualService": world.virtual_services, "DestinationRule": world.destination_rules}
        return frozenset(ObjectRef(kind, *key) for kind, table in tables.items() if key in table.objects)

    def _own(self, shift: Document | None) -> OwnShift | None:
        return None if shift is None else OwnShift(shift, self._standing(shift))

    def _standing(self, shift: Document) -> Standing:
        """How the shift stands to what its spec asks for now; a run of an older spec says nothing of it."""
        status = StatusModel.from_wire(shift.get("status"))
        try:
            stored = self._memory.decode(key_of(shift), status.checkpoint)
            asked = asked_for(shift, stored, self._world, self._memory)
        except (InvalidSpec, UnreadableCheckpoint):
            return Standing.WAITING
        run = stored.run if stored else None
        if run is None:
            return Standing.WAITING
        present = {asked.parsed.digest, asked.kept_hash}
        commanded = COMMAND_ANNOTATION in (shift["metadata"].get("annotations") or {})
        if run.spec_hash not in present or run.restart or (run.phase.ended and commanded):
            return Standing.TURNING
        return _standing_of(run, status)


def _standing_of(run: Run, status: StatusModel) -> Standing:
    match run.phase:
        case Phase.SUCCEEDED:
            return Standing.PROMOTED
        case Phase.ROLLED_BACK | Phase.FAILED:
            by = status.last_command.by if status.last_command else ""
            withdrawn = run.outcome is not None and run.outcome.reason == "Aborted" and by == MANAGER
            return Standing.WITHDRAWN if withdrawn else Standing.REJECTED
        case Phase.ROLLING_BACK:
            return Standing.RETURNING
        case Phase.PROMOTING:
            return Standing.PROMOTING
    begun = run.desired or run.confirmed or run.extras.cohorts
    return Standing.MOVING if begun else Standing.WAITING


def digest(spec: Mapping[str, Any]) -> str:
    """Identity of what a spec asks for, whether it is complete by itself or by its policy; empty if it is invalid."""
    policy = json.dumps([spec.get("policyRef"), "strategy" in spec], sort_keys=True)
    try:
        return f"{spec_hash({'strategy': {'canary': {}}, **spec, 'paused': False})} {policy}"
    except InvalidSpec:
        return ""


def _was_own(shift: Document) -> bool:
    """Was it made for a Service that has been released since?"""
    annotations = shift["metadata"].get("annotations") or {}
    return (
        is_made_by_us(shift)
        and CANARY in annotations
        and not any(each.get("kind") == "Service" for each in owners(shift))
    )


def _is_over(shift: Document) -> bool:
    status = StatusModel.from_wire(shift.get("status"))
    return status.phase in {Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.FAILED}


def concerned(document: Document, hosts: frozenset[str], world: World) -> set[Key]:
    """The Services that a change of an object concerns: those that it speaks of or may decide over, and its owner."""
    namespace, _ = key_of(document)
    owner = {(namespace, str(each.get("name"))) for each in owners(document) if each.get("kind") == "Service"}
    return {key for key in {*owner, *world.services_on(hosts)} if is_of_interest(key, world)}


def is_of_interest(key: Key, world: World) -> bool:
    """Has the Service opted in, does it own anything still, or is a Deployment paused for it, be it gone itself?"""
    service = world.services.get(key)
    if is_held_for(key, world):
        return True
    return service is not None and (has_opted_in(service) or bool(owned_by(service, world)))


def naming_policy(policy: Key, world: World) -> set[Key]:
    """The Services whose annotation names a ShiftPolicy."""
    return {
        key
        for key, service in world.services.objects.items()
        if key[0] == policy[0] and has_opted_in(service) and policy_of(service) == policy[1]
    }
