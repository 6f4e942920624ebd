"""What the judge is held to, checked against the very numbers of the tables."""

from collections.abc import Iterator

from bench.beside import CANARIES, EQUAL, name_of
from bench.promises import CALM, edge_name
from bench.report import Size, Summaries, percent, table
from bench.rules import PEERS, PRODUCT, Threshold
from bench.wald import decisions

_PLUS_5 = next(canary for canary in CANARIES if canary.startswith("+5"))
_BUSY = (10.0, 100.0, 1000.0)

Claim = tuple[str, str, bool]


def acceptance(found: Summaries, size: Size) -> str:
    """Claim, what was measured, and whether it holds."""
    claims = [*_promises(found), *_speed(found), *_beside(found), _requests(found, size)]
    return table(["claim", "measured", "holds"], [[claim, measured, _word(holds)] for claim, measured, holds in claims])


def _word(holds: bool) -> str:
    return "yes" if holds else "**no**"


def _promises(found: Summaries) -> Iterator[Claim]:
    for edge, claim, most in (
        ("margin", "false rollbacks on the margin at most 0.5 %", 0.005),
        ("budget", "false promotions on the budget at most 5 %", 0.05),
    ):
        for rps in _BUSY:
            one = found[edge_name(edge, CALM, rps)]
            wrong = one.rolled_back if edge == "margin" else one.promoted
            yield (
                f"{claim}, {rps:.0f} rps",
                f"{percent(wrong, one.runs)} ({wrong} of {one.runs})",
                wrong <= most * one.runs,
            )
    for rps in _BUSY:
        one = found[name_of(EQUAL, rps, PRODUCT)]
        yield (
            f"no false rollback of an equal canary, {rps:.0f} rps",
            f"{one.rolled_back} of {one.runs}",
            not one.rolled_back,
        )


def _speed(found: Summaries) -> Iterator[Claim]:
    for rps in (100.0, 1000.0):
        one = found[name_of(_PLUS_5, rps, PRODUCT)]
        yield (
            f"+5 points rolled back within 45 s, {rps:.0f} rps",
            f"{one.rollback:.0f} s (median)",
            one.rollback <= 45.0,
        )
    one = found[name_of(EQUAL, 10.0, PRODUCT)]
    yield (
        "good canary promoted in at most 10 min, 10 rps",
        f"{one.promotion / 60:.1f} min (median)",
        one.promotion <= 600,
    )


def _beside(found: Summaries) -> Iterator[Claim]:
    for rps in (100.0, 1000.0):
        ours = found[name_of(_PLUS_5, rps, PRODUCT)]
        for rule in PEERS:
            if isinstance(rule, Threshold):
                ratio = found[name_of(_PLUS_5, rps, rule)].failed / ours.failed
                yield (
                    f"+5 points, {rps:.0f} rps: 5 times fewer failures than {rule.name}",
                    f"{ratio:.1f} times",
                    ratio >= 5.0,
                )


def _requests(found: Summaries, size: Size) -> Claim:
    used = [decision.used(found) for decision in decisions(size) if decision.promised]
    return (
        "requests used at most twice Wald's bound, at constant 10 %",
        f"{min(used):.2f} to {max(used):.2f}",
        max(used) <= 2.0,
    )
