"""A Service that has not opted in, or no longer: it owns nothing, and what was made for it stays as it is.

The reference is what says whose an object is, so a Service whose annotation was removed while no controller ran is
released when one runs again.  A shift that is under way goes on by its own spec, as one that a person has written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.core.enrolment.view import Act, Tell, owners, wait, write
from meshshift.core.mesh.documents import Patch, member, operation, pointer, ref_of, resource_version, unmoved
from meshshift.core.mesh.subsets import rule_host
from meshshift.core.mesh.virtual_service import read_virtual_service
from meshshift.core.mesh.writers import give_back

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshshift.core.enrolment.view import View

Document = dict[str, Any]


def release(view: View) -> Act:
    """Drop the Service from the owners of whatever it owns."""
    patches = [_disowned(each, member(view.service, "metadata", "uid")) for each in view.owned]
    if not patches:
        return wait("NotEnrolled", "the Service has not opted in")
    left = ", ".join(str(patch.target) for patch in patches)
    return write("Released", f"released, and yours from now on: {left}", *patches, tell=Tell.NORMAL)


def reclaim(view: View, shift: Document) -> Act:
    """The Service opted in again: the shift that was its own is its own again."""
    ref = ref_of(shift, "TrafficShift")
    path = pointer("metadata", "ownerReferences")
    there = owners(shift)
    change = operation("add", f"{path}/-", view.owner) if there else operation("add", path, [view.owner])
    return write("Reclaiming", f"{ref} is the Service's again", Patch(ref, (unmoved(resource_version(shift)), change)))


def give_up(view: View) -> Act | None:
    """At rest nobody's field is ours (`meshshift.core.mesh.writers`), so that their tools can apply their manifests.

    A VirtualService that sends to other services as well may be in the hands of a shift of theirs.
    """
    host, domain = view.target.host, view.target.cluster_domain
    ours = [each for each in view.virtual_services if _sends_to(each, domain) == {host}]
    edits = [give_back(each, "VirtualService") for each in ours]
    edits += [give_back(each, "DestinationRule") for each in view.rules if rule_host(each, domain) == host]
    patches = tuple(filter(None, edits))
    if not patches:
        return None
    where = ", ".join(str(patch.target) for patch in patches)
    return write("GivingBack", f"{where}: what was written belongs to nobody", *patches)


def _sends_to(document: Document, domain: str) -> set[str]:
    routes = read_virtual_service(document, domain).routes
    return {each.host for route in routes for each in route.destinations}


def _disowned(document: Mapping[str, Any], uid: object) -> Patch:
    listed = owners(dict(document))
    position = next(index for index, each in enumerate(listed) if each.get("uid") == uid)
    path = pointer("metadata", "ownerReferences", position)
    return Patch(
        ref_of(document, str(document.get("kind", ""))),
        (
            unmoved(resource_version(document)),
            operation("test", path, listed[position]),
            {"op": "remove", "path": path},
        ),
    )
