"""The series about shifts, as text that is ready when a scrape asks for it.

Thousands of shifts have a hundred thousand series.  As children of ordinary metrics these would have to be found and
removed one by one whenever a label changes, and each scrape would spell them all anew while the event loop waits.
Here a shift's text is made once per decision about it and replaced as a whole: a label that changed leaves nothing
behind, and a scrape only puts the texts together.

The format is version 0.0.4 of Prometheus' text format (prometheus.io/docs/instrumenting/exposition_formats).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from meshshift.adapters import metrics_catalog as catalog
from meshshift.core.run import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meshshift.adapters.metrics_snapshot import ShiftSnapshot
    from meshshift.core.evidence import Counts
    from meshshift.engine.ports import Key

    _Sample = tuple[str | float, ...]
    _Samples = Callable[[ShiftSnapshot], Iterator[_Sample]]


class ShiftSeries:
    """The latest snapshot of each shift, and its series.  `exposition` may be called from another thread."""

    def __init__(self) -> None:
        self._snapshots: dict[Key, ShiftSnapshot] = {}
        self._texts: dict[Key, tuple[str, ...]] = {}

    def __iter__(self) -> Iterator[Key]:
        return iter(tuple(self._snapshots))

    def get(self, key: Key) -> ShiftSnapshot | None:
        """The shift as it was last told of."""
        return self._snapshots.get(key)

    def put(self, key: Key, snapshot: ShiftSnapshot) -> None:
        """Export this and nothing else about the shift."""
        if snapshot != self._snapshots.get(key):
            self._snapshots[key] = snapshot
            self._texts[key] = tuple(_text(metric, snapshot, samples) for metric, samples in _FAMILIES)

    def drop(self, key: Key) -> None:
        """Export nothing about the shift any more."""
        self._snapshots.pop(key, None)
        self._texts.pop(key, None)

    def exposition(self) -> str:
        """All series of all shifts, family by family, each with its help and type."""
        shifts = tuple(self._texts.values())
        parts: list[str] = []
        for place, (metric, _) in enumerate(_FAMILIES):
            parts.append(f"# HELP {metric.name} {metric.meaning}\n# TYPE {metric.name} {metric.type}\n")
            parts += [texts[place] for texts in shifts]
        return "".join(parts)


def _info(shift: ShiftSnapshot) -> Iterator[_Sample]:
    yield shift.service, shift.strategy, shift.stable, shift.canary, 1


def _phases(shift: ShiftSnapshot) -> Iterator[_Sample]:
    for phase in Phase:
        yield phase, int(phase is shift.phase)


def _decision(shift: ShiftSnapshot) -> Iterator[_Sample]:
    yield shift.kind, shift.reason, 1


def _step(shift: ShiftSnapshot) -> Iterator[_Sample]:
    if shift.run_id is not None:
        yield (shift.step,)


def _steps(shift: ShiftSnapshot) -> Iterator[_Sample]:
    if shift.run_id is not None:
        yield (shift.steps,)


def _weights(shift: ShiftSnapshot) -> Iterator[_Sample]:
    beside = shift.beside
    for source, canary, baseline in (
        ("desired", shift.desired, beside.desired),
        ("observed", shift.observed, beside.observed),
        ("measured", shift.measured, beside.measured),
    ):
        if canary is None:
            continue
        yield shift.canary, source, canary
        if not shift.baseline:
            yield shift.stable, source, 1 - canary
        elif baseline is not None:
            yield shift.stable, source, 1 - canary - baseline
            yield shift.baseline, source, baseline


def _last_telemetry(shift: ShiftSnapshot) -> Iterator[_Sample]:
    if shift.telemetry_until is not None:
        yield (shift.telemetry_until,)


def _arms(shift: ShiftSnapshot) -> Iterator[tuple[str, str, Counts]]:
    for finding in shift.findings:
        yield finding.name, shift.control, finding.stable
        yield finding.name, shift.canary, finding.canary


def _bad(shift: ShiftSnapshot) -> Iterator[_Sample]:
    for indicator, subset, counts in _arms(shift):
        if counts.total > 0:
            yield indicator, subset, counts.rate


def _requests(shift: ShiftSnapshot) -> Iterator[_Sample]:
    for indicator, subset, counts in _arms(shift):
        yield indicator, subset, counts.total


def _requests_needed(shift: ShiftSnapshot) -> Iterator[_Sample]:
    for finding in shift.findings:
        yield finding.name, finding.requests_needed


def _evidence(shift: ShiftSnapshot) -> Iterator[_Sample]:
    for finding in shift.findings:
        yield finding.name, "worse", finding.worse
        if finding.proof is not None:
            yield finding.name, "not-worse", finding.proof


def _evidence_bar(shift: ShiftSnapshot) -> Iterator[_Sample]:
    for finding in shift.findings:
        yield finding.name, "worse", finding.worse_bar
        if finding.proof is not None:
            yield finding.name, "not-worse", finding.proof_bar


def _check_value(shift: ShiftSnapshot) -> Iterator[_Sample]:
    for check in shift.checks:
        if check.value is not None:
            yield check.name, check.value


def _check_failures(shift: ShiftSnapshot) -> Iterator[_Sample]:
    for check in shift.checks:
        yield check.name, check.failures


def _check_failure_limit(shift: ShiftSnapshot) -> Iterator[_Sample]:
    for check in shift.checks:
        yield check.name, check.limit


_FAMILIES: tuple[tuple[catalog.Metric, _Samples], ...] = (
    (catalog.SHIFT_INFO, _info),
    (catalog.SHIFT_PHASE, _phases),
    (catalog.SHIFT_DECISION, _decision),
    (catalog.SHIFT_STEP, _step),
    (catalog.SHIFT_STEPS, _steps),
    (catalog.SHIFT_WEIGHT, _weights),
    (catalog.LAST_TELEMETRY, _last_telemetry),
    (catalog.BAD_RATIO, _bad),
    (catalog.REQUESTS, _requests),
    (catalog.REQUESTS_NEEDED, _requests_needed),
    (catalog.EVIDENCE, _evidence),
    (catalog.EVIDENCE_BAR, _evidence_bar),
    (catalog.CHECK_VALUE, _check_value),
    (catalog.CHECK_FAILURES, _check_failures),
    (catalog.CHECK_FAILURE_LIMIT, _check_failure_limit),
)


def _text(metric: catalog.Metric, shift: ShiftSnapshot, samples: _Samples) -> str:
    """The lines of one shift in one family; a sample is its label values, in the catalogue's order, and its number."""
    shared = f"{metric.name}{{namespace={_quoted(shift.namespace)},name={_quoted(shift.name)}"
    names = metric.label_names[2:]
    lines = []
    for *values, number in samples(shift):
        labels = "".join(f",{name}={_quoted(value)}" for name, value in zip(names, values, strict=True))
        lines.append(f"{shared}{labels}}} {_number(number)}\n")
    return "".join(lines)


def _quoted(value: object) -> str:
    """A label value between quotes; names come from users' objects."""
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _number(value: str | float) -> str:
    number = float(value)
    if math.isfinite(number):
        return repr(number)
    return "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"
