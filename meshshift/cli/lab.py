"""`meshshift lab`: a mesh on this machine, and scenarios played in it.

What the lab is made of is an extra of the package, so this module imports none of it before it is used.
"""

from __future__ import annotations

import asyncio
import sys
import textwrap
from pathlib import Path

import click

from meshshift.lab.demo.scenarios import SCENARIOS

NO_SCENARIO = "none"


def _listed() -> str:
    """All scenarios with their titles, one below the other; click would fill the lines if they were not marked."""
    told = {**{name: scenario.title for name, scenario in SCENARIOS.items()}, NO_SCENARIO: "just a mesh to play with"}
    wide = max(map(len, told)) + 4
    rows = (
        textwrap.fill(title, 78, initial_indent=f"  {name}".ljust(wide), subsequent_indent=" " * wide)
        for name, title in told.items()
    )
    return "\b\nScenarios:\n" + "\n".join(rows)


@click.command(epilog=_listed())
@click.option(
    "--scenario",
    type=click.Choice([*SCENARIOS, NO_SCENARIO]),
    default="demo",
    show_default=True,
    metavar="NAME",
    help="What to play, see below.",
)
@click.option(
    "--rate", type=click.FloatRange(1, 2000), default=300.0, show_default=True, help="Load in requests per second."
)
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Use this API server (a bare one, without controllers of its own) in place of the in-memory one.",
)
@click.option("--allow-nodes", is_flag=True, help="Use the API server of --kubeconfig even if its cluster has nodes.")
@click.option("--keep", is_flag=True, help="Stay up afterwards, and say where everything is.")
@click.option("--plain", is_flag=True, help="Plain lines even on a terminal.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="An empty or new directory for logs and data.  [default: a temporary one]",
)
@click.option("--verbose", is_flag=True, help="Debug logs, on standard error too; implies --plain.")
def lab(
    scenario: str,
    rate: float,
    kubeconfig: Path | None,
    allow_nodes: bool,
    keep: bool,
    plain: bool,
    directory: Path | None,
    verbose: bool,
) -> None:
    """Run a mesh on this machine and play a scenario in it.

    Real Envoy, real Prometheus, an in-memory Kubernetes API, and `meshshift operator` at work.  Exits with 1 if the
    scenario did not go as it should, or if a single request failed because of shifting.
    """
    try:
        from meshshift.lab.demo.lines import Lines
        from meshshift.lab.demo.live import LiveScreen
        from meshshift.lab.demo.run import FAILURES, Wish, run
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "meshshift":
            raise
        raise click.ClickException(f"{package} is not installed: pip install 'meshshift[lab]'") from error
    chosen = SCENARIOS.get(scenario)
    wish = Wish(chosen, rate, kubeconfig, allow_nodes, keep or chosen is None, directory, verbose)
    display = Lines() if plain or verbose or not sys.stdout.isatty() else LiveScreen()
    try:
        status = asyncio.run(run(wish, display))
    except FAILURES as error:
        raise click.ClickException(str(error)) from error
    sys.exit(status)
