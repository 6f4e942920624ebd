"""How the tables are written: sections of cases, and cells that say what became of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.runs import Case, Summary

Summaries = Mapping[str, Summary]

TRAFFIC = (1.0, 10.0, 100.0, 1000.0)
"""Requests per second of the services that are simulated."""


@dataclass(frozen=True, slots=True)
class Size:
    """Repetitions: of a cell, of a cell of the cheap rules, of a cell that shows a rare thing, of a promise."""

    runs: int
    peers: int
    many: int
    promise: int


QUICK = Size(runs=10, peers=40, many=40, promise=20)
FULL = Size(runs=400, peers=1000, many=2000, promise=2000)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: its cases, and how their summaries become text."""

    cases: tuple[Case, ...]
    render: Callable[[Summaries], str]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def percent(part: float, whole: float) -> str:
    """A share, with as many digits as it deserves; never rounded to 0 or 100 unless it is."""
    if part in {0, whole}:
        return "100 %" if part else "0 %"
    share = 100.0 * part / whole
    digits = 2 if share < 1.0 or share > 99.9 else 1 if share < 10.0 or share > 99.0 else 0
    return f"{share:.{digits}f} %"


def duration(seconds: float) -> str:
    """Seconds up to ten minutes, minutes beyond."""
    return f"{seconds:.0f} s" if seconds < 600.0 else f"{seconds / 60.0:.0f} min"


def amount(number: float) -> str:
    """A mean number of requests."""
    return f"{number:.1f}" if number < 10.0 else f"{number:,.0f}"


def cell(summary: Summary) -> str:
    """What became of the shifts, and what it cost: promoted, rolled back, failed requests."""
    parts = []
    if summary.promoted:
        parts.append(f"on {percent(summary.promoted, summary.runs)} {duration(summary.promotion)}")
    if summary.rolled_back:
        parts.append(f"back {percent(summary.rolled_back, summary.runs)} {duration(summary.rollback)}")
    if undecided := summary.runs - summary.promoted - summary.rolled_back:
        parts.append(f"open {percent(undecided, summary.runs)}")
    return f"{', '.join(parts)} ({amount(summary.failed)})"


def traffic_heads() -> list[str]:
    """Column heads, one for each service."""
    return [f"{rps:.0f} rps" for rps in TRAFFIC]
