"""The account of the evidence in plain words: every number exact, every sentence an answer to a question.

Evidence is told as odds, `3.2:1`, because that is what it is: how many times better the data fit the one answer than
the other.  Logarithms stay inside.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from meshshift.core.words import number, rate

if TYPE_CHECKING:
    from meshshift.core.account import Account, Balance, Proof
    from meshshift.core.evidence import Counts, Margin


def odds(value: float) -> str:
    """Odds against one: `0.5:1`, `12:1`, `1,204:1`; two significant digits below ten."""
    if value < 0.01:
        return "<0.01:1"
    if value >= 1e9:
        return f"over {number(1e9)}:1"
    return f"{value:.2g}:1" if value < 10 else f"{number(value)}:1"


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
    canary = f"{rate(account.canary)} ({_part(account.canary)} requests)" if account.canary.total else "no request yet"
    stable = f"{rate(account.stable)} ({_part(account.stable)})" if account.stable.total else "no request yet"
    return f"the canary {verb} {canary}, stable {stable}"


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
    beyond = f"it fails more than {_line(account.margin)}"
    if account.allowed is not None:
        beyond += f" and more than its objective's {percent(account.allowed)}"
    when = "at the end" if ended else "now"
    standing = f"To be rolled back: evidence {odds(account.bar)} that {beyond}; {when} {odds(account.odds)}."
    suspicious = not account.calm and not ended and account.odds < account.bar
    return f"{standing} It is suspicious: no more weight while that lasts." if suspicious else standing


def combined(together: Balance) -> str:
    """Where all indicators stand together."""
    verdict = "proven worse" if together.odds >= together.bar else "not proven worse"
    return f"evidence {odds(together.odds)} of the {odds(together.bar)} that roll back: {verdict}"


def _proof(account: Account, proof: Proof) -> str:
    must = (
        f"it must be shown to cost the whole service less than {points(proof.harm)}, "
        f"that is to fail less than {_line(proof.margin)}"
    )
    if proof.odds >= proof.bar:
        return f"{must}: shown, evidence {odds(proof.odds)} of {odds(proof.bar)}."
    return f"{must}: evidence {odds(proof.odds)} of {odds(proof.bar)}, {_missing(account, proof)}."


def _missing(account: Account, proof: Proof) -> str:
    if not account.calm:
        return "and nothing can be shown while it is suspicious"
    if account.canary.total <= 0.0:
        return "no request to the canary counted yet"
    if math.isinf(proof.requests):
        return "and it cannot be shown at these rates"
    return f"about {number(max(1.0, proof.requests))} more requests if it stays as good as stable"


def _line(margin: Margin) -> str:
    return f"{margin.relative:.3g} × stable + {points(margin.absolute)}"  # noqa: RUF001 - the sign that people read


def _part(counts: Counts) -> str:
    return f"{number(counts.bad)} of {number(counts.total)}"


def _time(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1.0 else f"{seconds * 1000.0:g} ms"
