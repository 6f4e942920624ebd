"""The composition root: makes every part once and ties them together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import kopf

from meshshift.adapters import logs
from meshshift.adapters.cluster import KubeCluster
from meshshift.adapters.gates import GateCalls
from meshshift.adapters.journals import ActLog, DecisionLog, Journals
from meshshift.adapters.kube import KubeClient
from meshshift.adapters.metrics import CONTENT_TYPE, Metrics
from meshshift.adapters.notifier import Notifier
from meshshift.adapters.notifier_http import Poster, is_allowed
from meshshift.adapters.prometheus import PrometheusTelemetry
from meshshift.core.observation import Timing
from meshshift.engine.enrolling import Enroller
from meshshift.engine.queue import WorkQueue
from meshshift.engine.reconcile import Reconciler
from meshshift.engine.settling import EVERY, settle_time
from meshshift.engine.world import Key, World
from meshshift.operator.enrolments import Enrolments
from meshshift.operator.health import application, serve
from meshshift.operator.leader import lead
from meshshift.operator.lists import Lists
from meshshift.operator.settings import prometheus_settings
from meshshift.operator.watches import Feed, quiet_settings, registry
from meshshift.operator.workers import Workers

if TYPE_CHECKING:
    from meshshift.adapters.prometheus_http import PrometheusSettings
    from meshshift.operator.settings import Settings

log = logging.getLogger("meshshift.operator")
SERVICE_WORKERS = 32
"""Services are looked at seldom, and a pass waits for nothing but its own writes."""


class Stopped(Exception):
    """The process has to end and be started again; not a bug."""


class Operator:
    """One controller process."""

    def __init__(self, settings: Settings, prometheus: PrometheusSettings, client: KubeClient) -> None:
        self.settings = settings
        self.prometheus = prometheus
        self.client = client
        self.identity = f"{socket.gethostname()}_{os.getpid()}"
        self.world = World(settings.cluster_domain, watches_deployments=settings.in_place)
        self.queue: WorkQueue[Key] = WorkQueue()
        self.metrics = Metrics()
        self.metrics.watch_queue(lambda: len(self.queue))
        self.services: WorkQueue[Key] = WorkQueue()
        self.feed = Feed(self.world, self.queue, _Watches(self.metrics), Enrolments(self.world, self.services))
        self.lists = Lists(client, self.feed, settings.namespaces, settings.resync)
        self.stop = asyncio.Event()
        self.trouble = "the first list of all watched objects has not succeeded yet"

    async def run(self) -> None:
        """Serve health and metrics, fill the caches, watch, and work while leading; ends on SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop.set)
        app = application(
            metrics=lambda: (self.metrics.render(), CONTENT_TYPE), alive=lambda: "", ready=lambda: self.trouble
        )
        runner, port = await serve(app, self.settings.bind, self.settings.port)
        log.info("serving /healthz, /readyz and /metrics on %s port %d", self.settings.bind, port)
        tasks = [
            asyncio.create_task(self._control(), name="control"),
            asyncio.create_task(self.stop.wait(), name="stop"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await runner.cleanup()

    async def _control(self) -> None:
        await self.lists.fill(self._trouble)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._watch(), name="watch")
                group.create_task(self.lists.run(), name="lists")
                group.create_task(self._lead(), name="lead")
        except* Stopped as stopped:
            raise Stopped("; ".join(map(str, stopped.exceptions))) from None

    def _trouble(self, trouble: str) -> None:
        self.trouble = trouble

    async def _watch(self) -> None:
        namespaces = self.settings.namespaces
        await kopf.operator(
            registry=registry(self.feed, self.client, self.lists.want),
            settings=quiet_settings(),
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
        )
        # kopf hears signals in our place once it runs, and returns only for one; what goes wrong in it is raised.
        self.stop.set()

    async def _lead(self) -> None:
        if not self.settings.leader_election:
            await self._work()
            return
        await lead(self.client, self.settings.leader_namespace, self.identity, self._work)
        raise Stopped("leadership was lost; start again as a candidate")

    async def _work(self) -> None:
        self.metrics.led(leading=True)
        cluster = KubeCluster(self.client, self.identity)
        async with (
            PrometheusTelemetry(self.prometheus, _Queries(self.metrics)) as telemetry,
            Notifier(cluster, self.metrics.notified, policy_of=self.world.policy_of, poster=self._poster()) as notifier,
            GateCalls(self.client, self.metrics.gate_replied, poster=self._poster()) as gates,
        ):
            reconciler = Reconciler(
                self.world,
                cluster,
                telemetry,
                Journals(self.metrics, DecisionLog(), notifier),
                Timing(settle=self.settings.settle, lag=self.settings.scrape_interval),
                gates,
            )
            enroller = Enroller(self.world, cluster, lambda: reconciler.timing, ActLog(), self.queue.add)
            workers = Workers(self.queue, reconciler, self.metrics)
            registrars = Workers(self.services, enroller, self.metrics)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._measure(telemetry, reconciler), name="settling")
                for number in range(self.settings.workers):
                    group.create_task(workers.run(), name=f"worker-{number}")
                for number in range(min(SERVICE_WORKERS, self.settings.workers)):
                    group.create_task(registrars.run(), name=f"services-{number}")

    def _poster(self) -> Poster:
        return Poster(allows=partial(is_allowed, opened=self.settings.receiver_networks))

    async def _measure(self, telemetry: PrometheusTelemetry, reconciler: Reconciler) -> None:
        """Keep the settle time at what istiod's own measurements ask for."""
        settings = self.settings
        while True:
            settle = await settle_time(telemetry, settings.settle, time.time() - settings.scrape_interval)
            reconciler.timing = replace(reconciler.timing, settle=settle)
            self.metrics.settles(settle)
            await asyncio.sleep(EVERY)


@dataclass(frozen=True, slots=True)
class _Queries:
    """Tells the own metrics of every query."""

    metrics: Metrics

    def observed(self, kind: str, seconds: float, outcome: str) -> None:
        """A query ended; `outcome` is ok or the reason why not."""
        self.metrics.queried(kind, seconds, None if outcome == "ok" else outcome)


@dataclass(frozen=True, slots=True)
class _Watches:
    """Tells the own metrics how the watches do."""

    metrics: Metrics

    def heard(self, resource: str) -> None:
        """A watch or a list spoke just now."""
        self.metrics.heard(resource, time.time())

    def missed(self, resource: str, changes: int) -> None:
        """A list had to tell what a watch did not."""
        self.metrics.missed(resource, changes)


async def run(settings: Settings) -> None:
    """Run a controller until it is told to stop; what cannot work is raised before anything is connected to."""
    logs.configure(settings.log_format, settings.log_level)
    prometheus = prometheus_settings(settings)
    async with await KubeClient.connect(settings.kubeconfig, settings.context) as client:
        with contextlib.suppress(asyncio.CancelledError):
            await Operator(settings, prometheus, client).run()
