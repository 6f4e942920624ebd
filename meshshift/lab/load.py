"""A steady stream of requests, every single answer of which is kept.

The load is open: requests are due at fixed instants whatever the answers do, so a slow service does not hide its own
slowness by slowing the load down.  How late the generator itself was is recorded beside each answer.  It speaks
HTTP/1.1 over keep-alive connections on a bare asyncio protocol, which leaves the cores to the mesh under test.

Half of the connections come from each of two loopback addresses; telemetry takes these for two client pods.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import os
import random
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import IO, TYPE_CHECKING, Self
from urllib.parse import urlsplit

from meshshift.lab.browsers import Browser, Crowd
from meshshift.lab.http1 import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

_TICK = 0.004
_REMEMBERED = 500_000
_DRAIN_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Cohort:
    """A kind of client: its share of the requests (relative to the other cohorts) and what its requests say.

    `host` is what it calls the service; empty: as the load as a whole does.  `browsers`: so many of them keep cookies
    (0: nobody does), and each is replaced by a new one after so many `visits` (0: it stays).
    """

    name: str = "everyone"
    share: float = 1.0
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = "/"
    host: str = ""
    browsers: int = 0
    visits: int = 0


@dataclass(frozen=True, slots=True)
class Response:
    """One request and what came of it.

    `time` is when it was due (unix seconds), `lag` how much later it was sent, `latency` from then to the answer (both
    in seconds).  `status` is 0 if the connection failed, and `error` says how.  `version` and `pod` are the sample
    app's own words, empty if the answer is not from it.  `host` is whom the request was for.  `browser` tells
    clients that keep cookies apart (0: one that does not), and `cookie` is what its request brought.
    """

    time: float
    status: int
    version: str
    pod: str
    latency: float
    lag: float
    cohort: str
    error: str = ""
    host: str = ""
    browser: int = 0
    cookie: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a stretch of load came to; latencies in seconds, of everything that was answered."""

    total: int
    by_status: Mapping[int, int]
    by_version: Mapping[str, int]
    errors: Mapping[str, int]
    p50: float
    p99: float
    worst_lag: float

    @property
    def failed(self) -> int:
        """Requests that were answered with 5xx or not at all."""
        return sum(count for status, count in self.by_status.items() if status == 0 or status >= 500)


@dataclass(frozen=True, slots=True)
class _Client:
    """What a cohort's requests are: the same bytes each time."""

    cohort: str
    host: str
    head: bytes


@dataclass(slots=True)
class _Pending:
    due: float
    sent: float
    client: _Client | Browser


