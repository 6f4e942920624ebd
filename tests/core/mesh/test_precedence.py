"""Whom the sidecars obey where several VirtualServices speak for one host."""

from typing import Any

import pytest

from meshshift.core.mesh.documents import Document
from meshshift.core.mesh.precedence import ELSEWHERE, contested, in_order
from meshshift.core.mesh.virtual_service import VirtualService, read_virtual_service
from tests.core.mesh.sample_documents import TARGET, to, virtual_service

HOST = TARGET.host
ROUTE = {"route": [to("v1")]}


def service(document: Document, created: str = "") -> VirtualService:
    document["metadata"]["creationTimestamp"] = created
    return read_virtual_service(document, "cluster.local")


def named(name: str, created: str = "", namespace: str = "bookinfo", **spec: Any) -> VirtualService:
    return service(virtual_service(ROUTE, name=name, namespace=namespace, **{"hosts": [HOST], **spec}), created)


def fate(loser: VirtualService, *others: VirtualService) -> tuple[bool, list[tuple[str, str, str]]]:
    """Does its first route act, and who wins for which host in which namespace."""
    acts, lost = contested(loser, loser.routes[0], [*others, loser], HOST)
    return acts, [(str(each.winner.ref.name), each.host, each.namespace) for each in lost]


def test_the_order_is_private_then_exported_by_name_then_public_and_age_within_each() -> None:
    services = [
        named("public-old", "2020-01-01T00:00:00Z"),
        named("public-new", "2024-01-01T00:00:00Z", exportTo=["*", "web"]),
        named("for-web", "2025-01-01T00:00:00Z", exportTo=["web"]),
        named("own-b", "2026-01-01T00:00:00Z", namespace="web", exportTo=["."]),
        named("own-a", "2026-01-01T00:00:00Z", namespace="web", exportTo=["web"]),
        named("hidden", "2019-01-01T00:00:00Z", exportTo=["~"]),
    ]
    order = ["own-a", "own-b", "for-web", "public-old", "public-new"]
    assert [each.ref.name for each in in_order(services, "web")] == order
    assert [each.ref.name for each in in_order(services, "elsewhere")] == order[3:]


def test_of_two_for_one_host_the_older_is_obeyed_everywhere() -> None:
    old, new = named("z", "2025-01-01T00:00:00Z"), named("a", "2025-01-02T00:00:00Z", hosts=["reviews"])
    assert fate(old, new) == (True, [])
    assert fate(new, old) == (False, [("z", HOST, ELSEWHERE), ("z", HOST, "bookinfo")])


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (("a", "2025-01-01T00:00:00Z"), ("b", "2025-01-02T00:00:00Z"), "is older"),
        (("a", "2025-01-01T00:00:00Z"), ("b", "2025-01-01T00:00:00Z"), "created in the same second and its name"),
        (("a", ""), ("b", ""), "wins if it is created first"),
        (("a", ""), ("b", "2025-01-01T00:00:00Z"), "wins if it is created first"),
    ],
)
def test_the_winner_has_a_reason(first: tuple[str, str], second: tuple[str, str], why: str) -> None:
    winner, loser = named(*first), named(*second)
    _, (lost, *_) = contested(loser, loser.routes[0], [winner, loser], HOST)
    assert why in lost.why


def test_a_private_one_of_a_callers_namespace_wins_there_alone_however_young() -> None:
    ours, theirs = named("ours", "2020-01-01T00:00:00Z"), named("web", "2026-01-01T00:00:00Z", "web", exportTo=["."])
    acts, lost = contested(ours, ours.routes[0], [ours, theirs], HOST)
    assert acts
    assert [(each.winner, each.namespace) for each in lost] == [(theirs, "web")]
    assert lost[0].why == "is exported to namespace web by name, which comes before public ones"


def test_one_that_names_the_host_comes_before_an_older_one_that_covers_it() -> None:
    ours = named("ours", "2026-01-01T00:00:00Z")
    wild = named("wild", "2020-01-01T00:00:00Z", hosts=["*.bookinfo.svc.cluster.local"])
    wilder = named("wilder", "2019-01-01T00:00:00Z", hosts=["*"])
    assert fate(ours, wild, wilder) == (True, [])
    assert fate(wild, ours, wilder) == (True, [("ours", HOST, ELSEWHERE), ("ours", HOST, "bookinfo")])
    assert fate(wilder, wild)[1][0] == ("wild", HOST, ELSEWHERE)


