"""Goldens of the translation from Istio's documents to Envoy's configuration.

Each file under goldens/ holds the documents, and what the sidecar in `bookinfo` gets: routes by virtual host, endpoints
by cluster, and of each cluster what differs from the plain one.  Istio's default retry policy is shortened to a word.
`UPDATE_GOLDENS=1 pytest tests/lab/mesh/test_translator.py` writes them anew; read the difference before committing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshshift.lab.envoy.clusters import build_clusters, cluster_name, endpoint_file
from meshshift.lab.envoy.routes import retry_policy
from meshshift.lab.envoy.snapshot import Snapshot, translate
from meshshift.lab.envoy.world import World

GOLDENS = Path(__file__).parent / "goldens"
ENDPOINTS = Path("/eds")
PLAIN = {"@type", "name", "type", "eds_cluster_config", "metadata"}
DEFAULTS = {"connect_timeout": "10s", "lb_policy": "LEAST_REQUEST"}

Document = dict[str, Any]


def pod(name: str, address: str, *, ready: bool = True, **labels: str) -> Document:
    return {
        "metadata": {"name": name, "namespace": "bookinfo", "labels": {"app": "reviews", **labels}},
        "spec": {"containers": [{"name": "app", "ports": [{"name": "http", "containerPort": 9080}]}]},
        "status": {
            "podIP": address,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


PODS = [
    pod("reviews-v1-a", "127.1.0.1", version="v1"),
    pod("reviews-v1-b", "127.1.0.2", version="v1"),
    pod("reviews-v2-a", "127.1.0.3", version="v2"),
    pod("reviews-v3-a", "127.1.0.4", ready=False, version="v3"),
]


def service(name: str = "reviews", namespace: str = "bookinfo", *ports: Document) -> Document:
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"app": name},
            "ports": list(ports) or [{"name": "http", "port": 9080, "targetPort": "http"}],
        },
    }


def world(documents: list[Document]) -> World:
    for document in documents:
        document["metadata"].setdefault("namespace", "bookinfo")

    def of(kind: str) -> list[Document]:
        return [document for document in documents if document["kind"] == kind]

    return World.of(
        services=of("Service") or [service()],
        pods=PODS,
        virtual_services=of("VirtualService"),
        destination_rules=of("DestinationRule"),
        client_namespace="bookinfo",
    )


def condensed(snapshot: Snapshot) -> Document:
    routes = {
        host["name"]: [short_route(route) for route in host["routes"]] for host in snapshot.routes["virtual_hosts"]
    }
    endpoints = {
        name: [
            ":".join(str(part) for part in end["endpoint"]["address"]["socket_address"].values())
            for end in message["endpoints"][0]["lb_endpoints"]
        ]
        for name, message in snapshot.endpoints.items()
    }
    policies = {name: short_cluster(cluster) for name, cluster in snapshot.clusters.items()}
    out: Document = {
        "routes": routes,
        "endpoints": endpoints,
        "policies": {name: policy for name, policy in policies.items() if policy},
        "ignored": list(snapshot.ignored),
        "missing": {"/".join(key): list(names) for key, names in snapshot.missing.items()},
    }
    return {key: value for key, value in out.items() if value}


def short_route(route: Document) -> Document:
    route = {key: value for key, value in route.items() if key != "metadata"}
    action = dict(route.get("route") or {})
    if action.get("retry_policy") == retry_policy(None):
        action["retry_policy"] = "default"
    return route | {"route": action} if action else route


def short_cluster(cluster: Document) -> Document:
    unlimited = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests", "max_retries"), 4294967295)
    out = {key: value for key, value in cluster.items() if key not in PLAIN and DEFAULTS.get(key) != value}
    if out.get("circuit_breakers") == {"thresholds": [unlimited]}:
        del out["circuit_breakers"]
    return out


@pytest.mark.parametrize("path", sorted(GOLDENS.glob("*.yaml")), ids=lambda path: path.stem)
def test_documents_become_this_configuration(path: Path) -> None:
    golden = yaml.safe_load(path.read_text())
    result = condensed(translate(world(golden["given"]), {"app": "load"}, ENDPOINTS))
    if os.environ.get("UPDATE_GOLDENS"):
        head = path.read_text().partition("expected:")[0]
        path.write_text(head + yaml.safe_dump({"expected": result}, sort_keys=False, width=110))
    else:
        assert result == golden["expected"]


def test_a_virtual_host_answers_to_every_name_of_its_service() -> None:
    [host] = translate(world([]), {}, ENDPOINTS).routes["virtual_hosts"]
    names = ["reviews", "reviews.bookinfo", "reviews.bookinfo.svc", "reviews.bookinfo.svc.cluster.local"]
    assert set(host["domains"]) >= {*names, *(f"{name}:9080" for name in names)}


def test_the_bare_name_means_the_clients_own_namespace() -> None:
    hosts = translate(world([service("reviews", "elsewhere")]), {}, ENDPOINTS).routes["virtual_hosts"]
    assert "reviews" not in hosts[0]["domains"]
    assert "reviews.elsewhere" in hosts[0]["domains"]


def test_every_domain_belongs_to_one_virtual_host() -> None:
    ports = ({"name": "http", "port": 80}, {"name": "http-admin", "port": 81}, {"name": "tcp-x", "port": 82})
    hosts = translate(world([service("reviews", "bookinfo", *ports)]), {}, ENDPOINTS).routes["virtual_hosts"]
    domains = [domain for host in hosts for domain in host["domains"]]
    assert len(domains) == len(set(domains)), "Envoy refuses a domain that two virtual hosts claim"
    assert [host["name"] for host in hosts] == [
        "reviews.bookinfo.svc.cluster.local:80",
        "reviews.bookinfo.svc.cluster.local:81",
    ]


def test_terminating_pods_get_no_traffic() -> None:
    gone = pod("reviews-v1-z", "127.1.0.9", version="v1")
    gone["metadata"]["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    mesh = World.of(
        services=[service()], pods=[gone], virtual_services=[], destination_rules=[], client_namespace="bookinfo"
    )
    _, assignments, _ = build_clusters(mesh, ENDPOINTS)
    [assignment] = assignments.values()
    assert assignment["endpoints"] == [{"lb_endpoints": []}]


def test_a_subset_name_cannot_lead_out_of_the_endpoint_directory() -> None:
    path = endpoint_file(ENDPOINTS, cluster_name("reviews.bookinfo.svc.cluster.local", 9080, "../../etc"))
    assert path.parent == ENDPOINTS
