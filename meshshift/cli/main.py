"""`meshshift`: one command with a subcommand for each job.

Subcommands are imported when they are used, so that `meshshift operator` runs without what only the lab needs.
"""

from __future__ import annotations

import importlib

import click

from meshshift import __version__

SUBCOMMANDS = {
    "explain": "meshshift.cli.explain",
    "lab": "meshshift.cli.lab",
    "lint": "meshshift.cli.lint",
    "operator": "meshshift.cli.operator",
    "plan": "meshshift.cli.plan",
    "replay": "meshshift.cli.replay",
}
"""Where each subcommand is; the module has a click command of the same name."""


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, without importing anything."""
        return sorted(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of that name, None if there is none."""
        if cmd_name not in SUBCOMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(SUBCOMMANDS[cmd_name]), cmd_name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "MESHSHIFT"})
@click.version_option(__version__, prog_name="meshshift")
def main() -> None:
    """Progressive delivery for Istio."""
