"""A whole mesh on one machine, as one object.

    async with Lab(rate=300) as lab:
        await lab.deploy("v2", error_rate=0.05)
        await lab.wait_ready("reviews-v2")
        ...

Inside: an API server, the Deployment controller and node that run the sample app as local processes, a real Envoy as
the client's sidecar, telemetry with Istio's labels, a real Prometheus, and a steady load whose answers are all kept.
Everything listens on loopback, on ports of the kernel's choice, and everything ends with the object: at the end of the
block, on Ctrl-C, and even if this process is killed (`children`).

With `kubeconfig` the lab uses that API server instead of its own.  It has to be a bare one, and is left as it was found
(`guest`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import httpx
import yaml

from meshshift.lab import children
from meshshift.lab.access_log import AccessLog
from meshshift.lab.client import LabClient
from meshshift.lab.controller import controller_command
from meshshift.lab.definitions import install_definitions
from meshshift.lab.endpoints import Endpoints
from meshshift.lab.envoy.proxy import EnvoyProxy
from meshshift.lab.envoy.push import Pusher
from meshshift.lab.envoy.world import serves
from meshshift.lab.guest import refuse_nodes, remove_created
from meshshift.lab.kube import ApiServer
from meshshift.lab.load import Cohort, Load
from meshshift.lab.node import ADDRESS_ANNOTATION, Node
from meshshift.lab.prometheus import Prometheus
from meshshift.lab.receiver import Receiver
from meshshift.lab.rollout_status import rolled_out
from meshshift.lab.sample import as_kubectl_would, read_documents, renamed, sample_directory, version_of
from meshshift.lab.telemetry import CLIENT_WORKLOAD, CLIENTS, Telemetry
from meshshift.lab.watching import ClusterState
from meshshift.lab.workloads import Workloads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meshshift.adapters.kube import Document
    from meshshift.lab.guest import Belonging

logger = logging.getLogger(__name__)

_SERVED_TIMEOUT = 10.0
Part = TypeVar("Part")


class Lab:
    """The mesh; an async context manager.

    The parts are public, for scenarios that want to look at them or break them: `client`, `state`, `node`, `proxy`,
    `pusher`, `access_log`, `telemetry`, `prometheus`, `load`, `receiver`, `controller`, `processes`.  `left_behind` is
    known at the end: what this lab created on another's API server and did not remove.
    """

    client: LabClient
    state: ClusterState
    node: Node
    proxy: EnvoyProxy
    pusher: Pusher
    access_log: AccessLog
    telemetry: Telemetry
    load: Load
    receiver: Receiver
    directory: Path
    kubeconfig_path: Path

    def __init__(
        self,
        *,
        directory: Path | None = None,
        kubeconfig: Path | None = None,
        allow_nodes: bool = False,
        rate: float = 300.0,
        manifests: Path | None = None,
        namespace: str = "bookinfo",
        service: str = "reviews",
        others: Sequence[str] = (),
        host: str | None = None,
        cohorts: Sequence[Cohort] = (Cohort(),),
        with_prometheus: bool = True,
        edit: Callable[[list[Document]], list[Document]] = list,
    ) -> None:
        """Describe the lab.

        `directory` keeps logs, configuration and data (default: a temporary one, removed at the end); `kubeconfig`
        names an API server in place of the lab's own, one with nodes only if `allow_nodes` says so; `rate` is the
        load in requests per second, sent to `service` in `namespace` from the moment its pods are ready; `manifests`
        is the mesh to start with (default: the sample mesh; only files directly in the directory are applied).  `host`
        is what the load calls the service (default: its full name): requests that lead nowhere are reported under it.
        `edit` is given the documents of `manifests` and says which ones are applied instead.
        `others` are further services, each `service` over again under another name, with an equal part of the load.
        """
        self._wish = (directory, kubeconfig, manifests or sample_directory())
        self._allow_nodes = allow_nodes
        self.left_behind: tuple[Belonging, ...] = ()
        self._rate = rate
        self.namespace = namespace
        self.service = service
        self.services = (service, *others)
        self._host = host or self.host_of(service)
        self._cohorts = tuple(cohorts)
        if others:
            self._cohorts = tuple(replace(one, host=self.host_of(name)) for name in self.services for one in cohorts)
        self.prometheus: Prometheus | None = None
        self._with_prometheus = with_prometheus
        self._edit = edit
        self.controller: children.Process | None = None
        self.processes: list[children.Process] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def host_of(self, service: str) -> str:
        """The full name of a service of the lab, as clients call it."""
        return f"{service}.{self.namespace}.svc.cluster.local"

    @property
    def gateway_url(self) -> str:
        """Envoy's listener; the Host header says which service is meant."""
        return self.proxy.url

    @property
    def prometheus_url(self) -> str:
        """Prometheus' API; raises RuntimeError in a lab without Prometheus."""
        if self.prometheus is None:
            raise RuntimeError("this lab has no Prometheus: with_prometheus was False")
        return self.prometheus.url

    async def apply(self, *documents: Document) -> None:
        """Create the objects, or merge the documents into those that are there, in the order given."""
        for document in documents:
            await self.client.apply(document)

    async def deploy(
        self,
        version: str,
        *,
        service: str = "",
        replicas: int = 1,
        error_rate: float = 0.0,
        latency_ms: float = 5.0,
        latency_p99_ms: float = 25.0,
        startup_seconds: float = 0.0,
        environment: dict[str, str] | None = None,
    ) -> None:
        """Create or change the Deployment `<service>-<version>` of the sample app; `app` explains the settings.

        `service` is one of `others`; empty: the lab's own.
        """
        variables = {
            "VERSION": version,
            "ERROR_RATE": f"{error_rate:g}",
            "LATENCY_MS": f"{latency_ms:g}",
            "LATENCY_P99_MS": f"{latency_p99_ms:g}",
            "STARTUP_SECONDS": f"{startup_seconds:g}",
            **(environment or {}),
        }
        await self.apply(version_of(service or self.service, self.namespace, version, replicas, variables))

    async def settled(self, timeout: float = 10.0) -> None:
        """Wait until Envoy works by what the API server holds now.

        Raises TimeoutError, which names what Envoy refused, if anything.
        """
        try:
            async with asyncio.timeout(timeout):
                for watched in self.state.mesh:
                    await watched.caught_up()
                await self.pusher.settled()
        except TimeoutError as error:
            refused = ", ".join(await self.proxy.rejected()) or "nothing"
            raise TimeoutError(f"the mesh did not settle within {timeout:g} s; Envoy refused {refused}") from error

    async def observed(self, timeout: float = 20.0) -> None:
        """Wait until Prometheus can tell a rate of the load from both client pods: two scrapes of each."""
        query = "min_over_time(istio_requests_total[5m] offset 1s)"
        wanted = {(service, pod) for service in self.services for pod in CLIENTS.values()}
        async with asyncio.timeout(timeout):
            while self.prometheus is not None:
                rows = [row["metric"] for row in await self.prometheus.query(query)]
                if wanted <= {(row["destination_service_name"], row["pod"]) for row in rows}:
                    return
                await asyncio.sleep(0.2)

    async def wait_ready(self, *deployments: str, timeout: float = 30.0) -> None:
        """Wait until the Deployments (default: all of the namespace) are rolled out and Envoy works with their pods.

        Raises TimeoutError that says which are not, with the last log lines of their pods.
        """
        try:
            async with asyncio.timeout(timeout):
                await self.state.deployments.caught_up()
                await self.state.deployments.until(lambda: not self._unfinished(deployments))
        except TimeoutError as error:
            late = ", ".join(self._unfinished(deployments))
            words = [process.last_words(5) for process in self.node.processes().values()]
            raise TimeoutError("\n".join([f"not ready within {timeout:g} s: {late}", *filter(None, words)])) from error
        await self.settled()

    async def start_controller(self, **settings: object) -> children.Process:
        """Start `meshshift operator` against this lab; settings become flags: log_level="debug" is `--log-level debug`.

        True and False become `--flag` and `--no-flag`, None leaves the flag out.  It listens on a free loopback port
        unless `port` says otherwise, and Prometheus scrapes it there.  It works without leader election, so that a
        successor need not wait for a lease.  Its log is `controller.log` in `directory`.
        """
        if self.controller is not None and self.controller.running:
            raise RuntimeError("the controller is running already; stop_controller() first")
        port = settings.get("port") or children.free_port()
        places = {"kubeconfig": self.kubeconfig_path, "prometheus_url": self.prometheus_url}
        command = controller_command({**places, **settings, "port": port})
        self.controller = await self.start_program("controller", command)
        if self.prometheus is not None:
            self.prometheus.scrape("meshshift", f"127.0.0.1:{port}")
        return self.controller

    async def stop_controller(self, *, kill: bool = False) -> None:
        """End the controller, in good order or (kill) without warning, as a crash of its node would."""
        if self.controller is not None:
            await self.controller.stop(0 if kill else 10)

    async def chaos(self, version: str | None = None, *, service: str | None = None, **wish: object) -> int:
        """Make the pods of a version and service (None: of every one, a shared outage) behave otherwise.

        `wish` is what `app` takes at /chaos, such as error_rate=0.5, for_seconds=10.  Returns how many pods were told;
        raises httpx.HTTPStatusError if one refuses.
        """
        pods = self._serving(version, service)
        answers = await asyncio.gather(*(self._http.post(f"http://{address}/chaos", json=wish) for address in pods))
        for answer in answers:
            answer.raise_for_status()
        return len(answers)

    async def served(self, version: str, service: str = "") -> int:
        """How many requests the ready pods of a version say that they have taken up, copies of mirrors too."""
        pods = self._serving(version, service or self.service)
        answers = await asyncio.gather(*(self._http.get(f"http://{address}/served") for address in pods))
        return sum(int(answer.raise_for_status().json()["served"]) for answer in answers)

    def _serving(self, version: str | None, service: str | None) -> list[str]:
        """The addresses of ready pods."""
        return [
            pod["metadata"]["annotations"][ADDRESS_ANNOTATION]
            for pod in self.state.pods.objects.values()
            if version in {None, pod["metadata"]["labels"].get("version")}
            and service in {None, pod["metadata"]["labels"].get("app")}
            and serves(pod)
        ]

    async def start_program(self, name: str, arguments: Sequence[str | Path]) -> children.Process:
        """Start a program that ends with the lab; its output goes to `<name>.log` in `directory`."""
        environment = {"KUBECONFIG": str(self.kubeconfig_path)}
        process = await children.start(name, arguments, environment=environment, log=self.directory / f"{name}.log")
        self.processes.append(process)
        return process

    async def _open(self) -> None:
        directory, kubeconfig, manifests = self._wish
        self._stack.push_async_callback(self._stop_programs)
        self.directory = directory or Path(self._temporary_directory())
        self.directory.mkdir(parents=True, exist_ok=True)
        self.kubeconfig_path = kubeconfig or await self._start_api_server()
        self.client = await self._enter(await LabClient.connect_as(self.kubeconfig_path))
        if kubeconfig and not self._allow_nodes:
            await refuse_nodes(self.client)
        await install_definitions(self.client)
        self._http = await self._enter(httpx.AsyncClient())
        self.receiver = await self._enter(Receiver())
        self.state = await self._enter(ClusterState(self.client))
        self.node = await self._enter(Node(self.client, self.state.pods, self.directory / "pods"))
        await self._enter(Workloads(self.client, self.state))
        await self._enter(Endpoints(self.client, self.state))
        if kubeconfig:
            self._stack.push_async_callback(self._leave)
        await self._start_mesh()
        await self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "meshshift-system"}})
        documents = self._edit(read_documents(manifests))
        copies = [copy for other in self.services[1:] for copy in renamed(documents, self.service, other)]
        await self.apply(*map(as_kubectl_would, [*documents, *copies]))
        await self.wait_ready()
        await self._start_load()

    async def _start_mesh(self) -> None:
        self.proxy = await self._enter(EnvoyProxy(self.directory / "envoy"))
        labels = {"app": CLIENT_WORKLOAD}
        self.pusher = await self._enter(
            Pusher(self.state, self.proxy, client_namespace=self.namespace, client_labels=labels)
        )
        self.telemetry = await self._enter(Telemetry(namespace=self.namespace))
        self.access_log = AccessLog(self.proxy.log_stream, missing=self.pusher.missing)
        self.access_log.listeners.append(self.telemetry.record)
        await self._enter(self.access_log)
        if self._with_prometheus:
            self.prometheus = await self._enter(Prometheus(self.directory / "prometheus"))
            for pod in CLIENTS.values():
                self.prometheus.scrape(
                    f"sidecars/{pod}",
                    f"127.0.0.1:{self.telemetry.port}",
                    path=f"/pods/{pod}/metrics",
                    labels={"pod": pod, "namespace": self.namespace},
                )

    async def _start_load(self) -> None:
        self.load = Load(
            self.gateway_url,
            host=self._host,
            rate=self._rate,
            cohorts=self._cohorts,
            record=self.directory / "responses.jsonl",
        )
        await self._enter(self.load)

    async def _start_api_server(self) -> Path:
        server = await self._enter(ApiServer())
        path = self.directory / "kubeconfig"
        path.write_text(yaml.safe_dump(server.kubeconfig()))
        return path

    def _unfinished(self, names: Sequence[str]) -> list[str]:
        deployments = {
            name: document
            for (namespace, name), document in self.state.deployments.objects.items()
            if namespace == self.namespace
        }
        wanted = names or tuple(deployments)
        return [name for name in wanted if name not in deployments or not rolled_out(deployments[name])]

    async def _enter(self, part: AbstractAsyncContextManager[Part]) -> Part:
        return await self._stack.enter_async_context(part)

    async def _leave(self) -> None:
        self.left_behind = await remove_created(self.client)

    async def _stop_programs(self) -> None:
        await asyncio.gather(*(process.stop() for process in self.processes))

    def _temporary_directory(self) -> str:
        path = tempfile.mkdtemp(prefix="meshshift-lab-")
        if not os.environ.get("MESHSHIFT_LAB_KEEP"):
            self._stack.callback(shutil.rmtree, path, ignore_errors=True)
        return path
