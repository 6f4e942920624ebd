"""`meshshift operator`: run the controller."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click
from kubernetes.aio.config import ConfigException

from meshshift.operator.settings import Settings

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _setting(flag: str, help_text: str, **options: Any) -> Any:
    """An option that can also be set as MESHSHIFT_<FLAG>."""
    variable = "MESHSHIFT_" + flag.removeprefix("--").split("/")[0].upper().replace("-", "_")
    return click.option(flag, envvar=variable, show_envvar=True, show_default=True, help=help_text, **options)


@click.command()
@_setting("--prometheus-url", "Prometheus that scrapes Istio's telemetry.", required=True)
@_setting("--prometheus-token-file", "File with a bearer token; read again when it changes.", type=FILE)
@_setting("--prometheus-username", "User name for basic authentication.")
@_setting("--prometheus-password-file", "File with the password for basic authentication.", type=FILE)
@_setting("--prometheus-ca-file", "CA certificates (PEM) that Prometheus' certificate is checked against.", type=FILE)
@_setting("--prometheus-timeout", "Seconds a query may take.", type=click.FloatRange(min=0.1), default=10.0)
@_setting(
    "--scrape-interval",
    "Seconds between two scrapes of Istio's proxies; telemetry is read one scrape in the past.",
    type=click.FloatRange(min=0.1),
    default=15.0,
)
@_setting(
    "--reporter",
    "Whose telemetry to read; auto takes source if there is any, else waypoint, else destination.",
    type=click.Choice(["auto", "source", "destination", "waypoint"]),
    default="auto",
)
@_setting("--kubeconfig", "Kubeconfig file; default: the pod's service account, else $KUBECONFIG.", type=FILE)
@_setting("--context", "Context of the kubeconfig.")
@_setting("--namespaces", "Comma-separated namespaces to look after; default: all.", default="")
@_setting("--cluster-domain", "The cluster's DNS domain.", default="cluster.local")
@_setting(
    "--settle",
    "Seconds a mesh edit is given to reach every proxy before another builds on it.",
    type=click.FloatRange(min=0.0),
    default=5.0,
)
@_setting(
    "--resync", "Seconds between two full lists of all that is watched.", type=click.FloatRange(min=1), default=300.0
)
@_setting("--workers", "Shifts looked at side by side.", type=click.IntRange(min=1), default=8)
@_setting(
    "--leader-election/--no-leader-election",
    "Take a Lease before working, so that replicas may stand by.",
    default=True,
)
@_setting("--leader-namespace", "Namespace of the Lease.", default="meshshift-system")
@_setting("--bind", "Address for health and metrics.", default="0.0.0.0")  # noqa: S104 - probes come from outside
@_setting("--port", "Port for /healthz, /readyz and /metrics; 0 lets the system choose.", type=int, default=8080)
@_setting("--log-format", "How log lines look.", type=click.Choice(["json", "text"]), default="json")
@_setting("--log-level", "What is logged.", type=click.Choice(["debug", "info", "warning", "error"]), default="info")
def operator(namespaces: str, **options: Any) -> None:
    """Run the controller against a cluster until it is stopped."""
    from meshshift.operator.main import run

    names = tuple(filter(None, (name.strip() for name in namespaces.split(","))))
    try:
        asyncio.run(run(Settings(namespaces=names, **options)))
    except ConfigException as error:
        fix = "give --kubeconfig, set KUBECONFIG, or run in a pod with a service account"
        raise click.ClickException(f"no cluster to connect to: {error}; {fix}") from error
