"""`meshshift operator`: run the controller."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from kubernetes.aio.config import ConfigException

from meshshift.cli.parameters import DURATION
from meshshift.operator.settings import Settings

Command = Callable[..., None]
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def with_options(options: Iterable[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """All of `options` in one decorator, shown by --help in their order."""

    def decorate(command: Command) -> Command:
        return functools.reduce(lambda decorated, option: option(decorated), reversed(tuple(options)), command)

    return decorate


def _setting(flag: str, help_text: str, **options: Any) -> Callable[[Command], Command]:
    """An option that can also be set as MESHSHIFT_<FLAG>."""
    variable = "MESHSHIFT_" + flag.removeprefix("--").split("/")[0].upper().replace("-", "_")
    return click.option(flag, envvar=variable, show_envvar=True, show_default=True, help=help_text, **options)


OPTIONS = (
    _setting("--prometheus-url", "Prometheus that scrapes Istio's telemetry.", required=True),
    _setting("--prometheus-token-file", "File with a bearer token; read again when it changes.", type=FILE),
    _setting("--prometheus-username", "User name for basic authentication."),
    _setting("--prometheus-password-file", "File with the password for basic authentication.", type=FILE),
    _setting("--prometheus-ca-file", "CA certificates (PEM) to check Prometheus' certificate against.", type=FILE),
    _setting("--prometheus-timeout", "How long a query may take.", type=DURATION, default="10s"),
    _setting(
        "--scrape-interval",
        "How often Istio's proxies are scraped; telemetry is read one scrape in the past.",
        type=DURATION,
        default="15s",
    ),
    _setting(
        "--reporter",
        "Whose telemetry to read; auto takes source if there is any, else waypoint, else destination.",
        type=click.Choice(["auto", "source", "waypoint", "destination"]),
        default="auto",
    ),
    _setting("--kubeconfig", "Kubeconfig file; default: the pod's service account, else $KUBECONFIG.", type=FILE),
    _setting("--context", "Context of the kubeconfig."),
    _setting("--namespaces", "Comma-separated namespaces to look after; default: all.", default=""),
    _setting("--cluster-domain", "The cluster's DNS domain.", default="cluster.local"),
    _setting(
        "--settle",
        "How long a mesh edit is given to reach every proxy before another builds on it.",
        type=DURATION,
        default="5s",
    ),
    _setting("--resync", "How often all that is watched is listed afresh.", type=DURATION, default="5m"),
    _setting(
        "--workers",
        "Shifts looked at side by side; those whose telemetry is due together share queries.",
        type=click.IntRange(min=1),
        default=256,
    ),
    _setting(
        "--leader-election/--no-leader-election",
        "Take a Lease before working, so that replicas may stand by.",
        default=True,
    ),
    _setting("--leader-namespace", "Namespace of the Lease.", default="meshshift-system"),
    _setting("--bind", "Address for health and metrics.", default="0.0.0.0"),  # noqa: S104 - probes come from outside
    _setting(
        "--port", "Port for /healthz, /readyz and /metrics; 0: any free one.", type=click.IntRange(0), default=8080
    ),
    _setting("--log-format", "How log lines look.", type=click.Choice(["json", "text"]), default="json"),
    _setting(
        "--log-level", "What is logged.", type=click.Choice(["debug", "info", "warning", "error"]), default="info"
    ),
)


@click.command()
@with_options(OPTIONS)
def operator(namespaces: str, **options: Any) -> None:
    """Run the controller against a cluster until it is stopped."""
    from meshshift.operator.main import run

    names = tuple(filter(None, (name.strip() for name in namespaces.split(","))))
    try:
        asyncio.run(run(Settings(namespaces=names, **options)))
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    except ConfigException as error:
        fix = "give --kubeconfig, set KUBECONFIG, or run in a pod with a service account"
        raise click.ClickException(f"no cluster to connect to: {error}; {fix}") from error
