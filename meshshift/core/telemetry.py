"""Raw Istio counters at two instants become one tick: what happened between them, arm by arm.

`rate()` and `increase()` extrapolate and lose the first value of a new series, so neither is used for decisions.
Counters are read at two pinned instants, summed by the proxy that reports them, and subtracted here, series by
series:

- a series that dropped was reset by a restart and counts from 0;
- a series that is new in a proxy which reported before counts from 0;
- a proxy that did not report before is counted from its next snapshot on: its counters may be days old (Prometheus
  lost its data, or started to scrape late), and history of one arm must never be weighed against this minute of the
  other;
- a series that vanished is held: nothing happened that we know of.

Nothing here guesses: no series is `NoData`, a value that cannot be a counter is `BadData`, and neither is ever a
failure.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import inf

from meshshift.core.attribution import Arm, Arms, answered_by, is_failed, is_unclassified
from meshshift.core.evidence import Counts

__all__ = ["Arm", "Arms", "BadData", "NoData", "Series", "Slow", "Snapshot", "Tick", "Traffic", "difference"]

_NUMBER = re.compile(r"\+Inf|[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")

Labels = tuple[tuple[str, str], ...]
"""Label pairs sorted by name: hashable, so that a series can be found again in the next snapshot."""


@dataclass(frozen=True, slots=True)
class Series:
    """One counter at one instant.  `value` is as Prometheus gave it, even if it is NaN."""

    labels: Labels
    value: float

    @classmethod
    def of(cls, labels: Mapping[str, str], value: float) -> "Series":
        """A series from labels in any order."""
        return cls(tuple(sorted(labels.items())), value)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All counters about one service at one instant (`at`, unix seconds).

    `requests` are `istio_requests_total`, `durations` are `istio_request_duration_milliseconds_bucket`.  `newest` is
    the instant of the newest live sample: 0 when none is live, None when it was not asked.  `asked` is the selector,
    for messages.
    """

    at: float
    requests: tuple[Series, ...] = ()
    durations: tuple[Series, ...] = ()
    newest: float | None = None
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Slow:
    """Requests that failed or took longer than `boundary` (seconds), and the same for both halves of the proxies."""

    boundary: float
    count: float
    halves: tuple[Counts, Counts] | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """What one destination answered during a tick.

    `total` counts answered requests, `failed` those that failed (never more than total), `unclassified` those whose
    client left.  `halves` splits total and failed over two halves of the reporting proxies (None if only one half has
    any), from which clumping is learned.  `timed` is the number of answered requests in the histogram, `slow` how many
    of them failed or were slower than each finite boundary, ascending.
    """

    total: float = 0.0
    failed: float = 0.0
    unclassified: float = 0.0
    halves: tuple[Counts, Counts] | None = None
    timed: float = 0.0
    slow: tuple[Slow, ...] = ()

    def counts(self, boundary: float | None = None) -> Counts:
        """Requests and bad ones: failed, or with a boundary in seconds failed or slower.

        Empty if that boundary was not reported.
        """
        if boundary is None:
            return Counts(self.total, self.failed)
        slow = self._slower_than(boundary)
        return Counts(self.timed, slow.count) if slow else Counts(0.0, 0.0)

    def split(self, boundary: float | None = None) -> tuple[Counts, Counts] | None:
        """`counts` for each half of the reporting proxies; None if only one half has any."""
        if boundary is None:
            return self.halves
        slow = self._slower_than(boundary)
        return slow.halves if slow else None

    def _slower_than(self, boundary: float) -> Slow | None:
        return next((slow for slow in self.slow if slow.boundary == boundary), None)


@dataclass(frozen=True, slots=True)
class Tick:
    """One window [start, end) in unix seconds.

    `baseline` is None where the canary is compared with stable.  `unattributed` is traffic to the service that reached
    neither arm as far as Istio knows (connect failures, no healthy upstream); `other` reached a workload that is in
    neither arm.
    """

    start: float
    end: float
    canary: Traffic = Traffic()
    stable: Traffic = Traffic()
    unattributed: Traffic = Traffic()
    other: Traffic = Traffic()
    baseline: Traffic | None = None

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return self.end - self.start

    @property
    def answered(self) -> float:
        """Requests that the service's own subsets answered."""
        return self.canary.total + self.stable.total + (self.baseline.total if self.baseline else 0.0)

    @property
    def compared(self) -> "Tick":
        """The window as the judge sees it: the control in stable's place, and nobody else."""
        return self if self.baseline is None else replace(self, stable=self.baseline, baseline=None)


