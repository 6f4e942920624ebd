"""The work queue: every key at most once, never two workers on one key, earliest due first.

A key that is added while it is being worked on is worked on once more afterwards, so no change is ever missed; a key
that is added again for a later instant keeps the earlier one.  The contract of client-go's rate-limiting workqueue,
with one addition: when the API server has said when it wants to be asked again (Retry-After), no change brings that
forward, as client-go's REST client would wait within the call.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

K = TypeVar("K", bound="Hashable")

BACKOFF_FIRST = 0.25
BACKOFF_MOST = 60.0


class WorkQueue(Generic[K]):
    """Keyed, deduplicating, delaying.  All times are the event loop's, in seconds."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or asyncio.get_running_loop().time
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = itertools.count()
        self._working: set[K] = set()
        self._again: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._not_before: dict[K, float] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._due)

    def add(self, key: K, after: float = 0.0) -> None:
        """Let `key` be worked on `after` seconds from now, or earlier if it is due earlier already."""
        due = max(self._clock() + after, self._not_before.get(key, 0.0))
        if key in self._working:
            self._again[key] = min(due, self._again.get(key, due))
        elif due < self._due.get(key, float("inf")):
            self._due[key] = due
            heapq.heappush(self._heap, (due, next(self._order), key))
            self._changed.set()

    async def take(self) -> tuple[K, float]:
        """Wait for the next due key; also how many seconds it has waited beyond its time.  Follow with `done`."""
        while True:
            self._changed.clear()
            due, key = self._earliest()
            now = self._clock()
            if key is not None and due <= now:
                heapq.heappop(self._heap)
                del self._due[key]
                self._not_before.pop(key, None)
                self._working.add(key)
                return key, now - due
            try:
                await asyncio.wait_for(self._changed.wait(), None if key is None else due - now)
            except TimeoutError:
                continue

    def done(self, key: K) -> None:
        """The work on `key` has ended; if it was added meanwhile, it is due again."""
        self._working.discard(key)
        if key in self._again:
            self.add(key, max(0.0, self._again.pop(key) - self._clock()))

    def retry(self, key: K, at_least: float = 0.0, *, asked: float = 0.0) -> float:
        """Add `key` after an exponential backoff (0.25 s doubling to 60 s), `at_least` seconds; returns the delay.

        `asked`: seconds for which the server wants to be left alone; nothing makes the key due before they are over.
        """
        if asked > 0.0:
            self._not_before[key] = self._clock() + asked
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = max(at_least, asked, min(BACKOFF_MOST, BACKOFF_FIRST * 2.0 ** min(failures, 10)))
        self.add(key, delay)
        return delay

    def forgive(self, key: K) -> None:
        """The work on `key` went well: its next failure starts with the shortest backoff again."""
        self._failures.pop(key, None)

    def _earliest(self) -> tuple[float, K | None]:
        """The earliest entry that still counts; a key moved forward leaves its old entry behind in the heap."""
        while self._heap:
            due, _, key = self._heap[0]
            if self._due.get(key) == due:
                return due, key
            heapq.heappop(self._heap)
        return float("inf"), None
