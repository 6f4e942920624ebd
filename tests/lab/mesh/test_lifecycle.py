"""Pods, roll-outs, Prometheus, and the end of everything that was started."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from meshshift.adapters.kube import DEPLOYMENTS, ENDPOINT_SLICES, PODS
from tests.lab.mesh.conftest import PATIENCE, eventually, route, running_lab, set_routes

if TYPE_CHECKING:
    from meshshift.lab.lab import Lab

pytestmark = pytest.mark.lab


def ready_pods(lab: Lab, version: str) -> list[str]:
    return sorted(
        pod["metadata"]["name"]
        for pod in lab.state.pods.objects.values()
        if pod["metadata"]["labels"]["version"] == version and is_ready(pod)
    )


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(row["type"] == "Ready" and row["status"] == "True" for row in conditions)


async def pods_until(lab: Lab, version: str, count: int) -> list[str]:
    async with asyncio.timeout(PATIENCE):
        await lab.state.pods.until(lambda: len(ready_pods(lab, version)) == count)
    return ready_pods(lab, version)


async def test_every_pod_has_an_address_of_its_own_and_listens_on_its_container_port(lab: Lab) -> None:
    pods, _ = await lab.client.list(PODS, "bookinfo")
    addresses = {pod["status"]["podIP"] for pod in pods}
    assert len(addresses) == len(pods) == 2
    async with httpx.AsyncClient() as client:
        for pod in pods:
            answer = await client.get(f"http://{pod['status']['podIP']}:9080/")
            assert answer.json()["pod"] == pod["metadata"]["name"]


async def test_a_pod_is_ready_only_after_its_startup_time(lab: Lab) -> None:
    await lab.deploy("v2", startup_seconds=1.5)
    async with asyncio.timeout(PATIENCE):
        await lab.state.pods.until(lambda: any(name.startswith("reviews-v2") for name in lab.node.processes()))
        await lab.state.pods.until(lambda: any((pod.get("status") or {}).get("podIP") for pod in of(lab, "v2")))
    [pod] = of(lab, "v2")
    assert not is_ready(pod)
    [name] = await pods_until(lab, "v2", 1)
    ready = lab.state.pods.objects["bookinfo", name]
    times = {row["type"]: row["lastTransitionTime"] for row in ready["status"]["conditions"]}
    assert times["Ready"] > times["PodScheduled"]


def of(lab: Lab, version: str) -> list[dict[str, Any]]:
    return [pod for pod in lab.state.pods.objects.values() if pod["metadata"]["labels"]["version"] == version]


async def test_scaling_and_rolling_out_cost_no_answer(lab: Lab) -> None:
    before = await pods_until(lab, "v1", 2)
    await lab.client.patch(DEPLOYMENTS, "bookinfo", "reviews-v1", {"spec": {"replicas": 4}}, kind="merge")
    await lab.wait_ready("reviews-v1")
    await pods_until(lab, "v1", 4)
    await lab.client.patch(DEPLOYMENTS, "bookinfo", "reviews-v1", {"spec": {"replicas": 1}}, kind="merge")
    await lab.wait_ready("reviews-v1")
    [survivor] = await pods_until(lab, "v1", 1)
    assert survivor in before, "the oldest ready pod stays"
    await lab.deploy("v1", replicas=2, environment={"ROLLED": "out"})
    await lab.wait_ready("reviews-v1")
    assert survivor not in await pods_until(lab, "v1", 2)
    await lab.load.answers(100)
    assert lab.load.summary().failed == lab.access_log.counts()[500, "-", "v1"]
    assert lab.access_log.mistaken() == {"NC": 0, "NR": 0, "UH": 0}


async def test_a_crashed_process_is_started_again(lab: Lab) -> None:
    [name, _] = await pods_until(lab, "v1", 2)
    lab.node.processes()[name].send(signal.SIGKILL)
    key = ("bookinfo", name)
    async with asyncio.timeout(PATIENCE):
        await lab.state.pods.until(lambda: restarts(lab.state.pods.objects[key]) == 1)
        await lab.state.pods.until(lambda: is_ready(lab.state.pods.objects[key]))


def restarts(pod: dict[str, Any]) -> int:
    return int(pod["status"]["containerStatuses"][0]["restartCount"])


async def test_a_deleted_pod_is_replaced_and_a_deleted_deployment_takes_its_processes_along(lab: Lab) -> None:
    [name, kept] = await pods_until(lab, "v1", 2)
    await lab.client.delete(PODS, "bookinfo", name)
    async with asyncio.timeout(PATIENCE):
        await lab.state.pods.until(lambda: name not in ready_pods(lab, "v1") and len(ready_pods(lab, "v1")) == 2)
    assert kept in ready_pods(lab, "v1")
    pids = [process.pid for process in lab.node.processes().values()]
    await lab.client.delete(DEPLOYMENTS, "bookinfo", "reviews-v1")
    await pods_until(lab, "v1", 0)
    await gone(pids)


async def test_endpoint_slices_name_the_ready_pods(lab: Lab) -> None:
    ready = await pods_until(lab, "v1", 2)

    async def both_listed() -> bool:
        [one] = (await lab.client.list(ENDPOINT_SLICES, "bookinfo"))[0]
        return sorted(end["targetRef"]["name"] for end in one["endpoints"] if end["conditions"]["ready"]) == ready

    await eventually(both_listed)
    [found] = (await lab.client.list(ENDPOINT_SLICES, "bookinfo"))[0]
    assert found["metadata"]["labels"]["kubernetes.io/service-name"] == "reviews"
    assert found["ports"] == [{"name": "http", "port": 9080, "protocol": "TCP"}]


async def test_prometheus_shows_both_client_pods_and_keeps_its_data_over_an_outage(tmp_path: Path) -> None:
    async with running_lab(tmp_path, with_prometheus=True) as lab:
        assert lab.prometheus is not None
        query = 'sum by (pod) (istio_requests_total{destination_canonical_revision="v1", reporter="source"})'
        await lab.observed()
        rows = await lab.prometheus.query(query)
        assert {row["metric"]["pod"] for row in rows} == {"load-0", "load-1"}
        assert all(float(row["value"][1]) > 0 for row in rows)
        url = lab.prometheus_url
        await lab.prometheus.stop()
        with pytest.raises(httpx.ConnectError):
            await lab.prometheus.query(query)
        await lab.prometheus.start()
        assert lab.prometheus_url == url
        counted = await lab.prometheus.query("sum(count_over_time(istio_requests_total[5m]))")
        assert float(counted[0]["value"][1]) >= 2, "what was scraped before the outage is still there"


async def test_a_program_started_by_the_lab_ends_with_it(tmp_path: Path) -> None:
    async with running_lab(tmp_path) as lab:
        process = await lab.start_program("sleeper", ["sleep", "600"])
        pids = [process.pid, *(child.pid for child in lab.node.processes().values())]
        assert all(alive(pid) for pid in pids)
    assert not any(alive(pid) for pid in pids)


PARENT = """
import asyncio, json, pathlib, signal, sys
from meshshift.lab.lab import Lab

