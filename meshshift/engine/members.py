"""The other shifts of a group, as their statuses tell."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from meshshift.api.status import StatusModel
from meshshift.core.group import Member
from meshshift.core.run import Phase
from meshshift.engine.world import group_of, key_of

if TYPE_CHECKING:
    from meshshift.engine.world import Document, World

_BACK = {Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.FAILED}
_NO_FAILURE = {"SpecChanged", "SubsetChanged", "Restarted", "Deleted"}


def members_of(shift: Document, world: World) -> tuple[Member, ...]:
    """The other shifts of the same namespace and group, by name; none without a group."""
    group = group_of(shift)
    if group is None:
        return ()
    keys = world.shifts_of_group(key_of(shift)[0], group)
    found = [other for key in keys if key != key_of(shift) and not _goes(other := world.shifts.objects[key])]
    return tuple(sorted((_member(each) for each in found), key=lambda member: member.name))


def _goes(shift: Document) -> bool:
    return bool(shift["metadata"].get("deletionTimestamp"))


def _member(shift: Document) -> Member:
    status = StatusModel.from_wire(shift.get("status"))
    weight = status.weights.desired if status.weights else 0
    back = next(
        (each for each in reversed(status.history) if each.phase in _BACK and each.reason not in _NO_FAILURE), None
    )
    return Member(
        name=key_of(shift)[1],
        phase=str(status.phase or ""),
        progress=(weight, status.step.index if status.step else 0),
        turned=datetime.fromisoformat(back.at).timestamp() if back else None,
        why=back.message if back else "",
    )
