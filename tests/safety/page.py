"""The table of docs/safety.md, made from the list of guards.

python -m tests.safety.page     writes it anew
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from tests.safety.guards import AREAS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.safety.guard import Guard

PAGE = Path(__file__).parents[2] / "docs" / "safety.md"
BEGIN = "<!-- Made by `python -m tests.safety.page`; what stands between these marks is written over. -->"
END = "<!-- The end of what is made. -->"


def table() -> str:
    """Every guard: the promise, where it stands, and which tests miss it when it is taken out."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    for area, guards in AREAS.items():
        yield from ("", f"### {area}", "", "| promise | guard | test |", "| --- | --- | --- |")
        yield from map(_row, guards)
    yield ""


def _row(guard: Guard) -> str:
    where = f"[{guard.file.removeprefix('meshshift/')}](../{guard.file})"
    return f"| {_cell(guard.promise)} | `{guard.name}` in {where} | {_cell(_tests(guard))} |"


def _tests(guard: Guard) -> str:
    """The names of the tests as sentences, behind the file in which they stand."""
    pairs = [test.split("::test_") for test in guard.tests]
    files = groupby(pairs, key=lambda pair: pair[0])
    return "; ".join(
        f"[{file.removeprefix('tests/')}](../{file}): {', '.join(name.replace('_', ' ') for _, name in named)}"
        for file, named in files
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def renewed(page: str) -> str:
    """The page with a current table; raises ValueError without both marks."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE.name} needs the marks {BEGIN} and {END}: put them where the table is to stand")
    return f"{head}{begin}\n{table()}\n{end}{tail}"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
