"""What a scenario is, as data: which version replaces which, what goes wrong on purpose, and what must come of it.

A scenario is a claim about the controller.  Its expectations stand beside its events, so that the same lines which a
person reads as the story decide whether the program exits with 0.  Nothing here runs anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import groupby
from textwrap import indent
from typing import TYPE_CHECKING, Any

import yaml

from meshshift.api.annotations import IN_PLACE
from meshshift.lab.load import Cohort

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshshift.core.run import Phase

NAME = "reviews"
NAMESPACE = "bookinfo"
RECEIVER = "http://receiver.lab"
"""Where gates and notifications of a story go; on the stage, the address that the lab's receiver has (`Act.on`)."""
STEPS = (5, 10, 25, 50)
"""The canary's weights where an act says nothing else, in percent; the controller adds the last one, 100."""


CANARY = f"""\
canary:
  steps: [{", ".join(f"{{setWeight: {weight}}}" for weight in STEPS)}]
  minStepDuration: 4s"""


BY_ERRORS = "{interval: 2s, warmup: 2s, indicators: [{name: success-rate, successRate: {}}]}"
"""For stories that are not about the judge: a busy machine makes slow answers in clumps, and proof of latency late."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the sample app; the defaults are those of `istio/app.yaml`, a healthy one.

    `error_rate` is a fraction 0..1, the latencies are the median and the 99th percentile in milliseconds.  `replicas`
    are its pods; what is to take all traffic at once needs as many as the version before (two of v1).  The first
    `cold_requests` of a pod take 200 ms longer.
    """

    name: str
    words: str
    error_rate: float = 0.001
    latency_ms: float = 5.0
    latency_p99_ms: float = 25.0
    replicas: int = 1
    cold_requests: int = 0


@dataclass(frozen=True, slots=True)
class Outage:
    """Prometheus accepts connections and answers nothing for `seconds`, once the canary's weight is `at_weight`."""

    at_weight: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must be so when the shift is over.

    `phase`, `reason`: how it ends; RollingBack if the next act begins while it is on its way back. `blames`: the
    indicator that the final message starts with, if any. `peak`: the most weight, in percent, that the canary may ever
    have had. `held`: for how many seconds of the outage, at least, the weight must not move. `said`: the reasons of
    which one must have been shown during the outage. `first`: the cohort of clients that must meet the canary while it
    has no weight yet, when nobody else may. `copies`: how many requests, at least, the canary must have taken up while
    it has no weight and nobody may get an answer of it. `waits`: how often the gate must have said wait before its last
    word, while the weight may not move. `told`: the turns that must have been told to the receiver, in order. `sticky`:
    whether clients that keep cookies must stay on the version they have met until it is decided how the shift ends.
    """

    phase: Phase
    reason: str
    blames: str = ""
    peak: int = 100
    held: float = 0.0
    said: frozenset[str] = frozenset()
    first: str = ""
    copies: int = 0
    waits: int = 0
    told: tuple[str, ...] = ()
    sticky: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """One shift: from the version `stable` to `canary`; `promise` tells a person what is going to happen.

    `strategy` is its YAML below `spec.strategy`, and `weights` are the canary's weights before 100 % by it; `more` is
    the YAML of further fields of its spec.  `group` is its `spec.group`: acts of one group are shifts of several
    services that begin at once.  `analysis` is its `spec.analysis` on one line.  `baseline` is started with the canary;
    its subset is added by its version label.
    """

    stable: str
    canary: Version
    promise: str
    expected: Expectation
    outage: Outage | None = None
    timeout: float = 150.0
    weights: tuple[int, ...] = STEPS
    strategy: str = CANARY
    more: str = ""
    service: str = NAME
    group: str = ""
    baseline: Version | None = None
    analysis: str = "{interval: 2s, warmup: 2s}"

    @property
    def fresh(self) -> tuple[Version, ...]:
        """The versions whose pods are started for the act."""
        return (self.canary,) if self.baseline is None else (self.canary, self.baseline)

    def on(self, receiver: str) -> Act:
        """The act with the address of a running receiver in place of `RECEIVER`."""
        strategy, more = (text.replace(RECEIVER, receiver) for text in (self.strategy, self.more))
        return replace(self, strategy=strategy, more=more)

    @property
    def title(self) -> str:
        """The move in two words; in three, if there are others beside it."""
        return f"{self.of}{self.stable} → {self.canary.name}"

    @property
    def who(self) -> str:
        """The version under test, as it is called in sentences and counts (`Traffic.answered`)."""
        return f"{self.of}{self.canary.name}"

    @property
    def of(self) -> str:
        """The service in front of a version's name, where there are several."""
        return f"{self.service} " if self.group else ""


