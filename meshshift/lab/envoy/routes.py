"""VirtualServices to Envoy routes, as a client sidecar gets them.

Follows pilot/pkg/networking/core/route/route.go and route/retry/retry.go of Istio 1.32:

- routes are tried in order, and nothing behind a catch-all is sent;
- with one destination its weight is ignored, with several a zero weight is dropped;
- without a `retries` field the default policy holds: 2 retries on connect failures and refused streams, on another
  pod than before.  503 answers are not retried (`retriable-status-codes` stands there, but without any code);
- without a `timeout` there is none;
- a destination that is not in the mesh becomes a cluster that does not exist: Envoy answers 503 with the flag NC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.lab.envoy.clusters import cluster_name
from meshshift.lab.envoy.durations import envoy_duration
from meshshift.lab.envoy.matches import applies_to_sidecar, matches_everything, route_match

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshshift.lab.envoy.world import Document, MeshService, World

Message = dict[str, Any]

FAULT_FILTER = "envoy.filters.http.fault"
DEFAULT_RETRY_ON = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes"
_REDIRECT_CODES = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}
_PREVIOUS_HOSTS = {
    "name": "envoy.retry_host_predicates.previous_hosts",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    },
}
_SIMULATED = {
    "delegate",
    "directResponse",
    "fault",
    "headers",
    "match",
    "mirror",
    "mirrorPercent",
    "mirrorPercentage",
    "mirrors",
    "name",
    "redirect",
    "retries",
    "rewrite",
    "route",
    "timeout",
}


def default_route(host: str, port: int) -> Message:
    """The route of a Service without a VirtualService: to all of its pods, with the default retries."""
    return {
        "name": "default",
        "match": {"prefix": "/"},
        "route": {"cluster": cluster_name(host, port), "timeout": "0s", "retry_policy": retry_policy(None)},
    }


def routes_of(world: World, document: Document, port: int, client_labels: Message) -> list[Message]:
    """The routes of one VirtualService for traffic to `port`, in the order in which Envoy is to try them."""
    out: list[Message] = []
    for http in document["spec"].get("http") or ():
        for request in http.get("match") or (None,):
            if not applies_to_sidecar(request, port=port, labels=client_labels, namespace=world.client_namespace):
                continue
            out.append(_route(world, document, http, request, port))
            if matches_everything(out[-1]["match"]):
                return out
    return out


def config_path(document: Document) -> str:
    """How Istio names the document in a route's metadata, and so in access logs."""
    metadata = document["metadata"]
    return f"/apis/networking.istio.io/v1/namespaces/{metadata['namespace']}/virtual-service/{metadata['name']}"


def not_simulated(document: Document) -> list[str]:
    """What the document asks for and the lab leaves out, in words."""
    name = f"VirtualService {document['metadata']['namespace']}/{document['metadata']['name']}"
    fields = {field for http in document["spec"].get("http") or () for field in http if field not in _SIMULATED}
    fields |= {field for field in ("tls", "tcp") if document["spec"].get(field)}
    return [f"{name}: {field} is not simulated" for field in sorted(fields)]


def retry_policy(retries: Message | None) -> Message | None:
    """Envoy's retry policy; None means Istio's default, `attempts: 0` none at all."""
    if retries is not None and not retries.get("attempts", 0):
        return None
    given = retries or {}
    policy: Message = {
        "num_retries": given.get("attempts", 2),
        "retry_on": DEFAULT_RETRY_ON,
        "host_selection_retry_max_attempts": "5",
        "retry_host_predicate": [_PREVIOUS_HOSTS],
    }
    if given.get("retryOn"):
        policy |= _retry_on(given["retryOn"])
    if given.get("perTryTimeout"):
        policy["per_try_timeout"] = envoy_duration(given["perTryTimeout"])
    if given.get("backoff"):
        policy["retry_back_off"] = {"base_interval": envoy_duration(given["backoff"])}
    if given.get("retryIgnorePreviousHosts") is False:
        del policy["retry_host_predicate"]
    return policy


