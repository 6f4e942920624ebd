from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from meshshift.lab.telemetry import BUCKETS, Telemetry, labels_of

CLUSTER = "outbound|9080|v2|reviews.bookinfo.svc.cluster.local"


def entry(**fields: Any) -> dict[str, Any]:
    return {
        "time": "1.5",
        "method": "GET",
        "path": "/",
        "host": "reviews:9080",
        "code": 200,
        "flags": "-",
        "details": "via_upstream",
        "ms": 7,
        "cluster": CLUSTER,
        "upstream": "127.1.0.1:9080",
        "workload": "reviews-v2;bookinfo;reviews;v2;Kubernetes",
        "peer": "reviews;v2",
        "route": None,
        "config": None,
        "client": "127.0.0.2",
        "grpc": None,
        "attempts": 1,
        **fields,
    }


def destination(row: dict[str, Any]) -> dict[str, str]:
    prefix = "destination_"
    labels = labels_of(row, "bookinfo")
    wanted = ("service", "service_name", "workload", "version", "canonical_revision", "service_namespace")
    return {name: labels[prefix + name] for name in wanted}


def test_an_answered_request_knows_everything() -> None:
    assert destination(entry()) == {
        "service": "reviews.bookinfo.svc.cluster.local",
        "service_name": "reviews",
        "workload": "reviews-v2",
        "version": "v2",
        "canonical_revision": "v2",
        "service_namespace": "bookinfo",
    }


def test_without_an_answer_the_version_is_unknown_but_the_workload_is_known() -> None:
    failed = destination(entry(code=503, flags="UF,URX", details="upstream_reset_before_response_started{x}"))
    assert (failed["workload"], failed["version"], failed["canonical_revision"]) == ("reviews-v2", "unknown", "v2")


def test_without_an_endpoint_the_workload_is_unknown_and_the_revision_latest() -> None:
    nothing = destination(entry(code=503, flags="UH", details="no_healthy_upstream", workload=None, peer=None))
    assert nothing == {
        "service": "reviews.bookinfo.svc.cluster.local",
        "service_name": "reviews",
        "workload": "unknown",
        "version": "unknown",
        "canonical_revision": "latest",
        "service_namespace": "bookinfo",
    }


def test_without_a_cluster_the_service_is_what_the_client_called_it() -> None:
    row = entry(code=503, flags="NC", details="cluster_not_found", workload=None, peer=None, cluster=None)
    assert destination(row)["service"] == destination(row)["service_name"] == "reviews:9080"
    assert destination(row)["service_namespace"] == "unknown"


def test_a_client_that_left_is_response_code_0() -> None:
    labels = labels_of(entry(code=0, flags="DC", details="downstream_remote_disconnect"), "bookinfo")
    assert (labels["response_code"], labels["response_flags"]) == ("0", "DC")


def test_grpc_is_told_by_its_status() -> None:
    assert labels_of(entry(grpc=14), "b")["grpc_response_status"] == "14"
    assert labels_of(entry(grpc=14), "b")["request_protocol"] == "grpc"
    assert labels_of(entry(), "b")["grpc_response_status"] == ""


def samples(page: str, name: str) -> dict[str, float]:
    return {
        sample.labels.get("le", ""): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name
    }


def test_the_histogram_has_istios_buckets_and_counts_up() -> None:
    telemetry = Telemetry(namespace="bookinfo")
    for milliseconds in (0, 1, 7, 10, 11, 4_000_000):
        telemetry.record(entry(ms=milliseconds))
    page = telemetry.exposition("load-0")
    buckets = samples(page, "istio_request_duration_milliseconds_bucket")
    assert list(buckets) == [*(f"{bound}" for bound in BUCKETS), "+Inf"]
    assert [buckets[le] for le in ("0.5", "1", "5", "10", "25", "3600000", "+Inf")] == [1, 2, 2, 4, 5, 5, 6]
    assert samples(page, "istio_request_duration_milliseconds_sum") == {"": 4_000_029}
    assert samples(page, "istio_request_duration_milliseconds_count") == {"": 6}
    assert samples(page, "istio_requests_total") == {"": 6}


def test_the_two_client_pods_are_reported_apart() -> None:
    telemetry = Telemetry(namespace="bookinfo")
    for client in ("127.0.0.2", "127.0.0.3", "127.0.0.3", "127.0.0.1"):
        telemetry.record(entry(client=client))
    assert samples(telemetry.exposition("load-0"), "istio_requests_total") == {"": 2}, "an unknown client is its too"
    assert samples(telemetry.exposition("load-1"), "istio_requests_total") == {"": 2}


@pytest.mark.parametrize("nasty", ['a"b', "a\\b", "a\nb"])
def test_what_a_client_wrote_cannot_break_the_page(nasty: str) -> None:
    telemetry = Telemetry(namespace="bookinfo")
    telemetry.record(entry(host=nasty, cluster=None, workload=None, peer=None, code=404, flags="NR", details="x"))
    families = list(text_string_to_metric_families(telemetry.exposition("load-0")))
    assert families[0].samples[0].labels["destination_service"] == nasty


def test_a_workload_is_one_series_whatever_subset_led_to_it() -> None:
    """Prometheus keeps one of two samples with the same labels, and what the other counts is lost."""
    telemetry = Telemetry(namespace="bookinfo")
    for subset in ("", "stable", "canary"):
        telemetry.record(entry(cluster=f"outbound|9080|{subset}|reviews.bookinfo.svc.cluster.local"))
    [family] = [
        each
        for each in text_string_to_metric_families(telemetry.exposition("load-0"))
        if each.name in {"istio_requests", "istio_requests_total"}
    ]
    assert [sample.value for sample in family.samples] == [3]
