"""What is said to a gate, what it may answer, and what a run remembers of it.

A question is put again under the same `key` until an answer to it has arrived, so a gate that keeps to idempotency keys
starts nothing twice: neither after a lost answer nor after a restart of the controller.  An answer, whatever it says,
ends the question; the next one has a new key, or such a gate would repeat its "wait" for ever.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshshift.core.spec import Gate


class Word(StrEnum):
    """What an answer means to the shift."""

    OPEN = "Open"
    WAIT = "Wait"
    FAILED = "Failed"
    REFUSED = "Refused"


@dataclass(frozen=True, slots=True)
class Answered:
    """An HTTP answer: its status, and the gate's own words for people, empty if it has none."""

    status: int
    message: str = ""

    @property
    def word(self) -> Word:
        """2xx opens; 409 Conflict and 425 Too Early ask for patience; 408, 429 and 5xx are trouble that may pass."""
        if 200 <= self.status < 300:
            return Word.OPEN
        if self.status in {409, 425}:
            return Word.WAIT
        return Word.FAILED if self.status in {408, 429} or self.status >= 500 else Word.REFUSED

    def __str__(self) -> str:
        return f"{self.status}: {self.message}" if self.message else str(self.status)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Why there is no answer, in words that hold no address and no secret."""

    reason: str

    @property
    def word(self) -> Word:
        """What cannot be reached never opens."""
        return Word.FAILED

    def __str__(self) -> str:
        return self.reason


Reply = Answered | Unanswered


@dataclass(frozen=True, slots=True)
class GateState:
    """How far a gate has been asked.

    `answers` arrived in all; `failures` are the latest attempts in a row that brought no answer, or only trouble.
    `asked` is the unix time of the last reply, None before the first; `said` what it was.
    """

    answers: int = 0
    failures: int = 0
    asked: float | None = None
    opened: bool = False
    said: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question: which step of which run (1..`of`, as status.step counts), and what is at stake.

    `weight` is the canary's percent of the traffic at present; `attempt` counts the questions of this gate from 1.
    """

    gate: Gate
    run: str
    step: int
    of: int
    attempt: int
    weight: int
    strategy: str
    service: str
    stable: str
    canary: str

    @property
    def id(self) -> str:
        """Identity of the gate's turn: the same for every attempt."""
        return f"{self.run}.{self.step}"

    @property
    def key(self) -> str:
        """Identity of this very question, as the header Idempotency-Key has it."""
        return f"{self.id}.{self.attempt}"

    def body(self, namespace: str, name: str) -> bytes:
        """The JSON that is posted for the TrafficShift `namespace`/`name`."""
        said = {
            "namespace": namespace,
            "name": name,
            "service": self.service,
            "stable": self.stable,
            "canary": self.canary,
            "strategy": self.strategy,
            "run": self.run,
            "step": self.step,
            "of": self.of,
            "weight": self.weight,
            "attempt": self.attempt,
            "id": self.id,
        }
        return json.dumps(said, separators=(",", ":")).encode()
