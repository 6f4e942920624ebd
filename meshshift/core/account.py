"""The account of a run's evidence: what was counted, what it is held against, and how far each proof is.

A verdict is a comparison of two numbers, but a person needs the question that they answer: "more than what?", "less
than what?".  An account puts the counts, the margins and the odds of one indicator side by side, as values; the
sentences are made in `meshshift.core.account_words`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshshift.core.checking import checks_of
from meshshift.core.checks import state_of
from meshshift.core.question import rung_margin, tolerated
from meshshift.core.run import Phase
from meshshift.core.spec import Method
from meshshift.core.steps import next_weight
from meshshift.core.verdict import verdict

if TYPE_CHECKING:
    from meshshift.core.checks import Check, CheckState
    from meshshift.core.course import Course
    from meshshift.core.evidence import Counts, Margin
    from meshshift.core.judge import Evidence, Finding
    from meshshift.core.run import Run


@dataclass(frozen=True, slots=True)
class Proof:
    """What the next weight asks for.

    `margin`: the canary's failures must be shown to be within it; `harm`: what they would then cost the whole service
    at `weight` beyond the tolerated, at most (both fractions 0..1).  `odds`: the evidence so far, `bar`: what it takes.
    `requests`: expected further canary requests if it is as good as stable, inf if no number is known to do it.
    `looks`: ticks that it takes at the least, however many requests each brings, for one adds a third of the way.
    """

    weight: float
    margin: Margin
    harm: float
    odds: float
    bar: float
    requests: float
    looks: int


@dataclass(frozen=True, slots=True)
class Account:
    """One indicator.

    `slower_than`: with failures, requests slower than this count as bad (seconds; None: failures alone).  `canary`,
    `stable`: the requests of this run at the boundary that speaks most strongly against the canary.  `odds`: evidence
    that the canary is beyond `margin`, and beyond `allowed` if there is an objective (the fraction of bad requests that
    it allows); at `bar` this indicator rolls back alone.  `proof` is None when the next weight needs none.
    """

    name: str
    slower_than: float | None
    asked: bool
    canary: Counts
    stable: Counts
    margin: Margin
    allowed: float | None
    odds: float
    bar: float
    calm: bool
    proof: Proof | None
    note: str
    control: str = "stable"


@dataclass(frozen=True, slots=True)
class CheckAccount:
    """One check: what is asked, and what a run remembers of the answers."""

    check: Check
    state: CheckState


@dataclass(frozen=True, slots=True)
class Balance:
    """All indicators together: at odds of `bar` against the canary it is rolled back.

    `weight` and `next_weight` are fractions 0..1; `next_weight` is None when there is none to come.  With method
    Threshold the evidence is not `judged`, only shown, and the checks decide.
    """

    accounts: tuple[Account, ...]
    checks: tuple[CheckAccount, ...]
    judged: bool
    odds: float
    bar: float
    weight: float
    next_weight: float | None


def balance(run: Run) -> Balance | None:
    """The account of a run at its present weight with the next one in mind; None before anything was judged."""
    if run.phase is Phase.PENDING:
        return None
    turned = run.phase.ended or run.phase is Phase.ROLLING_BACK
    goal = None if turned else next_weight(run.spec.steps, run.step)
    evidence, weight = run.evidence, run.desired / 100
    further = None if goal is None else goal / 100
    assessment = verdict(run, goal)
    accounts = tuple(
        _account(evidence, course, finding, further if weight > 0.0 else None)
        for course, finding in zip(evidence.courses, assessment.findings, strict=True)
    )
    odds, bar = 10.0**assessment.overall_worse, 1.0 / evidence.settings.false_rollback
    checks = tuple(CheckAccount(check, state_of(run.checks, check.name)) for check in checks_of(run))
    judged = run.spec.analysis.method is Method.SEQUENTIAL
    return Balance(accounts, checks, judged, odds, bar, weight, further)


def _account(evidence: Evidence, course: Course, finding: Finding, next_weight: float | None) -> Account:
    settings, objective = evidence.settings, course.indicator.measure.objective
    loudest = course.loudest
    return Account(
        name=finding.name,
        slower_than=loudest.boundary if loudest else None,
        asked=bool(course.questions),
        canary=finding.canary,
        stable=finding.stable,
        margin=tolerated(settings),
        allowed=None if objective is None else 1.0 - objective,
        odds=course.evidence(settings),
        bar=course.indicator.far(settings),
        calm=finding.calm,
        proof=None if next_weight is None else _proof(evidence, finding, next_weight),
        note=finding.note,
        control=finding.control,
    )


def _proof(evidence: Evidence, finding: Finding, weight: float) -> Proof | None:
    rung = evidence.rung(weight)
    if rung is None or finding.proof is None:
        return None
    margin = rung_margin(evidence.settings, rung)
    odds, bar = 10.0**finding.proof, 1.0 / evidence.settings.false_promotion
    return Proof(weight, margin, margin.absolute * weight, odds, bar, finding.requests_needed, finding.looks)
