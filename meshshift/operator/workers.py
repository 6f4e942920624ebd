"""The workers: take a key, run one pass, decide when it is looked at again.  An exception never ends a worker."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from meshshift.adapters.logs import fields
from meshshift.engine.failures import ApiFailure, Conflict, NotFound, Transient

if TYPE_CHECKING:
    from meshshift.engine.queue import WorkQueue
    from meshshift.engine.world import Key

log = logging.getLogger("meshshift.engine")
REFUSED_DELAY = 30.0


class Gauge(Protocol):
    """What is measured of the work itself; implemented by the own metrics."""

    def dequeued(self, late: float) -> None:
        """A key was taken from the queue `late` seconds after it was due."""
        ...

    def reconciled(self, seconds: float, error: Exception | None = None) -> None:
        """A pass took `seconds` and raised `error`, if it did."""
        ...


class Reconciles(Protocol):
    """A loop body: that of shifts, or that of Services."""

    async def reconcile(self, key: Key) -> float | None:
        """One pass; the seconds until the next one is due, None if the key is done with."""
        ...


@dataclass
class Workers:
    """Any number of `run` may share one of these."""

    queue: WorkQueue[Key]
    reconciler: Reconciles
    gauge: Gauge

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self.turn()

    async def turn(self) -> None:
        """Wait for the next key that is due and look at it once."""
        key, waited = await self.queue.take()
        self.gauge.dequeued(waited)
        started = time.monotonic()
        error: Exception | None = None
        try:
            again = await self.reconciler.reconcile(key)
        except Exception as failure:  # noqa: BLE001 - told apart below; no failure of one shift may stop the others
            error = failure
            self._after_failure(key, failure)
        else:
            self.queue.forgive(key)
            if again is not None:
                self.queue.add(key, again)
        finally:
            self.gauge.reconciled(time.monotonic() - started, error)
            self.queue.done(key)

    def _after_failure(self, key: Key, failure: Exception) -> None:
        where = fields(namespace=key[0], name=key[1])
        match failure:
            case Conflict() | NotFound():
                self.queue.retry(key)
                log.debug("looking again: %s", failure, extra=where)
            case Transient():
                delay = self.queue.retry(key, asked=failure.retry_after or 0.0)
                log.warning("trying again in %.1f s: %s", delay, failure, extra=where)
            case ApiFailure():
                delay = self.queue.retry(key, REFUSED_DELAY)
                log.error("the API server refuses this; trying again in %.0f s: %s", delay, failure, extra=where)
            case _:
                delay = self.queue.retry(key)
                log.error("a bug in meshshift; trying again in %.1f s", delay, exc_info=failure, extra=where)