@dataclass(frozen=True, slots=True)
class NoData:
    """Nothing is known about the window: not the same as no requests, and never a failure."""

    reason: str


@dataclass(frozen=True, slots=True)
class BadData:
    """A counter has a value that no counter can have."""

    reason: str


def difference(
    before: Snapshot, after: Snapshot, canary: Arm, stable: Arm, baseline: Arm | None = None
) -> Tick | NoData | BadData:
    """What happened between two snapshots of one service.

    Raises ValueError if `after` is not later than `before`: a mistake of the caller, not of the data.
    """
    if after.at <= before.at:
        raise ValueError(f"after.at is {after.at}, not later than before.at {before.at}: pass the older snapshot first")
    problem = _unusable(before, after)
    if problem:
        return problem
    arms = Arms(canary, stable, baseline)
    beside = {} if arms.baseline is None else {"baseline": _Sum()}
    sums = {"canary": _Sum(), "stable": _Sum(), **beside, "unattributed": _Sum(), "other": _Sum()}
    halves = _alternate(after.requests)
    elsewhere: set[str] = set()
    for labels, grown in _growth(before.requests, after.requests):
        whose = answered_by(labels, arms)
        sums[whose].add_requests(labels, grown, halves[_proxy(labels)])
        if whose == "other" and grown > 0:
            elsewhere.add(labels.get("destination_workload", ""))
    for labels, buckets in _histograms(before.durations, after.durations):
        sums[answered_by(labels, arms)].add_durations(labels, buckets, halves.get(_proxy(labels), 0))
    tick = Tick(before.at, after.at, **{name: total.traffic() for name, total in sums.items()})
    if elsewhere and not (tick.answered or tick.unattributed.total):
        return NoData(_misdirected(after.asked, elsewhere, arms))
    return tick


def _misdirected(asked: str, elsewhere: set[str], arms: Arms) -> str:
    """There are requests, and none of them is known to reach either arm."""
    expected = sorted(arms.canary.workloads | arms.stable.workloads) or ["no pods at all"]
    return (
        f"{asked} counts requests to {', '.join(sorted(elsewhere)[:5])}, none to the subsets' own workloads "
        f"({', '.join(expected[:5])}): compare the subsets' labels with the pods'"
    )


def _unusable(before: Snapshot, after: Snapshot) -> NoData | BadData | None:
    """Why this pair of snapshots says nothing, if so."""
    asked = after.asked or "istio_requests_total"
    for series in (*before.requests, *after.requests, *before.durations, *after.durations):
        if not 0.0 <= series.value < inf:
            return BadData(f"{_name(series)} is {series.value}, which no counter can be: check the exporter")
    for series in (*before.durations, *after.durations):
        if _split(series.labels) is None:
            return BadData(f"{_name(series)} is a bucket without a numeric le: check the query and the exporter")
    for series in after.requests:
        if not _label(series, "response_code"):
            return BadData(f"{_name(series)} has no response_code: restore that tag in the Telemetry resource")
    if not after.requests:
        return NoData(f"no series for {asked}")
    if after.newest is not None and after.newest <= before.at:
        age = f"the newest sample is {after.at - after.newest:.0f} s old" if after.newest else "no sample is live"
        return NoData(f"no fresh data for {asked}: {age}; are the proxies still scraped?")
    return None


def _growth(before: Iterable[Series], after: Iterable[Series]) -> Iterator[tuple[dict[str, str], float]]:
    """How much each series of a known proxy grew."""
    held = {series.labels: series.value for series in before}
    known = {_proxy(dict(labels)) for labels in held}
    for series in after:
        labels = dict(series.labels)
        was = held.get(series.labels, 0.0)
        if _proxy(labels) in known:
            yield labels, series.value - was if series.value >= was else series.value


def _histograms(
    before: Iterable[Series], after: Iterable[Series]
) -> Iterator[tuple[dict[str, str], dict[float, float]]]:
    """Growth of each histogram of a known proxy: cumulative count by boundary in seconds.

    One bucket that dropped resets them all.
    """
    earlier, later = _by_histogram(before), _by_histogram(after)
    known = {_proxy(dict(labels)) for labels in earlier}
    for key, buckets in later.items():
        labels = dict(key)
        if _proxy(labels) not in known:
            continue
        was = earlier.get(key, {})
        restarted = any(count < was.get(boundary, 0.0) for boundary, count in buckets.items())
        yield labels, buckets if restarted else {le: count - was.get(le, 0.0) for le, count in buckets.items()}


