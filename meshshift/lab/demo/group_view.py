"""The screen of several shifts that are released together: each in a few lines, and one past for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from meshshift.lab.demo.drawing import WIDEST, header, joined, past, rule, share, situation, traffic_line
from meshshift.lab.demo.view import fullest_alarm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshshift.lab.demo.frame import Frame


def group_screen(frames: Sequence[Frame], width: int, height: int) -> Text:
    """The frames as at most `height` lines of `width` columns; three services need 80 columns and 20 lines."""
    columns = min(width, WIDEST)
    first = frames[0]
    top = [header(f" group {first.act.group}: {', '.join(each.act.service for each in frames)}", first, columns)]
    for frame in frames:
        top += _service(frame, columns)
    bottom = [rule("traffic", columns), traffic_line(first)]
    room = height - len(top) - len(bottom) - 1
    return joined([*top, *(_past(frames, columns, room) if room > 0 else []), *bottom], columns)


def _service(frame: Frame, columns: int) -> list[Text]:
    act, weights = frame.act, frame.status.weights
    aside = [Text(f" !! {frame.aside}", style="bold black on yellow")] if frame.aside else []
    gets = share(f"{act.canary.name} gets", weights.observed if weights else None, columns - 60)
    return [
        rule(f"{act.title} ({act.canary.words})", columns),
        *situation(frame.status, columns, 2),
        Text.assemble(gets, "   ", *fullest_alarm(frame.status.evidence, 14)),
        *aside,
    ]


def _past(frames: Sequence[Frame], columns: int, room: int) -> list[Text]:
    """The turns of all services in the order in which they were taken."""
    told = sorted(
        ((at, frame.act.service, entry) for frame in frames for at, entry in frame.turns()), key=lambda each: each[0]
    )
    turns, names = [(at, entry) for at, _, entry in told], [name for _, name, _ in told]
    return [rule("what happened", columns), *past(turns, columns, room, names)]
