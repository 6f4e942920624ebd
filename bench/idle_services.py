"""What Services that opted in cost while nothing happens: CPU and memory of a real controller process.

`python -m bench.idle_services`: the lab's API server holds so many annotated Services with two ready pods each; the
controller adopts them all; then nobody touches anything, and its CPU time and resident memory are read from /proc.  The
measured time holds at least one of the regular lists (`--resync`, five minutes), the only work that is left.  Beside it
stands a controller with no Service at all.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.report import table
from meshshift.adapters.kube import PODS, VIRTUAL_SERVICES
from meshshift.lab import children
from meshshift.lab.client import LabClient
from meshshift.lab.controller import controller_command
from meshshift.lab.definitions import install_definitions
from meshshift.lab.kube import ApiServer

NAMESPACE = "many"
SERVICES = 500
SECONDS = 330.0
"""A little more than one interval between two lists."""
CPU_LIMIT, MEMORY_LIMIT = 2.0, 200.0
"""Percent of one core, and MB."""
READY_SINCE = "2026-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one controller took: seconds until every Service was adopted, percent of a core, and MB, while idle."""

    services: int
    adopted: float
    cpu: float
    memory: float

    @property
    def row(self) -> list[str]:
        """A line of the table."""
        return [str(self.services), f"{self.adopted:.0f} s", f"{self.cpu:.2f} %", f"{self.memory:.0f} MB"]


def service(name: str) -> dict[str, Any]:
    """A Service that opts in."""
    metadata = {"name": name, "namespace": NAMESPACE, "annotations": {"meshshift.io/strategy": "canary"}}
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def pod(service: str, number: int) -> dict[str, Any]:
    """A ready pod of version v1."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{service}-v1-5d4f-{number}",
            "namespace": NAMESPACE,
            "labels": {"app": service, "version": "v1", "pod-template-hash": "5d4f"},
        },
        "spec": {"containers": [{"name": "app", "image": "app:v1"}]},
    }


READY = {
    "status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": READY_SINCE}],
    }
}


async def fill(client: LabClient, services: int) -> None:
    """Create the Services with their pods."""
    await client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    for number in range(services):
        name = f"service-{number}"
        await client.apply(service(name))
        for replica in range(2):
            each = pod(name, replica)
            await client.apply(each)
            await client.patch(PODS, NAMESPACE, each["metadata"]["name"], READY, kind="merge", subresource="status")


async def measure(services: int, seconds: float) -> Cost:
    """One controller, from its start until it has idled for so many seconds."""
    with tempfile.TemporaryDirectory(prefix="meshshift-bench-") as temporary:
        directory = Path(temporary)
        async with ApiServer() as server:
            kubeconfig = directory / "kubeconfig"
            kubeconfig.write_text(yaml.safe_dump(server.kubeconfig()))
            async with await LabClient.connect_as(kubeconfig) as client:
                await install_definitions(client)
                await fill(client, services)
                settings = {"kubeconfig": kubeconfig, "prometheus_url": "http://127.0.0.1:9", "port": 0, "settle": "2s"}
                command = controller_command(settings)
                controller = await children.start(
                    "controller", command, environment={}, log=directory / "controller.log"
                )
                try:
                    return await _watched(client, controller.handle.pid, services, seconds)
                finally:
                    await controller.stop()


async def _watched(client: LabClient, pid: int, services: int, seconds: float) -> Cost:
    loop = asyncio.get_running_loop()
    started = loop.time()
    while len((await client.list(VIRTUAL_SERVICES))[0]) < services:  # noqa: ASYNC110 -- as kubectl wait would poll
        await asyncio.sleep(1.0)
    adopted = loop.time() - started
    await asyncio.sleep(10.0)
    before, since = cpu_seconds(pid), loop.time()
    await asyncio.sleep(seconds)
    cpu = 100.0 * (cpu_seconds(pid) - before) / (loop.time() - since)
    return Cost(services, adopted, cpu, resident_megabytes(pid))


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (proc(5): fields 14 and 15 of stat, in clock ticks)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_megabytes(pid: int) -> float:
    """Resident memory of a process (proc(5): VmRSS of status, in kB)."""
    line = next(each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1000.0


def main() -> None:
    """Print the table; the exit code is 1 if a limit was passed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--services", type=int, default=SERVICES, help="annotated Services (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="idle time measured (default: %(default)s)")
    wish = parser.parse_args()
    costs = [asyncio.run(measure(services, wish.seconds)) for services in (0, wish.services)]
    print(table(["annotated Services", "adopted within", "CPU of one core", "memory"], [cost.row for cost in costs]))
    sys.exit(costs[-1].cpu >= CPU_LIMIT or costs[-1].memory >= MEMORY_LIMIT)


if __name__ == "__main__":
    main()
