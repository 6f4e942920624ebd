"""One consistent set of xDS resources for the client sidecar: virtual hosts, clusters, endpoints, listener."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshshift.lab.envoy.clusters import build_clusters
from meshshift.lab.envoy.routes import FAULT_FILTER, default_route, not_simulated, routes_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from meshshift.lab.envoy.world import MeshService, World

Message = dict[str, Any]

ROUTE_CONFIGURATION = "mesh"
_CONNECTION_MANAGER = (
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
_HTTP_FILTERS = "type.googleapis.com/envoy.extensions.filters.http"
ACCESS_LOG_FORMAT: Mapping[str, str] = {
    "time": "%START_TIME(%s.%3f)%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(:PATH)%",
    "host": "%REQ(:AUTHORITY)%",
    "code": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "ms": "%DURATION%",
    "cluster": "%UPSTREAM_CLUSTER_RAW%",
    "upstream": "%UPSTREAM_HOST%",
    "workload": "%METADATA(UPSTREAM_HOST:istio:workload)%",
    "peer": "%METADATA(UPSTREAM_HOST:istio:peer)%",
    "route": "%ROUTE_NAME%",
    "config": "%METADATA(ROUTE:istio:config)%",
    "client": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
    "grpc": "%GRPC_STATUS_NUMBER%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
}
"""What the access log says of each request; telemetry is computed from nothing else."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What Envoy is to be told.  `ignored` is for people; `missing` explains answers with the flag NC.

    `missing` maps (the VirtualService's path in the route metadata, the route's name) to clusters that the route uses
    and that do not exist.
    """

    clusters: Mapping[str, Message]
    endpoints: Mapping[str, Message]
    routes: Message
    ignored: tuple[str, ...]
    missing: Mapping[tuple[str, str], tuple[str, ...]]


def translate(world: World, client_labels: Mapping[str, str], endpoint_directory: Path) -> Snapshot:
    """Everything that this world means to the sidecar."""
    clusters, endpoints, ignored = build_clusters(world, endpoint_directory)
    labels = dict(client_labels)
    hosts = [
        virtual_host for service in world.services.values() for virtual_host in _virtual_hosts(world, service, labels)
    ]
    hosts += _foreign_hosts(world, labels)
    ignored += [line for document in world.virtual_services for line in not_simulated(document)]
    routes = {
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        "name": ROUTE_CONFIGURATION,
        "virtual_hosts": hosts,
        "validate_clusters": False,
    }
    return Snapshot(clusters, endpoints, routes, tuple(ignored), _missing(hosts, clusters))


def listener(route_file: Path) -> Message:
    """The sidecar's one HTTP listener, on a loopback port of the kernel's choice, with Istio's HTTP settings."""
    file_logger = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
    manager = {
        "@type": _CONNECTION_MANAGER,
        "stat_prefix": "outbound",
        "rds": {
            "route_config_name": ROUTE_CONFIGURATION,
            "config_source": {"resource_api_version": "V3", "path_config_source": {"path": str(route_file)}},
        },
        "http_filters": [
            {"name": FAULT_FILTER, "typed_config": {"@type": f"{_HTTP_FILTERS}.fault.v3.HTTPFault"}},
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{_HTTP_FILTERS}.router.v3.Router"}},
        ],
        "access_log": [
            {
                "name": "envoy.access_loggers.stdout",
                "typed_config": {
                    "@type": file_logger,
                    "log_format": {"json_format": dict(ACCESS_LOG_FORMAT)},
                },
            }
        ],
        "normalize_path": True,
        "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
        "stream_idle_timeout": "0s",
        "generate_request_id": False,
    }
    return {
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": "outbound",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _virtual_hosts(world: World, service: MeshService, labels: Message) -> Iterator[Message]:
    """One per HTTP port; the first port also answers to the host without a port, as there is only one listener here."""
    document = world.virtual_service(service.host)
    for index, port in enumerate(service.ports):
        routes = routes_of(world, document, port.number, labels) if document else []
        domains = [f"{name}:{port.number}" for name in _names(world, service)]
        if index == 0:
            domains += _names(world, service)
        yield {
            "name": f"{service.host}:{port.number}",
            "domains": sorted(domains),
            "routes": routes or [default_route(service.host, port.number)],
            "include_request_attempt_count": True,
        }


def _names(world: World, service: MeshService) -> list[str]:
    """What clients call the service; the bare name means the client's own namespace (GenerateAltVirtualHosts)."""
    qualified = f"{service.name}.{service.namespace}"
    names = [service.host, service.host + ".", qualified, f"{qualified}.svc"]
    return [*names, service.name] if service.namespace == world.client_namespace else names


def _foreign_hosts(world: World, labels: Message) -> Iterator[Message]:
    """Hosts of VirtualServices that are no Service: Istio serves them on port 80, here the one listener does."""
    taken: set[str] = set()
    for document in world.virtual_services:
        names = [world.resolve(host, document["metadata"]["namespace"]) for host in document["spec"]["hosts"]]
        fresh = [name for name in names if name not in world.services and name not in taken and _is_domain(world, name)]
        routes = routes_of(world, document, 80, labels)
        if fresh and routes:
            taken.update(fresh)
            yield {
                "name": f"{fresh[0]}:80",
                "domains": fresh,
                "routes": routes,
                "include_request_attempt_count": True,
            }


def _is_domain(world: World, name: str) -> bool:
    """A wildcard that stands for Services has been served by their own virtual hosts."""
    return not (name.startswith("*") and any(host.endswith(name[1:]) for host in world.services))


def _missing(hosts: list[Message], clusters: Mapping[str, Message]) -> dict[tuple[str, str], tuple[str, ...]]:
    out: dict[tuple[str, str], tuple[str, ...]] = {}
    for route in (route for host in hosts for route in host["routes"]):
        absent = [name for name in _used(route.get("route") or {}) if name not in clusters]
        if absent:
            key = (_config(route), route["name"])
            out[key] = tuple(dict.fromkeys([*out.get(key, ()), *absent]))
    return out


def _config(route: Message) -> str:
    metadata = route.get("metadata") or {"filter_metadata": {"istio": {"config": ""}}}
    return str(metadata["filter_metadata"]["istio"]["config"])


def _used(action: Message) -> Iterator[str]:
    if "cluster" in action:
        yield action["cluster"]
    for entry in (action.get("weighted_clusters") or {}).get("clusters", ()):
        yield entry["name"]