# A shell hands SIGINT down as ignored to what it runs in the background, these tests for instance.
signal.signal(signal.SIGINT, signal.default_int_handler)

async def main():
    async with Lab(directory=pathlib.Path(sys.argv[1]), rate=20) as lab:
        children = [lab.proxy.process, lab.prometheus.process, *lab.node.processes().values()]
        print(json.dumps([child.pid for child in children]), flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["killed", "ctrl-c"])
async def test_nothing_outlives_the_lab(tmp_path: Path, number: signal.Signals) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", PARENT, str(tmp_path)),
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        start_new_session=True,
    )
    assert parent.stdout is not None
    async with asyncio.timeout(PATIENCE * 2):
        pids = json.loads(await parent.stdout.readline())
        assert len(pids) == 4
        assert all(alive(pid) for pid in pids)
        parent.send_signal(number)
        await parent.wait()
        await gone(pids)


async def gone(pids: list[int]) -> None:
    async def all_gone() -> bool:
        return not any(alive(pid) for pid in pids)

    await eventually(all_gone)


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not count."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


async def test_a_configuration_that_envoy_refuses_is_told(lab: Lab) -> None:
    await lab.apply(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "reviews", "namespace": "bookinfo"},
            "spec": {"http": [route(("v1", 100), match=[{"uri": {"regex": "("}}])]},
        }
    )
    with pytest.raises(TimeoutError, match="rds"):
        await lab.settled(timeout=2)
    await set_routes(lab, route(("v1", 100)))


async def test_the_controller_runs_against_the_lab_and_is_scraped(tmp_path: Path) -> None:
    async with running_lab(tmp_path, with_prometheus=True) as lab:
        controller = await lab.start_controller(log_level="debug")
        assert lab.prometheus is not None
        prometheus = lab.prometheus

        async def scraped() -> bool:
            assert controller.running, controller.last_words()
            return any(row["value"][1] == "1" for row in await prometheus.query('up{job="meshshift"}'))

        await eventually(scraped)
        await lab.stop_controller(kill=True)
        assert not controller.running
        again = await lab.start_controller()
        assert again.running


async def test_a_shared_outage_hits_every_version(lab: Lab) -> None:
    await lab.deploy("v2")
    await lab.wait_ready("reviews-v2")
    await set_routes(lab, route(("v1", 50), ("v2", 50)))
    assert await lab.chaos(error_rate=1, for_seconds=30) == 3
    await lab.load.answers(50)
    first = lab.load.total
    await lab.load.answers(50)
    rows = list(lab.load.responses)[first:]
    assert {(row.version, row.status) for row in rows} == {("v1", 500), ("v2", 500)}


async def test_several_services_share_the_load_and_fail_each_for_itself(tmp_path: Path) -> None:
    async with running_lab(tmp_path, others=("ratings", "details")) as lab:
        await lab.deploy("v2", service="ratings")
        await lab.wait_ready("ratings-v2")
        assert await lab.chaos("v1", service="ratings", error_rate=1) == 2
        await lab.load.answers(50)
        seen = len(lab.load.responses)
        await lab.load.answers(300)
        rows = list(lab.load.responses)[seen:]
        by_service = Counter(row.host.partition(".")[0] for row in rows)
        assert set(by_service) == {"reviews", "ratings", "details"}
        assert min(by_service.values()) > 50
        assert {row.host.partition(".")[0] for row in rows if row.status == 500} == {"ratings"}
        assert {row.status for row in rows if row.host.startswith("ratings")} == {500}
        assert await lab.served("v1", "details") >= by_service["details"]
        assert await lab.served("v2", "ratings") == 0


async def test_another_api_server_can_be_given(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "elsewhere"
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "meshshift.lab.kube", "--kubeconfig", str(kubeconfig), cwd=Path(__file__).parents[3]
    )
    try:

        async def written() -> bool:
            return kubeconfig.exists() and kubeconfig.stat().st_size > 0

        await eventually(written)
        for _ in range(2):
            async with running_lab(tmp_path / "lab", kubeconfig=kubeconfig) as lab:
                assert lab.kubeconfig_path == kubeconfig
                await lab.load.answers(20)
                assert lab.load.summary().by_status[200] >= 20
    finally:
        server.terminate()
        await server.wait()
