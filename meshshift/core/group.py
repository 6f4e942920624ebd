"""Several services as one release: shifts that share a group take their steps together and go back together.

No shift goes on while another of its group is behind it, so at no time has one service moved more than one step further
than the rest; and while one of them may still fail, none of them ends.  A shift that turns back takes all others along
that have begun since: what was released together was tested together.  Only what other shifts' statuses say counts, so
every controller reads the same, and a member that cannot begin holds the others where they are and is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshshift.core.decision import Decision, Kind
from meshshift.core.run import Phase

if TYPE_CHECKING:
    from meshshift.core.look import Look


@dataclass(frozen=True, slots=True)
class Member:
    """Another shift of the group, as its status tells.

    `progress` orders how far it has come: its weight in percent, then its step.  `turned` is the unix time of its
    latest turn back (to whole seconds) and `why` the reason; a new spec or a deletion is no turn back.
    """

    name: str
    phase: str
    progress: tuple[int, int] = (0, 0)
    turned: float | None = None
    why: str = ""


def group_failed(look: Look) -> Decision | None:
    """Another shift of the group has turned back since this one began: so does this one."""
    run = look.run
    if run.phase not in {Phase.PROGRESSING, Phase.PROMOTING}:
        return None
    for member in look.seen.group:
        if member.turned is not None and member.turned >= int(run.started):
            who = f"TrafficShift {member.name} of group {run.spec.group}"
            message = f"{look.weight_to(0)}: {who} went back ({member.why})"
            turned = run.roll_back("GroupRolledBack", message, look.seen.now)
            return look.decide(Kind.ROLL_BACK, "GroupRolledBack", message, run=turned)
    return None


def group_behind(look: Look) -> Decision | None:
    """No step further, and no end, while another shift of the group is behind."""
    run = look.run
    if not look.seen.group or run.phase is not Phase.PROGRESSING:
        return None
    mine = (run.desired, run.step + 1)
    behind = [each for each in look.seen.group if each.progress < mine and each.phase != Phase.SUCCEEDED]
    if not behind:
        return None
    names = ", ".join(f"{each.name} ({each.phase or 'not begun'}, {each.progress[0]}%)" for each in behind)
    message = f"{look.at_weight}: waiting for the others of group {run.spec.group}: {names}"
    return look.decide(Kind.WAIT, "GroupBehind", message)
