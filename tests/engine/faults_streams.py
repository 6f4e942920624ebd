"""One kind's watch as it can go wrong: late, silent for a while, or unable to go on from where it was (410)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from meshshift.adapters.kube import Resource
from meshshift.operator.watches import Feed
from tests.engine.simulation import Document

RELIST_AFTER_410 = 2.0


@dataclass
class Stream:
    """One kind's watch: the changes that the API server made and the feed has not been told of yet."""

    resource: Resource
    feed: Feed
    pending: list[tuple[float, float, str, Document]] = field(default_factory=list)
    relist_at: float | None = None
    was: str = ""

    def told(self, now: float, delay: float, event: str, document: Document) -> None:
        """A change; it may not overtake the one before it."""
        due = max(now + delay, self.pending[-1][1] if self.pending else 0.0)
        self.pending.append((now, due, event, document))

    def complete_until(self, now: float) -> float:
        """The instant up to which the feed has been told everything."""
        return self.pending[0][0] - 0.001 if self.pending else now

    def deliver(self, now: float, trouble: str, present: Callable[[], list[Document]]) -> None:
        """What is due by now; a watch that was away too long hears what is there, and nothing of what is not."""
        if trouble in {"silent", "gone"}:
            self.was = trouble
            return
        if self.was == "gone":
            for document in present():
                self.feed.take(self.resource, document, gone=False)
            self.relist_at = now + RELIST_AFTER_410
        self.was = ""
        if self.relist_at is not None:
            # Deletions in the gap are only known by the fresh list that follows a 410.
            return
        while self.pending and self.pending[0][1] <= now:
            _, _, event, document = self.pending.pop(0)
            self.feed.take(self.resource, document, gone=event == "DELETED")
