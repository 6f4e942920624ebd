"""Istio's counters from Prometheus, at pinned instants, for many services at once.

A thousand shifts that are due on the same tick ask for the same instant within milliseconds of each other.  Their calls
are gathered for a moment and answered by a handful of queries; the end of one tick is the start of the next, so a small
cache halves those.  A past instant does not change, which is what makes both sound.

Which proxy's counters count (`reporter`) is decided once per service and kept: counters of two reporters must never
meet in one difference.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import httpx

from meshshift.adapters import promql
from meshshift.adapters.prometheus_http import PrometheusHttp, PrometheusSettings, QueryObserver, Sample
from meshshift.core.silence import Seen, diagnose
from meshshift.core.telemetry import Series, Snapshot
from meshshift.engine.ports import QueryError, ServiceId

PREFERENCE = ("source", "waypoint", "destination")
"""What users got, after retries; else what the waypoint saw; else what arrived."""

CHUNK = 250
"""Services per query: 1,000 services are 12 queries."""

GATHER = 0.02
"""Seconds for which calls for the same instant are gathered."""

LOOK_AROUND_AGAIN = 30.0
"""Seconds for which one look at all services' labels explains why a service has none."""

CACHED_SERIES = 1_000_000
"""Series kept for the next tick, at roughly 200 bytes each."""

GUESTS = 2
"""Users' queries that may be under way at once, fewer than there are places."""

_KNOWN_SERVICES = 50_000

Answer = dict[ServiceId, Snapshot] | QueryError


@dataclass(slots=True, eq=False)
class _Batch:
    """Calls for one instant that are answered together."""

    at: float
    services: set[ServiceId] = field(default_factory=set)
    task: asyncio.Task[Answer] = field(init=False)


