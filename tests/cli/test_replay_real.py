"""Through a real Prometheus: the counters of a simulated run, backfilled, lead to the turns that the run took."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from meshshift.lab.prometheus import Prometheus, PrometheusError
from tests.cli.history import backfill
from tests.cli.saved import document, finished, rolled_back
from tests.engine.simulation import Simulation

pytestmark = pytest.mark.lab


async def replayed(simulation: Simulation, directory: Path) -> list[tuple[str, int, str]]:
    path = directory / "shift.yaml"
    path.write_text(yaml.safe_dump(document(simulation)))
    backfill(simulation, directory)
    try:
        async with Prometheus(directory) as prometheus:
            flags = ["--prometheus-url", prometheus.url, "--scrape-interval", "1s", "-o", "json"]
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "meshshift", "replay", "-f", str(path), *flags, stdout=asyncio.subprocess.PIPE
            )
            output, _ = await process.communicate()
    except PrometheusError as error:
        pytest.skip(str(error))
    assert process.returncode == 0
    (only,) = json.loads(output)["replays"]
    return [(turn["reason"], turn["weight"], turn["message"]) for turn in only["turns"]]


@pytest.mark.parametrize("story", [rolled_back, finished])
def test_a_real_prometheus_gives_the_same_turns_as_the_run(story: Callable[[], Simulation], tmp_path: Path) -> None:
    simulation = story()
    expected = [
        (entry["reason"], entry["weight"], entry["message"])
        for entry in simulation.status["history"]
        if entry["phase"] not in {"RolledBack", "Succeeded"}
    ]
    assert asyncio.run(replayed(simulation, tmp_path)) == expected
