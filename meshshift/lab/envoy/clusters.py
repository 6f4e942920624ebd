"""Services and DestinationRules to Envoy clusters and their endpoints.

Follows pilot/pkg/networking/core/cluster_builder.go and cluster_traffic_policy.go of Istio 1.32: cluster names are
`outbound|<port>|<subset>|<host>`, circuit breakers are open by default, the default balancer is LEAST_REQUEST, and a
subset's policy replaces the host's field by field.  Fields that make no sense on one machine (mutual TLS, localities,
proxy protocol …) are left out and reported, so that nobody believes that they were tested.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from meshshift.lab.envoy.durations import envoy_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from meshshift.lab.envoy.world import Endpoint, MeshService, ServicePort, World

Message = dict[str, Any]

_UNLIMITED = 4294967295
_CONNECT_TIMEOUT = "10s"
"""meshConfig.connectTimeout's default."""
_BALANCERS = {
    "ROUND_ROBIN": "ROUND_ROBIN",
    "RANDOM": "RANDOM",
    "LEAST_CONN": "LEAST_REQUEST",
    "LEAST_REQUEST": "LEAST_REQUEST",
    "UNSPECIFIED": "LEAST_REQUEST",
}
_UNDERSTOOD = {"connectionPool", "loadBalancer", "outlierDetection", "portLevelSettings"}
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def cluster_name(host: str, port: int, subset: str = "") -> str:
    """Istio's name of an outbound cluster (model.BuildSubsetKey)."""
    return f"outbound|{port}|{subset}|{host}"


def endpoint_file(directory: Path, cluster: str) -> Path:
    """Where a cluster's endpoints are."""
    return directory / (re.sub(r"[^A-Za-z0-9.-]", "_", cluster) + ".json")


def build_clusters(world: World, endpoint_directory: Path) -> tuple[dict[str, Message], dict[str, Message], list[str]]:
    """Every cluster, every load assignment (both by cluster name), and what was ignored, in words."""
    clusters: dict[str, Message] = {}
    assignments: dict[str, Message] = {}
    ignored: list[str] = []
    for service in world.services.values():
        rule = (world.destination_rule(service) or {}).get("spec") or {}
        for port in service.ports:
            for subset, labels, policy in _variants(rule, port):
                name = cluster_name(service.host, port.number, subset)
                selected = [end for end in port.endpoints if labels.items() <= dict(end.labels).items()]
                clusters[name] = _cluster(name, service, port, policy, endpoint_file(endpoint_directory, name))
                assignments[name] = load_assignment(name, selected)
                ignored += [f"{name}: trafficPolicy.{item} is not simulated" for item in _not_simulated(policy)]
    return clusters, assignments, ignored


def load_assignment(name: str, endpoints: Iterable[Endpoint]) -> Message:
    """A ClusterLoadAssignment; no endpoints is an answer too: the cluster is there and empty, 503 UH."""
    return {
        "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [_lb_endpoint(endpoint) for endpoint in endpoints]}],
    }


def _lb_endpoint(endpoint: Endpoint) -> Message:
    """One endpoint, with what Istio encodes of its workload (util.BuildLbEndpointMetadata).

    `workload` is known from discovery alone.  `peer` holds what a sidecar learns only from the other sidecar's answer,
    so telemetry uses it only if there was one.
    """
    known = (endpoint.workload, endpoint.namespace, endpoint.canonical_name, endpoint.canonical_revision, "Kubernetes")
    exchanged = (endpoint.labels.get("app", ""), endpoint.labels.get("version", ""))
    return {
        "endpoint": {
            "address": {"socket_address": {"address": endpoint.address, "port_value": endpoint.port}},
        },
        "metadata": {"filter_metadata": {"istio": {"workload": ";".join(known), "peer": ";".join(exchanged)}}},
    }


def _variants(rule: Message, port: ServicePort) -> Iterator[tuple[str, dict[str, str], Message]]:
    """The whole service and each of its subsets: name, labels and the policy that holds on this port."""
    base = rule.get("trafficPolicy") or {}
    yield "", {}, _on_port(base, port.number)
    for subset in rule.get("subsets") or ():
        yield subset["name"], dict(subset.get("labels") or {}), _merged(base, subset.get("trafficPolicy") or {}, port)


def _merged(base: Message, own: Message, port: ServicePort) -> Message:
    """A subset's fields replace the host's; its settings for the port replace all of them (MergeTrafficPolicy)."""
    if _port_settings(own, port.number) is not None:
        return _on_port(own, port.number)
    return {**_on_port(base, port.number), **_on_port(own, port.number)}