@dataclass(frozen=True, slots=True)
class OptIn:
    """A Service that opts in: from then on new versions alone are applied, and no TrafficShift is written.

    `annotations` are the Service's, without `meshshift.io/`; `policy` is the spec of the ShiftPolicy that they name, on
    one line.
    """

    annotations: Mapping[str, str]
    policy: str

    @property
    def in_place(self) -> bool:
        """Whether new versions are images of one Deployment, or Deployments of their own."""
        return self.annotations.get("workload") == IN_PLACE


@dataclass(frozen=True, slots=True)
class Scenario:
    """Acts that follow each other on the same mesh, each only if the one before ended as expected.

    `clients` are the cohorts that the load is made of.  With `opt_in` the acts are begun by new versions alone, in a
    mesh without any VirtualService or DestinationRule at first; an act's `weights` are all that counts of its spec.
    """

    name: str
    title: str
    acts: tuple[Act, ...] = ()
    clients: tuple[Cohort, ...] = (Cohort(),)
    opt_in: OptIn | None = None

    @property
    def scenes(self) -> tuple[tuple[Act, ...], ...]:
        """The acts, those together that begin at once."""
        numbered = groupby(enumerate(self.acts), lambda each: each[1].group or each[0])
        return tuple(tuple(act for _, act in scene) for _, scene in numbered)

    @property
    def services(self) -> tuple[str, ...]:
        """All services that are shifted, `NAME` first: it is always there."""
        return tuple(dict.fromkeys([NAME, *(act.service for act in self.acts)]))


def manifest(act: Act) -> str:
    """The TrafficShift of an act, as a person would write it: this text is both shown and applied."""
    strategy = indent(act.strategy, " " * 4)
    group = f"  group: {{name: {act.group}}}\n" if act.group else ""
    fresh = act.baseline.name if act.baseline else ""
    baseline = f"  baseline: {{subset: {fresh}, labels: {{version: {fresh}}}}}\n" if fresh else ""
    more = indent(act.more.rstrip() + "\n", " " * 2) if act.more else ""
    return f"""\
apiVersion: meshshift.io/v1alpha1
kind: TrafficShift
metadata: {{name: {act.service}, namespace: {NAMESPACE}}}
spec:
  service: {act.service}
  stable: {{subset: {act.stable}}}
  canary: {{subset: {act.canary.name}}}
{baseline}  strategy:
{strategy}
  analysis: {act.analysis}
{more}{group}"""


def document(act: Act) -> dict[str, Any]:
    """The TrafficShift of an act as the API server takes it."""
    parsed: dict[str, Any] = yaml.safe_load(manifest(act))
    return parsed


def command(act: Act, after: Act | None = None) -> str:
    """What a person would type to start this act: the whole object, or only who is shifted if that is all that changes.

    `after` is the act before it.
    """
    if after is None or manifest(replace(after, stable=act.stable, canary=act.canary)) != manifest(act):
        return f"kubectl apply -f - <<EOF\n{manifest(act)}EOF"
    change = json.dumps({"spec": {"stable": {"subset": act.stable}, "canary": {"subset": act.canary.name}}})
    return f"kubectl -n {NAMESPACE} patch trafficshift {act.service} --type merge -p '{change}'"
