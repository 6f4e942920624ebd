"""The account of the evidence in plain words: every number exact, every sentence an answer to a question.

Evidence is told as odds, `3.2 : 1`, because that is what it is: how many times better the data fit the one answer than
the other.  Logarithms stay inside.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from meshshift.core import words
from meshshift.core.words import number, rate

if TYPE_CHECKING:
    from meshshift.core.account import Account, Balance, CheckAccount, Proof
    from meshshift.core.checks import Check
    from meshshift.core.evidence import Counts, Margin


_LEAST = 1e-9


def points(fraction: float) -> str:
    """A difference of rates in percentage points: `0.5 points`, `1 point`."""
    shown = f"{100 * fraction:.3g}"
    return f"{shown} point{'' if shown == '1' else 's'}"


def percent(fraction: float) -> str:
    """A share in percent, as short as it is exact enough: `0.5%`, `25%`."""
    return f"{100 * fraction:.3g}%"


def counted(account: Account) -> str:
    """What was counted of both arms."""
    if not account.asked:
        return "nothing is asked yet"
    verb = "fails" if account.slower_than is None else f"fails or takes over {_time(account.slower_than)} for"
    canary = f"{verb} {rate(account.canary)} ({_part(account.canary)} requests)"
    stable = f"{account.control} {rate(account.stable)} ({_part(account.stable)})"
    said = canary if account.canary.total else "has no request yet"
    return f"the canary {said}, {stable if account.stable.total else f'{account.control} has none'}"


def promotion(account: Account, together: Balance) -> str:
    """What is missing before the next weight; empty if no weight is to come."""
    if together.next_weight is None:
        return ""
    goal = percent(together.next_weight)
    if together.weight <= 0.0:
        return f"To go to {goal} nothing has to be shown: the first weight is taken on faith."
    if account.proof is None:
        return f"To go to {goal} nothing has to be shown: so few requests are at stake."
    return f"To go to {goal} {_proof(account, account.proof)}"


def rollback(account: Account, *, ended: bool = False) -> str:
    """What it takes to roll back because of this indicator alone, and how much of it there is."""
    beyond = f"it fails more than {_line(account.margin, account.control)}"
    if account.allowed is not None:
        beyond += f" and more than its objective's {percent(account.allowed)}"
    when = "at the end" if ended else "now"
    standing = f"To be rolled back: evidence {_odds(account.bar)} that {beyond}; {when} {_odds(account.odds)}."
    suspicious = not account.calm and not ended and account.odds < account.bar
    return f"{standing} It is suspicious: no more weight while that lasts." if suspicious else standing


def combined(together: Balance) -> str:
    """Where all indicators stand together."""
    verdict = "proven worse" if together.odds >= together.bar else "not proven worse"
    return f"evidence {_odds(together.odds)} of the {_odds(together.bar)} that roll back: {verdict}"


def checked(account: CheckAccount, *, ended: bool = False) -> str:
    """Where a check stands: its latest answer, its bounds, and how many failures are left."""
    check, state = account.check, account.state
    bounds = " and ".join(bounded(check))
    said = f"it is {state.value:g}{check.unit}" if state.value is not None else "not answered yet"
    latest = f"no number now ({state.silence})" if state.silence else said
    left = check.failure_limit - state.failures
    failures = f"{state.failures} of {check.failure_limit} failures"
    rest = "" if ended or left <= 0 else f"; {number(left)} more and it is rolled back"
    last = "" if state.failed is None else f" (the last at {state.failed:g}{check.unit})"
    return f"must be {bounds}; {latest}; {failures}{last}{rest}"


def bounded(check: Check) -> list[str]:
    """The bounds of a check: `at least 99.5%`, `at most 0.2`."""
    bounds = (("at least", check.lowest), ("at most", check.highest))
    return [f"{word} {bound:g}{check.unit}" for word, bound in bounds if bound is not None]


def _proof(account: Account, proof: Proof) -> str:
    must = (
        f"it must be shown to cost the whole service less than {points(proof.harm)}, "
        f"that is to fail less than {_line(proof.margin, account.control)}"
    )
    if proof.odds >= proof.bar:
        return f"{must}: shown, evidence {_odds(proof.odds)} of {_odds(proof.bar)}."
    return f"{must}: evidence {_odds(proof.odds)} of {_odds(proof.bar)}, {_missing(account, proof)}."


def _missing(account: Account, proof: Proof) -> str:
    if not account.calm:
        return "and nothing can be shown while it is suspicious"
    if account.canary.total <= 0.0:
        return "no request to the canary counted yet"
    if math.isinf(proof.requests):
        return "and it cannot be shown at these rates"
    looks = f", in {proof.looks} looks or more" if proof.looks > 1 else ""
    return f"about {number(max(1.0, proof.requests))} more requests if it stays as good as {account.control}{looks}"


def _odds(value: float) -> str:
    return words.odds(math.log10(max(value, _LEAST)))


def _line(margin: Margin, control: str) -> str:
    return f"{margin.relative:.3g} × {control} + {points(margin.absolute)}"  # noqa: RUF001 - the sign that people read


def _part(counts: Counts) -> str:
    return f"{number(counts.bad)} of {number(counts.total)}"


def _time(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1.0 else f"{seconds * 1000.0:g} ms"
