"""What an installation sets, once, for all shifts: by flags, or by environment variables named MESHSHIFT_<FLAG>."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from meshshift.adapters.prometheus_http import PrometheusSettings

if TYPE_CHECKING:
    from pathlib import Path

    from meshshift.adapters.notifier_http import Network


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of `meshshift operator`, as its flags describe them; durations in seconds."""

    prometheus_url: str
    prometheus_token_file: Path | None = None
    prometheus_username: str | None = None
    prometheus_password_file: Path | None = None
    prometheus_ca_file: Path | None = None
    prometheus_timeout: float = 10.0
    scrape_interval: float = 15.0
    reporter: Literal["auto", "source", "waypoint", "destination"] = "auto"
    kubeconfig: Path | None = None
    context: str | None = None
    namespaces: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"
    in_place: bool = False
    settle: float = 5.0
    resync: float = 300.0
    workers: int = 512
    leader_election: bool = True
    leader_namespace: str = "meshshift-system"
    bind: str = "0.0.0.0"  # noqa: S104 - probes and scrapes come from outside the pod
    port: int = 8080
    receiver_networks: tuple[Network, ...] = ()
    log_format: str = "json"
    log_level: str = "info"


def prometheus_settings(settings: Settings) -> PrometheusSettings:
    """How Prometheus is reached.

    Raises OSError if the password file cannot be read, ValueError for settings that contradict each other.
    """
    basic = None
    if settings.prometheus_username is not None:
        path = settings.prometheus_password_file
        basic = (settings.prometheus_username, path.read_text().strip() if path else "")
    return PrometheusSettings(
        url=settings.prometheus_url,
        bearer_token_file=settings.prometheus_token_file,
        basic_auth=basic,
        ca_file=settings.prometheus_ca_file,
        timeout=settings.prometheus_timeout,
        reporter=settings.reporter,
        scrape_interval=settings.scrape_interval,
    )
