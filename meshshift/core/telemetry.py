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

A request is *failed* when its code is 5xx (connect failures UF, no healthy upstream UH and no cluster NC are 503 in
Istio), or when its code is 200 and its gRPC status is one that the server is to blame for.  Code 0 means that the
client left: neither good nor bad.

Nothing here guesses: no series is `NoData`, a value that cannot be a counter is `BadData`, and neither is ever a
failure.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf, isfinite

from meshshift.core.evidence import Counts

GRPC_FAILURES = frozenset({"2", "4", "8", "12", "13", "14", "15"})
"""UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS.

The server's fault.
"""

_SILENT = frozenset({"", "unknown"})

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
class Arm:
    """How the traffic of one arm is recognised.

    Names of workloads, and of revisions (canonical revision or version).
    """

    workloads: frozenset[str] = frozenset()
    revisions: frozenset[str] = frozenset()


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
    client left. `halves` splits total and failed over two halves of the reporting proxies (None with a single proxy),
    from which clumping is learned. `timed` is the number of answered requests in the histogram, `slow` how many of
    them failed or were slower than each finite boundary, ascending.
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
        """`counts` for each half of the reporting proxies; None when there is only one."""
        if boundary is None:
            return self.halves
        slow = self._slower_than(boundary)
        return slow.halves if slow else None

    def _slower_than(self, boundary: float) -> Slow | None:
        return next((slow for slow in self.slow if slow.boundary == boundary), None)


@dataclass(frozen=True, slots=True)
class Tick:
    """One window [start, end) in unix seconds.

    `unattributed` is traffic to the service that reached neither arm as far as Istio knows (connect failures, no
    healthy upstream); `other` reached a workload that is in neither arm.
    """

    start: float
    end: float
    canary: Traffic = Traffic()
    stable: Traffic = Traffic()
    unattributed: Traffic = Traffic()
    other: Traffic = Traffic()

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class NoData:
    """Nothing is known about the window: not the same as no requests, and never a failure."""

    reason: str


@dataclass(frozen=True, slots=True)
class BadData:
    """A counter has a value that no counter can have."""

    reason: str


def difference(before: Snapshot, after: Snapshot, canary: Arm, stable: Arm) -> Tick | NoData | BadData:
    """What happened between two snapshots of one service.

    Raises ValueError if `after` is not later than `before`: a mistake of the caller, not of the data.
    """
    if after.at <= before.at:
        raise ValueError(f"after.at is {after.at}, not later than before.at {before.at}: pass the older snapshot first")
    problem = _unusable(before, after)
    if problem:
        return problem
    sums = {name: _Sum() for name in ("canary", "stable", "unattributed", "other")}
    proxies = _alternate(series.labels for series in (*after.requests, *after.durations))
    for labels, grown in _growth(before.requests, after.requests):
        sums[_destination(labels, canary, stable)].add_requests(labels, grown, proxies)
    for labels, buckets in _histograms(before.durations, after.durations):
        sums[_destination(labels, canary, stable)].add_durations(labels, buckets, proxies)
    return Tick(before.at, after.at, **{name: total.traffic(len(proxies) > 1) for name, total in sums.items()})


