"""The status of a TrafficShift: what people, `kubectl wait` and GitOps health checks read.

Everything but `checkpoint` can be derived again by looking at the mesh and the telemetry.  `checkpoint` is the
controller's own: the run's state, from which a restarted controller continues.  Lists are bounded where they are made,
so a status cannot outgrow what the API server stores.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from meshshift.core.plain_text import one_line
from meshshift.core.run import Phase  # noqa: TC001 -- pydantic reads annotations at run time

MAX_HISTORY = 20
MAX_CONDITIONS = 16
MAX_VIRTUAL_SERVICES = 32
MAX_MESSAGE = 1024
MAX_WORD = 128
MAX_CHECKPOINT = 1_000_000
"""Characters: more than twice what a run can have whose spec is as large as its limits allow."""


def rfc3339(instant: float) -> str:
    """A unix time in seconds as Kubernetes writes instants: UTC, whole seconds."""
    return datetime.fromtimestamp(int(instant), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shorten(text: str, limit: int = MAX_MESSAGE) -> str:
    """`text` in at most `limit` characters, all of them printable; the cut is shown."""
    line = one_line(text[:limit])
    return line if len(text) <= limit and len(line) <= limit else line[: limit - 1] + "…"


def _cut(limit: int) -> BeforeValidator:
    return BeforeValidator(lambda value: shorten(value, limit) if isinstance(value, str) else value)


def _instant(text: str) -> str:
    """Refuse what no clock has said: the API server's own check of the format is for its clients, not for backups."""
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("an instant without a time zone")
    return text


def _finite(value: object) -> object:
    """JSON has no infinity: a number that is not to be had is absent."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


Sentence = Annotated[str, _cut(MAX_MESSAGE), Field(max_length=MAX_MESSAGE)]
Word = Annotated[str, _cut(MAX_WORD), Field(max_length=MAX_WORD)]
Instant = Annotated[str, AfterValidator(_instant), Field(json_schema_extra={"format": "date-time"})]
MaybeNumber = Annotated[float | None, BeforeValidator(_finite)]


class StatusPart(BaseModel):
    """A part of the status: snake_case in Python, camelCase on the wire; a newer controller's fields are ignored."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, alias_generator=to_camel, populate_by_name=True, ser_json_inf_nan="null"
    )


class StepStatus(StatusPart):
    """Where in its steps the shift is."""

    index: int = Field(ge=0, description="The step under way, counted from 1; 0 before the first.")
    of: int = Field(ge=0, description="How many steps there are.")
    progress: str = Field("", max_length=16, description="index and of in one text, for the printer column.")
    name: Word = Field("", description="The step in words.")
    started_at: Instant | None = Field(None, description="When it began.")

    @classmethod
    def at(cls, index: int, of: int, name: str, started: float | None) -> Self:
        """The step `index` (from 1) of `of`, begun at the unix time `started`."""
        since = None if started is None else rfc3339(started)
        return cls(index=index, of=of, progress=f"{index}/{of}", name=name, started_at=since)


class BaselineStatus(StatusPart):
    """The baseline's share of the traffic, in percent."""

    observed: MaybeNumber = Field(
        None, description="What the VirtualServices say; absent while routes disagree or are not known."
    )
    measured: MaybeNumber = Field(None, description="What the telemetry counted in the last interval.")


class WeightsStatus(StatusPart):
    """The canary's share of the traffic, in percent."""

    desired: int = Field(ge=0, le=100, description="What the controller asks of the mesh.")
    observed: MaybeNumber = Field(
        None, description="What the VirtualServices say; absent while routes disagree or are not known."
    )
    measured: MaybeNumber = Field(None, description="What the telemetry counted in the last interval.")
    baseline: BaselineStatus | None = Field(
        None, description="The baseline's share beside the canary's; absent without spec.baseline."
    )


class VirtualServiceStatus(StatusPart):
    """One VirtualService that carries the shift, and how far it follows."""

    name: str = Field(max_length=511, description="namespace/name of the VirtualService.")
    routes: int = Field(ge=1, description="How many of its routes are shifted.")
    observed: MaybeNumber = Field(
        None, description="The canary's percent as its routes say it; absent while they disagree."
    )
    state: Literal["Current", "Behind", "Drifted"] = Field(
        description="Current: it says what is desired. Behind: it is still to be written. Drifted: somebody else "
        "has written it."
    )


class EvidenceStatus(StatusPart):
    """What one indicator has shown so far in this run."""

    indicator: str = Field(max_length=63, description="Name of the indicator.")
    worse: MaybeNumber = Field(None, description="Evidence that the canary is worse than tolerated, as log10.")
    worse_bar: MaybeNumber = Field(None, description="Where this evidence alone rolls back, as log10.")
    proof: MaybeNumber = Field(
        None, description="Evidence that the next weight keeps the harm budget, as log10; absent if none is needed."
    )
    proof_bar: MaybeNumber = Field(None, description="How much proof the next weight needs, as log10.")
    canary_requests: float = Field(0, description="Requests to the canary in this run.")
    canary_bad: float = Field(0, description="How many of them were bad.")
    stable_requests: float = Field(0, description="Requests to stable in the same seconds.")
    stable_bad: float = Field(0, description="How many of them were bad.")
    canary_rate: MaybeNumber = Field(None, description="Percent of the canary's requests that were bad.")
    stable_rate: MaybeNumber = Field(None, description="Percent of stable's requests that were bad.")
    requests_needed: MaybeNumber = Field(
        None, description="About how many more canary requests the next weight takes; absent if it cannot be had."
    )
    value: MaybeNumber = Field(
        None, description="The latest number of a check; of a rate, percent of good requests in the last interval."
    )
    min: MaybeNumber = Field(None, description="The least value that passes.")
    max: MaybeNumber = Field(None, description="The greatest value that passes.")
    failures: int | None = Field(None, ge=0, description="Failed checks in this run.")
    failure_limit: int | None = Field(None, ge=1, description="How many are too many.")
    note: Sentence | None = Field(None, description="What else a person should know.")