class PrometheusTelemetry:
    """The engine's Telemetry port."""

    def __init__(
        self,
        settings: PrometheusSettings,
        observer: QueryObserver | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`transport` replaces the network, for tests."""
        self._settings = settings
        self._http = PrometheusHttp(settings, observer, transport)
        self._guests = asyncio.Semaphore(GUESTS)
        self._open: dict[float, _Batch] = {}
        self._under_way: dict[tuple[ServiceId, float], _Batch] = {}
        self._cache = _SnapshotCache(CACHED_SERIES)
        self._inventory: tuple[float, tuple[Seen, ...]] | None = None
        self._reporters: OrderedDict[ServiceId, str] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give up what is under way and close connections."""
        tasks = {batch.task for batch in self._under_way.values()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.aclose()

    async def snapshots(self, services: Sequence[ServiceId], at: float) -> Mapping[ServiceId, Snapshot] | QueryError:
        """What the counters of every service said at the unix time `at`.

        One without any series has an empty snapshot.
        """
        found = {service: kept for service in services if (kept := self._cache.get(service, at))}
        batches = {self._join(service, at) for service in services if service not in found}
        for batch in batches:
            # A caller that is cancelled must not take the answer away from the others.
            answer = await asyncio.shield(batch.task)
            if isinstance(answer, QueryError):
                return answer
            found |= answer
        return {service: found[service] for service in services}

    async def silence(self, service: ServiceId, at: float) -> str:
        """Which label removed the service's series; one look around serves every silent service for a while."""
        if self._inventory is None or not 0.0 <= at - self._inventory[0] < LOOK_AROUND_AGAIN:
            found = await self._http.query("preflight", promql.inventory(), at)
            if isinstance(found, QueryError):
                return found.message
            labels = (promql.REPORTER_LABEL, promql.NAMESPACE_LABEL, promql.NAME_LABEL)
            self._inventory = at, tuple(Seen(*(each.labels.get(label, "") for label in labels)) for each in found)
        reporter = None if self._settings.reporter == "auto" else self._settings.reporter
        return diagnose(service.namespace, service.name, reporter, self._inventory[1])

    async def query(self, promql: str, at: float) -> tuple[Series, ...] | QueryError:
        """The instant vector of a user's query, values as they came.

        Users' queries may be slow, so they never take all the places: every shift's counters wait in the same line.
        """
        async with self._guests:
            found = await self._http.query("check", promql, at)
        return found if isinstance(found, QueryError) else tuple(Series.of(each.labels, each.value) for each in found)

    def _join(self, service: ServiceId, at: float) -> _Batch:
        """The batch that will answer for this service and instant."""
        flying = self._under_way.get((service, at))
        if flying:
            return flying
        batch = self._open.get(at)
        if batch is None:
            batch = self._open[at] = _Batch(at)
            batch.task = asyncio.create_task(self._answer(batch))
        batch.services.add(service)
        self._under_way[service, at] = batch
        return batch

    async def _answer(self, batch: _Batch) -> Answer:
        """Gather for a moment, then ask."""
        try:
            await asyncio.sleep(GATHER)
            self._close(batch)
            services = sorted(batch.services, key=_name)
            chunks = (services[place : place + CHUNK] for place in range(0, len(services), CHUNK))
            parts = await asyncio.gather(*(self._fetch(chunk, batch.at) for chunk in chunks))
        finally:
            self._close(batch)
            for service in batch.services:
                self._under_way.pop((service, batch.at), None)
        answer: dict[ServiceId, Snapshot] = {}
        for part in parts:
            if isinstance(part, QueryError):
                return part
            answer |= part
        for service, snapshot in answer.items():
            self._cache.put(service, snapshot)
        return answer

    def _close(self, batch: _Batch) -> None:
        """Let nobody join any more."""
        if self._open.get(batch.at) is batch:
            del self._open[batch.at]

    async def _fetch(self, services: Sequence[ServiceId], at: float) -> Answer:
        """One chunk: which reporters are live, then the counters of the chosen one."""
        only = None if self._settings.reporter == "auto" else self._settings.reporter
        live = await self._http.query("freshness", promql.freshness(services, only), at)
        if isinstance(live, QueryError):
            return live
        newest: dict[ServiceId, dict[str, float]] = {}
        for sample in live:
            times = newest.setdefault(_service(sample.labels), {})
            times[sample.labels.get(promql.REPORTER_LABEL, "")] = sample.value
        groups: dict[str, list[ServiceId]] = {}
        for service in services:
            groups.setdefault(self._reporter(service, newest.get(service, {})), []).append(service)
        answer: dict[ServiceId, Snapshot] = {}
        for reporter, members in groups.items():
            ages = {service: newest.get(service, {}).get(reporter, 0.0) for service in members}
            part = await self._read(members, reporter, at, ages)
            if isinstance(part, QueryError):
                return part
            answer |= part
        return answer

    async def _read(
        self, services: list[ServiceId], reporter: str, at: float, newest: Mapping[ServiceId, float]
    ) -> Answer:
        hold = self._settings.hold
        requests, durations = await asyncio.gather(
            self._http.query("requests", promql.requests(services, reporter, hold), at),
            self._http.query("durations", promql.durations(services, reporter, hold), at),
        )
        if isinstance(requests, QueryError):
            return requests
        if isinstance(durations, QueryError):
            return durations
        counted, timed = _by_service(requests), _by_service(durations)
        return {
            service: Snapshot(
                at,
                tuple(counted.get(service, ())),
                tuple(timed.get(service, ())),
                newest[service],
                f"{promql.REQUESTS}{promql.selector([service], reporter)}",
            )
            for service in services
        }

    def _reporter(self, service: ServiceId, live: Iterable[str]) -> str:
        """The reporter to use for a service.

        The configured one, else the one settled on, else the best that is live.
        """
        if self._settings.reporter != "auto":
            return self._settings.reporter
        settled = self._reporters.get(service)
        if settled:
            return settled
        found = next((reporter for reporter in PREFERENCE if reporter in set(live)), None)
        if found is None:
            return PREFERENCE[0]
        self._reporters[service] = found
        if len(self._reporters) > _KNOWN_SERVICES:
            self._reporters.popitem(last=False)
        return found


class _SnapshotCache:
    """Snapshots by service and instant, the oldest dropped first, bounded by the number of series they hold."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._snapshots: OrderedDict[tuple[ServiceId, float], Snapshot] = OrderedDict()

    def get(self, service: ServiceId, at: float) -> Snapshot | None:
        return self._snapshots.get((service, at))

    def put(self, service: ServiceId, snapshot: Snapshot) -> None:
        replaced = self._snapshots.pop((service, snapshot.at), None)
        self._snapshots[service, snapshot.at] = snapshot
        self._held += _weight(snapshot) - (_weight(replaced) if replaced else 0)
        while self._held > self._most:
            self._held -= _weight(self._snapshots.popitem(last=False)[1])


def _weight(snapshot: Snapshot) -> int:
    """Series in a snapshot; an empty one takes room as well."""
    return len(snapshot.requests) + len(snapshot.durations) + 1


def _by_service(samples: Iterable[Sample]) -> dict[ServiceId, list[Series]]:
    """Series of each service, label pairs shared between them: a label's value is repeated thousands of times."""
    shared: dict[tuple[str, str], tuple[str, str]] = {}
    found: dict[ServiceId, list[Series]] = {}
    for sample in samples:
        labels = tuple(shared.setdefault(pair, pair) for pair in sorted(sample.labels.items()))
        found.setdefault(_service(sample.labels), []).append(Series(labels, sample.value))
    return found


def _service(labels: Mapping[str, str]) -> ServiceId:
    return ServiceId(labels.get(promql.NAMESPACE_LABEL, ""), labels.get(promql.NAME_LABEL, ""))


def _name(service: ServiceId) -> tuple[str, str]:
    return service.namespace, service.name
