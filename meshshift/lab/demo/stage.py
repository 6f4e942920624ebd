"""Plays a scenario in a running lab and keeps what was seen.

It acts as a person with kubectl would: it writes TrafficShifts and watches their status.  It never touches the mesh
itself, so that whatever happens to the traffic is the controller's doing, or the scenario's declared mischief.
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
from meshshift.api.status import StatusModel
from meshshift.lab.demo.checks import check
from meshshift.lab.demo.course import Course, Sight
from meshshift.lab.demo.frame import Frame
from meshshift.lab.demo.story import NAME, NAMESPACE, command, document
from meshshift.lab.demo.tally import Tally
from meshshift.lab.watching import Watched, key_of

if TYPE_CHECKING:
    from meshshift.adapters.kube import Document
    from meshshift.api.status import HistoryEntry
    from meshshift.lab.demo.checks import Check
    from meshshift.lab.demo.frame import Display
    from meshshift.lab.demo.story import Act, Outage, Scenario
    from meshshift.lab.demo.tally import Traffic
    from meshshift.lab.lab import Lab

_REFRESH = 0.5
_RATE_WINDOW = 2.0
_QUIET = 0.3
_DRAIN_TIMEOUT = 10.0
_TELEMETRY_TIMEOUT = 30.0
_SCRAPED = "max(count_over_time(istio_requests_total[1m])) >= 6"


class StageError(RuntimeError):
    """The scenario cannot go on; the message says why and what to do."""


class Stage:
    """One scenario on one lab; an async context manager that watches the shift while it is open."""

    def __init__(self, lab: Lab, display: Display) -> None:
        self._lab = lab
        self._display = display
        self._tally = Tally(lab.load, lab.access_log)
        self._watched = Watched(lab.client, TRAFFIC_SHIFTS)
        self._sights: list[Sight] = []
        self._began = time.time()
        self._generation = 0
        self._aside = ""
        self._outage: tuple[float, float] | None = None
        self._earlier: tuple[HistoryEntry, ...] = ()
        self._recent: deque[tuple[float, int]] = deque()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._watched)
        if (NAMESPACE, NAME) in self._watched.objects:
            await self._stack.aclose()
            raise StageError(
                f"trafficshift {NAMESPACE}/{NAME} exists already: the scenario needs a cluster without it; delete it "
                "while a controller runs"
            )
        self._watched.listen(self._saw)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def play(self, scenario: Scenario) -> tuple[tuple[Course, ...], Traffic, tuple[Check, ...]]:
        """Play all acts; returns what was seen of each, all requests, and the verdict."""
        courses: list[Course] = []
        await self._await_telemetry()
        for act in scenario.acts:
            courses.append(await self._act(act, len(courses) + 1, len(scenario.acts)))
            if courses[-1].last.phase is not act.expected.phase:
                break
        total = await self._drained()
        return tuple(courses), total, check(scenario, courses, total)

    async def _act(self, act: Act, number: int, of: int) -> Course:
        await self._deploy(act)
        self._display.say(f"\n{act.promise}\n\n{command(act, first=number == 1)}\n")
        before = self._tally.now()
        self._earlier = self._sights[-1].status.history if self._sights else ()
        self._sights, self._outage, self._generation, self._began = [], None, 0, time.time()
        stored = await self._lab.client.apply(document(act))
        self._generation = stored["metadata"]["generation"]
        for shift in tuple(self._watched.objects.values()):
            self._saw(shift, exists=True)
        mischief = asyncio.create_task(self._mischief(act.outage), name="mischief")
        try:
            while self._elapsed < act.timeout and not self._course(act, before).ended:
                self._check_alive(mischief)
                self._display.show(self._frame(act, number, of))
                await asyncio.sleep(_REFRESH)
            self._display.show(self._frame(act, number, of))
        finally:
            mischief.cancel()
            self._display.finish()
        return self._course(act, before)

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

    async def _deploy(self, act: Act) -> None:
        version = act.canary
        self._display.say(f"\ndeploying {NAME} {version.name} ({version.words})")
        await self._lab.deploy(
            version.name,
            error_rate=version.error_rate,
            latency_ms=version.latency_ms,
            latency_p99_ms=version.latency_p99_ms,
        )
        await self._lab.wait_ready(f"{NAME}-{version.name}")

    async def _mischief(self, outage: Outage | None) -> None:
        if outage is None or self._lab.prometheus is None:
            return
        await self._watched.until(lambda: self._weight >= outage.at_weight)
        started = self._elapsed
        self._lab.prometheus.freeze()
        try:
            while self._elapsed - started < outage.seconds:
                self._outage = (started, self._elapsed)
                self._aside = f"the scenario froze Prometheus {self._elapsed - started:.0f} s ago: it answers nothing"
                await asyncio.sleep(_REFRESH)
        finally:
            self._aside = ""
            self._lab.prometheus.thaw()

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

    @property
    def _elapsed(self) -> float:
        return time.time() - self._began

    @property
    def _weight(self) -> int:
        weights = self._sights[-1].status.weights if self._sights else None
        return weights.desired if weights else 0

    def _course(self, act: Act, before: Traffic) -> Course:
        return Course(act, tuple(self._sights), self._tally.now().since(before), self._outage)

    def _saw(self, shift: Document, exists: bool) -> None:
        if not exists or key_of(shift) != (NAMESPACE, NAME):
            return
        status = StatusModel.from_wire(shift.get("status"))
        if self._generation and status.observed_generation == self._generation:
            self._sights.append(Sight(self._elapsed, status))

    def _check_alive(self, mischief: asyncio.Task[None]) -> None:
        controller = self._lab.controller
        if controller is not None and not controller.running:
            raise StageError(f"the controller ended in the middle of the scenario\n{controller.last_words()}")
        if mischief.done() and not mischief.cancelled():
            mischief.result()

    def _frame(self, act: Act, number: int, of: int) -> Frame:
        traffic = self._tally.now()
        return Frame(
            act,
            number,
            of,
            self._began,
            self._elapsed,
            Course(act, tuple(self._sights[-1:])).last,
            traffic,
            self._per_second(traffic),
            self._aside,
            self._earlier,
        )

    def _per_second(self, traffic: Traffic) -> float:
        now = time.monotonic()
        self._recent.append((now, traffic.sent))
        while now - self._recent[0][0] > _RATE_WINDOW:
            self._recent.popleft()
        since, sent = self._recent[0]
        return (traffic.sent - sent) / (now - since) if now > since else 0.0
