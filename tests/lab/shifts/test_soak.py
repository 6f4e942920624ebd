"""Shift after shift on real traffic, with everything at once: commands, retargets, drifts, deletions, kills.

What is claimed is one thing: whatever people and accidents do in whatever order, no response is lost to the shifting
itself.  The schedule comes from a seed, so a run can be had again.  CI takes a few shifts; fifty at 500 requests a
second are `make soak`, or

    MESHSHIFT_SOAK_SHIFTS=50 MESHSHIFT_SOAK_SEED=7 python -m pytest tests/lab/shifts/test_soak.py -s
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import pytest

from meshshift.adapters.kube import DESTINATION_RULES, TRAFFIC_SHIFTS, VIRTUAL_SERVICES
from meshshift.engine.failures import Conflict, NotFound
from meshshift.lab.lab import Lab
from tests.lab.shifts.running import (
    CONTROLLER,
    NAME,
    NAMESPACE,
    assert_nothing_broke,
    command,
    shift,
    status_of,
    until,
)

pytestmark = pytest.mark.lab

SHIFTS = int(os.environ.get("MESHSHIFT_SOAK_SHIFTS", "2"))
SEED = int(os.environ.get("MESHSHIFT_SOAK_SEED", "1"))
RATE = 500.0
VERSIONS = ("v1", "v2", "v3")
ENDED = {"Succeeded", "RolledBack", "Failed"}
PATIENCE = 150.0
"""Seconds that a shift may take in all; a person would have aborted it by then."""


@dataclass
class Soak:
    """One lab, one random sequence, and what came of it."""

    lab: Lab
    chance: random.Random
    began: float = field(default_factory=time.monotonic)
    serving: str = "v1"
    target: str = "v2"
    diary: deque[str] = field(default_factory=lambda: deque(maxlen=120))
    outcomes: Counter[str] = field(default_factory=Counter)
    deeds: Counter[str] = field(default_factory=Counter)

    async def one(self, number: int) -> None:
        """A shift from its spec to its end, with what happens to it on the way."""
        chance = self.chance
        self.target = chance.choice([version for version in VERSIONS if version != self.serving])
        bad = chance.random() < 0.25
        await self.lab.chaos(self.target, error_rate=0.2 if bad else 0.001)
        if chance.random() < 0.3:
            await self._without_subset(self.target)
        before = (await status_of(self.lab)).get("runId")
        self.note(f"shift {number}: {self.serving} to {self.target}{', which is bad' if bad else ''}")
        await self.lab.apply(self._shift(number))
        await until(self.lab, lambda status: status.get("runId") not in {None, before}, 30)
        over = asyncio.Event()
        async with asyncio.TaskGroup() as trouble:
            for _ in range(chance.choice([0, 1, 1, 2, 2])):
                trouble.create_task(self._deed(chance.choice(DEEDS), chance.uniform(0.5, 9.0), over))
            await self._to_the_end()
            over.set()
        await self._afterwards()

    def note(self, words: str) -> None:
        """What happened, for whoever has to understand a failure."""
        self.diary.append(f"{time.monotonic() - self.began:8.2f}  {words}")

    async def watch(self) -> None:
        """Note every change of the weights, the subsets and the status, until cancelled."""
        last: tuple[str, ...] = ()
        while True:
            rule = self.lab.state.destination_rules.objects.get((NAMESPACE, NAME), {})
            service = self.lab.state.virtual_services.objects.get((NAMESPACE, NAME), {})
            route = service.get("spec", {}).get("http", [{}])[0].get("route", [])
            status = await status_of(self.lab)
            now = (
                " ".join(f"{each['destination']['subset']}={each.get('weight')}" for each in route),
                " ".join(each["name"] for each in rule.get("spec", {}).get("subsets", [])),
                f"{status.get('runId')} {status.get('phase')} {status.get('reason')}",
            )
            if now != last:
                self.note(f"[{now[0]}] subsets {now[1]}: {now[2]}")
            last = now
            await asyncio.sleep(0.1)

    def _shift(self, number: int) -> dict[str, Any]:
        canary = {"steps": [{"setWeight": 10}, {"setWeight": 50}], "minStepDuration": f"{1000 + number}ms"}
        return shift(
            stable={"subset": self.serving},
            canary={"subset": self.target, "labels": {"version": self.target}},
            strategy={"canary": canary},
            onDrift=self.chance.choice(["Pause", "Enforce", "Adopt"]),
        )

    async def _to_the_end(self) -> None:
        """Wait for the end, and speak where the shift waits for a person."""
        begun = time.monotonic()
        spoken = 0.0
        while (status := await status_of(self.lab)) and status.get("phase") not in ENDED:
            stuck = any(each["type"] == "Stalled" and each["status"] == "True" for each in status["conditions"])
            late = time.monotonic() - begun > PATIENCE
            if (stuck or late or status["phase"] == "Paused") and time.monotonic() - spoken > 3.0:
                spoken = time.monotonic()
                word = "abort" if late else self.chance.choice(["resume", "abort", "promote"])
                await self._say(word)
            assert time.monotonic() - begun < 2 * PATIENCE, status
            await asyncio.sleep(0.2)
        self.outcomes[f"{status.get('phase', 'Deleted')} {status.get('reason', '')}"] += 1

    async def _afterwards(self) -> None:
        """Perhaps take it back, perhaps delete the record; then see who serves."""
        status = await status_of(self.lab)
        if status.get("phase") == "Succeeded" and self.chance.random() < 0.3:
            before = status.get("lastCommand")
            await self._say("undo")
            await until(self.lab, lambda status: status.get("lastCommand") != before, 30)
            await until(self.lab, lambda status: status.get("phase") in ENDED, 30)
        if status and self.chance.random() < 0.5:
            await self.lab.client.delete(TRAFFIC_SHIFTS, NAMESPACE, NAME)
            await until(self.lab, lambda status: not status, 30)
        shares = await self._shares()
        assert list(shares.values()) == [100], shares
        self.serving = next(iter(shares))

    async def _deed(self, deed: str, after: float, over: asyncio.Event) -> None:
        """Do it after so many seconds, unless the shift is over by then."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), after)
        if over.is_set():
            return
        self.deeds[deed] += 1
        self.note(deed)
        with contextlib.suppress(NotFound, Conflict):  # it was deleted, or edited, in between
            await self._do(deed)

    async def _do(self, deed: str) -> None:
        if deed == "kill":
            await self._kill()
        elif deed == "drift":
            await self._drift()
        elif deed == "retarget":
            await self._retarget()
        elif deed == "delete":
            await self.lab.client.delete(TRAFFIC_SHIFTS, NAMESPACE, NAME)
        else:
            await command(self.lab, deed)

    async def _kill(self) -> None:
        await self.lab.stop_controller(kill=True)
        await self.lab.start_controller(**CONTROLLER)

    async def _retarget(self) -> None:
        """Another version arrives mid-shift."""
        other = next(version for version in VERSIONS if version not in {self.serving, self.target})
        canary = {"spec": {"canary": {"subset": other, "labels": {"version": other}}}}
        await self.lab.client.patch(TRAFFIC_SHIFTS, NAMESPACE, NAME, canary, kind="merge")

    async def _drift(self) -> None:
        """Somebody edits the weights by hand, as far as that breaks nothing by itself."""
        document = await self.lab.client.get(VIRTUAL_SERVICES, NAMESPACE, NAME)
        rule = await self.lab.client.get(DESTINATION_RULES, NAMESPACE, NAME)
        known = {subset["name"] for subset in rule["spec"]["subsets"]}
        route = document["spec"]["http"][0]["route"]
        pair = [i for i, each in enumerate(route) if each["destination"]["subset"] in {self.serving, self.target}]
        status = await status_of(self.lab)
        under_way = status.get("phase") in {"Progressing", "Paused", "Promoting"}
        if not under_way or len(pair) < 2 or not {route[i]["destination"]["subset"] for i in pair} <= known:
            return
        first = self.chance.randrange(101)
        operations: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": document["metadata"]["resourceVersion"]}
        ]
        for i, weight in zip(pair, (first, 100 - first), strict=True):
            operations.append({"op": "add", "path": f"/spec/http/0/route/{i}/weight", "value": weight})
        await self.lab.client.patch(VIRTUAL_SERVICES, NAMESPACE, NAME, operations, kind="json")

    async def _without_subset(self, version: str) -> None:
        """The canary's subset is not there yet, so that the shift has to add it."""
        rest = [{"name": each, "labels": {"version": each}} for each in VERSIONS if each != version]
        rule = {"spec": {"subsets": rest}}
        await self.lab.client.patch(DESTINATION_RULES, NAMESPACE, NAME, rule, kind="merge")
        await self.lab.settled()

    async def _say(self, word: str) -> None:
        self.note(f"said {word}")
        with contextlib.suppress(NotFound):  # it was deleted in between
            await command(self.lab, word)

    async def _shares(self) -> dict[str, int]:
        document = await self.lab.client.get(VIRTUAL_SERVICES, NAMESPACE, NAME)
        route = document["spec"]["http"][0]["route"]
        return {each["destination"]["subset"]: each.get("weight", 100) for each in route if each.get("weight", 100)}


DEEDS = ("kill", "kill", "drift", "drift", "retarget", "delete", "abort", "promote", "promote-full", "pause", "resume")


async def test_no_response_is_lost_in_shift_after_shift_with_everything_at_once() -> None:
    async with Lab(rate=RATE) as lab:
        for version in VERSIONS[1:]:
            await lab.deploy(version)
        await lab.wait_ready()
        await lab.observed()
        await lab.start_controller(**CONTROLLER)
        soak = Soak(lab, random.Random(SEED))  # noqa: S311 - a schedule, not a secret
        watching = asyncio.create_task(soak.watch())
        try:
            for number in range(SHIFTS):
                await soak.one(number)
                await assert_nothing_broke(lab)
        except BaseException:
            print("\n".join(["", *soak.diary]))  # noqa: T201 - pytest shows it beside the failure
            raise
        finally:
            watching.cancel()
        sent = lab.load.summary()
        print(f"\n{SHIFTS} shifts, {sent.total:,} responses, {dict(soak.outcomes)}, {dict(soak.deeds)}")  # noqa: T201
