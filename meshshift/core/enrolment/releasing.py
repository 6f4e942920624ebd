"""A Service that has not opted in, or no longer: it owns nothing, and what was made for it stays as it is.

The reference is what says whose an object is, so a Service whose annotation was removed while no controller ran is
released when one runs again.  A shift that is under way goes on by its own spec, as one that a person has written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.core.enrolment.view import Act, Tell, owners, wait, write
from meshshift.core.mesh.documents import Patch, member, operation, pointer, ref_of, resource_version, unmoved

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
    return write("Released", f"released; {left} stay as they are", *patches, tell=Tell.NORMAL)


def reclaim(view: View, shift: Document) -> Act:
    """The Service opted in again: the shift that was its own is its own again."""
    ref = ref_of(shift, "TrafficShift")
    path = pointer("metadata", "ownerReferences")
    there = owners(shift)
    change = operation("add", f"{path}/-", view.owner) if there else operation("add", path, [view.owner])
    return write("Reclaiming", f"{ref} is the Service's again", Patch(ref, (unmoved(resource_version(shift)), change)))


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
