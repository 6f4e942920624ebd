"""A thousand shifts whose telemetry is due together share a handful of queries."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import parse_qs

import httpx

from meshshift.adapters.prometheus import PrometheusTelemetry
from meshshift.adapters.prometheus_http import PrometheusSettings
from meshshift.core.observation import Timing
from meshshift.engine.queue import WorkQueue
from meshshift.engine.reconcile import Reconciler
from meshshift.engine.world import Key, World
from meshshift.operator.settings import Settings
from meshshift.operator.workers import Workers
from tests.engine.simulation import NAMESPACE, START, Gates, Mesh, Silent, pod, route, rule, shift

SHIFTS = 1000
NAMES = re.compile(r'destination_service_name=~?"([^"]*)"')


class Prometheus:
    """Answers every query for the services that it names, and counts them."""

    def __init__(self) -> None:
        self.queries: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        form = parse_qs(request.content.decode())
        query, at = form["query"][0], float(form["time"][0])
        self.queries.append(query)
        found = NAMES.search(query)
        names = found.group(1).replace("\\\\", "").split("|") if found else []
        result = [row for name in names for row in self._rows(query, name, at)]
        return httpx.Response(200, json={"status": "success", "data": {"resultType": "vector", "result": result}})

    @staticmethod
    def _rows(query: str, name: str, at: float) -> list[dict[str, Any]]:
        service = {"destination_service_name": name, "destination_service_namespace": NAMESPACE, "pod": "client"}
        if "timestamp(" in query:
            return [{"metric": {**service, "reporter": "source"}, "value": [at, str(at)]}]
        rows = []
        for version, share in (("v1", 90.0), ("v2", 10.0)):
            labels = {**service, "destination_workload": f"{name}-{version}", "response_code": "200"}
            count = str((at - START + 10_000) * share)
            les = ["100", "+Inf"] if "_bucket" in query else [None]
            rows += [{"metric": labels | ({"le": le} if le else {}), "value": [at, count]} for le in les]
        return rows


def world_of(mesh: Mesh) -> World:
    """A thousand services, each in the middle of being shifted."""
    world = World()
    for number in range(SHIFTS):
        name = f"service-{number}"
        for document in (shift(service=name), route({"v1": 100, "v2": 0}), rule("v1", "v2")):
            document["metadata"]["name"] = name
            if document["kind"] == "VirtualService":
                document["spec"]["hosts"] = [name]
                for destination in document["spec"]["http"][0]["route"]:
                    destination["destination"]["host"] = name
            if document["kind"] == "DestinationRule":
                document["spec"]["host"] = name
            tables = {"TrafficShift": world.shifts, "VirtualService": world.virtual_services}
            tables.get(document["kind"], world.destination_rules).put(mesh.put(document))
        service = {"kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": name}}}
        world.services.put(mesh.put(service))
        for version in ("v1", "v2"):
            each = pod(version)
            each["metadata"]["name"] = f"{name}-{version}-0"
            each["metadata"]["labels"]["app"] = name
            each["metadata"]["ownerReferences"][0]["name"] = f"{name}-{version}-abc"
            world.pods.put(mesh.put(each))
    return world


async def test_a_thousand_shifts_due_together_take_at_most_twenty_queries() -> None:
    mesh, prometheus, now = Mesh(), Prometheus(), START
    world = world_of(mesh)
    settings = PrometheusSettings(url="http://prometheus", reporter="auto")
    telemetry = PrometheusTelemetry(settings, transport=httpx.MockTransport(prometheus))
    reconciler = Reconciler(world, mesh, telemetry, Silent(), Timing(settle=0.0, lag=1.0), Gates(), clock=lambda: now)

    async def passes(count: int) -> int:
        """Every shift is looked at `count` times; returns how many queries that took."""
        before = len(prometheus.queries)
        for _ in range(count):
            await every_shift_once(reconciler, list(world.shifts.objects))
        return len(prometheus.queries) - before

    await passes(5)
    weights = {document["status"]["weights"]["desired"] for document in world.shifts.objects.values()}
    assert weights == {5}
    now += 10.0
    await passes(1)
    now += 5.0
    assert await passes(1) <= 20
    evidence = [document["status"]["evidence"] for document in world.shifts.objects.values()]
    assert all(len(indicators) == 2 and indicators[0]["canaryRequests"] > 0 for indicators in evidence)
    await telemetry.aclose()


async def every_shift_once(reconciler: Reconciler, keys: list[Key]) -> None:
    """As the operator does it, with as many workers as it has by default."""
    queue: WorkQueue[Key] = WorkQueue()
    finished = 0
    done = asyncio.Event()

    class Once:
        async def reconcile(self, key: Key) -> float | None:
            nonlocal finished
            await reconciler.reconcile(key)
            finished += 1
            if finished == len(keys):
                done.set()
            return None

    class Unmeasured:
        def dequeued(self, late: float) -> None: ...

        def reconciled(self, seconds: float, error: Exception | None = None) -> None:
            assert error is None, error

    workers = Workers(queue, Once(), Unmeasured())
    default = Settings(prometheus_url="http://prometheus").workers
    tasks = [asyncio.create_task(workers.run()) for _ in range(default)]
    for key in keys:
        queue.add(key)
    async with asyncio.timeout(120):
        await done.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