def _by_histogram(series: Iterable[Series]) -> dict[Labels, dict[float, float]]:
    """Buckets in seconds, keyed by the labels without `le`.

    Both spellings ("500" and "500.0") are the same boundary; while Prometheus changes from one to the other both are
    there, and the larger count is the live one.
    """
    found: dict[Labels, dict[float, float]] = {}
    for one in series:
        split = _split(one.labels)
        if split:
            histogram, boundary = split
            buckets = found.setdefault(histogram, {})
            buckets[boundary] = max(buckets.get(boundary, 0.0), one.value)
    return found


def _split(labels: Labels) -> tuple[Labels, float] | None:
    """The labels without `le`, and its boundary in seconds; None if it is missing or no number."""
    for place, (name, value) in enumerate(labels):
        if name == "le":
            boundary = _seconds(value)
            return None if boundary is None else (labels[:place] + labels[place + 1 :], boundary)
    return None


@lru_cache(maxsize=256)
def _seconds(le: str) -> float | None:
    return float(le) / 1000.0 if _NUMBER.fullmatch(le) else None


class _Sum:
    """Adds up what one destination answered, for each half of the proxies."""

    def __init__(self) -> None:
        self.unclassified = 0.0
        self.total, self.failed, self.timed = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
        self.within: dict[float, list[float]] = {}
        self.reported: dict[float, int] = {}

    def add_requests(self, labels: Mapping[str, str], grown: float, half: int) -> None:
        if is_unclassified(labels):
            self.unclassified += grown
            return
        self.total[half] += grown
        self.failed[half] += grown if is_failed(labels) else 0.0

    def add_durations(self, labels: Mapping[str, str], buckets: Mapping[float, float], half: int) -> None:
        if is_unclassified(labels):
            return
        self.timed[half] += buckets.get(inf, 0.0)
        good = not is_failed(labels)
        for boundary, count in buckets.items():
            self.within.setdefault(boundary, [0.0, 0.0])[half] += count if good else 0.0
            self.reported[boundary] = self.reported.get(boundary, 0) + 1

    def traffic(self) -> Traffic:
        return Traffic(
            total=sum(self.total),
            failed=min(sum(self.failed), sum(self.total)),
            unclassified=self.unclassified,
            halves=_halves(self.total, self.failed),
            timed=sum(self.timed),
            slow=tuple(self._slow(boundary) for boundary in sorted(self.within) if self._is_everywhere(boundary)),
        )

    def _is_everywhere(self, boundary: float) -> bool:
        """Proxies may be configured with different buckets: only a boundary that all of them count is of use."""
        return boundary < inf and self.reported[boundary] == self.reported.get(inf)

    def _slow(self, boundary: float) -> Slow:
        """Everything that was not a good answer in time, held between 0 and the total: a scrape is not atomic."""
        within = self.within[boundary]
        slow = [min(max(self.timed[half] - within[half], 0.0), self.timed[half]) for half in (0, 1)]
        return Slow(boundary, min(sum(slow), sum(self.timed)), _halves(self.timed, slow))


def _halves(total: list[float], bad: list[float]) -> tuple[Counts, Counts] | None:
    """Both halves of the proxies, if both have something to report."""
    if not (total[0] > 0.0 and total[1] > 0.0):
        return None
    return Counts(total[0], bad[0]), Counts(total[1], bad[1])


def _alternate(series: Iterable[Series]) -> dict[str, int]:
    """Two halves of the reporting proxies, by turns in the order of their names.

    Equal in number even for two gateways, which a hash would often put together, and blind to what they report.
    """
    return {proxy: place % 2 for place, proxy in enumerate(sorted({_proxy(dict(one.labels)) for one in series}))}


def _proxy(labels: Mapping[str, str]) -> str:
    return labels.get("pod") or labels.get("instance", "")


def _label(series: Series, wanted: str) -> str:
    return next((value for name, value in series.labels if name == wanted), "")


def _name(series: Series) -> str:
    metric = "istio_request_duration_milliseconds_bucket" if _label(series, "le") else "istio_requests_total"
    inside = ",".join(f'{name}="{value}"' for name, value in series.labels)
    return f"{metric}{{{inside}}}"