def _retry_on(text: str) -> Message:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    codes = [int(part) for part in parts if part.isdigit()]
    conditions = [part for part in parts if not part.isdigit()]
    if codes and "retriable-status-codes" not in conditions:
        conditions.append("retriable-status-codes")
    out: Message = {"retry_on": ",".join(conditions)}
    return out | {"retriable_status_codes": codes} if codes else out


def _route(world: World, document: Document, http: Message, request: Message | None, port: int) -> Message:
    names = [http.get("name"), (request or {}).get("name")]
    out: Message = {
        "name": ".".join(name for name in names if name),
        "match": route_match(request),
        "metadata": {"filter_metadata": {"istio": {"config": config_path(document)}}},
    }
    operations, authority = _header_operations(http.get("headers"))
    out |= operations
    if http.get("redirect"):
        out["redirect"] = _redirect(http["redirect"])
    elif http.get("directResponse"):
        out["direct_response"] = _direct_response(http["directResponse"])
    else:
        out["route"] = _action(_Destinations(world, document, port), http, authority, out)
    fault = _fault(http.get("fault") or {})
    if fault:
        out["typed_per_filter_config"] = {FAULT_FILTER: fault}
    return out


class _Destinations:
    """Names the cluster of a `destination` (GetDestinationCluster)."""

    def __init__(self, world: World, document: Document, port: int) -> None:
        self._world = world
        self._namespace = document["metadata"]["namespace"]
        self._port = port

    def cluster(self, destination: Message) -> str:
        """Its port, if it names one; else the service's only port; else the port of the request."""
        host = self._world.resolve(destination.get("host", ""), self._namespace)
        service: MeshService | None = self._world.services.get(host)
        port = (destination.get("port") or {}).get("number")
        if port is None:
            port = service.ports[0].number if service and len(service.ports) == 1 else self._port
        return cluster_name(host, int(port), destination.get("subset", ""))


def _action(destinations: _Destinations, http: Message, authority: str, route: Message) -> Message:
    action: Message = {"timeout": envoy_duration(http.get("timeout") or "0s")}
    authority = _rewrite(http.get("rewrite") or {}, action) or authority
    if authority:
        action["host_rewrite_literal"] = authority
    mirrors = list(_mirrors(destinations, http))
    if mirrors:
        action["request_mirror_policies"] = mirrors
    targets = http.get("route") or []
    if len(targets) == 1:
        _single(destinations, targets[0], action, route)
    else:
        weighted = [_weighted(destinations, target) for target in targets if target.get("weight")]
        action["weighted_clusters"] = {"clusters": weighted}
    policy = retry_policy(http.get("retries"))
    if policy:
        action["retry_policy"] = policy
    return action


def _single(destinations: _Destinations, target: Message, action: Message, route: Message) -> None:
    action["cluster"] = destinations.cluster(target.get("destination") or {})
    operations, authority = _header_operations(target.get("headers"))
    for field, entries in operations.items():
        route[field] = [*route.get(field, ()), *entries]
    if authority:
        action.setdefault("host_rewrite_literal", authority)


def _weighted(destinations: _Destinations, target: Message) -> Message:
    operations, authority = _header_operations(target.get("headers"))
    out: Message = {
        "name": destinations.cluster(target.get("destination") or {}),
        "weight": target["weight"],
        **operations,
    }
    return out | {"host_rewrite_literal": authority} if authority else out


def _rewrite(rewrite: Message, action: Message) -> str:
    """Add the path rewrite to the action; returns the authority that is asked for."""
    regex = rewrite.get("uriRegexRewrite")
    if regex:
        action["regex_rewrite"] = {"pattern": {"regex": regex["match"]}, "substitution": regex.get("rewrite", "")}
    elif rewrite.get("uri"):
        action["prefix_rewrite"] = rewrite["uri"]
    return str(rewrite.get("authority") or "")


