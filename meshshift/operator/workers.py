"""The workers: take a key, run one pass, decide when it is looked at again.  An exception never ends a worker."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from meshshift.engine.failures import ApiFailure, Conflict, Refused, Transient

if TYPE_CHECKING:
    from meshshift.engine.queue import WorkQueue
    from meshshift.engine.reconcile import Reconciler
    from meshshift.engine.world import Key

log = logging.getLogger("meshshift.engine")
REFUSED_DELAY = 30.0


class Gauge(Protocol):
    """What is measured of the work itself; implemented by the own metrics."""

    def waited(self, seconds: float) -> None:
        """A key was taken from the queue `seconds` after it was due."""
        ...

    def reconciled(self, seconds: float) -> None:
        """A pass took `seconds`."""
        ...

    def failed(self, kind: str) -> None:
        """A pass failed: `conflict`, `transient`, `refused`, or `bug`."""
        ...


@dataclass
class Workers:
    """`last_pass` is when a worker last finished a pass or found nothing due, in seconds of the monotonic clock."""

    queue: WorkQueue[Key]
    reconciler: Reconciler
    gauge: Gauge

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            key, waited = await self.queue.take()
            self.gauge.waited(waited)
            started = time.monotonic()
            try:
                await self._one(key)
            finally:
                self.gauge.reconciled(time.monotonic() - started)
                self.queue.done(key)

    async def _one(self, key: Key) -> None:
        where = {"namespace": key[0], "name": key[1]}
        try:
            again = await self.reconciler.reconcile(key)
        except Conflict as failure:
            self.gauge.failed("conflict")
            log.debug("looking again: %s", failure, extra=where)
            self.queue.retry(key)
        except Transient as failure:
            self.gauge.failed("transient")
            delay = self.queue.retry(key, failure.retry_after or 0.0)
            log.warning("trying again in %.1f s: %s", delay, failure, extra=where)
        except ApiFailure as failure:
            self.gauge.failed("refused" if isinstance(failure, Refused) else "transient")
            log.error("refused, trying again in %.0f s: %s", REFUSED_DELAY, failure, extra=where)
            self.queue.retry(key, REFUSED_DELAY)
        except Exception:
            self.gauge.failed("bug")
            delay = self.queue.retry(key)
            log.exception("this is a bug in meshshift; trying again in %.1f s", delay, extra=where)
        else:
            self.queue.forgive(key)
            if again is not None:
                self.queue.add(key, again)
