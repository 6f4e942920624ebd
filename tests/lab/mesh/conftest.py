"""A running lab for each test that asks for one; it takes about two seconds."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from meshshift.lab.lab import Lab

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from meshshift.lab.access_log import AccessLog

PATIENCE = 20.0


@asynccontextmanager
async def running_lab(directory: Path, **settings: Any) -> AsyncIterator[Lab]:
    async with Lab(directory=directory, **{"with_prometheus": False, "rate": 200.0, **settings}) as lab:
        yield lab


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with running_lab(tmp_path) as running:
        yield running


def route(*targets: tuple[str, int], **fields: Any) -> dict[str, Any]:
    """One http route to subsets of `reviews` by weight."""
    destinations = [
        {"destination": {"host": "reviews", "subset": subset}, "weight": weight} for subset, weight in targets
    ]
    return {"name": "default", "route": destinations, **fields}


async def set_routes(lab: Lab, *routes: dict[str, Any]) -> None:
    """Let the VirtualService say this, and wait until Envoy does it."""
    await lab.apply(virtual_service(*routes))
    await lab.settled()


def virtual_service(*routes: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "reviews", "namespace": "bookinfo"},
        "spec": {"http": list(routes)},
    }


def destination_rule(*subsets: str) -> dict[str, Any]:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "reviews", "namespace": "bookinfo"},
        "spec": {"subsets": [{"name": name, "labels": {"version": name}} for name in subsets]},
    }


async def eventually(look: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what cannot be awaited: processes of others, and answers of Prometheus."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if await look():
                return
            await asyncio.sleep(0.05)


async def logged(lab: Lab, condition: Callable[[AccessLog], bool]) -> None:
    """Wait until the access log shows it."""
    async with asyncio.timeout(PATIENCE):
        await lab.access_log.until(condition)


def series(lab: Lab, **labels: str) -> list[dict[str, str]]:
    """The label sets of istio_requests_total that have these labels, over both client pods."""
    pages = [lab.telemetry.exposition(pod) for pod in ("load-0", "load-1")]
    samples = [
        sample
        for page in pages
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "istio_requests_total"
    ]
    return [sample.labels for sample in samples if labels.items() <= sample.labels.items()]