class LastCommandStatus(StatusPart):
    """The last word of a person and what became of it."""

    command: Word = Field(description="The annotation's value.")
    by: Word = Field("", description="Who wrote it, from managedFields.")
    written: Word = Field("", description="When it was written, from managedFields.")
    at: Instant = Field(description="When it was carried out.")
    result: Sentence = Field("", description="What it did, or why it was refused.")


class PolicyStatus(StatusPart):
    """The ShiftPolicy that a part of the spec stands in."""

    name: Word = Field(description="Its name, as policyRef says it now; empty if it names none any more.")
    state: Literal["Current", "Changed", "Missing", "Invalid"] = Field(
        description="Current: the run goes by it. Changed: it says something else since the run began, which the next "
        "run takes. Missing, Invalid: no run can begin; one that is under way goes on with what it was started with."
    )
    message: Sentence = Field("", description="What that means, in words.")


class HistoryEntry(StatusPart):
    """One turn that the shift took."""

    at: Instant = Field(description="When.")
    phase: Phase = Field(description="The phase it entered.")
    reason: Word = Field("", description="Why, in CamelCase.")
    message: Sentence = Field("", description="Why, in words.")
    weight: int | None = Field(None, ge=0, le=100, description="The canary's weight then, in percent.")


class ConditionStatus(StatusPart):
    """A condition in the sense of Kubernetes' metav1.Condition."""

    type: str = Field(max_length=316, description="Ready, Reconciling, Stalled, Progressing, Analyzed or Drifted.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(
        min_length=1,
        max_length=1024,
        pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        description="Why, in CamelCase.",
    )
    message: str = Field("", max_length=32768, description="Why, in words.")
    last_transition_time: Instant = Field(description="When the status changed last.")
    observed_generation: int | None = Field(None, ge=0, description="The generation of the spec that was judged.")

    def after(self, previous: ConditionStatus | None) -> ConditionStatus:
        """This condition with the transition time of `previous` if the status did not change."""
        if previous is None or previous.status != self.status:
            return self
        return self.model_copy(update={"last_transition_time": previous.last_transition_time})


class StatusModel(StatusPart):
    """What the controller knows and does about a shift."""

    phase: Phase | None = Field(None, description="Where the shift is.")
    reason: Word | None = Field(None, description="Why it is there, in CamelCase.")
    message: Sentence | None = Field(None, description="Why it is there, in words.")
    strategy: str | None = Field(None, max_length=32, description="The strategy's name, for the printer column.")
    run_id: str | None = Field(None, max_length=63, description="Identity of this run; a changed spec starts another.")
    observed_generation: int | None = Field(None, ge=0, description="The generation of the spec that was acted upon.")
    step: StepStatus | None = Field(None, description="Where in its steps the shift is.")
    weights: WeightsStatus | None = Field(None, description="The canary's share of the traffic, in percent.")
    virtual_services: tuple[VirtualServiceStatus, ...] = Field(
        (),
        max_length=MAX_VIRTUAL_SERVICES,
        description="The VirtualServices that carry the shift, in order of writing.",
    )
    evidence: tuple[EvidenceStatus, ...] = Field(
        (), max_length=16, description="What each indicator has shown so far in this run."
    )
    policy: PolicyStatus | None = Field(None, description="The ShiftPolicy that a part of the spec stands in.")
    last_command: LastCommandStatus | None = Field(None, description="The last word of a person and its result.")
    history: tuple[HistoryEntry, ...] = Field(
        (), max_length=MAX_HISTORY, description="The turns the shift took, the latest last."
    )
    conditions: tuple[ConditionStatus, ...] = Field(
        (),
        max_length=MAX_CONDITIONS,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        description="Conditions as kstatus and `kubectl wait` read them.",
    )
    checkpoint: str | None = Field(
        None,
        max_length=MAX_CHECKPOINT,
        description="The controller's own: the run's state as compact JSON, from which a restart continues.",
    )

    @classmethod
    def from_wire(cls, status: Any) -> Self:
        """What is stored, as far as it can be understood: a field that makes no sense is left out, alone."""
        known = dict(status) if isinstance(status, Mapping) else {}
        try:
            return cls.model_validate(known)
        except ValidationError as error:
            broken = {part["loc"][0] for part in error.errors(include_url=False, include_input=False)}
            return cls.model_validate({key: value for key, value in known.items() if key not in broken})

    def condition(self, kind: str) -> ConditionStatus | None:
        """The condition of that type, if there is one."""
        return next((each for each in self.conditions if each.type == kind), None)

    def with_conditions(self, *conditions: ConditionStatus) -> Self:
        """The status with these conditions set; transition times stay where the status of one did not change."""
        fresh = {each.type: each.after(self.condition(each.type)) for each in conditions}
        kept = [fresh.pop(each.type, each) for each in self.conditions]
        return self.model_copy(update={"conditions": (*kept, *fresh.values())})

    def with_history(self, entry: HistoryEntry) -> Self:
        """The status with one more turn; the oldest goes once there are more than 20."""
        return self.model_copy(update={"history": (*self.history, entry)[-MAX_HISTORY:]})

    def to_wire(self) -> dict[str, Any]:
        """JSON-ready camelCase without what is unknown; replace the whole /status with it rather than merging."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
