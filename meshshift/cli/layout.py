"""How text for people is laid out: lines of a width that fits, odds never torn apart, instants in UTC.

What is printed holds names and messages of others, so every line goes through `one_line` on its way out.
"""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from meshshift.core.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 110
"""Columns of the widest line."""

_ODDS, _JOINED = " : 1", "\u00a0:\u00a01"


def wrapped(text: str, first: str = "", rest: str | None = None) -> list[str]:
    """Lines that begin with `first`, those after it with `rest` (default: two columns further in); none for no text."""
    lines = textwrap.wrap(
        text.replace(_ODDS, _JOINED),
        WIDTH,
        initial_indent=first,
        subsequent_indent=first + "  " if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_JOINED, _ODDS) for line in lines]


def page(sections: Iterable[Iterable[str]]) -> str:
    """The sections that have lines, an empty line between them, nothing in them that a terminal would act on."""
    printed = ("\n".join(map(one_line, section)) for section in sections)
    return "\n\n".join(filter(None, printed))


def clock(instant: float) -> str:
    """A unix time in seconds as date and time."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M:%S")


def time_of_day(instant: float) -> str:
    """A unix time in seconds as time alone, where the date was said."""
    return datetime.fromtimestamp(instant, UTC).strftime("%H:%M:%S")
