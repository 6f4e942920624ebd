"""Durations as people write them: Go's notation, which Kubernetes and Istio use throughout.

Only `ms`, `s`, `m` and `h` are read.  Go's `us` and `ns` mean nothing at a controller's pace, and signs would only make
room for mistakes.  What is read is written back in one canonical spelling, so that `60s` and `1m` are the same spec.
"""

from __future__ import annotations

import re

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
MAX_DURATION_LENGTH = 32
MAX_DURATION = 30 * 24 * 3600.0
HINT = "write a duration such as 500ms, 15s, 2m or 1h30m"

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def parse_duration(text: str) -> float:
    """Seconds in a duration such as `1h30m`.

    Raises ValueError for anything but digits with the units ms, s, m and h, and for more than 30 days.
    Source of the notation: Go's `time.ParseDuration`.
    """
    if len(text) > MAX_DURATION_LENGTH or not re.fullmatch(DURATION_PATTERN[1:-1], text, re.ASCII):
        raise ValueError(f"not a duration; {HINT}")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    if seconds > MAX_DURATION:
        raise ValueError("longer than 30 days; write a shorter duration")
    return seconds


def format_duration(seconds: float) -> str:
    """The canonical spelling of `seconds` (>= 0): hours, minutes, seconds and milliseconds, none of them zero."""
    milliseconds = round(seconds * 1000, 3)
    whole, rest = divmod(milliseconds, 1000)
    minutes, second = divmod(int(whole), 60)
    hour, minute = divmod(minutes, 60)
    parts = ((hour, "h"), (minute, "m"), (second, "s"), (round(rest, 3), "ms"))
    return "".join(f"{amount:g}{unit}" for amount, unit in parts if amount) or "0s"
