"""Gates as users write them: a step that goes on once an HTTP receiver says so.

The address is for everybody to read, and so is its host in every message; what proves that it is meshshift who asks
can stand in a Secret of the shift's own namespace.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictInt, StrictStr

from meshshift.api.durations import parse_duration
from meshshift.api.notifications import MAX_URL, ValueFromModel, secret_key
from meshshift.api.wire import URL, Duration, Rule, WireModel
from meshshift.core.spec import Gate, OnFailure

MAX_RETRIES = 10


class GateModel(WireModel):
    """Ask by a POST whether to go on: 2xx goes on, 409 and 425 wait, every other answer does as onFailure says."""

    url: Annotated[StrictStr, Field(max_length=MAX_URL, pattern=URL)] = Field(
        description="An http or https address, for everybody to read. Redirects are not followed."
    )
    timeout: Duration = Field("10s", description="How long one attempt may take; at most 1m.")
    interval: Duration = Field(
        "15s", description="Time until the next attempt, after one that was told to wait or that failed; 1s to 1h."
    )
    retries: Annotated[StrictInt, Field(ge=0, le=MAX_RETRIES)] = Field(
        2, description="How many attempts in a row may fail before onFailure: no answer, 408, 429 or 5xx."
    )
    on_failure: OnFailure | None = Field(
        None, description="What an answer that neither goes on nor waits does; default: the onFailure of the shift."
    )
    bearer_from: ValueFromModel | None = Field(
        None, description="A token that is sent as Authorization: Bearer, where only the controller reads it."
    )

    RULES = (
        Rule(
            "the timeout must be above 0s and at most 1m; write e.g. 10s",
            lambda gate: 0 < parse_duration(gate.timeout) <= 60,
            cel="duration(self.timeout) > duration('0s') && duration(self.timeout) <= duration('1m')",
            at="timeout",
        ),
        Rule(
            "the interval must be from 1s to 1h; write e.g. 15s",
            lambda gate: 1 <= parse_duration(gate.interval) <= 3600,
            cel="duration(self.interval) >= duration('1s') && duration(self.interval) <= duration('1h')",
            at="interval",
        ),
    )


def gate_of(model: GateModel) -> Gate:
    """The gate in core's words."""
    return Gate(
        url=model.url,
        timeout=parse_duration(model.timeout),
        interval=parse_duration(model.interval),
        retries=model.retries,
        on_failure=model.on_failure,
        bearer=None if model.bearer_from is None else secret_key(model.bearer_from),
    )
