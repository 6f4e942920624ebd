"""`meshshift`: one command with a subcommand for each job.

Subcommands are imported when they are used, so that `meshshift operator` runs without what only the lab needs.
"""

from __future__ import annotations

import click

from meshshift import __version__
from meshshift.cli.operator import operator


@click.group(context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "MESHSHIFT"})
@click.version_option(__version__, prog_name="meshshift")
def main() -> None:
    """Progressive delivery for Istio."""


main.add_command(operator)