def _unusable(before: Snapshot, after: Snapshot) -> NoData | BadData | None:
    """Why this pair of snapshots says nothing, if so."""
    for series in (*before.requests, *after.requests, *before.durations, *after.durations):
        if not isfinite(series.value) or series.value < 0:
            return BadData(
                f"{_name(series.labels)} has the value {series.value}, which no counter can have: check the exporter"
            )
    if not after.requests:
        return NoData(f"no series for {after.asked or 'istio_requests_total'}: no traffic yet, or a label differs")
    if not before.requests:
        return NoData(
            f"no series for {before.asked or 'istio_requests_total'} at the start of the window: counting starts now"
        )
    if after.newest is not None and after.newest <= before.at:
        age = (
            f"the newest sample is {after.at - after.newest:.0f} s older than asked"
            if after.newest
            else "no sample is live"
        )
        return NoData(
            f"no fresh data for {after.asked or 'istio_requests_total'}: {age}; are the proxies still scraped?"
        )
    codeless = next((series for series in after.requests if not dict(series.labels).get("response_code")), None)
    if codeless:
        return BadData(f"{_name(codeless.labels)} has no response_code: restore that tag in the Telemetry resource")
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

    Both spellings ("500" and "500.0") are the same boundary.
    """
    found: dict[Labels, dict[float, float]] = {}
    for one in series:
        boundary = float(dict(one.labels)["le"]) / 1000.0
        found.setdefault(tuple(pair for pair in one.labels if pair[0] != "le"), {})[boundary] = one.value
    return found


class _Sum:
    """Adds up what one destination answered, for each half of the proxies."""

    def __init__(self) -> None:
        self.unclassified = 0.0
        self.total, self.failed, self.timed = [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
        self.within: dict[float, list[float]] = {}

    def add_requests(self, labels: Mapping[str, str], grown: float, proxies: Mapping[str, int]) -> None:
        if labels["response_code"] == "0":
            self.unclassified += grown
            return
        half = proxies[_proxy(labels)]
        self.total[half] += grown
        self.failed[half] += grown if _failed(labels) else 0.0

    def add_durations(
        self, labels: Mapping[str, str], buckets: Mapping[float, float], proxies: Mapping[str, int]
    ) -> None:
        if labels.get("response_code") == "0":
            return
        half = proxies[_proxy(labels)]
        self.timed[half] += buckets.get(inf, 0.0)
        for boundary, count in buckets.items():
            within = self.within.setdefault(boundary, [0.0, 0.0])
            within[half] += 0.0 if _failed(labels) else count

    def traffic(self, several_proxies: bool) -> Traffic:
        return Traffic(
            total=sum(self.total),
            failed=min(sum(self.failed), sum(self.total)),
            unclassified=self.unclassified,
            halves=(Counts(self.total[0], self.failed[0]), Counts(self.total[1], self.failed[1]))
            if several_proxies
            else None,
            timed=sum(self.timed),
            slow=tuple(self._slow(boundary, several_proxies) for boundary in sorted(self.within) if boundary < inf),
        )

    def _slow(self, boundary: float, several_proxies: bool) -> Slow:
        """Everything that was not a good answer in time.

        A scrape is not atomic, so it is held between 0 and the total.
        """
        within = self.within[boundary]
        slow = [min(max(self.timed[half] - within[half], 0.0), self.timed[half]) for half in (0, 1)]
        halves = (Counts(self.timed[0], slow[0]), Counts(self.timed[1], slow[1])) if several_proxies else None
        return Slow(boundary, min(sum(slow), sum(self.timed)), halves)


def _failed(labels: Mapping[str, str]) -> bool:
    code = labels.get("response_code", "")
    return code.startswith("5") or (code == "200" and labels.get("grpc_response_status", "") in GRPC_FAILURES)


def _destination(labels: Mapping[str, str], canary: Arm, stable: Arm) -> str:
    """Which of Tick's four kinds of traffic a series belongs to: by workload, else by revision, else it stays apart.

    Without a healthy upstream Istio reports workload "unknown" with canonical revision "latest", which is its word
    for "no label".
    """
    workload = labels.get("destination_workload", "")
    arm = _one_of(workload in canary.workloads, workload in stable.workloads)
    if arm:
        return arm
    silent = workload in _SILENT
    ambiguous = workload in canary.workloads or not (canary.workloads and stable.workloads)
    if silent or ambiguous:
        for name in ("destination_canonical_revision", "destination_version"):
            revision = labels.get(name, "")
            arm = _one_of(revision in canary.revisions, revision in stable.revisions)
            if arm and revision not in _SILENT and not (silent and revision == "latest"):
                return arm
    return "unattributed" if silent else "other"


def _one_of(canary: bool, stable: bool) -> str:
    """The arm that was recognised, or nothing if neither or both were."""
    if canary == stable:
        return ""
    return "canary" if canary else "stable"


def _proxy(labels: Mapping[str, str]) -> str:
    return labels.get("pod") or labels.get("instance", "")


def _alternate(labels: Iterable[Labels]) -> dict[str, int]:
    """Two halves of the reporting proxies, by turns in the order of their names.

    Equal in number, and blind to what they report.
    """
    return {proxy: place % 2 for place, proxy in enumerate(sorted({_proxy(dict(pairs)) for pairs in labels}))}


def _name(labels: Labels) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in labels)
    return f"{'bucket' if any(name == 'le' for name, _ in labels) else 'istio_requests_total'}{{{inside}}}"
