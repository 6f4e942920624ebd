"""What the judge says of a run: at its present weight, about the next one, against the control that it has."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshshift.core.steps import FULL

if TYPE_CHECKING:
    from meshshift.core.judge import Assessment
    from meshshift.core.run import Run


def verdict(run: Run, goal: int | None) -> Assessment:
    """The assessment with the weight `goal` (percent) in mind, None if no weight is to come."""
    weight, further = run.desired / FULL, None if goal is None else goal / FULL
    if run.spec.baseline is None:
        return run.evidence.assess(weight, further)
    beside = run.shares.baseline / FULL
    found = run.evidence.assess(weight, further, beside)
    return replace(found, findings=tuple(replace(each, control="baseline") for each in found.findings))