def _on_port(policy: Message, number: int) -> Message:
    """A port's own settings replace the general ones whole: what they leave out is Istio's default, not the general."""
    settings = _port_settings(policy, number)
    return {key: value for key, value in policy.items() if key != "portLevelSettings"} if settings is None else settings


def _port_settings(policy: Message, number: int) -> Message | None:
    for settings in policy.get("portLevelSettings") or ():
        if (settings.get("port") or {}).get("number") == number:
            return {key: value for key, value in settings.items() if key != "port"}
    return None


def _cluster(name: str, service: MeshService, port: ServicePort, policy: Message, endpoints: Path) -> Message:
    pool = policy.get("connectionPool") or {}
    tcp = pool.get("tcp") or {}
    cluster: Message = {
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {
            "service_name": name,
            "eds_config": {"resource_api_version": "V3", "path_config_source": {"path": str(endpoints)}},
        },
        "connect_timeout": envoy_duration(tcp.get("connectTimeout") or _CONNECT_TIMEOUT),
        "lb_policy": _BALANCERS.get(str((policy.get("loadBalancer") or {}).get("simple")), "LEAST_REQUEST"),
        "circuit_breakers": {"thresholds": [_thresholds(pool)]},
        "metadata": {
            "filter_metadata": {
                "istio": {
                    "services": [{"host": service.host, "name": service.name, "namespace": service.namespace}],
                }
            }
        },
    }
    options = _protocol_options(pool, http2=port.http2)
    if options:
        cluster["typed_extension_protocol_options"] = {_HTTP_OPTIONS: options}
    outlier = policy.get("outlierDetection")
    if outlier is not None:
        cluster["outlier_detection"] = _outlier_detection(outlier)
        cluster["common_lb_config"] = {"healthy_panic_threshold": {"value": outlier.get("minHealthPercent", 0)}}
    return cluster


def _thresholds(pool: Message) -> Message:
    http, tcp = pool.get("http") or {}, pool.get("tcp") or {}
    return {
        "max_connections": tcp.get("maxConnections") or _UNLIMITED,
        "max_pending_requests": http.get("http1MaxPendingRequests") or _UNLIMITED,
        "max_requests": http.get("http2MaxRequests") or _UNLIMITED,
        "max_retries": http.get("maxRetries") or _UNLIMITED,
    }


def _protocol_options(pool: Message, *, http2: bool) -> Message | None:
    http, tcp = pool.get("http") or {}, pool.get("tcp") or {}
    common: Message = {}
    idle = http.get("idleTimeout") or tcp.get("idleTimeout")
    if idle:
        common["idle_timeout"] = envoy_duration(idle)
    if http.get("maxRequestsPerConnection"):
        common["max_requests_per_connection"] = http["maxRequestsPerConnection"]
    if tcp.get("maxConnectionDuration"):
        common["max_connection_duration"] = envoy_duration(tcp["maxConnectionDuration"])
    if not common and not http2:
        return None
    options: Message = {
        "@type": f"type.googleapis.com/{_HTTP_OPTIONS}",
        "explicit_http_config": {"http2_protocol_options": {}} if http2 else {"http_protocol_options": {}},
    }
    if common:
        options["common_http_protocol_options"] = common
    return options


def _outlier_detection(outlier: Message) -> Message:
    """Istio's outlierDetection (applyOutlierDetection): ejection by success rate is always off."""
    out: Message = {"enforcing_success_rate": 0}
    for field, envoy in (
        ("consecutive5xxErrors", "consecutive_5xx"),
        ("consecutiveGatewayErrors", "consecutive_gateway_failure"),
    ):
        if outlier.get(field) is not None:
            out[envoy] = outlier[field]
            out[f"enforcing_{envoy}"] = 100 if outlier[field] else 0
    for field, envoy in (("interval", "interval"), ("baseEjectionTime", "base_ejection_time")):
        if outlier.get(field):
            out[envoy] = envoy_duration(outlier[field])
    if outlier.get("maxEjectionPercent"):
        out["max_ejection_percent"] = outlier["maxEjectionPercent"]
    return out


def _not_simulated(policy: Message) -> Iterator[str]:
    yield from sorted(policy.keys() - _UNDERSTOOD)
    balancer = policy.get("loadBalancer") or {}
    yield from (f"loadBalancer.{key}" for key in sorted(balancer.keys() - {"simple"}))
    if balancer.get("simple") == "PASSTHROUGH":
        yield "loadBalancer.simple=PASSTHROUGH"
