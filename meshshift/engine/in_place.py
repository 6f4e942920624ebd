"""Services whose one Deployment is updated in place: from the caches to the rules.

Deployments are watched only where the controller was started with `--in-place`: it then needs to read all of them, and
to write those behind such Services.  A Deployment that was paused for a Service says so in an annotation, so that it is
found again when the Service no longer asks, or is gone.

A Service that is gone has a stand-in, which has not opted in and owns nothing: what is around it is looked at alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshshift.api.annotations import wishes_of
from meshshift.core.enrolment.rules import decide as decide_versions
from meshshift.core.enrolment.view import warn
from meshshift.core.in_place.deployments import API_VERSION, KIND, PAUSED_FOR, Workload
from meshshift.core.in_place.freeing import Orphan, free
from meshshift.core.in_place.rules import decide as decide_in_place
from meshshift.core.in_place.stage import orphaned_stage, stage_of
from meshshift.core.mesh.documents import member
from meshshift.core.pods import selector_of
from meshshift.engine.world import key_of

if TYPE_CHECKING:
    from meshshift.core.enrolment.view import Act, View
    from meshshift.engine.world import Document, Key, World


def act_for(view: View, world: World) -> Act:
    """The next act for a Service, by the rules that it has asked for, or has to be let go by."""
    key = key_of(view.service)
    wish = view.wishes.wish
    wanted = wish is not None and wish.in_place
    if not wanted and not is_held_for(key, world):
        return decide_versions(view)
    if not world.watches_deployments:
        return warn(
            "InPlaceOff",
            "meshshift.io/workload: in-place: the controller does not watch Deployments; start it with --in-place",
        )
    pods = world.pods.labelled(key[0], selector_of(view.service))
    return decide_in_place(stage_of(view, world.deployments.within(key[0]), pods, wanted=wanted))


def is_held_for(key: Key, world: World) -> bool:
    """Has a Deployment been paused for the Service?"""
    return world.deployments.are_held_for(key)


def stand_in(key: Key, world: World) -> Document | None:
    """A Service that is gone, as selecting the pods of the Deployment that is paused for it; None if there is none."""
    held = _orphan(key, world)
    if held is None:
        return None
    return {"metadata": {"namespace": key[0], "name": key[1]}, "spec": {"selector": Workload(held).selector}}


def act_for_orphan(view: View, world: World, gone: float) -> tuple[Act, Document]:
    """The next act for a Deployment whose Service has been gone for `gone` seconds, and the Deployment."""
    key = key_of(view.service)
    held = _orphan(key, world) or {}
    pods = world.pods.labelled(key[0], selector_of(view.service))
    stage = orphaned_stage(view, held, world.deployments.within(key[0]), pods)
    return free(Orphan(stage, gone, _heir(held, world))), {**held, "apiVersion": API_VERSION, "kind": KIND}


def _orphan(key: Key, world: World) -> Document | None:
    """The Deployment to let go first: one that is on its way out needs nothing any more."""
    held = (each for each in world.deployments.held_for(key) if not Workload(each).deleted)
    return min(held, key=lambda each: Workload(each).pending, default=None)


def _heir(deployment: Document, world: World) -> str:
    """Another Service that has this Deployment updated in place; empty if there is none."""
    labels = Workload(deployment).labels
    for key in world.services.selecting({"metadata": {**deployment["metadata"], "labels": labels}}):
        service = world.services.get(key) or {}
        wish = wishes_of(service).wish
        if wish is not None and wish.in_place and selector_of(service).items() <= labels.items():
            return key[1]
    return ""


def services_of(deployment: Document, world: World) -> set[Key]:
    """The Services that a change of a Deployment concerns: those that select its pods, and the one it is paused for."""
    namespace = key_of(deployment)[0]
    labels = member(deployment, "spec", "template", "metadata", "labels") or {}
    found = set(world.services.selecting({"metadata": {"name": "", "namespace": namespace, "labels": labels}}))
    paused_for = (member(deployment, "metadata", "annotations") or {}).get(PAUSED_FOR)
    return found | ({(namespace, paused_for)} if paused_for else set())
