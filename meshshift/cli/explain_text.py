"""An explanation as text for people, and as JSON for machines.

The text is made of sections that stand alone, widest line 110 columns; instants are UTC.
"""

from __future__ import annotations

import dataclasses
import math
import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from meshshift.api.durations import format_duration
from meshshift.core import account_words as words
from meshshift.core.run import Phase
from meshshift.core.steps import describe
from meshshift.core.words import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshshift.core.account import Balance
    from meshshift.core.options import Option
    from meshshift.core.run import Run
    from meshshift.core.spec import ShiftSpec
    from meshshift.engine.explanation import Explanation

WIDTH = 110
_COMMAND = "kubectl annotate trafficshift {name} -n {namespace} --overwrite meshshift.io/command={command}"
_RESUME = 'kubectl patch trafficshift {name} -n {namespace} --type=merge -p \'{{"spec":{{"paused":false}}}}\''


def render(found: Explanation) -> str:
    """The whole explanation."""
    sections = [
        list(_headline(found)),
        list(_traffic(found)),
        evidence(found.balance, ended=_ended(found)) if found.run and found.balance else [],
        list(_options(found)),
        list(_history(found)),
        settings(found.run.spec) if found.run else [],
    ]
    return "\n\n".join("\n".join(section) for section in sections if section)


def evidence(balance: Balance, *, ended: bool) -> list[str]:
    """What each indicator has shown, and all of them together."""
    lines = ["Evidence"]
    for account in balance.accounts:
        lines += _wrapped(f"{account.name}: {words.counted(account)}.", 2)
        lines += _wrapped("" if ended else words.promotion(account, balance), 4)
        lines += _wrapped(words.rollback(account, ended=ended), 4)
        lines += _wrapped(f"Note: {account.note}." if account.note else "", 4)
    return [*lines, *_wrapped(f"together: {words.combined(balance)}", 2)]


def settings(spec: ShiftSpec) -> list[str]:
    """The settings in force, as they are written in the spec, with what they mean."""
    analysis, judge = spec.analysis, spec.analysis.judge
    steps = ", ".join(describe(step).removeprefix("setWeight ") for step in spec.steps)
    rows = (
        ("steps", f"{steps}; each weight for {format_duration(spec.min_step)} at least"),
        ("confidence", f"{_percent(1 - judge.false_rollback)}: at most {_one_in(judge.false_rollback)} canaries within "
         "tolerance is rolled back, over the whole shift"),
        ("promotionConfidence", f"{_percent(1 - judge.false_promotion)}: at most {_one_in(judge.false_promotion)} "
         "canaries beyond the harm budget gets past it"),
        ("tolerance", f"{_percent(judge.tolerance)} more failures than stable do not count as worse"),
        ("harmBudget", f"{words.points(judge.harm_budget)}: what the whole service may suffer, at any weight"),
        ("spareRequests", f"{judge.spare_requests:g} requests per three intervals may be risked without proof"),
        ("interval", f"{format_duration(judge.interval)}; warm-up {format_duration(analysis.warmup)}"),
        ("stepTimeout", f"{format_duration(analysis.step_timeout)}, then {analysis.on_inconclusive}"),
        ("onFailure", str(spec.on_failure)),
    )  # fmt: skip
    lines = [f"  {name:<24} {text}" for name, text in rows]
    return ["Settings of this run", *lines, *_indicators(spec)]


def as_json(found: Explanation) -> dict[str, Any]:
    """The same for machines; a number that is not to be had is null, instants are unix seconds."""
    status = found.status.to_wire()
    return {
        "namespace": found.namespace,
        "name": found.name,
        **{key: status.get(key) for key in ("phase", "reason", "message", "weights", "step", "lastCommand")},
        "remarks": list(found.remarks),
        "run": _run_json(found.run) if found.run else None,
        "evidence": plain(dataclasses.asdict(found.balance)) if found.balance else None,
        "settings": plain(dataclasses.asdict(found.run.spec.analysis)) if found.run else None,
        "options": [
            {"command": str(option.command), "effect": option.effect, "run": _command(found, option)}
            for option in found.options
        ],
        "history": status.get("history", []),
    }


