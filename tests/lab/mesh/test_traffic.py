"""What the sidecar does with real requests, measured at both ends."""

from __future__ import annotations

import asyncio
import math
import signal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from meshshift.lab.load import Cohort
from tests.lab.mesh.conftest import (
    PATIENCE,
    destination_rule,
    logged,
    route,
    running_lab,
    series,
    set_routes,
    virtual_service,
)

if TYPE_CHECKING:
    from pathlib import Path

    from meshshift.lab.lab import Lab

pytestmark = pytest.mark.lab

SIGMAS = 4.9
"""One false alarm in a million runs."""


async def test_shares_follow_the_weights(lab: Lab) -> None:
    await lab.deploy("v2")
    await lab.wait_ready("reviews-v2")
    await set_routes(lab, route(("v1", 80), ("v2", 20)))
    lab.load.rate = 1000
    await lab.load.answers(200)
    summary = await lab.load.answers(3000)
    share = summary.by_version["v2"] / summary.total
    assert abs(share - 0.2) < SIGMAS * math.sqrt(0.2 * 0.8 / summary.total)


async def test_a_missing_subset_is_503_with_the_flag_nc(lab: Lab) -> None:
    await set_routes(lab, route(("nowhere", 100)))
    await logged(lab, lambda log: log.mistaken()["NC"] >= 20)
    assert lab.access_log.counts()[503, "NC", ""] >= 20
    mistake = lab.access_log.mistakes[-1]
    assert mistake.code == 503
    assert mistake.path == "/"
    assert mistake.cluster == "outbound|9080|nowhere|reviews.bookinfo.svc.cluster.local"
    [labels] = {tuple(sorted(row.items())) for row in series(lab, response_flags="NC")}
    assert dict(labels) | {
        "response_code": "503",
        "destination_workload": "unknown",
        "destination_canonical_revision": "latest",
        "destination_version": "unknown",
        "destination_service": "reviews.bookinfo.svc.cluster.local",
        "destination_service_name": "reviews.bookinfo.svc.cluster.local",
        "destination_service_namespace": "unknown",
    } == dict(labels)


async def test_an_empty_subset_is_503_with_the_flag_uh(lab: Lab) -> None:
    await set_routes(lab, route(("v3", 100)))
    await logged(lab, lambda log: log.mistaken()["UH"] >= 20)
    assert lab.access_log.counts()[503, "UH", "v3"] >= 20
    rows = series(lab, response_flags="UH")
    assert rows
    for labels in rows:
        assert labels["destination_workload"] == "unknown"
        assert labels["destination_canonical_revision"] == "latest"
        assert labels["destination_service"] == "reviews.bookinfo.svc.cluster.local"
        assert labels["destination_service_name"] == "reviews"
        assert labels["destination_service_namespace"] == "bookinfo"


async def test_an_unknown_host_is_404_with_the_flag_nr(lab: Lab) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(lab.gateway_url, headers={"host": "nobody.example.com"})
    assert answer.status_code == 404
    await logged(lab, lambda log: log.mistaken()["NR"] == 1)
    assert lab.access_log.mistakes[-1].host == "nobody.example.com"


async def test_header_routes_come_before_the_weighted_one(tmp_path: Path) -> None:
    testers = Cohort("testers", share=0.5, headers={"x-canary": "true"})
    async with running_lab(tmp_path, cohorts=(testers, Cohort("everyone", share=0.5))) as lab:
        await lab.deploy("v2")
        await lab.wait_ready("reviews-v2")
        await set_routes(
            lab,
            route(("v2", 100), name="testers", match=[{"headers": {"x-canary": {"exact": "true"}}}]),
            route(("v1", 100)),
        )
        await lab.load.answers(50)
        first = lab.load.total
        await lab.load.answers(400)
        rows = list(lab.load.responses)[first:]
        assert {(row.cohort, row.version) for row in rows} == {("testers", "v2"), ("everyone", "v1")}


async def test_mirrored_requests_arrive_but_are_not_in_the_clients_metrics(lab: Lab) -> None:
    await lab.deploy("v2")
    await lab.wait_ready("reviews-v2")
    mirror = {"destination": {"host": "reviews", "subset": "v2"}, "percentage": {"value": 100}}
    await set_routes(lab, route(("v1", 100), mirrors=[mirror]))
    seen = lab.load.total
    await lab.load.answers(200)
    stats = await lab.proxy.stats("cluster.outbound_9080_v2_.*upstream_rq_completed|9080.v2.*upstream_rq_completed")
    assert sum(stats.values()) >= 150, "the mirror gets the requests"
    await logged(lab, lambda log: log.total >= seen + 200)
    assert not series(lab, destination_workload="reviews-v2"), "but the sidecar reports them to nobody"
    assert not lab.access_log.counts().keys() & {(200, "-", "v2")}