class Load:
    """The generator; an async context manager that sends while it is open and waits for the last answers at the end.

    `rate` (requests per second) may be changed at any time; `host` is the Host header; `record` is a file that gets
    every answer as a JSON line.
    """

    def __init__(
        self,
        url: str,
        *,
        host: str,
        rate: float,
        cohorts: Sequence[Cohort] = (Cohort(),),
        sources: Sequence[str] = ("127.0.0.2", "127.0.0.3"),
        connections: int = 128,
        record: Path | None = None,
        seed: int | None = None,
    ) -> None:
        """`connections` bounds those that are open at once; a request that finds none free waits, which is its lag."""
        parts = urlsplit(url)
        self.rate = rate
        self.responses: deque[Response] = deque(maxlen=_REMEMBERED)
        self.total = 0
        self.listeners: list[Callable[[Response], None]] = []
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        numbers = itertools.count(1)
        self._clients = [_client(host, cohort, numbers) for cohort in cohorts]
        self._cumulative = [sum(one.share for one in cohorts[: index + 1]) for index in range(len(cohorts))]
        self._sources = tuple(sources)
        self._limit = connections
        self._record = record
        self._file: IO[str] | None = None
        self._chance = random.Random(seed)
        self._idle: deque[Connection[_Pending]] = deque()
        self._open = 0
        self._opened = 0
        self._waiting: deque[tuple[float, _Client | Browser]] = deque()
        self._in_flight = 0
        self._changed = asyncio.Event()
        # The wall clock may be set while the load runs; answers must not take negative time.
        self._epoch = time.time() - time.monotonic()
        self._task: asyncio.Task[None] | None = None
        self._connecting: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        if self._record is not None:
            self._file = self._record.open("a")
        self._task = asyncio.create_task(self._send(), name="load")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        try:
            async with asyncio.timeout(_DRAIN_TIMEOUT):
                await self.until(lambda: not self._in_flight and not self._waiting)
        except TimeoutError:
            pass  # what is still unanswered after so long is not counted as an answer
        for task in tuple(self._connecting):
            task.cancel()
        for connection in self._idle:
            connection.close()
        if self._file is not None:
            self._file.close()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; it is looked at after each answer."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def answers(self, count: int) -> Summary:
        """Wait for that many further answers and sum them up; requests that were on the way already count too."""
        collected: list[Response] = []
        self.listeners.append(collected.append)
        try:
            await self.until(lambda: len(collected) >= count)
        finally:
            self.listeners.remove(collected.append)
        return summarise(collected)

    def summary(self, since: float = 0.0) -> Summary:
        """Everything that was due at or after `since` (unix seconds) and is remembered (the last 500,000 answers)."""
        return summarise(response for response in self.responses if response.time >= since)

    def _now(self) -> float:
        return self._epoch + time.monotonic()

    async def _send(self) -> None:
        """Send what is due, a few times per mean interval; a stretch that was missed is made up for."""
        started = time.monotonic()
        owed, before = 0.0, started
        while True:
            await asyncio.sleep(_TICK)
            now = time.monotonic()
            owed += self.rate * (now - before)
            before = now
            count = int(owed)
            owed -= count
            wall = self._now()
            spacing = 1 / self.rate if self.rate > 0 else 0.0
            for index in range(count):
                self._dispatch(wall - (count - 1 - index) * spacing, self._draw())

    def _draw(self) -> _Client | Browser:
        several = len(self._clients) > 1
        drawn = self._chance.choices(self._clients, cum_weights=self._cumulative)[0] if several else self._clients[0]
        return drawn.take() if isinstance(drawn, Crowd) else drawn

    def _dispatch(self, due: float, client: _Client | Browser) -> None:
        self._in_flight += 1
        if self._idle:
            # Oldest first: all connections, and so both source addresses, carry the same traffic.
            self._idle.popleft().send(_Pending(due, self._now(), client), client.head)
            return
        self._waiting.append((due, client))
        self._open_another()

    def _open_another(self) -> None:
        if self._open >= self._limit:
            return
        self._open += 1
        source = self._sources[self._opened % len(self._sources)]
        self._opened += 1
        task = asyncio.ensure_future(self._connect(source))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _connect(self, source: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: Connection(self), *self._address, local_addr=(source, 0))
        except OSError as error:
            self._open -= 1
            if self._waiting:
                due, client = self._waiting.popleft()
                self.finish(_Pending(due, self._now(), client), 0, "", "", f"connect: {_reason(error)}")

    def available(self, connection: Connection[_Pending]) -> None:
        """A connection became free: it takes the request that waits longest."""
        if self._waiting:
            due, client = self._waiting.popleft()
            connection.send(_Pending(due, self._now(), client), client.head)
        else:
            self._idle.append(connection)

    def lost(self, connection: Connection[_Pending]) -> None:
        """A connection is gone; another takes its place if requests are waiting."""
        self._open -= 1
        if connection in self._idle:
            self._idle.remove(connection)
        if self._waiting:
            self._open_another()

    def finish(
        self, pending: _Pending, status: int, version: str, pod: str, error: str = "", cookies: Sequence[str] = ()
    ) -> None:
        """Keep one answer."""
        latency, lag, client = self._now() - pending.sent, pending.sent - pending.due, pending.client
        who = (client.number, client.sent) if isinstance(client, Browser) else (0, "")
        response = Response(pending.due, status, version, pod, latency, lag, client.cohort, error, client.host, *who)
        if isinstance(client, Browser):
            client.answered(cookies)
        self.total += 1
        self._in_flight -= 1
        self.responses.append(response)
        if self._file is not None:
            self._file.write(json.dumps(asdict(response)) + "\n")
        for listener in self.listeners:
            listener(response)
        self._changed.set()


def summarise(responses: Iterable[Response]) -> Summary:
    """Sum up answers."""
    rows = list(responses)
    latencies = sorted(row.latency for row in rows if row.status)
    return Summary(
        total=len(rows),
        by_status=dict(Counter(row.status for row in rows)),
        by_version=dict(Counter(row.version for row in rows)),
        errors=dict(Counter(row.error for row in rows if row.error)),
        p50=_quantile(latencies, 0.5),
        p99=_quantile(latencies, 0.99),
        worst_lag=max((row.lag for row in rows), default=0.0),
    )


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def _client(default_host: str, cohort: Cohort, numbers: Iterable[int]) -> _Client | Crowd:
    host = cohort.host or default_host
    headers = {"host": host, "user-agent": "meshshift-lab-load", **cohort.headers}
    lines = [f"GET {cohort.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    request = ("\r\n".join(lines) + "\r\n").encode("latin-1")
    if cohort.browsers:
        return Crowd(cohort.name, host, request, cohort.browsers, cohort.visits, numbers)
    return _Client(cohort.name, host, request + b"\r\n")
