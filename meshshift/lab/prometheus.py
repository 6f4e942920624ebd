"""A real Prometheus server on loopback that scrapes the lab every second.

It can be stopped, started again with the same port and data, and frozen (SIGSTOP), because "telemetry is away in the
middle of a shift" is one of the situations the lab is for.  Targets are given through file-based service discovery, so
those that come later (the controller, say) need no restart.

The program is `prometheus` on PATH, or what the environment variable `PROMETHEUS` names; 2.40 and later, 3 included.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING, Any, Self

import httpx
import yaml

from meshshift.lab import children

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_START_TIMEOUT = 30.0


class PrometheusError(RuntimeError):
    """Prometheus did not start; the message ends with the last lines of its log."""


class Prometheus:
    """One server; an async context manager.  `url` stays the same over stops and starts."""

    def __init__(self, directory: Path, *, scrape_interval: str = "1s") -> None:
        self._directory = directory
        self._interval = scrape_interval
        self._targets: dict[str, dict[str, Any]] = {}
        self._port = 0
        self._client = httpx.AsyncClient()
        self.process: children.Process | None = None

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._directory.mkdir(parents=True, exist_ok=True)
        self._write_targets()
        self._configuration_file.write_text(yaml.safe_dump(self._configuration(), sort_keys=False))
        self._port = children.free_port()
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        await self._client.aclose()

    def scrape(
        self, name: str, address: str, *, path: str = "/metrics", labels: Mapping[str, str] | None = None
    ) -> None:
        """Scrape `address` (host:port) from now on; the same `name` again replaces the target."""
        self._targets[name] = {
            "targets": [address],
            "labels": {"__metrics_path__": path, "job": name.partition("/")[0], **(labels or {})},
        }
        self._write_targets()

    def forget(self, name: str) -> None:
        """Scrape that target no more."""
        self._targets.pop(name, None)
        self._write_targets()

    async def start(self) -> None:
        """Start the server and wait until it answers queries; raises PrometheusError."""
        program = os.environ.get("PROMETHEUS", "prometheus")
        try:
            self.process = await children.start(
                "prometheus",
                [
                    program,
                    f"--config.file={self._configuration_file}",
                    f"--storage.tsdb.path={self._directory / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                    "--log.level=warn",
                ],
                # One core's worth of garbage collection: the machine also runs the mesh.
                environment={"GOMAXPROCS": "1"},
                log=self._directory / "prometheus.log",
            )
        except FileNotFoundError as error:
            raise PrometheusError(
                f"Prometheus: no program {program!r}; install it (apt install prometheus) or set PROMETHEUS to its path"
            ) from error
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                await self._await_ready()
        except TimeoutError as error:
            words = self.process.last_words()
            await self.stop(grace=0)
            raise PrometheusError(f"Prometheus was not ready within {_START_TIMEOUT:g} s\n{words}") from error

    async def stop(self, grace: float = 5.0) -> None:
        """Stop the server; `start` brings it back with its data."""
        if self.process is not None and self.process.running:
            await self.process.stop(grace)

    def freeze(self) -> None:
        """Let it accept connections but answer nothing: the worst kind of outage."""
        if self.process is not None:
            self.process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        if self.process is not None:
            self.process.send(signal.SIGCONT)

    async def query(self, promql: str) -> list[dict[str, Any]]:
        """The result of an instant query, for tests and people."""
        answer = await self._client.get(f"{self.url}/api/v1/query", params={"query": promql})
        answer.raise_for_status()
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    @property
    def _configuration_file(self) -> Path:
        return self._directory / "prometheus.yml"

    def _configuration(self) -> dict[str, Any]:
        files = {"files": [str(self._directory / "targets.json")], "refresh_interval": "1s"}
        return {
            "global": {"scrape_interval": self._interval, "scrape_timeout": self._interval},
            "scrape_configs": [{"job_name": "lab", "file_sd_configs": [files]}],
        }

    def _write_targets(self) -> None:
        moving = self._directory / "targets.json.new"
        moving.write_text(json.dumps(list(self._targets.values()), indent=1))
        moving.replace(self._directory / "targets.json")

    async def _await_ready(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            if self.process is not None and not self.process.running:
                raise PrometheusError(f"Prometheus ended while starting\n{self.process.last_words()}")
            try:
                if (await self._client.get(f"{self.url}/-/ready")).status_code == 200:
                    return
            except httpx.TransportError:
                continue
