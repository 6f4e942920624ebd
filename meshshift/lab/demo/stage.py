"""Plays a scenario in a running lab and keeps what was seen.

It acts as a person with kubectl would: it writes TrafficShifts, or has a Service opt in and applies new versions
(`opted_in`), and watches the status of the shifts.  It never touches the mesh itself, so that whatever happens to the
traffic is the controller's doing, or the scenario's declared mischief.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

import httpx

from meshshift.adapters.kube import TRAFFIC_SHIFTS
from meshshift.core.run import Phase
from meshshift.lab.demo.checks import Check, check
from meshshift.lab.demo.frame import listed
from meshshift.lab.demo.opted_in import OptedIn, deploy
from meshshift.lab.demo.record import Record
from meshshift.lab.demo.story import NAMESPACE, command, document
from meshshift.lab.demo.tally import Tally
from meshshift.lab.watching import Watched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshshift.adapters.kube import Document
    from meshshift.lab.demo.course import Course
    from meshshift.lab.demo.frame import Display
    from meshshift.lab.demo.story import Act, Scenario
    from meshshift.lab.demo.tally import Traffic
    from meshshift.lab.lab import Lab

_REFRESH = 0.5
_RATE_WINDOW = 2.0
_QUIET = 0.3
_DRAIN_TIMEOUT = 10.0
_TOLD_TIMEOUT = 5.0
_TELEMETRY_TIMEOUT = 30.0
_SCRAPED = "max(count_over_time(istio_requests_total[1m])) >= 6"


class StageError(RuntimeError):
    """The scenario cannot go on; the message says why and what to do."""


class Stage:
    """One scenario on one lab; an async context manager that watches the shifts while it is open."""

    def __init__(self, lab: Lab, display: Display, scenario: Scenario) -> None:
        self._lab = lab
        self._display = display
        self._scenario = scenario
        self._tally = Tally(lab.load, lab.access_log, several=len(scenario.services) > 1)
        self._watched = Watched(lab.client, TRAFFIC_SHIFTS)
        self._owner = OptedIn(lab, display, scenario.opt_in) if scenario.opt_in else None
        self._checks: list[Check] = []
        self._records: dict[str, Record] = {}
        self._recent: deque[tuple[float, int]] = deque()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._watched)
        for name in self._scenario.services:
            if (NAMESPACE, name) in self._watched.objects:
                await self._stack.aclose()
                raise StageError(
                    f"trafficshift {NAMESPACE}/{name} exists already: the scenario needs a cluster without it; delete "
                    "it while a controller runs"
                )
        self._watched.listen(self._saw_shift)
        self._lab.state.virtual_services.listen(self._saw_virtual_service)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def play(self) -> tuple[tuple[Course, ...], Traffic, tuple[Check, ...]]:
        """Play all acts; returns what was seen of each, all requests, and the verdict."""
        courses: list[Course] = []
        await self._await_telemetry()
        if self._owner:
            self._checks.append(await self._owner.adopt())
        for number, written in enumerate(self._scenario.scenes, 1):
            scene = [act.on(self._lab.receiver.url) for act in written]
            courses += await self._play(scene, number)
            if any(course.last.phase is not course.act.expected.phase for course in courses):
                break
            if self._owner:
                self._checks += await self._owner.rest(courses[-1])
        total = await self._drained()
        return tuple(courses), total, check(self._scenario, courses, total, self._checks)

    async def _play(self, scene: Sequence[Act], number: int) -> list[Course]:
        """Play the acts of a scene side by side."""
        if self._owner:
            await self._release(self._owner, scene[0], number)
        else:
            await self._shift(scene, number)
        records = [self._records[act.service] for act in scene]
        mischief = asyncio.gather(*(self._mischief(record) for record in records))
        try:
            while any(record.elapsed < record.act.timeout and not record.course().ended for record in records):
                self._check_alive(mischief)
                self._show(records)
                await self._count_copies(records)
                await asyncio.sleep(_REFRESH)
            self._show(records)
        finally:
            mischief.cancel()
            self._display.finish()
        await self._heard_out(records)
        return [record.course() for record in records]

    async def _shift(self, scene: Sequence[Act], number: int) -> None:
        """Start the versions, and ask for the shifts to them."""
        await self._deploy(scene)
        self._display.say(f"\n{scene[0].promise}\n\n{self._words(scene)}\n")
        for act in scene:
            await self._apply(act, number)

    async def _release(self, owner: OptedIn, act: Act, number: int) -> None:
        """Apply a new version, while the one before is on its way back if that is how far its act goes."""
        before = self._records.get(act.service)
        self._display.say(f"\n{act.promise}\n\n{owner.command(act)}\n")
        record = self._begun(act, number)
        record.awaited()
        self._replay(record)
        await owner.bring(act)
        if before and before.act.expected.phase is Phase.ROLLING_BACK:
            phase = self._phase_of(act.service)
            claim = f"{act.canary.name} is applied while {before.act.canary.name} is on its way back"
            self._checks.append(Check(claim, phase == before.act.expected.phase, phase))

    def _phase_of(self, service: str) -> str:
        """What the service's shift says now."""
        status = self._watched.objects.get((NAMESPACE, service), {}).get("status") or {}
        return str(status.get("phase"))

    async def _heard_out(self, records: Sequence[Record]) -> None:
        """A status may be seen before what came ahead of it on another way: edits of the mesh, notifications."""
        await self._lab.state.virtual_services.caught_up()
        with contextlib.suppress(TimeoutError):  # the check will say what is missing
            async with asyncio.timeout(_TOLD_TIMEOUT):
                await self._lab.receiver.until(lambda: all(record.all_told for record in records))

    def _words(self, scene: Sequence[Act]) -> str:
        """What a person would type to start the scene."""
        first, *others = scene
        before = self._records.get(first.service)
        shown = command(first, before.act if before else None)
        if not others:
            return shown
        likewise = listed([f"{act.service} ({act.stable} → {act.canary.name})" for act in others])
        return f"{shown}\n\nand likewise for {likewise}, in the same group"

    def _begun(self, act: Act, number: int) -> Record:
        """A record that is from now on given whatever is seen of the service."""
        record = Record(act, number, self._tally, self._lab.receiver, self._records.get(act.service))
        self._records[act.service] = record
        return record

    async def _apply(self, act: Act, number: int) -> None:
        record = self._begun(act, number)
        stored = await self._lab.client.apply(document(act))
        record.applied(stored["metadata"]["generation"])
        self._replay(record)

    def _replay(self, record: Record) -> None:
        """Show a record the shifts as they are."""
        for shift in tuple(self._watched.objects.values()):
            record.saw_shift(shift, exists=True)

    def _saw_shift(self, shift: Document, exists: bool) -> None:
        for record in self._records.values():
            record.saw_shift(shift, exists)

    def _saw_virtual_service(self, virtual_service: Document, exists: bool) -> None:
        for record in self._records.values():
            record.saw_virtual_service(virtual_service, exists)

    async def _await_telemetry(self) -> None:
        """Begin where a cluster is that has been up for a while: with a service that Prometheus knows."""
        if self._lab.prometheus is None:
            raise StageError("the lab has no Prometheus, and a shift is judged by telemetry")
        self._display.say("waiting until Prometheus has scraped a few seconds of it")
        async with asyncio.timeout(_TELEMETRY_TIMEOUT):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if await self._lab.prometheus.query(_SCRAPED):
                        return
                await asyncio.sleep(_REFRESH)

    async def _deploy(self, scene: Sequence[Act]) -> None:
        told = ", ".join(f"{act.service} {act.canary.name} ({act.canary.words})" for act in scene)
        self._display.say(f"\ndeploying {told}")
        fresh = [(act.service, version) for act in scene for version in act.fresh]
        for service, version in fresh:
            await deploy(self._lab, service, version)
        await self._lab.wait_ready(*(f"{service}-{version.name}" for service, version in fresh))

    async def _mischief(self, record: Record) -> None:
        outage = record.act.outage
        if outage is None or self._lab.prometheus is None:
            return
        await self._watched.until(lambda: record.weight >= outage.at_weight)
        started = record.elapsed
        self._lab.prometheus.freeze()
        try:
            while record.elapsed - started < outage.seconds:
                record.outage = (started, record.elapsed)
                since = record.elapsed - started
                record.aside = f"the scenario froze Prometheus {since:.0f} s ago: it answers nothing"
                await asyncio.sleep(_REFRESH)
        finally:
            record.aside = ""
            self._lab.prometheus.thaw()

    async def _count_copies(self, records: Sequence[Record]) -> None:
        """Ask the canaries that have no weight what they have taken up all the same."""
        for record in records:
            if record.act.expected.copies and record.unweighted:
                served = await self._lab.served(record.act.canary.name, record.act.service)
                record.copies = served if record.unweighted else record.copies

    async def _drained(self) -> Traffic:
        """Stop the load and wait until the client's and Envoy's record agree, or no longer change."""
        rate, self._lab.load.rate = self._lab.load.rate, 0.0
        try:
            async with asyncio.timeout(_DRAIN_TIMEOUT):
                before = None
                while before is None or before != self._tally.now() or not before.accounted:
                    before = self._tally.now()
                    await asyncio.sleep(_QUIET)
        except TimeoutError:
            pass  # the check on both records will say how they differ
        self._lab.load.rate = rate
        return self._tally.now()

    def _check_alive(self, mischief: asyncio.Future[list[None]]) -> None:
        controller = self._lab.controller
        if controller is not None and not controller.running:
            raise StageError(f"the controller ended in the middle of the scenario\n{controller.last_words()}")
        if mischief.done() and not mischief.cancelled():
            mischief.result()

    def _show(self, records: Sequence[Record]) -> None:
        of, rate = len(self._scenario.scenes), self._per_second(self._tally.now())
        self._display.show([record.frame(of, rate) for record in records])

    def _per_second(self, traffic: Traffic) -> float:
        now = time.monotonic()
        self._recent.append((now, traffic.sent))
        while now - self._recent[0][0] > _RATE_WINDOW:
            self._recent.popleft()
        since, sent = self._recent[0]
        return (traffic.sent - sent) / (now - since) if now > since else 0.0
