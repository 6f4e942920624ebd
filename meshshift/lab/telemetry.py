"""Istio's standard metrics, computed from Envoy's access log as the sidecar's stats filter computes them.

A plain Envoy has no `istio_requests_total`; that comes from Istio's own filter.  This follows its source
(istio/proxy: source/extensions/filters/http/istio_stats/istio_stats.cc, the ClientSidecar branch) including what
happens at the edges, because there a judge of canaries is easily misled:

- the peer answered: all labels are known;
- an endpoint was chosen but no answer came (connect failure, timeout, reset): the workload is known from discovery,
  `destination_app` and `destination_version` are `unknown`, since only the peer's sidecar tells these;
- no endpoint (flag UH): everything about the workload is `unknown`, `destination_canonical_revision` is `latest`;
  the service, its name and namespace are known from the cluster;
- no cluster (NC) or no route (NR): even `destination_service` and `destination_service_name` are only what the client
  wrote in its Host header, as written and with its port, and the namespace is `unknown`.

The load comes from two loopback addresses, which stand for two client pods.  Each is a scrape target of its own
(`/pods/<pod>/metrics`), as two sidecars would be.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUCKETS = (
    0.5,
    1,
    5,
    10,
    25,
    50,
    100,
    250,
    500,
    1000,
    2500,
    5000,
    10000,
    30000,
    60000,
    300000,
    600000,
    1800000,
    3600000,
)
"""Upper bounds in milliseconds of Istio's request duration histogram."""
CLIENTS: Mapping[str, str] = {"127.0.0.2": "load-0", "127.0.0.3": "load-1"}
"""The source addresses of the load and the pods that they stand for; any other client counts as the first."""
CLIENT_WORKLOAD = "load"
_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Entry = dict[str, Any]


class _Series:
    """One label set: its counter and its histogram (not yet cumulative)."""

    __slots__ = ("buckets", "count", "labels", "sum")

    def __init__(self, labels: str) -> None:
        self.labels = labels
        self.count = 0
        self.sum = 0
        self.buckets = [0] * (len(BUCKETS) + 1)


class Telemetry:
    """Counts access log entries and serves them to Prometheus; an async context manager around the server.

    `port` is where it listens on loopback.
    """

    def __init__(self, *, namespace: str, cluster: str = "Kubernetes") -> None:
        """`namespace` is the client pods', `cluster` the name that Istio gives the cluster."""
        self.namespace = namespace
        self.port = 0
        self._cluster = cluster
        self._series: dict[tuple[object, ...], _Series] = {}
        self._by_pod: dict[str, list[_Series]] = {pod: [] for pod in CLIENTS.values()}
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Telemetry:
        app = web.Application()
        app.router.add_get("/pods/{pod}/metrics", self._scrape)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def record(self, entry: Entry) -> None:
        """Count one access log entry."""
        key = (
            entry["client"],
            entry["code"],
            entry["flags"],
            entry["details"] == "via_upstream",
            entry["cluster"] or entry["host"],
            entry["workload"],
            entry["peer"],
            entry["grpc"],
        )
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._labelled(entry)
        milliseconds = entry["ms"] or 0
        series.count += 1
        series.sum += milliseconds
        series.buckets[bisect_left(BUCKETS, milliseconds)] += 1

    def _labelled(self, entry: Entry) -> _Series:
        """The series with the entry's labels: another subset of the same workload is no other series."""
        listed = self._by_pod[CLIENTS.get(entry["client"], next(iter(CLIENTS.values())))]
        labels = _render(labels_of(entry, self.namespace, self._cluster))
        found = next((series for series in listed if series.labels == labels), None)
        if found is None:
            found = _Series(labels)
            listed.append(found)
        return found

    def exposition(self, pod: str) -> str:
        """The metrics page of one client pod, in Prometheus' text format."""
        series = self._by_pod[pod]
        lines = ["# TYPE istio_requests_total counter"]
        lines += [f"istio_requests_total{{{one.labels}}} {one.count}" for one in series]
        lines.append("# TYPE istio_request_duration_milliseconds histogram")
        for one in series:
            lines += _histogram(one)
        return "\n".join(lines) + "\n"

    async def _scrape(self, request: web.Request) -> web.Response:
        pod = request.match_info["pod"]
        if pod not in self._by_pod:
            raise web.HTTPNotFound(text=f"no client pod {pod!r}; there are {', '.join(self._by_pod)}\n")
        return web.Response(text=self.exposition(pod), headers={"Content-Type": _CONTENT_TYPE})


def labels_of(entry: Entry, namespace: str, cluster: str = "Kubernetes") -> dict[str, str]:
    """Istio's labels for one request as the client's sidecar reports it."""
    return {
        "reporter": "source",
        "source_workload": CLIENT_WORKLOAD,
        "source_canonical_service": CLIENT_WORKLOAD,
        "source_canonical_revision": "latest",
        "source_workload_namespace": namespace,
        "source_principal": "unknown",
        "source_app": CLIENT_WORKLOAD,
        "source_version": "unknown",
        "source_cluster": cluster,
        **_destination(entry),
        "request_protocol": "grpc" if entry["grpc"] is not None else "http",
        "response_code": str(entry["code"] or 0),
        "grpc_response_status": "" if entry["grpc"] is None else str(entry["grpc"]),
        "response_flags": entry["flags"] or "-",
        "connection_security_policy": "unknown",
    }


def _destination(entry: Entry) -> dict[str, str]:
    service, name, service_namespace = _service(entry)
    workload, namespace, canonical, revision, cluster = _fields(entry["workload"], 5)
    answered = entry["details"] == "via_upstream"
    app, version = _fields(entry["peer"] if answered else None, 2)
    return {
        "destination_workload": workload or "unknown",
        "destination_workload_namespace": namespace or "unknown",
        "destination_principal": "unknown",
        "destination_app": app or "unknown",
        "destination_version": version or "unknown",
        "destination_service": service,
        "destination_canonical_service": canonical or "unknown",
        "destination_canonical_revision": revision or "latest",
        "destination_service_name": name,
        "destination_service_namespace": service_namespace or namespace or "unknown",
        "destination_cluster": cluster or "unknown",
    }


def _service(entry: Entry) -> tuple[str, str, str]:
    """Host, name and namespace of the service: what the cluster's metadata says, else the Host header."""
    host = (entry["cluster"] or "").rpartition("|")[2]
    if not host:
        said = entry["host"] or "unknown"
        return said, said, ""
    parts = [*host.split("."), ""]
    return host, parts[0], parts[1]


def _fields(joined: str | None, count: int) -> list[str]:
    parts = (joined or "").split(";")
    return parts if len(parts) == count else [""] * count


def _render(labels: Mapping[str, str]) -> str:
    escaped = {
        name: value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for name, value in labels.items()
    }
    return ",".join(f'{name}="{value}"' for name, value in escaped.items())


def _histogram(series: _Series) -> Iterator[str]:
    name = "istio_request_duration_milliseconds"
    running = 0
    for bound, count in zip((*BUCKETS, "+Inf"), series.buckets, strict=True):
        running += count
        yield f'{name}_bucket{{{series.labels},le="{bound}"}} {running}'
    yield f"{name}_sum{{{series.labels}}} {series.sum}"
    yield f"{name}_count{{{series.labels}}} {series.count}"
