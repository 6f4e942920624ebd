"""Which Services a change of an object wakes.

A Service is of interest if it has opted in, or owns something still: one that was released while no controller ran is
found by what it owns, whichever of the two is listed first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshshift.adapters.kube import DEPLOYMENTS, PODS, SERVICES, SHIFT_POLICIES
from meshshift.engine.enrolled import concerned, is_of_interest, naming_policy
from meshshift.engine.in_place import services_of
from meshshift.engine.world import key_of

if TYPE_CHECKING:
    from meshshift.adapters.kube import Resource
    from meshshift.engine.queue import WorkQueue
    from meshshift.engine.world import Key, World

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Enrolments:
    """Puts the Services that a change concerns on their queue."""

    world: World
    queue: WorkQueue[Key]

    def changed(
        self, resource: Resource, before: Document | None, after: Document | None, hosts: frozenset[str]
    ) -> None:
        """An object was `before` and is `after`, None where there is none; `hosts` are all that either speaks of."""
        for document in filter(None, (before, after)):
            for key in self._keys(resource, document, hosts):
                self.queue.add(key)
        if resource is SERVICES and before is not None:
            self.queue.add(key_of(before))

    def _keys(self, resource: Resource, document: Document, hosts: frozenset[str]) -> set[Key]:
        if resource is PODS:
            return set(self.world.services.selecting(document))
        if resource is SHIFT_POLICIES:
            return naming_policy(key_of(document), self.world)
        if resource is DEPLOYMENTS:
            return services_of(document, self.world)
        if resource is SERVICES:
            key = key_of(document)
            return {key} if is_of_interest(key, self.world) else set()
        return concerned(document, hosts, self.world)
