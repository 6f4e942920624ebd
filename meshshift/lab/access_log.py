"""Every request that went through Envoy, counted one by one.

Whether a shift cost anybody an answer is a question of counting, not of sampling: this reads Envoy's access log line by
line, counts by status, flags and subset, and keeps what a person needs to understand each routing mistake (no cluster,
no healthy upstream, no route).  Telemetry listens here too, so there is one reader of the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROUTING_FLAGS = frozenset({"NC", "UH", "NR"})
"""Envoy's flags for: the route's cluster does not exist; it has no usable endpoint; there is no route."""
_REMEMBERED = 1000
_CHUNK = 1 << 16

logger = logging.getLogger(__name__)

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RoutingMistake:
    """One answer that Envoy gave itself because the configuration led nowhere.

    `cluster` is the empty one (UH) or, for NC, those of the route's clusters that did not exist when the line was read.
    """

    time: float
    code: int
    flags: str
    path: str
    host: str
    cluster: str
    route: str


class AccessLog:
    """Reads Envoy's log stream; an async context manager that reads until it ends.

    `missing` tells which clusters of a route do not exist at present (`Snapshot.missing`).
    """

    def __init__(
        self,
        stream: asyncio.StreamReader,
        *,
        missing: Callable[[], Mapping[tuple[str, str], tuple[str, ...]]] = dict,
    ) -> None:
        self.total = 0
        self.mistakes: deque[RoutingMistake] = deque(maxlen=_REMEMBERED)
        self.listeners: list[Callable[[Entry], None]] = []
        self.unreadable = 0
        self._counts: Counter[tuple[int, str, str]] = Counter()
        self._stream = stream
        self._missing = missing
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> AccessLog:
        self._task = asyncio.create_task(self._read(), name="access log")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def counts(self) -> Counter[tuple[int, str, str]]:
        """Responses so far by (status, flags, subset); flags are `-` if there were none, status 0: the client left.

        The subset is empty for traffic to the whole service and for answers without a cluster.
        """
        return self._counts.copy()

    def mistaken(self) -> dict[str, int]:
        """How many answers carried each of the routing flags; all zero is what a safe shift looks like."""
        out = dict.fromkeys(sorted(ROUTING_FLAGS), 0)
        for (_, flags, _), count in self._counts.items():
            for flag in ROUTING_FLAGS.intersection(flags.split(",")):
                out[flag] += count
        return out

    async def until(self, condition: Callable[[AccessLog], bool]) -> None:
        """Wait until the condition holds; Envoy hands lines over about every 100 ms."""
        while not condition(self):
            self._changed.clear()
            await self._changed.wait()

    async def _read(self) -> None:
        rest = b""
        while chunk := await self._stream.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._take(line)
            self._changed.set()
        logger.error("the access log has ended: Envoy is gone, and nothing is counted any more")

    def _take(self, line: bytes) -> None:
        try:
            entry: Entry = json.loads(line)
            key = (entry["code"] or 0, entry["flags"] or "-", _subset(entry["cluster"]))
        except (ValueError, KeyError):
            self.unreadable += 1
            return
        self.total += 1
        self._counts[key] += 1
        if key[1] != "-" and ROUTING_FLAGS.intersection(key[1].split(",")):
            self.mistakes.append(self._mistake(entry))
        for listener in self.listeners:
            listener(entry)

    def _mistake(self, entry: Entry) -> RoutingMistake:
        route = (entry["config"] or "", entry["route"] or "")
        return RoutingMistake(
            time=float(entry["time"]),
            code=entry["code"] or 0,
            flags=entry["flags"],
            path=entry["path"] or "",
            host=entry["host"] or "",
            cluster=entry["cluster"] or ", ".join(self._missing().get(route, ())),
            route="/".join(part for part in route if part),
        )


def _subset(cluster: str | None) -> str:
    """The subset in `outbound|<port>|<subset>|<host>`."""
    parts = (cluster or "").split("|")
    return parts[2] if len(parts) == 4 else ""