async def test_moving_weights_under_load_costs_no_answer(lab: Lab) -> None:
    await lab.deploy("v2", latency_ms=20)
    await lab.wait_ready("reviews-v2")
    lab.load.rate = 400
    for weight in (1, 5, 25, 50, 100, 50, 0, 100):
        await set_routes(lab, route(("v1", 100 - weight), ("v2", weight)))
        await lab.load.answers(200)
    assert lab.load.summary().by_status.get(0, 0) == 0
    assert lab.access_log.mistaken() == {"NC": 0, "NR": 0, "UH": 0}
    assert {code for code, _, _ in lab.access_log.counts()} <= {200, 500}


async def test_a_subset_added_together_with_its_weight_is_safe(lab: Lab) -> None:
    """Both are in one push, in an order that leaves no gap; test_proxy looks at the order itself."""
    await lab.apply(destination_rule("v1"))
    await lab.deploy("v2")
    await lab.wait_ready("reviews-v2")
    for _ in range(5):
        await asyncio.gather(
            lab.apply(destination_rule("v1", "v2")), lab.apply(virtual_service(route(("v1", 50), ("v2", 50))))
        )
        await lab.settled()
        await lab.load.answers(40)
        await set_routes(lab, route(("v1", 100)))
        await lab.apply(destination_rule("v1"))
        await lab.settled()
    await lab.load.answers(40)
    assert lab.access_log.mistaken() == {"NC": 0, "NR": 0, "UH": 0}


async def test_taking_the_subset_before_the_weight_breaks_requests(lab: Lab) -> None:
    """The lab has teeth: the wrong order of writes is paid for in answers, and each of them is counted."""
    await lab.deploy("v2")
    await lab.wait_ready("reviews-v2")
    await set_routes(lab, route(("v1", 50), ("v2", 50)))
    await lab.load.answers(20)
    await lab.apply(destination_rule("v1"))
    await logged(lab, lambda log: log.mistaken()["NC"] >= 5)
    await set_routes(lab, route(("v1", 100)))
    await lab.load.answers(50)
    broken = lab.load.summary().by_status[503]
    await logged(lab, lambda log: log.mistaken()["NC"] == broken)


async def test_a_refused_connection_leaves_the_version_unknown(lab: Lab) -> None:
    await lab.deploy("v2")
    await lab.wait_ready("reviews-v2")
    await set_routes(lab, route(("v2", 100), retries={"attempts": 0}))
    await lab.load.answers(20)
    [process] = [one for name, one in lab.node.processes().items() if name.startswith("reviews-v2")]
    process.send(signal.SIGKILL)
    await logged(lab, lambda log: any(flags == "UF" for _, flags, _ in log.counts()))
    [labels, *_] = series(lab, response_flags="UF")
    assert labels["response_code"] == "503"
    assert labels["destination_workload"] == "reviews-v2"
    assert labels["destination_canonical_revision"] == "v2"
    assert labels["destination_version"] == "unknown"
    assert labels["destination_app"] == "unknown"


async def test_a_refused_connection_is_tried_again_elsewhere(lab: Lab) -> None:
    """Istio's default retries hide most of a crash from users; v1 has a second pod to go to."""
    entries: list[dict[str, Any]] = []
    lab.access_log.listeners.append(entries.append)
    await lab.load.answers(50)
    crashed = next(iter(lab.node.processes().values()))
    crashed.send(signal.SIGKILL)
    await logged(lab, lambda _: any(entry["code"] == 200 and entry["attempts"] > 1 for entry in entries))


async def test_a_client_that_leaves_is_counted_as_code_0(lab: Lab) -> None:
    async with httpx.AsyncClient(timeout=httpx.Timeout(PATIENCE, read=0.3)) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(f"{lab.gateway_url}/slow?ms=5000", headers={"host": "reviews"})
    await logged(lab, lambda log: log.counts()[0, "DC", "v1"] == 1)
    [labels] = series(lab, response_code="0")
    assert labels["response_flags"] == "DC"
    assert labels["destination_workload"] == "reviews-v1"
    assert labels["destination_version"] == "unknown"


async def test_an_answer_of_the_app_carries_every_label(lab: Lab) -> None:
    await lab.load.answers(100)
    await logged(lab, lambda log: log.total >= 100)
    rows = series(lab, response_code="200")
    assert len(rows) == 2, "one for each of the two client pods"
    for labels in rows:
        assert labels == {
            "reporter": "source",
            "source_workload": "load",
            "source_canonical_service": "load",
            "source_canonical_revision": "latest",
            "source_workload_namespace": "bookinfo",
            "source_principal": "unknown",
            "source_app": "load",
            "source_version": "unknown",
            "source_cluster": "Kubernetes",
            "destination_workload": "reviews-v1",
            "destination_workload_namespace": "bookinfo",
            "destination_principal": "unknown",
            "destination_app": "reviews",
            "destination_version": "v1",
            "destination_service": "reviews.bookinfo.svc.cluster.local",
            "destination_canonical_service": "reviews",
            "destination_canonical_revision": "v1",
            "destination_service_name": "reviews",
            "destination_service_namespace": "bookinfo",
            "destination_cluster": "Kubernetes",
            "request_protocol": "http",
            "response_code": "200",
            "grpc_response_status": "",
            "response_flags": "-",
            "connection_security_policy": "unknown",
        }
