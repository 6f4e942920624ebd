"""`meshshift operator`: run the controller."""

from __future__ import annotations

import asyncio
from typing import Any

import click
from kubernetes.aio.config import ConfigException

from meshshift.cli.flags import CLUSTER, PROMETHEUS, setting, with_options
from meshshift.cli.parameters import DURATION, NETWORKS
from meshshift.operator.settings import Settings

OPTIONS = (
    *PROMETHEUS,
    *CLUSTER,
    setting("--namespaces", "Comma-separated namespaces to look after; default: all.", default=""),
    setting("--cluster-domain", "The cluster's DNS domain.", default="cluster.local"),
    setting(
        "--in-place/--no-in-place",
        "Watch Deployments, for Services annotated with meshshift.io/workload: in-place.",
        default=False,
    ),
    setting(
        "--settle",
        "How long a mesh edit is given at the least to reach every proxy before another builds on it; longer where "
        "istiod's pilot_proxy_convergence_time says so.",
        type=DURATION,
        default="5s",
    ),
    setting("--resync", "How often all that is watched is listed afresh.", type=DURATION, default="5m"),
    setting(
        "--workers",
        "Shifts looked at side by side; those whose telemetry is due together share queries.",
        type=click.IntRange(min=1),
        default=512,
    ),
    setting(
        "--leader-election/--no-leader-election",
        "Take a Lease before working, so that replicas may stand by.",
        default=True,
    ),
    setting("--leader-namespace", "Namespace of the Lease.", default="meshshift-system"),
    setting("--bind", "Address for health and metrics.", default="0.0.0.0"),  # noqa: S104 - probes come from outside
    setting(
        "--port", "Port for /healthz, /readyz and /metrics; 0: any free one.", type=click.IntRange(0), default=8080
    ),
    setting(
        "--receiver-networks",
        "Comma-separated networks, such as 127.0.0.1/32 for a sidecar, that gates and notifications may be posted to "
        "although they are the controller's own or link-local; default: none of these.",
        type=NETWORKS,
        default="",
    ),
    setting("--log-format", "How log lines look.", type=click.Choice(["json", "text"]), default="json"),
    setting("--log-level", "What is logged.", type=click.Choice(["debug", "info", "warning", "error"]), default="info"),
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
