"""The controller's own metrics: what `/metrics` says about every shift, every decision and the controller itself.

`Metrics` is told what happens (it is a `meshshift.engine.ports.Journal`, and the loops tell it the rest) and never
asks.  It has a registry of its own, so several can live in one process.  What is exported and what it means is declared
in `meshshift.adapters.metrics_catalog` and nowhere else.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, TypeVar

from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from meshshift import __version__
from meshshift.adapters import metrics_catalog as catalog
from meshshift.adapters.metrics_shifts import ShiftSeries
from meshshift.adapters.metrics_snapshot import snapshot_of
from meshshift.adapters.turns import TurnFilter, ended_run, turned_back
from meshshift.engine.failures import Conflict, NotFound, Refused, Transient

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.core.decision import Decision
    from meshshift.core.notices import Turn
    from meshshift.core.observation import Observation
    from meshshift.engine.ports import Document, Key

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""What `Metrics.render` returns, as the Content-Type header says it."""

_Ordinary = TypeVar("_Ordinary", Counter, Gauge, Histogram)


class Metrics:
    """All metrics of one controller process."""

    def __init__(self, version: str = __version__) -> None:
        # For the whole process, as the library has it: otherwise every counter gets a second series with its birthday.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._shifts = ShiftSeries()
        self._turns = TurnFilter()
        self._ended: dict[Key, str] = {}
        self._decisions = self._counter(catalog.DECISIONS)
        self._rollbacks = self._counter(catalog.ROLLBACKS)
        self._shift_duration = self._histogram(catalog.SHIFT_DURATION)
        self._gauge(catalog.BUILD_INFO).labels(version).set(1)
        self._leader = self._gauge(catalog.LEADER)
        self._settle = self._gauge(catalog.SETTLE)
        self._queue_depth = self._gauge(catalog.QUEUE_DEPTH)
        self._queue_latency = self._histogram(catalog.QUEUE_LATENCY)
        self._reconcile_duration = self._histogram(catalog.RECONCILE_DURATION)
        self._reconcile_errors = self._counter(catalog.RECONCILE_ERRORS)
        self._mesh_writes = self._counter(catalog.MESH_WRITES)
        self._watch_last_event = self._gauge(catalog.WATCH_LAST_EVENT)
        self._watch_missed = self._counter(catalog.WATCH_MISSED)
        self._query_duration = self._histogram(catalog.QUERY_DURATION)
        self._query_errors = self._counter(catalog.QUERY_ERRORS)
        self._notifications = self._counter(catalog.NOTIFICATIONS)
        self._gate_replies = self._counter(catalog.GATE_REPLIES)

    def render(self) -> bytes:
        """The text that a scrape gets, of type `CONTENT_TYPE`; may be called from another thread."""
        return self._shifts.exposition().encode() + generate_latest(self._registry)

    def decided(self, key: Key, shift: Document, observation: Observation | None, decision: Decision) -> None:
        """A decision was made and its state persisted."""
        self._shifts.put(key, snapshot_of(shift, observation, decision, self._shifts.get(key)))
        if self._turns.is_new(key, observation, decision):
            self._decisions.labels(decision.kind, decision.reason).inc()
        reason = turned_back(observation, decision)
        if reason is not None:
            self._rollbacks.labels(reason).inc()
        self._count_end(key, observation, decision)

    def wrote(self, kind: str, result: str) -> None:
        """A write to the mesh was tried: kind of the object, and `ok`, `conflict`, `refused` or `failed`."""
        self._mesh_writes.labels(kind, result).inc()

    def turned(self, key: Key, shift: Document, turn: Turn, *, new: bool) -> None:
        """Nothing to count: every turn was a decision before."""

    def forgot(self, key: Key) -> None:
        """The shift is gone, and its series with it."""
        self._shifts.drop(key)
        self._ended.pop(key, None)
        self._turns.forget(key)

    def reconciled(self, seconds: float, error: Exception | None = None) -> None:
        """A pass for a shift took `seconds`; `error` is what it raised, if it did."""
        self._reconcile_duration.observe(seconds)
        if error is not None:
            self._reconcile_errors.labels(_error_kind(error)).inc()

    def dequeued(self, late: float) -> None:
        """The pass for a shift begins, `late` seconds after it was due."""
        self._queue_latency.observe(late)

    def watch_queue(self, depth: Callable[[], int]) -> None:
        """Ask `depth` at every scrape for the number of shifts in the work queue."""
        self._queue_depth.set_function(depth)

    def queried(self, kind: str, seconds: float, error: str | None = None) -> None:
        """A query to Prometheus took `seconds`; `error` is the CamelCase reason if it was not answered properly."""
        self._query_duration.labels(kind).observe(seconds)
        if error is not None:
            self._query_errors.labels(error).inc()

    def notified(self, kind: str, result: str) -> None:
        """A notification of a kind (its field in the spec) came to its end: `delivered`, `failed` or `dropped`."""
        self._notifications.labels(kind, result).inc()

    def gate_replied(self, reply: str) -> None:
        """A gate was asked: `Open`, `Wait`, `Refused`, or `Failed`."""
        self._gate_replies.labels(reply).inc()

    def settles(self, seconds: float) -> None:
        """An edit of the mesh is given so long to reach every proxy from now on."""
        self._settle.set(seconds)

    def led(self, leading: bool) -> None:
        """This process has become the leader, or is it no longer; what it knew of the shifts grows old from then on."""
        self._leader.set(int(leading))
        if not leading:
            for key in self._shifts:
                self.forgot(key)

    def heard(self, resource: str, at: float) -> None:
        """The watch of `resource` (plural name), or a list, spoke at the unix time `at`."""
        self._watch_last_event.labels(resource).set(at)

    def missed(self, resource: str, changes: int) -> None:
        """So many changes of `resource` (plural name) were told by a list and never by the watch."""
        self._watch_missed.labels(resource).inc(changes)

    def _count_end(self, key: Key, observation: Observation | None, decision: Decision) -> None:
        """A deletion whose last write has to be repeated comes here again with the same run."""
        end = ended_run(observation, decision)
        if end is None or observation is None or self._ended.get(key) == end[0].id:
            return
        run, outcome = end
        self._ended[key] = run.id
        self._shift_duration.labels(outcome).observe(max(0.0, observation.now - run.started))

    def _counter(self, metric: catalog.Metric) -> Counter:
        return _from_zero(Counter(metric.name, metric.meaning, metric.label_names, registry=self._registry), metric)

    def _gauge(self, metric: catalog.Metric) -> Gauge:
        return Gauge(metric.name, metric.meaning, metric.label_names, registry=self._registry)

    def _histogram(self, metric: catalog.Metric) -> Histogram:
        histogram = Histogram(
            metric.name, metric.meaning, metric.label_names, registry=self._registry, buckets=metric.buckets
        )
        return _from_zero(histogram, metric)


def _from_zero(metric: _Ordinary, declared: catalog.Metric) -> _Ordinary:
    """Export label values that are known beforehand from the start: `increase` does not see a series' first value."""
    if declared.labels and all(label.values for label in declared.labels):
        for values in itertools.product(*(label.values for label in declared.labels)):
            metric.labels(*values)
    return metric


def _error_kind(error: Exception) -> str:
    match error:
        case Conflict() | NotFound():
            return "conflict"
        case Transient():
            return "transient"
        case Refused():
            return "refused"
        case _:
            return "bug"
