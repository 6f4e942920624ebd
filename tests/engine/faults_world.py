"""A simulation in which a schedule of faults goes wrong, with an eyewitness who writes down what happens.

What is real here: the engine, the operator's feed (`Feed`), its queue and its workers' handling of failures.  What is
simulated: the API server, the streams of its watches, Prometheus, and time, which also passes within slow calls.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from meshshift.adapters.clocks import TOLERANCE
from meshshift.core.telemetry import Series, Snapshot
from meshshift.engine.failures import ApiFailure, Conflict, Refused, Transient
from meshshift.engine.ports import QueryError, ServiceId
from meshshift.engine.queue import WorkQueue
from meshshift.operator.watches import Feed
from meshshift.operator.workers import Workers
from tests.engine.faults_schedule import CALLS, PROMETHEUS, RESOURCES, Schedule, Span
from tests.engine.faults_streams import Stream
from tests.engine.history import BASELINE, CANARY, STABLE, History, Sight, Write, percent
from tests.engine.invariants import subsets
from tests.engine.simulation import NAMESPACE, RUNNER, Document, Killed, Simulation, shift
from tests.engine.stories import Act

PROXIES = ("client-0", "client-1")
REQUEST_TIMEOUT = 10.0
RESYNC = 300.0


class Unmeasured:
    """The gauge of workers whose work is not measured."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def dequeued(self, late: float) -> None: ...

    def reconciled(self, seconds: float, error: Exception | None = None) -> None:
        self.error = error


