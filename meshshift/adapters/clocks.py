"""Does Prometheus live in the same minute as this controller?

The controller asks for instants by its own clock, Prometheus dates its samples by its own.  If they disagree by more
than a scrape or so, what happened before a weight was set is taken for what happened since: a step would be passed on
traffic that it never got, and a lost start of a window might not be seen.  Nothing in the samples shows it, but every
HTTP answer is dated (RFC 9110, 6.6.1; to the second), so it costs nothing to look.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

TOLERANCE = 5.0
"""Seconds by which the clocks may disagree: about as long as a weight takes to reach every proxy anyway."""

RECENT = 300.0
"""Seconds: only questions about the present depend on what the present is."""


def seconds_apart(date: str | None, asked: float, answered: float) -> float:
    """By how many seconds a server's clock is ahead of ours (behind: negative); 0 if its answer's date allows for none.

    `date` is the answer's Date header, `asked` and `answered` are unix times by our clock.  No date, no opinion.
    """
    try:
        theirs = parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    if theirs > answered:
        return theirs - answered
    return min(0.0, theirs + 1.0 - asked)
