"""What a Service's ports carry, as Istio reads it: http, where weights act per request, or something else.

`appProtocol` counts before the port's name, whose first part is the protocol: `http-web`, `grpc`, `tcp-mysql` (Istio's
documentation, "Protocol selection"; `ConvertProtocol` in istio/istio `pkg/config/kube`).
A port that says neither is one whose protocol the proxies detect: both kinds of
routes are needed then, or the kind that is left out would go by pod count.
"""

from __future__ import annotations

from dataclasses import dataclass

from meshshift.core.mesh.documents import Document, member, text

_HTTP = {"http", "http2", "grpc", "grpc-web", "h2c", "ws", "wss"}
_CONNECTIONS = {"tcp", "tls", "https", "mongo", "mysql", "redis"}
_APP_PROTOCOLS = {
    "kubernetes.io/h2c": "http2",
    "kubernetes.io/ws": "http",
    "kubernetes.io/wss": "https",
    "istio.io/tcp": "tcp",
}


@dataclass(frozen=True, slots=True)
class Ports:
    """Does any port carry http, and the numbers of those that (may) carry something else."""

    http: bool
    tcp: tuple[int, ...] = ()


ALL_HTTP = Ports(http=True)


def ports_of(service: Document) -> Ports:
    """The ports of a Service; one without any port that is known counts as http."""
    listed = member(service, "spec", "ports")
    entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    kinds = [(each.get("port"), _protocol(each)) for each in entries if each.get("protocol", "TCP") == "TCP"]
    http = any(kind != "tcp" for _, kind in kinds) or not kinds
    return Ports(http, tuple(port for port, kind in kinds if kind != "http" and isinstance(port, int)))


def _protocol(port: Document) -> str:
    """`http`, `tcp`, or empty if the proxies are to find out."""
    declared = text(port.get("appProtocol")).lower()
    said = _APP_PROTOCOLS.get(declared, declared) or text(port.get("name")).lower()
    for known, kind in ((_HTTP, "http"), (_CONNECTIONS, "tcp")):
        if said in known or said.partition("-")[0] in known:
            return kind
    return ""