class Disturbed(Simulation):
    """A simulation in which a schedule goes wrong, and everything that happens is written down."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.rng = random.Random(f"{schedule.seed}/calls")  # noqa: S311 - a test case, no secret
        self.history = History()
        self.blind = ""
        self.begun = float("inf")
        self.down_until = 0.0
        self.slowed_at = 0.0
        self.as_of: dict[str, float] = {}
        self.known_versions: dict[str, str] = {}
        self.before: Document = {}
        super().__init__()
        self.history.settle = self.timing.settle
        schedule.story.arrange(self)
        for _ in range(40):
            self.now += 1.0
            self.traffic.flow(self.now, 1.0, self.shares())
        self.mesh.put(shift(**schedule.story.spec))
        self.begun = self.now
        touches: list[tuple[float, Act]] = [(at, partial(Disturbed._touch, kind=kind)) for at, kind in schedule.touches]
        self.script = sorted([*schedule.story.script, *touches], key=lambda each: each[0])
        self.mesh.told = self._told
        self.mesh.interrupt = self._moment
        self.restart()

    # The process.

    def restart(self) -> None:
        """A new process: it lists everything before it does anything."""
        super().restart()
        self.queue: WorkQueue[tuple[str, str]] = WorkQueue(lambda: self.now)
        self.feed = Feed(self.world, self.queue)
        self.gauge = Unmeasured()
        self.workers = Workers(self.queue, self.reconciler, self.gauge)
        self.streams = {kind: Stream(resource, self.feed) for kind, resource in RESOURCES.items()}
        self.next_resync = self.now + RESYNC
        self._relist(RESOURCES)
        self._note_caches()

    def sync(self) -> None:
        """The streams bring what the base class copies."""

    def _relist(self, kinds: Sequence[str] | Mapping[str, Any]) -> None:
        for kind in kinds:
            self.feed.replace(RESOURCES[kind], self._present(kind), str(self.mesh.version))
            self.streams[kind].pending.clear()
            self.streams[kind].relist_at = None

    def _present(self, kind: str) -> list[Document]:
        return [document for (each, _, _), document in self.mesh.objects.items() if each == kind]

    def _told(self, event: str, document: Document) -> None:
        """The API server made a change."""
        if document["kind"] == "Event":
            self.history.events.append((document["firstTimestamp"], document["reason"], document["message"]))
            return
        if document["kind"] not in self.streams:
            self._look()
            return
        stream = self.streams[document["kind"]]
        late = self._trouble(self.schedule.watches[document["kind"]], {"late"})
        stream.told(self.now, late.strength if late else 0.0, event, document)
        self._look()

    # Time.

    @property
    def elapsed(self) -> float:
        """Seconds since the story began."""
        return self.now - self.begun

    @property
    def disturbed(self) -> bool:
        """Can anything still go wrong?"""
        return self.elapsed <= self.schedule.calm

    def _second(self) -> None:
        self.elapse(1)
        if self.now < self.down_until:
            return
        if self.down_until:
            self.down_until = 0.0
            self.restart()
        self._work()

    def elapse(self, seconds: float) -> None:
        """Let time pass, also within a call that takes its time: people act, traffic flows, watches speak."""
        for _ in range(round(seconds)):
            self.now += 1.0
            self.traffic.flow(self.now, 1.0, self.shares())
            self.controller(self.mesh, self.now)
            while self.script and self.elapsed >= self.script[0][0]:
                self.script.pop(0)[1](self)
            self._deliver()
            self._look()

    def _deliver(self) -> None:
        if self.down_until:
            return
        for kind, stream in self.streams.items():
            trouble = self._trouble(self.schedule.watches[kind], {"silent", "gone"})
            stream.deliver(self.now, trouble.what if trouble else "", lambda kind=kind: self._present(kind))  # type: ignore[misc]
            if stream.relist_at is not None and self.now >= stream.relist_at:
                self._relist([kind])
        if self.now >= self.next_resync:
            self.next_resync = self.now + RESYNC
            self._relist(RESOURCES)

    def _work(self) -> None:
        """What the workers do: every key that is due, until none is."""
        for _ in range(60):
            if min(self.queue._due.values(), default=float("inf")) > self.now:
                return
            self._note_caches()
            self.known_versions = self._cached_versions()
            try:
                RUNNER.run(self.workers.turn())
            except Killed:
                self.down_until = self.now + self.rng.randint(1, 5)
                return
            if self.gauge.error is not None and not isinstance(self.gauge.error, ApiFailure):
                raise AssertionError(f"a bug: {self.gauge.error!r}") from self.gauge.error
        raise AssertionError(f"no rest: {self.status.get('reason')} {self.status.get('message')}")

    def _trouble(self, spans: Sequence[Span], what: set[str]) -> Span | None:
        return next((span for span in spans if span.what in what and span.holds(self.elapsed)), None)

    def _touch(self, kind: str) -> None:
        """Somebody annotates the object, if it is there."""
        if self.mesh.peek(kind, "reviews"):
            note = {"touched": f"{self.now:.0f}"}
            self.mesh.edit(
                kind, "reviews", lambda each: each["metadata"].setdefault("annotations", {}).update(note), spec=False
            )

    # The eyewitness.

    def _look(self) -> None:
        ready = Counter(
            document["metadata"]["labels"]["version"]
            for document in self._present("Pod")
            for condition in document["status"]["conditions"]
            if condition["status"] == "True"
        )
        replicas = {
            version: int(each["spec"]["replicas"])
            for version in (STABLE, CANARY)
            if (each := self.mesh.peek("Deployment", f"reviews-{version}"))
        }
        named = subsets(self.mesh.peek("DestinationRule", "reviews"))
        service = self.mesh.peek("VirtualService", "reviews")
        canary = percent(service), CANARY in named, ready[CANARY]
        baseline = percent(service, BASELINE) or 0.0, BASELINE in named, ready[BASELINE]
        self.history.sights.append(Sight(self.now, *canary, replicas, *baseline))

    def _note_caches(self) -> None:
        """What this pass relies on: caches that were complete up to these instants."""
        self.as_of = {kind: stream.complete_until(self.now) for kind, stream in self.streams.items()}

    def _cached_versions(self) -> dict[str, str]:
        world = self.world
        tables = {"VirtualService": world.virtual_services, "DestinationRule": world.destination_rules}
        known = {kind: table.get((NAMESPACE, "reviews")) for kind, table in tables.items()}
        return {kind: str(each["metadata"]["resourceVersion"]) for kind, each in known.items() if each}

    def command(self, text: str) -> None:
        """kubectl annotate."""
        if self.exists:
            self.history.orders.append((self.now, text))
            super().command(text)

    # Calls to the API.

    def _moment(self, call: str, number: int, moment: str) -> None:
        verb, kind, name = (*call.split(), "", "")[:3]
        kind, name = kind if verb in {"patch", "create", "read"} else "TrafficShift", name or "reviews"
        if moment == "before":
            self._fault(call, moment)
            self.before = self.mesh.peek(kind, name)
            return
        if call not in {"event", "autoscalers"} and verb != "read":
            self._write_down(call, kind, name)
        self._fault(call, moment)

    def _write_down(self, call: str, kind: str, name: str) -> None:
        after = self.mesh.peek(kind, name)
        stored = self.mesh.peek("TrafficShift", "reviews")
        if call != "status":
            # Traffic is moved on a look of its own, a status tells what was seen when the pass began.
            self._note_caches()
        self.history.writes.append(
            Write(
                self.now,
                call,
                self.before,
                after,
                stored,
                dict(self.as_of),
                self.blind,
                self.known_versions.get(kind, ""),
            )
        )
        self._look()

    def _fault(self, call: str, moment: str) -> None:
        span = self._trouble(self.schedule.calls, {"calls"})
        if span is None or self.rng.random() >= span.strength / 2:
            return
        fault = self.rng.choice(CALLS)
        if fault == "slow":
            self.elapse(self.rng.randint(1, 8))
        elif fault == "kill":
            raise Killed
        elif fault == "throttled" and moment == "before":
            raise Transient("too many requests", float(self.rng.randint(1, 20)))
        elif fault == "conflict" and moment == "before":
            raise Conflict("the object has been modified")
        elif fault == "refused" and moment == "before" and call.startswith(("patch", "create")):
            raise Refused("the webhook denied the request")
        elif fault == "timeout":
            self.elapse(REQUEST_TIMEOUT)
            raise Transient("timed out")
        else:
            raise Transient("the server has failed" if fault == "error" else "connection reset by peer")

    # Prometheus.

    async def snapshots(self, services: Sequence[ServiceId], at: float) -> Mapping[ServiceId, Snapshot] | QueryError:
        """What it says of an instant, which its own clock calls otherwise."""
        span = self._trouble(self.schedule.prometheus, set(PROMETHEUS))
        trouble = span.what if span else ""
        if trouble == "slow" and span and self.slowed_at != self.now:
            self.elapse(span.strength)
            self.slowed_at = self.now
        skew = self.schedule.skew if self.disturbed else 0.0
        unreadable = trouble in {"down", "nan"} or abs(skew) > TOLERANCE
        self.blind = "unreadable" if unreadable else "empty" if trouble == "empty" else ""
        if trouble == "down":
            return QueryError("PrometheusUnreachable", "Prometheus cannot be reached")
        if abs(skew) > TOLERANCE:
            return QueryError("ClocksApart", f"the clock of Prometheus is {skew:+g} s off")
        if trouble == "empty":
            return {services[0]: Snapshot(at, newest=0.0, asked="istio_requests_total")}
        requests: list[Series] = []
        durations: list[Series] = []
        newest = 0.0
        for proxy in PROXIES:
            true = min(at - skew, self.now)
            if span and (trouble == "lagging" or (trouble == "partial" and proxy == PROXIES[1])):
                true = min(true, self.begun + span.start)
            newest = max(newest, min(true + skew, at))
            self._add(proxy, self.traffic.at(true), requests, durations, float("nan") if trouble == "nan" else 0.5)
        return {services[0]: Snapshot(at, tuple(requests), tuple(durations), newest, "istio_requests_total")}

    @staticmethod
    def _add(
        proxy: str,
        counts: Mapping[tuple[str, str], float],
        requests: list[Series],
        durations: list[Series],
        part: float,
    ) -> None:
        for (version, name), value in counts.items():
            workload = "unknown" if version == "unknown" else f"reviews-{version}"
            labels = {"pod": proxy, "destination_workload": workload, "response_code": "200"}
            if name.startswith("le="):
                durations.append(Series.of({**labels, "le": name.removeprefix("le=")}, value * part))
            else:
                requests.append(Series.of({**labels, "response_code": name}, value * part))

    async def query(self, promql: str, at: float) -> tuple[Series, ...] | QueryError:
        """A user's query meets the same troubles."""
        span = self._trouble(self.schedule.prometheus, {"down", "empty", "nan"})
        if span is not None and span.what == "down":
            return QueryError("PrometheusUnreachable", "Prometheus cannot be reached")
        answer = self.answer(self, at)
        if span is None or isinstance(answer, QueryError):
            return answer
        return () if span.what == "empty" else tuple(Series(each.labels, float("nan")) for each in answer)

    # How it went.

    @property
    def _share(self) -> float:
        """The canary's percent of the pair's traffic, 0 without a route."""
        return percent(self.mesh.peek("VirtualService", "reviews")) or 0.0

    @property
    def outcome(self) -> str:
        """The end in a word: phase and weight, or the reason why a person has to act."""
        if not self.exists:
            return f"gone@{self._share:g}"
        if not self.status:
            return "nothing has happened"
        stalled = any(each["type"] == "Stalled" and each["status"] == "True" for each in self.status["conditions"])
        if self.phase == "Paused" or (stalled and self.phase not in {"RolledBack", "Failed"}):
            return f"{self.phase}:{self.status['reason']}"
        return f"{self.phase}@{self._share:g}"
