"""Hosts mean what Istio reads in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.mesh.hosts import resolve_host

labels = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("host", "meaning"),
    [
        ("reviews", "reviews.bookinfo.svc.cluster.local"),
        ("Reviews", "reviews.bookinfo.svc.cluster.local"),
        ("reviews.bookinfo.svc.cluster.local", "reviews.bookinfo.svc.cluster.local"),
        ("reviews.bookinfo.svc.cluster.local.", "reviews.bookinfo.svc.cluster.local"),
        ("REVIEWS.bookinfo.SVC.cluster.local", "reviews.bookinfo.svc.cluster.local"),
        ("reviews.prod", "reviews.prod"),
        ("reviews.", "reviews"),
        ("reviews.bookinfo.svc", "reviews.bookinfo.svc"),
        ("*", "*"),
        ("*.example.com", "*.example.com"),
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("", ""),
    ],
)
def test_hosts_resolve_as_istio_does(host: str, meaning: str) -> None:
    assert resolve_host(host, "bookinfo", "cluster.local") == meaning


@given(labels, labels, labels)
def test_a_short_host_means_another_service_in_another_namespace(service: str, here: str, there: str) -> None:
    same = resolve_host(service, here, "cluster.local") == resolve_host(service, there, "cluster.local")
    assert same == (here == there)


@given(st.text(max_size=20), labels)
def test_resolving_twice_changes_nothing(host: str, namespace: str) -> None:
    once = resolve_host(host, namespace, "cluster.local")
    if "." in once or ":" in once:
        assert resolve_host(once, "elsewhere", "cluster.local") == once.removesuffix(".")


def test_the_cluster_domain_is_the_mesh_s_own() -> None:
    assert resolve_host("reviews", "bookinfo", "Corp.Example.") == "reviews.bookinfo.svc.corp.example"
