"""A shift on real traffic: the lab, a controller as a process of its own, and the questions that every claim asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from meshshift.adapters.kube import TRAFFIC_SHIFTS
from meshshift.engine.failures import NotFound
from meshshift.lab.lab import Lab

Document = dict[str, Any]
NAMESPACE, NAME = "bookinfo", "reviews"
RATE = 200.0
CONTROLLER = {"settle": "2s", "log_format": "text", "no_leader_election": True}


@asynccontextmanager
async def mesh(*, v2_errors: float = 0.0, rate: float = RATE) -> AsyncIterator[Lab]:
    """The sample mesh under load with v2 ready and a controller running."""
    async with Lab(rate=rate) as lab:
        await lab.deploy("v2", error_rate=v2_errors)
        await lab.wait_ready("reviews-v2")
        await lab.start_controller(**CONTROLLER)
        yield lab


def shift(**spec: Any) -> Document:
    """v1 to v2 in small, quick steps."""
    canary = {"steps": [{"setWeight": weight} for weight in (5, 25, 50)], "minStepDuration": "3s"}
    base: Document = {
        "service": NAME,
        "stable": {"subset": "v1"},
        "canary": {"subset": "v2"},
        "strategy": {"canary": canary},
        "analysis": {"interval": "2s", "warmup": "1s"},
    }
    metadata = {"name": NAME, "namespace": NAMESPACE}
    return {"apiVersion": "meshshift.io/v1alpha1", "kind": "TrafficShift", "metadata": metadata, "spec": base | spec}


async def status_of(lab: Lab) -> Document:
    """The status as it is now; empty when there is none, or no object."""
    try:
        document = await lab.client.get(TRAFFIC_SHIFTS, NAMESPACE, NAME)
    except NotFound:
        return {}
    status: Document = document.get("status") or {}
    return status


async def until(lab: Lab, condition: Callable[[Document], bool], seconds: float = 300) -> Document:
    """Wait for a status; TimeoutError with the last one and the controller's words."""
    status: Document = {}
    try:
        async with asyncio.timeout(seconds):
            while not condition(status := await status_of(lab)):  # noqa: ASYNC110 - as kubectl wait would poll
                await asyncio.sleep(0.1)
    except TimeoutError:
        words = lab.controller.last_words(10) if lab.controller else ""
        raise TimeoutError(f"{status.get('phase')} {status.get('reason')}: {status.get('message')}\n{words}") from None
    return status


def in_phase(*phases: str) -> Callable[[Document], bool]:
    return lambda status: status.get("phase") in phases


def at_weight(percent: float) -> Callable[[Document], bool]:
    return lambda status: (status.get("weights") or {}).get("observed") == percent


async def command(lab: Lab, text: str) -> None:
    """kubectl annotate."""
    annotation = {"metadata": {"annotations": {"meshshift.io/command": text}}}
    await lab.client.patch(TRAFFIC_SHIFTS, NAMESPACE, NAME, annotation, kind="merge")


async def assert_nothing_broke(lab: Lab) -> None:
    """No response carried NC, UH or NR, in the access log; and no client saw its connection fail."""
    await asyncio.sleep(1.0)
    assert not any(lab.access_log.mistaken().values()), lab.access_log.mistakes
    broken = {key: count for key, count in lab.access_log.counts().items() if key[0] in {0, 503, 404}}
    assert broken == {}
    assert lab.load.summary().total > RATE
