"""An explanation as text for people, and as JSON for machines.

The text is made of sections that stand alone.
"""

from __future__ import annotations

import dataclasses
import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from meshshift.api.durations import format_duration
from meshshift.cli.layout import clock, page, wrapped
from meshshift.core import account_words as words
from meshshift.core.checks import Query
from meshshift.core.indicator import Latency
from meshshift.core.run import Phase
from meshshift.core.spec import Method
from meshshift.core.steps import describe
from meshshift.core.words import number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshshift.core.account import Balance
    from meshshift.core.indicator import JudgeSettings
    from meshshift.core.options import Option
    from meshshift.core.run import Run
    from meshshift.core.spec import ShiftSpec
    from meshshift.engine.explanation import Explanation

_NAMES = 24
_COMMAND = "kubectl annotate trafficshift {name} -n {namespace} --overwrite meshshift.io/command={command}"
_RESUME = 'kubectl patch trafficshift {name} -n {namespace} --type=merge -p \'{{"spec":{{"paused":false}}}}\''


def render(found: Explanation) -> str:
    """The whole explanation."""
    return page(
        (
            _headline(found),
            _traffic(found),
            evidence(found.balance, ended=_ended(found)) if found.run and found.balance else (),
            _options(found),
            _history(found),
            settings(found.run.spec) if found.run else (),
        )
    )


def evidence(balance: Balance, *, ended: bool) -> list[str]:
    """What each indicator has shown, and all of them together."""
    lines = ["Evidence" if balance.judged else "Counted (method Threshold: only the checks decide)"]
    for account in balance.accounts:
        lines += wrapped(f"{account.name}: {words.counted(account)}.", "  ")
        if balance.judged:
            lines += wrapped("" if ended else words.promotion(account, balance), "    ")
            lines += wrapped(words.rollback(account, ended=ended), "    ")
            lines += wrapped(f"Note: {account.note}." if account.note else "", "    ")
    lines += wrapped(f"together: {words.combined(balance)}" if balance.judged else "", "  ")
    for each in balance.checks:
        lines += wrapped(f"check {each.check.name}: {words.checked(each, ended=ended)}", "  ")
    return lines


def settings(spec: ShiftSpec) -> list[str]:
    """The settings in force, as they are written in the spec, with what they mean."""
    analysis, judge = spec.analysis, spec.analysis.judge
    steps = ", ".join(describe(step).removeprefix("setWeight ") for step in spec.steps)
    rows = [
        ("steps", f"{steps}; each weight for {format_duration(spec.min_step)} at least"),
        ("method", str(analysis.method)),
        *(_promises(judge) if analysis.method is Method.SEQUENTIAL else []),
        ("interval", f"{format_duration(judge.interval)}; warm-up {format_duration(analysis.warmup)}"),
        ("stepTimeout", f"{format_duration(analysis.step_timeout)}, then {analysis.on_inconclusive}"),
        ("onFailure", str(spec.on_failure)),
        *_stickiness(spec),
        *_indicators(spec),
    ]
    lines = [wrapped(text, f"  {name:<{_NAMES}} ", " " * (_NAMES + 3)) for name, text in rows]
    return ["Settings of this run", *(line for row in lines for line in row)]


def _stickiness(spec: ShiftSpec) -> list[tuple[str, str]]:
    if spec.stickiness is None:
        return []
    kept = f"cookie {spec.stickiness.cookie}, kept for {format_duration(spec.stickiness.max_age)}"
    return [("stickiness", f"{kept}; users stay where they are, so the canary's share lags behind its weight")]


def _promises(judge: JudgeSettings) -> list[tuple[str, str]]:
    within = f"at most {_one_in(judge.false_rollback)} canaries within tolerance is rolled back in its whole shift"
    beyond = f"at most {_one_in(judge.false_promotion)} canaries beyond the harm budget gets past it"
    return [
        ("confidence", f"{words.percent(1 - judge.false_rollback)}: {within}"),
        ("promotionConfidence", f"{words.percent(1 - judge.false_promotion)}: {beyond}"),
        ("tolerance", f"{words.percent(judge.tolerance)} more failures than stable do not count as worse"),
        ("harmBudget", f"{words.points(judge.harm_budget)}: what the whole service may suffer, at any weight"),
        ("spareRequests", f"{judge.spare_requests:g} requests per three intervals may be risked without proof"),
    ]


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
    yield from wrapped(f"{status.reason}: {status.message}" if status.message else "", "  ")
    for remark in found.remarks:
        yield from wrapped(f"! {remark}", "  ")


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
        weight = "" if entry.weight is None else f"{entry.weight}%"
        start = f"  {clock(datetime.fromisoformat(entry.at).timestamp())}  {weight:>4}  "
        yield from wrapped(f"{entry.reason}: {entry.message}", start, " " * len(start))
    last = found.status.last_command
    if last is not None:
        yield from wrapped(f"last command: {last.command} by {last.by or 'somebody'}: {last.result}", "  ")


def _indicators(spec: ShiftSpec) -> Iterator[tuple[str, str]]:
    """Each indicator as it is judged or checked."""
    analysis = spec.analysis
    for indicator in analysis.indicators if analysis.method is Method.SEQUENTIAL else ():
        measure = indicator.measure
        asks = [f"{words.percent(indicator.share)} of the allowance"]
        if isinstance(measure, Latency) and measure.threshold is not None:
            asks.append(f"threshold {format_duration(measure.threshold)}")
        if measure.objective is not None:
            asks.append(f"objective {100 * measure.objective:.6g}%")
        yield f"indicator {indicator.name}", ", ".join(asks)
    for check in analysis.checks:
        query = f", {check.measure.promql}" if isinstance(check.measure, Query) else ""
        yield f"check {check.name}", f"{' and '.join(words.bounded(check))}, failureLimit {check.failure_limit}{query}"


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


def _one_in(chance: float) -> str:
    return f"1 in {1 / chance:,.0f}"
