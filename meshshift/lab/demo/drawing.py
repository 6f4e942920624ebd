"""What the screens are drawn with: colours of phases, bars, rules, and the past in as many lines as there are."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from meshshift.core.run import Phase
from meshshift.lab.demo.frame import clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshshift.api.status import HistoryEntry, StatusModel
    from meshshift.lab.demo.frame import Frame

WIDEST = 110
COLOURS = {
    Phase.SUCCEEDED: "bold green",
    Phase.PROMOTING: "bold green",
    Phase.ROLLING_BACK: "bold red",
    Phase.ROLLED_BACK: "bold red",
    Phase.FAILED: "bold red",
    Phase.PAUSED: "bold yellow",
}
_HOLDING = ("TelemetryUnavailable", "TelemetryStale", "TelemetryUnusable", "NoTraffic")


def joined(lines: Sequence[Text], columns: int) -> Text:
    """The lines as one text, none longer than `columns`."""
    for line in lines:
        line.truncate(columns, overflow="ellipsis")
    return Text("\n").join(lines)


def header(title: str, frame: Frame, columns: int) -> Text:
    """The first line: what is shown, which shift of how many it is, and for how long it has been going on."""
    place = f"shift {frame.number} of {frame.of}   {clock(frame.elapsed)} "
    return Text(f"{title:<{columns - len(place)}.{columns - len(place)}}{place}", style="bold reverse")


def situation(status: StatusModel, columns: int, most: int) -> list[Text]:
    """Phase and message, in at most `most` lines and at least two."""
    phase = str(status.phase or "Pending")
    colour = COLOURS.get(status.phase, "bold cyan") if status.phase else "bold cyan"
    colour = "bold yellow" if status.reason in _HOLDING else colour
    first, *rest = wrapped(status.message or "waiting for the controller", columns - 16)
    words = [Text.assemble((f" {phase:<12}  ", colour), first), *(Text(" " * 15 + line) for line in rest[: most - 1])]
    return words + [Text("")] * (2 - len(words))


def share(label: str, value: float | None, length: int) -> Text:
    """A percentage as a bar and a number."""
    if value is None:
        return Text.assemble(f" {label:<14}", ("not known yet", "dim"))
    return Text.assemble(f" {label:<14}", *bar(value / 100, length, "cyan"), f" {value:5.1f}%")


def past(
    turns: Sequence[tuple[float, HistoryEntry]], columns: int, room: int, names: Sequence[str] | None = None
) -> list[Text]:
    """The latest turns that fit, oldest first; each is shown whole or not at all.

    `names` says of each turn whose it is.
    """
    blocks: list[list[Text]] = []
    for number, (at, entry) in reversed(tuple(enumerate(turns))):
        style = COLOURS.get(entry.phase, "")
        own = [index for index in range(number) if names is None or names[index] == names[number]]
        again = bool(own) and turns[own[-1]][1].message == entry.message
        words = f"{entry.phase}: done" if again else entry.message
        lines = wrapped(f"{names[number]}: {words}" if names else words, columns - 9)
        block = [Text.assemble((f" {clock(at):>5}  ", "dim"), (lines[0], style))]
        block += [Text(" " * 8 + line, style=style) for line in lines[1:]]
        if sum(map(len, blocks)) + len(block) > room:
            break
        blocks.insert(0, block)
    return [line for block in blocks for line in block]


def traffic_line(frame: Frame) -> Text:
    """The traffic in one line, and what the shifting cost."""
    traffic = frame.traffic
    lost = "bold red" if traffic.lost else "bold green"
    return Text.assemble(
        f" {frame.per_second:.0f}/s   {traffic.sent:,} sent   {traffic.failed_by_app:,} errors of the app   ",
        (f"failed because of shifting: {traffic.lost:,}", lost),
    )


def bar(share: float, length: int, colour: str) -> Iterable[tuple[str, str]]:
    """A bar of `length` cells; whatever is above nothing shows at least one."""
    filled = min(length, max(1 if share > 0 else 0, round(share * length)))
    return (("█" * filled, colour), ("░" * (length - filled), "bright_black"))


def rule(title: str, columns: int) -> Text:
    """A line across the screen with a title in it."""
    return Text(f"── {title} " + "─" * max(0, columns - len(title) - 4), style="bright_black")


def wrapped(text: str, columns: int) -> list[str]:
    """The text in lines, at least one."""
    return textwrap.wrap(text, columns, break_on_hyphens=False) or [""]
