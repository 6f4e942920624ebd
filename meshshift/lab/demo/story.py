"""What a scenario is, as data: which version replaces which, what goes wrong on purpose, and what must come of it.

A scenario is a claim about the controller.  Its expectations stand beside its events, so that the same lines which a
person reads as the story decide whether the program exits with 0.  Nothing here runs anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from textwrap import indent
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from meshshift.core.run import Phase

NAME = "reviews"
NAMESPACE = "bookinfo"
STEPS = (5, 10, 25, 50)
"""The canary's weights where an act says nothing else, in percent; the controller adds the last one, 100."""


CANARY = f"""\
canary:
  steps: [{", ".join(f"{{setWeight: {weight}}}" for weight in STEPS)}]
  minStepDuration: 4s"""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the sample app; the defaults are those of `istio/app.yaml`, a healthy one.

    `error_rate` is a fraction 0..1, the latencies are the median and the 99th percentile in milliseconds.
    """

    name: str
    words: str
    error_rate: float = 0.001
    latency_ms: float = 5.0
    latency_p99_ms: float = 25.0


@dataclass(frozen=True, slots=True)
class Outage:
    """Prometheus accepts connections and answers nothing for `seconds`, once the canary's weight is `at_weight`."""

    at_weight: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must be so when the shift is over.

    `phase`, `reason`: how it ends.  `blames`: the indicator that the final message starts with, if any.  `peak`: the
    most weight, in percent, that the canary may ever have had.  `held`: for how many seconds of the outage, at least,
    the weight must not move.  `said`: the reasons of which one must have been shown during the outage.
    """

    phase: Phase
    reason: str
    blames: str = ""
    peak: int = 100
    held: float = 0.0
    said: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Act:
    """One shift: from the subset `stable` to `canary`; `promise` tells a person what is going to happen.

    `strategy` is its YAML below `spec.strategy`, and `weights` are the canary's weights before 100 % by it.
    """

    stable: str
    canary: Version
    promise: str
    expected: Expectation
    outage: Outage | None = None
    timeout: float = 150.0
    weights: tuple[int, ...] = STEPS
    strategy: str = CANARY

    @property
    def title(self) -> str:
        """The move in two words."""
        return f"{self.stable} → {self.canary.name}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """Acts that follow each other on the same mesh, each only if the one before ended as expected."""

    name: str
    title: str
    acts: tuple[Act, ...] = ()


def manifest(act: Act) -> str:
    """The TrafficShift of an act, as a person would write it: this text is both shown and applied."""
    strategy = indent(act.strategy, " " * 4)
    return f"""\
apiVersion: meshshift.io/v1alpha1
kind: TrafficShift
metadata: {{name: {NAME}, namespace: {NAMESPACE}}}
spec:
  service: {NAME}
  stable: {{subset: {act.stable}}}
  canary: {{subset: {act.canary.name}}}
  strategy:
{strategy}
  analysis: {{interval: 2s, warmup: 2s}}
"""


def document(act: Act) -> dict[str, Any]:
    """The TrafficShift of an act as the API server takes it."""
    parsed: dict[str, Any] = yaml.safe_load(manifest(act))
    return parsed


def command(act: Act, *, first: bool) -> str:
    """What a person would type to start this act: the whole object at first, later only who is shifted."""
    if first:
        return f"kubectl apply -f - <<EOF\n{manifest(act)}EOF"
    change = json.dumps({"spec": {"stable": {"subset": act.stable}, "canary": {"subset": act.canary.name}}})
    return f"kubectl -n {NAMESPACE} patch trafficshift {NAME} --type merge -p '{change}'"
