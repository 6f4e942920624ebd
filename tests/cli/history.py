"""Simulated counters as history of a real Prometheus, sample by sample."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.engine.simulation import NAMESPACE, Simulation

_REQUESTS = "istio_requests_total"
_BUCKETS = "istio_request_duration_milliseconds_bucket"


def backfill(simulation: Simulation, directory: Path) -> None:
    """Write what the simulation counted into `directory`/data."""
    if not shutil.which("promtool"):
        pytest.skip("no promtool on PATH: install Prometheus with its tools")
    (directory / "history.om").write_text(_open_metrics(simulation))
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "history.om", "data"]
    subprocess.run(command, check=True, capture_output=True, cwd=directory)


def _open_metrics(simulation: Simulation) -> str:
    lines: dict[str, list[str]] = {_REQUESTS: [], _BUCKETS: []}
    for at, counts in simulation.traffic.readings:
        for (version, name), value in counts.items():
            bucket = name.startswith("le=")
            labels = {
                "pod": "client-0",
                "reporter": "source",
                "destination_service_namespace": NAMESPACE,
                "destination_service_name": "reviews",
                "destination_workload": f"reviews-{version}",
                "response_code": "200" if bucket else name,
            } | ({"le": name.removeprefix("le=")} if bucket else {})
            inside = ",".join(f'{key}="{text}"' for key, text in labels.items())
            metric = _BUCKETS if bucket else _REQUESTS
            lines[metric].append(f"{metric}{{{inside}}} {value!r} {at:.0f}")
    return "\n".join([*lines[_REQUESTS], *lines[_BUCKETS], "# EOF", ""])
