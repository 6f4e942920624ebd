"""`meshshift explain`: why a shift is where it is, how far each proof is, and what a person can do."""

from __future__ import annotations

import json

import click

from meshshift.cli.explain_text import as_json, render
from meshshift.cli.flags import output_format, with_options
from meshshift.cli.source import SOURCE, Source
from meshshift.engine.explanation import explain as explained

OUTPUT = output_format("Words for people, or JSON.", "text", "json")


@click.command()
@with_options((*SOURCE, OUTPUT))
def explain(output: str, **source: object) -> None:
    """Explain the TrafficShift NAME, running or finished: evidence, margins, what is missing, what can be done.

    Everything comes from the TrafficShift itself, so a saved one (-f) is explained just as well, without a cluster.
    """
    found = explained(Source(**source).load())  # type: ignore[arg-type]
    click.echo(json.dumps(as_json(found), indent=2, allow_nan=False) if output == "json" else render(found))
