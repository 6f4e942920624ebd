"""How text for people is laid out: lines of a width that fits, odds never torn apart, instants in UTC."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime

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


def clock(instant: float) -> str:
    """A unix time in seconds as date and time."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M:%S")


def time_of_day(instant: float) -> str:
    """A unix time in seconds as time alone, where the date was said."""
    return datetime.fromtimestamp(instant, UTC).strftime("%H:%M:%S")
