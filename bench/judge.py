"""The product's judge beside the rules of its peers: `python -m bench.judge --quick`, or `--full` for the page.

Everything but the costs is simulated from seeds, so that the same command prints the same tables on any machine.
`--full --write docs/benchmarks.md` makes the page in the documentation.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from bench.acceptance import acceptance
from bench.beside import incidents, steady
from bench.cost import costs
from bench.product import deployed, latency, objective, plans
from bench.promises import edges
from bench.rare import rare
from bench.report import FULL, QUICK, Section, Size
from bench.runs import PROCESSES, run
from bench.wald import wald
from bench.words import ASKED, HEAD, SECTIONS

TABLES: dict[str, Callable[[Size], Section]] = {
    "Promises": edges,
    "Steady canaries": steady,
    "What happens on the way": incidents,
    "Plans and services": plans,
    "As deployed": deployed,
    "Latency and several indicators": latency,
    "An absolute objective": objective,
    "Requests needed": wald,
}
"""Headings of the page, in order, and what makes the section below each."""

RARE = "How rare a false rollback is"
COSTS = "Costs"


def page(size: Size, processes: int = PROCESSES) -> str:
    """All tables that are the same everywhere, as Markdown."""
    made = {title: maker(size) for title, maker in TABLES.items()}
    found = run([case for section in made.values() for case in section.cases], processes)
    parts = [HEAD.format(size=size), "## What is asked of it\n", ASKED, acceptance(found, size)]
    for title, section in made.items():
        parts += [f"## {title}\n", SECTIONS[title], section.render(found)]
    parts += [f"## {RARE}\n", SECTIONS[RARE], rare(size, processes)]
    return "\n".join(parts)


def main() -> None:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(prog="python -m bench.judge", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="few repetitions: under a minute, rough numbers (default)")
    size.add_argument("--full", action="store_true", help="enough repetitions to see a promise broken")
    parser.add_argument("--write", type=Path, metavar="PATH", help="write the page there instead of printing it")
    given = parser.parse_args()
    begun = time.monotonic()
    text = page(FULL if given.full else QUICK) + f"\n## {COSTS}\n\n{SECTIONS[COSTS]}\n" + costs()
    if given.write:
        given.write.write_text(text)
        print(f"{given.write} written in {time.monotonic() - begun:.0f} s")
    else:
        print(text)


if __name__ == "__main__":
    main()
