"""Flags that several subcommands take, defined once so that they mean and say the same everywhere."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from meshshift.cli.parameters import DURATION

Command = Callable[..., None]
Option = Callable[[Command], Command]
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def with_options(options: Iterable[Option]) -> Option:
    """All of `options` in one decorator, shown by --help in their order."""

    def decorate(command: Command) -> Command:
        return functools.reduce(lambda decorated, option: option(decorated), reversed(tuple(options)), command)

    return decorate


def output_format(help_text: str, *formats: str) -> Option:
    """The flag -o/--output for one of `formats`, the first of them the default."""
    choice = click.Choice(formats)
    return click.option("-o", "--output", type=choice, default=formats[0], show_default=True, help=help_text)


def setting(flag: str, help_text: str, **options: Any) -> Option:
    """An option that can also be set as MESHSHIFT_<FLAG>."""
    variable = "MESHSHIFT_" + flag.removeprefix("--").split("/")[0].upper().replace("-", "_")
    return click.option(flag, envvar=variable, show_envvar=True, show_default=True, help=help_text, **options)


PROMETHEUS = (
    setting("--prometheus-url", "Prometheus that scrapes Istio's telemetry.", required=True),
    setting("--prometheus-token-file", "File with a bearer token; read again when it changes.", type=FILE),
    setting("--prometheus-username", "User name for basic authentication."),
    setting("--prometheus-password-file", "File with the password for basic authentication.", type=FILE),
    setting("--prometheus-ca-file", "CA certificates (PEM) to check Prometheus' certificate against.", type=FILE),
    setting("--prometheus-timeout", "How long a query may take.", type=DURATION, default="10s"),
    setting(
        "--scrape-interval",
        "How often Istio's proxies are scraped; telemetry is read one scrape in the past.",
        type=DURATION,
        default="15s",
    ),
    setting(
        "--reporter",
        "Whose telemetry to read; auto takes source if there is any, else waypoint, else destination.",
        type=click.Choice(["auto", "source", "waypoint", "destination"]),
        default="auto",
    ),
)
"""How Prometheus is reached and read."""

CLUSTER = (
    setting("--kubeconfig", "Kubeconfig file; default: the pod's service account, else $KUBECONFIG.", type=FILE),
    setting("--context", "Context of the kubeconfig."),
)
"""Which cluster is meant."""