def plain(value: Any) -> Any:
    """`value` with null for numbers that JSON does not have."""
    match value:
        case dict():
            return {key: plain(each) for key, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case float() if not math.isfinite(value):
            return None
    return value


def clock(instant: float, *, date: bool = True) -> str:
    """A unix time in seconds as UTC."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S")


def _headline(found: Explanation) -> Iterator[str]:
    run, status = found.run, found.status
    where = f"{found.namespace}/{found.name}"
    phase = str(status.phase or "not looked at yet")
    if run is None:
        yield f"{where}: {phase}"
    else:
        step = f", step {run.step + 1} of {len(run.spec.steps)} ({describe(run.current)})" if run.current else ""
        began = f"began {clock(run.started)} UTC"
        over = f", ended {clock(run.ended)}" if run.ended else ""
        yield f"{where}: {run.spec.service} from {run.spec.stable.name} to {run.spec.canary.name}, {phase}{step}"
        yield f"  {began}{over}"
    yield from _wrapped(f"{status.reason}: {status.message}" if status.message else "", 2)
    for remark in found.remarks:
        yield from _wrapped(f"! {remark}", 2)


def _traffic(found: Explanation) -> Iterator[str]:
    run, weights = found.run, found.status.weights
    if run is None or weights is None:
        return
    said = "not known" if weights.observed is None else f"{weights.observed:g}%"
    measured = "not known" if weights.measured is None else f"{weights.measured:g}%"
    yield "Traffic"
    yield f"  {run.spec.canary.name} is to get {weights.desired}%; the mesh says {said}; measured {measured}"
    requests = run.evidence
    yield (
        f"  judged so far: {number(requests.canary_requests)} requests to {run.spec.canary.name} and "
        f"{number(requests.stable_requests)} to {run.spec.stable.name} in the same seconds"
    )


def _options(found: Explanation) -> Iterator[str]:
    run = found.run
    if run is None:
        return
    yield "What you can do"
    if run.phase is Phase.ROLLING_BACK:
        yield "  nothing is needed: traffic is on its way back to stable"
    for option in found.options:
        yield f"  {option.command}: {option.effect}"
        yield f"    {_command(found, option)}"
    if found.paused:
        yield "  go on: spec.paused is true"
        yield f"    {_RESUME.format(name=found.name, namespace=found.namespace)}"
    if run.phase.ended:
        yield "  another run begins as soon as the spec is changed"


def _command(found: Explanation, option: Option) -> str:
    return _COMMAND.format(name=found.name, namespace=found.namespace, command=option.command)


def _history(found: Explanation) -> Iterator[str]:
    if not found.status.history:
        return
    yield "History (UTC)"
    for entry in found.status.history:
        at = clock(datetime.fromisoformat(entry.at).timestamp())
        weight = "" if entry.weight is None else f"{entry.weight}%"
        first, *rest = textwrap.wrap(f"{entry.reason}: {entry.message}", WIDTH - 29, break_long_words=False) or [""]
        yield f"  {at}  {weight:>4}  {first}"
        yield from (" " * 29 + line for line in rest)
    last = found.status.last_command
    if last is not None:
        yield from _wrapped(f"last command: {last.command} by {last.by or 'somebody'}: {last.result}", 2)


def _indicators(spec: ShiftSpec) -> Iterator[str]:
    for indicator in spec.analysis.indicators:
        measure = indicator.measure
        asks = [f"{_percent(indicator.share)} of the allowance"]
        threshold = getattr(measure, "threshold", None)
        asks += [f"threshold {format_duration(threshold)}"] if threshold is not None else []
        asks += [f"objective {100 * measure.objective:g}%"] if measure.objective is not None else []
        yield f"  {'indicator ' + indicator.name:<24} {', '.join(asks)}"


def _run_json(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "service": run.spec.service,
        "stable": run.spec.stable.name,
        "canary": run.spec.canary.name,
        "steps": [describe(step) for step in run.spec.steps],
        "started": run.started,
        "ended": run.ended,
        "canaryRequests": run.evidence.canary_requests,
        "stableRequests": run.evidence.stable_requests,
    }


def _ended(found: Explanation) -> bool:
    return found.run is not None and (found.run.phase.ended or found.run.phase is Phase.ROLLING_BACK)


def _wrapped(text: str, indent: int) -> Iterable[str]:
    """Lines of at most WIDTH columns, those after the first indented by two more."""
    start = " " * indent
    return textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=start + "  ", break_long_words=False)


def _percent(fraction: float) -> str:
    return words.percent(fraction)


def _one_in(chance: float) -> str:
    return f"1 in {1 / chance:,.0f}"
