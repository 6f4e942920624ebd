"""What a Service's ports carry."""

from __future__ import annotations

from typing import Any

import pytest

from meshshift.core.mesh.creation import new_virtual_service
from meshshift.core.mesh.documents import Target
from meshshift.core.mesh.ports import ALL_HTTP, Ports, ports_of


def carries(*ports: dict[str, Any]) -> Ports:
    return ports_of({"spec": {"ports": [{"port": 80 + number, **each} for number, each in enumerate(ports)]}})


@pytest.mark.parametrize("name", ["http", "http-web", "http2", "http2-api", "grpc", "grpc-web", "grpc-web-x"])
def test_http_by_name(name: str) -> None:
    assert carries({"name": name}) == ALL_HTTP


@pytest.mark.parametrize("name", ["tcp", "tcp-db", "mysql", "mongo-1", "redis", "tls", "https", "https-web"])
def test_connections_by_name(name: str) -> None:
    assert carries({"name": name}) == Ports(http=False, tcp=(80,))


def test_the_app_protocol_counts_before_the_name() -> None:
    assert carries({"name": "http", "appProtocol": "tcp"}) == Ports(http=False, tcp=(80,))
    assert carries({"name": "tcp", "appProtocol": "kubernetes.io/h2c"}) == ALL_HTTP
    assert carries({"name": "web", "appProtocol": "GRPC"}) == ALL_HTTP


@pytest.mark.parametrize("name", ["web", "httpx", "", None])
def test_a_port_that_says_nothing_gets_routes_of_both_kinds(name: str | None) -> None:
    assert carries({"name": name} if name is not None else {}) == Ports(http=True, tcp=(80,))


def test_datagrams_are_not_in_the_mesh() -> None:
    assert carries({"name": "http"}, {"name": "dns", "protocol": "UDP"}) == ALL_HTTP


def test_every_port_of_connections_gets_a_route_of_its_own() -> None:
    target = Target("db", "shop", "v1", "")
    spec = new_virtual_service(target, ports=carries({"name": "http"}, {"name": "tcp-a"}, {"name": "tcp-b"}))["spec"]
    assert [each["match"] for each in spec["tcp"]] == [[{"port": 81}], [{"port": 82}]]
    assert [len(each["route"]) for each in (*spec["http"], *spec["tcp"])] == [1, 1, 1], "no canary, no entry for it"
