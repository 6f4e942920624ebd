"""From what a person wrote (steps, or a ramp) to the complete list of steps of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshshift.core.mesh.cohorts import Extras
from meshshift.core.spec import Analyse, Gate, Pause, SetHeaderRoute, SetMirror, SetWeight, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshshift.core.mesh.cohorts import Cohort

FULL = 100


@dataclass(frozen=True, slots=True)
class Ramp:
    """Weights generated from `start` (1..100) to `max`: each `by` points more, or `factor` times the one before."""

    start: int = 1
    factor: float | None = None
    by: int | None = None
    max: int = FULL


def expand_ramp(ramp: Ramp) -> tuple[SetWeight, ...]:
    """The weights of a ramp, strictly ascending, the last one `max`.

    A factor close to one would repeat a weight after rounding; each step is at least one point, so the list has at most
    100 entries whatever the input.  Raises ValueError unless exactly one of `by` (>= 1) and `factor` (> 1) is given.
    """
    if (ramp.by is None) == (ramp.factor is None):
        raise ValueError("ramp needs exactly one of `by` and `factor`")
    weights, weight, exact = [], ramp.start, float(ramp.start)
    while weight < ramp.max:
        weights.append(weight)
        exact = exact * ramp.factor if ramp.factor is not None else exact + (ramp.by or 1)
        weight = max(weight + 1, min(round(exact), ramp.max))
    return tuple(SetWeight(percent) for percent in (*weights, ramp.max))


def complete(steps: Iterable[Step]) -> tuple[Step, ...]:
    """The steps with the final SetWeight(100) that every shift ends with, if the user left it out."""
    listed = tuple(steps)
    weights = [step.percent for step in listed if isinstance(step, SetWeight)]
    return listed if weights and weights[-1] == FULL else (*listed, SetWeight(FULL))


def describe(step: Step) -> str:
    """One step in a few words, for status and messages."""
    match step:
        case SetWeight(percent):
            return f"setWeight {percent}%"
        case Pause(None):
            return "pause until promoted"
        case Pause(seconds):
            return f"pause {seconds:g} s"
        case SetHeaderRoute(cohort):
            return f"header route {cohort.name}" if cohort.alternatives else f"no header route {cohort.name}"
        case SetMirror(percent):
            return f"mirror {percent}%"
        case Analyse(seconds):
            return f"analysis {seconds:g} s"
        case Gate():
            return f"gate {step.host}"


def extras_at(steps: Sequence[Step], index: int) -> Extras:
    """The cohorts and mirrors in force at the step `index` (-1: before the first), the latest word for each."""
    cohorts: dict[str, Cohort] = {}
    mirror = 0 if any(isinstance(step, SetMirror) for step in steps) else None
    for step in steps[: index + 1]:
        match step:
            case SetHeaderRoute(cohort):
                cohorts[cohort.name] = cohort
            case SetMirror(percent):
                mirror = percent
    return Extras(tuple(each for each in cohorts.values() if each.alternatives), mirror)


def next_weight(steps: tuple[Step, ...], index: int) -> int | None:
    """The weight that the first SetWeight after `index` asks for; None after the last."""
    return next((step.percent for step in steps[index + 1 :] if isinstance(step, SetWeight)), None)
