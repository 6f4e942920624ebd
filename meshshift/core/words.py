"""The sentences in which decisions give their reasons: with numbers, in the reader's units, written once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from meshshift.core.checking import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshshift.core.aftermath import Aftermath
    from meshshift.core.checking import CheckFinding
    from meshshift.core.evidence import Counts
    from meshshift.core.judge import Assessment, Finding


def rate(counts: Counts) -> str:
    """A share of bad requests in percent, with two significant digits below one percent: `0.08%`."""
    if counts.total <= 0:
        return "no requests"
    percent = 100 * counts.bad / counts.total
    if percent == 0:
        return "0%"
    if percent < 0.01:
        return "<0.01%"
    return f"{percent:.2f}%" if percent < 1 else f"{percent:.1f}%"


def number(value: float) -> str:
    """A count with thousands separators: `1,204`."""
    return f"{round(value):,}"


def duration(seconds: float) -> str:
    """A duration as people say it: `40 s`, `2 min`, `1 h 5 min`."""
    whole = max(0, math.ceil(seconds))
    if whole < 120:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def move(before: int, after: int) -> str:
    """A change of the canary's weight."""
    return f"{before}% → {after}%"


def compared(finding: Finding) -> str:
    """Both arms' rates of bad requests."""
    return f"canary {rate(finding.canary)}, {finding.control} {rate(finding.stable)}"


def proven(assessment: Assessment) -> str:
    """Why the canary may go on."""
    if all(finding.proof is None for finding in assessment.findings):
        return "no proof needed: so few requests are at stake"
    requests = number(max(finding.canary.total for finding in assessment.findings))
    names = _join(finding.name for finding in assessment.findings)
    rates = "; ".join(_labelled(assessment.findings))
    return f"{names} proven not worse after {requests} requests ({rates})"


def harmless(assessment: Assessment) -> str:
    """Why a canary without weight may go on: what it did with the requests of header routes, if there were any."""
    requests = max((finding.canary.total for finding in assessment.findings), default=0.0)
    if requests <= 0:
        return "nothing to prove yet"
    return f"nothing worse in {number(requests)} requests ({'; '.join(_labelled(assessment.findings))})"


def unproven(assessment: Assessment) -> str:
    """What is still missing before the canary may go on: every suspicion, and the proof that takes longest."""
    suspicious = [_suspicion(finding) for finding in assessment.findings if not finding.calm]
    missing = [finding for finding in assessment.findings if finding.calm and finding.requests_needed > 0]
    slowest = max(missing, key=lambda finding: finding.requests_needed, default=None)
    return "; ".join([*suspicious, *([_missing(missing, slowest)] if slowest else [])]) or "not yet proven"


def regression(assessment: Assessment, false_rollback: float) -> str:
    """Why the canary must go; `false_rollback` is the error bound of that verdict."""
    finding = next(
        (finding for finding in assessment.findings if finding.name == assessment.culprit), assessment.findings[0]
    )
    beside = f"{_bad(finding.stable)} on {finding.control}"
    return (
        f"{finding.name} proven worse: {_bad(finding.canary)} on the canary, {beside} "
        f"(odds {odds(assessment.overall_worse)}, needed {odds(-math.log10(false_rollback))})"
    )


def worse_than_before(after: Aftermath, false_rollback: float) -> str:
    """Why all traffic is taken back again."""
    loudest = after.loudest
    name = loudest.indicator if loudest else "the new version"
    return (
        f"{name} worse than before all traffic moved: {_since(after)} "
        f"(odds {odds(after.worse)}, needed {odds(-math.log10(false_rollback))})"
    )


def since(after: Aftermath) -> str:
    """What came since all traffic has moved, beside what was before."""
    watch = after.loudest
    return f"{watch.indicator}: {_since(after)}" if watch else "nothing was learned before to compare with"


def _since(after: Aftermath) -> str:
    watch = after.loudest
    if watch is None or watch.seen.total <= 0:
        return "no request counted yet"
    return f"{_bad(watch.seen)} since, at most {100 * watch.before:.2g}% before"


def odds(log10: float) -> str:
    """Evidence given as log10, the way people bet: `126 : 1`, and at most `over 1,000,000 : 1`."""
    if log10 > 6:
        return "over 1,000,000 : 1"
    return f"{10**log10:,.0f} : 1" if log10 >= 1 else f"{10**log10:.2g} : 1"


def passed(check: CheckFinding) -> str:
    """A check that allows the next weight, with its number: `checkout-errors is 0.12, at most 0.2`."""
    value = check.value or 0.0
    bounds = [("at least", check.lowest), ("at most", check.highest)]
    limits = [f"{word} {_bound(bound)}{check.unit}" for word, bound in bounds if bound is not None]
    return f"{check.name} is {_exact(check, value)}, {' and '.join(limits)}"


def missing(check: CheckFinding) -> str:
    """What keeps a check from allowing the next weight."""
    match check.standing:
        case Standing.FAILED:
            return f"{_beyond(check, check.value)} ({check.failures} of {check.limit} failures)"
        case Standing.SILENT | Standing.ERROR:
            return f"{check.name}: {check.problem}"
    return f"{check.name} not yet checked at this weight"


def limit_reached(check: CheckFinding) -> str:
    """Why a check rolls the canary back: `checkout-errors is 0.31, above 0.2, for the 3rd time`."""
    return f"{_beyond(check, check.failed)}, for the {ordinal(check.failures)} time"


def ordinal(count: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`."""
    ending = "th" if count % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending}"


def _beyond(check: CheckFinding, value: float | None) -> str:
    value = value or 0.0
    above = check.highest is not None and value > check.highest
    word, bound = ("above", check.highest) if above else ("below", check.lowest)
    shown = "" if bound is None else f", {word} {_bound(bound)}{check.unit}"
    return f"{check.name} is {_exact(check, value)}{shown}"


def _exact(check: CheckFinding, value: float) -> str:
    """The value with as many digits as keep it on its own side of each bound, at least three."""
    bounds = [bound for bound in (check.lowest, check.highest) if bound is not None]
    texts = (f"{value:.{digits}g}" for digits in range(3, 18))
    text = next(text for text in texts if all(_side(float(text), bound) == _side(value, bound) for bound in bounds))
    return f"{text}{check.unit}"


def _side(value: float, bound: float) -> int:
    return (value > bound) - (value < bound)


def _bound(bound: float) -> str:
    return f"{bound:.12g}"


def _bad(counts: Counts) -> str:
    return f"{rate(counts)} of {number(counts.total)} requests bad"


def _suspicion(finding: Finding) -> str:
    return f"{finding.name} is suspicious ({compared(finding)}): watching"


def _missing(findings: list[Finding], slowest: Finding) -> str:
    names = _join(finding.name for finding in findings)
    if slowest.canary.total <= 0:
        return f"{names} not yet proven (no request to the canary counted yet)"
    if math.isinf(slowest.requests_needed):
        return f"{slowest.name} cannot be proven at these rates ({compared(slowest)})"
    done, total = slowest.canary.total, slowest.canary.total + slowest.requests_needed
    looks = max(finding.looks for finding in findings)
    more = f", in {looks} looks or more" if looks > 1 else ""
    return f"{names} not yet proven ({number(done)} of ~{number(total)} requests{more})"


def _labelled(findings: Iterable[Finding]) -> Iterable[str]:
    listed = list(findings)
    return [compared(finding) if len(listed) == 1 else f"{finding.name}: {compared(finding)}" for finding in listed]


def _join(names: Iterable[str]) -> str:
    *most, last = list(names)
    return f"{', '.join(most)} and {last}" if most else last
