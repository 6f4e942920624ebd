"""One screen that a stranger understands: who is shifted, how far, on what evidence, and what it cost.

The screen is made of lines of text from one frame, without looking at anything else, so a canned frame renders to a
golden file.  It needs 80 columns and 24 lines; more columns make the bars longer, more lines show more of the past.
Evidence is told in requests and as bars that are full when the decision falls; the logarithms stay inside.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from meshshift.core.run import Phase
from meshshift.lab.demo.drawing import WIDEST, bar, header, joined, past, rule, share, situation, traffic_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshshift.api.status import EvidenceStatus
    from meshshift.lab.demo.frame import Frame

_BACK = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK})
_CALM = 1 / 3
"""An alarm above a third of its bar, in logarithms, keeps the canary from getting more traffic."""


def screen(frame: Frame, width: int, height: int) -> Text:
    """The frame as at most `height` lines of `width` columns (80 or more of each are used well)."""
    columns = min(width, WIDEST)
    top = [*_header(frame, columns), *_weights(frame, columns), *_evidence(frame, columns)]
    bottom = [rule("traffic", columns), traffic_line(frame)]
    room = height - len(top) - len(bottom) - 1
    told = [rule("what happened", columns), *past(frame.turns(), columns, room)] if room > 0 else []
    return joined([*top, *told, *bottom], columns)


def _header(frame: Frame, columns: int) -> list[Text]:
    title = f" {frame.act.service}: {frame.act.title} ({frame.act.canary.words})"
    aside = [Text(f" !! {frame.aside}", style="bold black on yellow")] if frame.aside else []
    return [header(title, frame, columns), *situation(frame.status, columns, 3), *aside]


def _weights(frame: Frame, columns: int) -> list[Text]:
    weights = frame.status.weights
    canary = frame.act.canary.name
    length = columns - 38
    desired = None if weights is None else float(weights.desired)
    observed, measured = (weights.observed, weights.measured) if weights else (None, None)
    return [
        rule(f"share of the traffic that {canary} gets", columns),
        _steps(frame),
        share("asked for", desired, length),
        share("in the mesh", observed, length),
        share("measured", measured, length),
    ]


def _steps(frame: Frame) -> Text:
    """The steps, with those behind, the one under way and those to come told apart."""
    status = frame.status
    weight = status.weights.desired if status.weights else 0
    reached, back = _reached(frame), status.phase in _BACK
    parts: list[str | tuple[str, str]] = [f" {'steps':<14}"]
    for step in (*frame.act.weights, 100):
        if back:
            parts.append((f"✗ {step}%   ", "red") if step <= reached else (f"  {step}%   ", "dim"))
        elif step == weight and status.phase is not Phase.SUCCEEDED:
            parts += [(f"▶ {step}%", "bold reverse cyan"), "   "]
        else:
            parts.append((f"✓ {step}%   ", "green") if step <= weight else (f"  {step}%   ", "dim"))
    if back:
        parts.append((f"everything back to {frame.act.stable}", "red"))
    return Text.assemble(*parts)


def _evidence(frame: Frame, columns: int) -> list[Text]:
    canary, stable = frame.act.canary.name, frame.act.stable
    lines = [rule(f"is {canary} worse than {stable}?", columns)]
    if not frame.status.evidence:
        return [*lines, Text(" learning how the service behaves before anything moves", style="dim")]
    target = _next_weight(frame)
    proof = f"proof that {target}% is safe" if target else "proof"
    spare = max(0, columns - 80) // 2
    lines.append(
        Text(f" {'bad answers':<12} {canary:>6} {stable:>6}   {proof:<{31 + spare}}alarm", style="dim"),
    )
    back = frame.status.phase in _BACK
    for one in frame.status.evidence:
        lines += _indicator(one, (0.0, "no longer asked") if back else _proof(one), spare, columns)
    explanation = "a full alarm rolls back; it is wrong for at most 1 good version in 100"
    if back and "odds" in (frame.status.message or ""):
        explanation = "odds of 100 : 1 roll back; they are wrong for at most 1 good version in 100"
    return [*lines, Text(f" {explanation}", style="dim")]


def _indicator(one: EvidenceStatus, proof: tuple[float, str], spare: int, columns: int) -> list[Text]:
    alarm, word, colour = _alarm(one)
    row = Text.assemble(
        f" {one.indicator:<12.12} {_rate(one.canary_rate):>6} {_rate(one.stable_rate):>6}   ",
        *bar(proof[0], 9 + spare, "green"),
        f" {proof[1]:<21.21}",
        *bar(alarm, 8 + spare, colour),
        (f" {word}", colour),
    )
    if not one.note:
        return [row]
    note = f"bad = {one.note}" if one.note.startswith("failed") else one.note
    return [row, Text(f"   {textwrap.shorten(note, columns - 4, placeholder=' …')}", style="dim")]


def fullest_alarm(evidence: Sequence[EvidenceStatus], length: int) -> list[str | tuple[str, str]]:
    """The alarm that is nearest to a rollback, as a bar of `length` cells and a word."""
    if not evidence:
        return [("nothing to judge yet", "dim")]
    filled, word, colour = max(map(_alarm, evidence), key=lambda alarm: alarm[0])
    return ["alarm ", *bar(filled, length, colour), (f" {word}", colour)]


def _alarm(one: EvidenceStatus) -> tuple[float, str, str]:
    """How full the alarm is, in a word, and its colour."""
    if one.worse is None or not one.worse_bar:
        return 0.0, "not known", "dim"
    share = max(0.0, one.worse / one.worse_bar)
    if share >= 1.0:
        return 1.0, "proven", "bold red"
    return (share, "suspicious", "yellow") if share > _CALM else (share, "calm", "green")


def _proof(one: EvidenceStatus) -> tuple[float, str]:
    """How much of the requests that the next weight takes there are, and the same in words."""
    if one.proof is None:
        return 1.0, "none needed"
    if one.requests_needed is None:
        return 0.0, "not at these rates"
    if not one.requests_needed:
        return 1.0, f"{one.canary_requests:,.0f}: enough"
    total = one.canary_requests + one.requests_needed
    words = f"{one.canary_requests:,.0f} of ~{total:,.0f}"
    return one.canary_requests / total, f"{words} requests" if len(words) <= 11 else words


def _next_weight(frame: Frame) -> int | None:
    reached = _reached(frame)
    return next((step for step in (*frame.act.weights, 100) if step > reached), None)


def _reached(frame: Frame) -> int:
    """The most weight that the canary had in this act, in percent."""
    now = frame.status.weights.desired if frame.status.weights else 0
    return max(now, *(entry.weight or 0 for _, entry in frame.turns()), 0)


def _rate(percent: float | None) -> str:
    if percent is None:
        return "-"
    return f"{percent:.2f}%" if percent < 10 else f"{percent:.1f}%"
