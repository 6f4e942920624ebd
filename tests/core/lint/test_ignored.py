from __future__ import annotations

from typing import Any

import pytest

from meshshift.core.lint import ignored
from meshshift.core.lint.findings import Severity
from meshshift.core.mesh.documents import Document
from tests.core.lint.samples import only, routed, said, sound, to


def first(**more: Any) -> Document:
    return routed({"route": [to("v1")]}, **more)


def second(**more: Any) -> Document:
    return routed({"route": [to("v1")]}, name="second", **more)


def test_two_for_one_mesh_host_are_both_named() -> None:
    pair = (first(), second(gateways=[]))
    severity, about, message = said(ignored.competing, sound(virtual_services=pair))
    assert (severity, about) == (Severity.ERROR, "VirtualService bookinfo/second")
    assert message.startswith("VirtualService bookinfo/reviews has the host reviews.bookinfo.svc.cluster.local in the")


def test_the_oldest_wins_where_the_ages_are_known() -> None:
    old = second(metadata={"creationTimestamp": "2025-01-01T00:00:00Z"})
    new = first(metadata={"creationTimestamp": "2025-01-02T00:00:00Z"}, gateways=["mesh", "public"])
    _, about, message = said(ignored.competing, sound(virtual_services=(new, old)))
    assert about == "VirtualService bookinfo/reviews"
    assert "VirtualService bookinfo/second is older, and the other is ignored" in message


@pytest.mark.parametrize(
    "other",
    [
        second(gateways=["public"]),
        second(hosts=["ratings"]),
        second(namespace="staging"),
        second(hosts=[]),
    ],
    ids=["gateway", "host", "namespace", "delegate"],
)
def test_those_that_speak_of_other_things_do_not_compete(other: Document) -> None:
    assert not list(ignored.competing(sound(virtual_services=(first(), other))))


def test_private_ones_of_two_namespaces_are_never_seen_together() -> None:
    host = "reviews.bookinfo.svc.cluster.local"
    pair = (first(exportTo=["."]), second(namespace="staging", hosts=[host], exportTo=["."]))
    assert not list(ignored.competing(sound(virtual_services=pair)))
    public = (pair[0], second(namespace="staging", hosts=[host]))
    assert list(ignored.competing(sound(virtual_services=public)))


def test_what_wins_in_a_callers_namespace_alone_is_a_warning() -> None:
    host = "reviews.bookinfo.svc.cluster.local"
    pair = (first(), second(namespace="web", hosts=[host], exportTo=["."]))
    severity, about, message = said(ignored.competing, sound(virtual_services=pair))
    assert (severity, about) == (Severity.WARNING, "VirtualService bookinfo/reviews")
    assert "the other is ignored for callers in namespace web" in message


def test_a_route_behind_a_route_for_everything_is_an_error() -> None:
    manifests = sound(virtual_services=(routed({"route": [to("v1")]}, {"route": [to("v2")]}),))
    severity, _, message = said(ignored.unreachable_route, manifests)
    assert severity is Severity.ERROR
    assert message.startswith("route http[1] is never reached: http[0] before it has no match")
    assert not list(ignored.unreachable_route(sound()))


LENDING = {"delegate": {"name": "lent"}}


def lent(**more: Any) -> Document:
    return routed({"route": [to("v1")]}, name="lent", **{"hosts": [], **more})


@pytest.mark.parametrize(
    ("documents", "about", "says"),
    [
        ((routed(LENDING),), "reviews", "http[0] delegates to VirtualService bookinfo/lent, which is not in the set"),
        ((lent(),), "lent", "no VirtualService delegates to it"),
        ((routed(LENDING), lent(hosts=["a"])), "reviews", "which has hosts of its own and is therefore no delegate"),
        ((routed({**LENDING, "route": [to("v1")]}), lent()), "reviews", "has route beside delegate, which is refused"),
        ((routed(LENDING), lent(exportTo=["web"])), "lent", 'exportTo ["web"]'),
        ((routed(LENDING), lent(tcp=[{"route": [to("v1")]}])), "lent", "lends only its http routes"),
    ],
)
def test_roots_and_delegates_that_miss_each_other_are_errors(
    documents: tuple[Document, ...], about: str, says: str
) -> None:
    finding = only(ignored.ignored_delegate, sound(virtual_services=documents))
    assert (finding.severity, finding.about.name) == (Severity.ERROR, about)
    assert says in finding.message


def test_a_root_and_its_delegate_are_fine() -> None:
    assert not list(ignored.ignored_delegate(sound(virtual_services=(routed(LENDING), lent()))))
