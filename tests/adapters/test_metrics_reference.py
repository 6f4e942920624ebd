from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from meshshift.adapters.metrics import CONTENT_TYPE, Metrics
from meshshift.adapters.metrics_catalog import CATALOG
from meshshift.adapters.metrics_reference import EXAMPLES, PAGE, reference_page
from meshshift.lab.prometheus import Prometheus
from tests.adapters.story import Story
from tests.adapters.test_metrics import everything_once

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def test_the_reference_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page(), "run python -m meshshift.adapters.metrics_reference"


def test_the_page_tells_every_metric_with_its_labels() -> None:
    page = reference_page()
    for metric in CATALOG:
        told = page.split(f"### {metric.name}\n", 1)[1].split("\n#", 1)[0]
        assert metric.meaning in told
        for label in metric.labels:
            assert f"`{label.name}`" in told
            for value in label.values:
                assert f"`{value}`" in told


def test_names_are_unique_and_prefixed() -> None:
    names = [metric.name for metric in CATALOG]
    assert len(set(names)) == len(names)
    assert all(name.startswith("meshshift_") for name in names)


@pytest.mark.lab
@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_complain_about() -> None:
    metrics = Metrics()
    everything_once(metrics)
    Story(metrics).begin()
    done = subprocess.run(["promtool", "check", "metrics"], input=metrics.render(), capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (0, "")


@pytest.mark.lab
async def test_every_example_finds_something_in_a_prometheus_that_scraped_it(tmp_path: Path) -> None:
    metrics = Metrics()
    everything_once(metrics)
    metrics.led(False)
    going, drifted = (Story(metrics, key=("bookinfo", name), now=time.time() - 3600) for name in ("going", "drifted"))
    for story in (going, drifted):
        story.begin()
    drifted.weights = [30]
    drifted.look()
    async with _served(metrics) as (port, scrapes), Prometheus(tmp_path) as prometheus:
        prometheus.scrape("meshshift", f"127.0.0.1:{port}")
        async with asyncio.timeout(60):
            for _ in range(4):  # once the fourth begins, three are stored: enough for a rate
                await scrapes.get()
            found = {question: await prometheus.query(query) for question, query in EXAMPLES}
    assert [question for question, result in found.items() if not result] == []


@contextlib.asynccontextmanager
async def _served(metrics: Metrics) -> AsyncIterator[tuple[int, asyncio.Queue[None]]]:
    """The metrics on a port of their own, and a queue that gets an item with every scrape."""
    scrapes: asyncio.Queue[None] = asyncio.Queue()

    async def answer(_: web.Request) -> web.Response:
        scrapes.put_nowait(None)
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/metrics", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1], scrapes
    finally:
        await runner.cleanup()