def _mirrors(destinations: _Destinations, http: Message) -> Iterator[Message]:
    """Mirror policies; a percentage that is left out means all, an explicit zero means none (MirrorPercent)."""
    wishes: list[tuple[Message, Message | None]] = []
    if http.get("mirror"):
        percentage = http.get("mirrorPercentage")
        if percentage is None and http.get("mirrorPercent") is not None:
            percentage = {"value": http["mirrorPercent"]}
        wishes.append((http["mirror"], percentage))
    wishes += [(entry.get("destination") or {}, entry.get("percentage")) for entry in http.get("mirrors") or ()]
    for destination, percentage in wishes:
        share = _percent({"value": 100} if percentage is None else percentage)
        if share["numerator"]:
            yield {
                "cluster": destinations.cluster(destination),
                "runtime_fraction": {"default_value": share},
                "trace_sampled": False,
            }


def _percent(percent: Message) -> Message:
    return {"numerator": int(float(percent.get("value", 0)) * 10_000), "denominator": "MILLION"}


def _fault(fault: Message) -> Message | None:
    out: Message = {}
    delay, abort = fault.get("delay") or {}, fault.get("abort") or {}
    if delay.get("fixedDelay"):
        out["delay"] = {
            "fixed_delay": envoy_duration(delay["fixedDelay"]),
            "percentage": _percent(delay.get("percentage") or {"value": delay.get("percent", 0)}),
        }
    if abort.get("httpStatus"):
        out["abort"] = {"http_status": abort["httpStatus"], "percentage": _percent(abort.get("percentage") or {})}
    return {"@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault", **out} if out else None


def _redirect(redirect: Message) -> Message:
    out: Message = {"response_code": _REDIRECT_CODES[int(redirect.get("redirectCode") or 301)]}
    for field, envoy in (("authority", "host_redirect"), ("scheme", "scheme_redirect"), ("port", "port_redirect")):
        if redirect.get(field):
            out[envoy] = redirect[field]
    if redirect.get("prefixRewrite"):
        out["prefix_rewrite"] = redirect["prefixRewrite"]
    elif redirect.get("uri"):
        out["path_redirect"] = redirect["uri"]
    return out


def _direct_response(response: Message) -> Message:
    out: Message = {"status": response["status"]}
    body = response.get("body") or {}
    if "string" in body:
        out["body"] = {"inline_string": body["string"]}
    elif "bytes" in body:
        out["body"] = {"inline_bytes": body["bytes"]}
    return out


def _header_operations(headers: Message | None) -> tuple[Message, str]:
    """Envoy's header fields, and the authority if the operations set one (TranslateHeadersOperations)."""
    out: Message = {}
    authority = ""
    for side, envoy in (("request", "request"), ("response", "response")):
        wish = (headers or {}).get(side) or {}
        added = [*_header_values(wish.get("set"), "OVERWRITE_IF_EXISTS_OR_ADD")]
        added += _header_values(wish.get("add"), "APPEND_IF_EXISTS_OR_ADD")
        if side == "request":
            authority = _authority(wish.get("set")) or _authority(wish.get("add"))
        if added:
            out[f"{envoy}_headers_to_add"] = added
        removed = [name for name in wish.get("remove") or () if not _is_internal(name)]
        if removed:
            out[f"{envoy}_headers_to_remove"] = removed
    return out, authority


def _header_values(values: Message | None, action: str) -> Iterable[Message]:
    for key, value in sorted((values or {}).items()):
        if not _is_internal(key):
            yield {"header": {"key": key, "value": value}, "append_action": action}


def _authority(values: Message | None) -> str:
    return next((str(value) for key, value in (values or {}).items() if key.lower() in {":authority", "host"}), "")


def _is_internal(name: str) -> bool:
    return name.startswith(":") or name.lower() == "host"