@pytest.mark.parametrize(
    "other",
    [
        {"gateways": ["public"]},
        {"hosts": ["ratings"]},
        {"hosts": []},
        {"exportTo": ["~"]},
        {"http": []},
        {"http": [], "tcp": [{"route": [to("v1")]}]},
        {"http": [{"match": [{"gateways": ["public"]}], "route": [to("v1")]}], "gateways": ["mesh", "public"]},
        {"http": [{"match": [{"port": 9000}], "route": [to("v1")]}]},
    ],
    ids=["gateway", "host", "delegate", "hidden", "nothing", "tcp", "gateway-match", "port"],
)
def test_an_older_one_that_says_nothing_for_these_requests_takes_none(other: dict[str, Any]) -> None:
    ours = service(virtual_service({"match": [{"port": 9080}], **ROUTE}, hosts=[HOST]), "2026-01-01T00:00:00Z")
    document = virtual_service(ROUTE, name="old", **{"hosts": [HOST], **other})
    assert fate(ours, service(document, "2020-01-01T00:00:00Z")) == (True, [])


def test_a_gateway_appends_so_a_route_that_stands_there_acts_in_any_case() -> None:
    both = named("both", "2026-01-01T00:00:00Z", gateways=["mesh", "public"])
    acts, lost = fate(both, named("old", "2020-01-01T00:00:00Z"))
    assert acts
    assert lost
    assert fate(named("edge", gateways=["public"]), named("old", "2020-01-01T00:00:00Z")) == (True, [])


def test_one_that_is_exported_to_nobody_acts_nowhere() -> None:
    assert fate(named("a", exportTo=["~"])) == (False, [])
    assert fate(named("a", exportTo=["~"], gateways=["public"])) == (False, [])


def connections(protocol: str, created: str, *entries: dict[str, Any]) -> VirtualService:
    document = virtual_service(name=f"at-{created[:4]}", hosts=[HOST])
    document["spec"] = {"hosts": [HOST], protocol: [{"route": [to("v1")], **entry} for entry in entries]}
    return service(document, created)


@pytest.mark.parametrize(
    ("protocol", "ours", "theirs", "taken"),
    [
        ("tcp", {}, {}, True),
        ("tcp", {"match": [{"port": 1}]}, {"match": [{"port": 1}]}, True),
        ("tcp", {"match": [{"port": 1}]}, {"match": [{"port": 2}]}, False),
        ("tcp", {}, {"match": [{"destinationSubnets": ["10.0.0.0/8"]}]}, False),
        ("tcp", {"match": [{"destinationSubnets": ["10.0.0.0/8"]}]}, {}, True),
        ("tcp", {"match": [{"destinationSubnets": ["a"]}]}, {"match": [{"destinationSubnets": ["a", "b"]}]}, True),
        ("tcp", {"match": [{"destinationSubnets": ["a", "b"]}]}, {"match": [{"destinationSubnets": ["a"]}]}, False),
        ("tls", {"match": [{"sniHosts": ["a", "b"]}]}, {"match": [{"sniHosts": ["b"]}]}, True),
        ("tls", {"match": [{"sniHosts": ["a"]}]}, {"match": [{"sniHosts": ["b"]}]}, False),
    ],
)
def test_connections_are_taken_by_the_first_with_the_same_conditions(
    protocol: str, ours: dict[str, Any], theirs: dict[str, Any], taken: bool
) -> None:
    new, old = connections(protocol, "2026-01-01", ours), connections(protocol, "2020-01-01", theirs)
    assert fate(new, old)[0] is not taken


def test_a_wildcard_takes_connections_before_a_younger_one_that_names_the_host() -> None:
    wild = connections("tcp", "2020-01-01", {})
    wild = read_virtual_service(
        {
            "metadata": {"name": "wild", "namespace": "bookinfo"},
            "spec": {"hosts": ["*"], "tcp": [{"route": [to("v1")]}]},
        },
        "cluster.local",
    )
    assert fate(connections("tcp", "2026-01-01", {}), wild)[0] is False
