"""Telling other systems of a shift's turns: which turns, and the exact bytes that arrive.

A turn is an entry of `status.history`.  People subscribe to turns by a few words (`Transition`), not by the engine's
reasons, of which there are many and more to come.

What is told comes from elsewhere: names, a person's command, error texts of other systems.  It must stay text.  A JSON
template is therefore parsed first and filled in afterwards, string by string, so no value can add a field, whatever
characters it holds; and in Slack's text `&`, `<` and `>`, which make links and mentions, arrive as characters.
Sources: CloudEvents 1.0.2, its JSON format and its HTTP binding; "Escaping text" in Slack's documentation; "Slack
compatibility" in Mattermost's.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn

from meshshift.core.mesh.documents import Reason
from meshshift.core.run import Phase
from meshshift.core.template import listed, pattern_of, use_of

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLES = {
    "namespace": "namespace of the TrafficShift",
    "name": "name of the TrafficShift",
    "service": "name of the Service",
    "stable": "name of the stable subset",
    "canary": "name of the canary's subset",
    "transition": "the word of `transitions` that the turn belongs to",
    "phase": "`status.phase` after the turn",
    "reason": "why, in CamelCase",
    "message": "why, in words",
    "weight": "the canary's percent of the traffic after the turn; empty without a run",
    "run": "identity of the run; empty without one",
    "time": "when, such as 2026-01-31T12:00:00Z",
    "id": "identity of the turn, the same each time it is told",
}
"""Every variable of a notification's template and its meaning."""

KNOWN = listed(VARIABLES)
PATTERN = pattern_of(VARIABLES)
DEFAULT_TEXT = "*{{namespace}}/{{name}}*: {{phase}}, {{reason}}: {{message}}"
"""What Slack is told where `text` is left out."""

_USE = re.compile(use_of(VARIABLES))
_EVERYBODY = re.compile("@(?=(?:all|channel|everyone|here)\\b)", re.IGNORECASE)
_STARTS = frozenset({"Started", "Retried"})
_COMMANDS = frozenset({"Commanded", "CommandRefused"})
_UNUSABLE = frozenset({Reason.INVALID_SPEC, Reason.CHECKPOINT_UNREADABLE})


class Transition(StrEnum):
    """What people subscribe to; the words of `notifications[].transitions`.  Every turn is exactly one of them."""

    STARTED = "Started"
    ADVANCED = "Advanced"
    PAUSED = "Paused"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    COMMANDED = "Commanded"
    OTHER = "Other"


DEFAULT_TRANSITIONS = (
    Transition.STARTED,
    Transition.PAUSED,
    Transition.ROLLING_BACK,
    Transition.ROLLED_BACK,
    Transition.SUCCEEDED,
    Transition.FAILED,
)
_ENTERED = {
    Phase.ROLLING_BACK: Transition.ROLLING_BACK,
    Phase.ROLLED_BACK: Transition.ROLLED_BACK,
    Phase.SUCCEEDED: Transition.SUCCEEDED,
    Phase.FAILED: Transition.FAILED,
}


@dataclass(frozen=True, slots=True)
class Mark:
    """What the history says of a turn: enough to tell what kind of turn it was."""

    phase: Phase
    reason: str
    weight: int | None

    @property
    def begins(self) -> bool:
        """Does a run begin here?"""
        return self.reason in _STARTS


def transition(turn: Mark, before: Mark | None) -> Transition:
    """The word for a turn; `before` is the turn before it that was not a refused command, None if there is none.

    A refused command changes nothing, although its entry shows the run's own phase where the shift is Paused.
    """
    moved = before is None or before.phase is not turn.phase
    if turn.reason in _COMMANDS:
        return Transition.COMMANDED
    if turn.reason in _UNUSABLE:
        return Transition.FAILED
    if turn.begins:
        return Transition.STARTED
    if turn.phase is Phase.PAUSED and (before is None or moved or before.reason != turn.reason):
        return Transition.PAUSED
    if moved and turn.phase in _ENTERED:
        return _ENTERED[turn.phase]
    rose = (turn.weight or 0) > ((before.weight if before else None) or 0)
    under_way = turn.phase in {Phase.PROGRESSING, Phase.PROMOTING}
    return Transition.ADVANCED if rose and under_way else Transition.OTHER


def is_refusal(turn: Mark) -> bool:
    """Is this the answer to a command that was not carried out?"""
    return turn.reason == "CommandRefused"


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn as it is told.

    `id` is the name of the Event that records the turn, so it is the same whenever and by whomever the turn is told;
    `at` is an RFC 3339 instant.  `run`, `stable` and `canary` are empty where they are not known any more.
    """

    id: str
    at: str
    transition: Transition
    phase: str
    reason: str
    message: str
    weight: int | None
    namespace: str
    name: str
    service: str
    stable: str
    canary: str
    run: str

    def data(self) -> dict[str, Any]:
        """The turn as JSON: the body of a generic webhook and the data of a CloudEvent; the keys are the variables."""
        values = {"time": self.at, "transition": str(self.transition), "phase": str(self.phase)}
        return {name: values[name] if name in values else getattr(self, name) for name in VARIABLES}


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A value that is in a Secret of the shift's namespace."""

    name: str
    key: str


Value = str | SecretKey


@dataclass(frozen=True, slots=True)
class Slack:
    """A message for Slack's incoming webhooks and whatever takes the same; `text` may hold variables."""

    text: str = DEFAULT_TEXT


@dataclass(frozen=True, slots=True)
class Webhook:
    """Any JSON; `body` is a JSON text whose strings may hold variables, None for `Turn.data`."""

    body: str | None = None


class Mode(StrEnum):
    """Where a CloudEvent's attributes go: around the data in the body, or into headers beside it."""

    STRUCTURED = "Structured"
    BINARY = "Binary"


@dataclass(frozen=True, slots=True)
class CloudEvents:
    """CloudEvents 1.0 over HTTP."""

    mode: Mode = Mode.STRUCTURED


Form = Slack | Webhook | CloudEvents


@dataclass(frozen=True, slots=True)
class Header:
    """A header that the receiver asks for."""

    name: str
    value: Value = field(repr=False)


@dataclass(frozen=True, slots=True)
class Notification:
    """Who is told of which turns, and how; `to` is an http or https URL, which is often a secret in itself."""

    form: Form
    to: Value = field(repr=False)
    transitions: frozenset[Transition] = frozenset(DEFAULT_TRANSITIONS)
    headers: tuple[Header, ...] = ()

    @property
    def kind(self) -> str:
        """The field of the spec that it was written under."""
        return {Slack: "slack", Webhook: "webhook", CloudEvents: "cloudEvents"}[type(self.form)]

    @property
    def digest(self) -> str:
        """Identity, 12 hexadecimal digits: the same while it sends the same to the same address."""
        to = self.to if isinstance(self.to, str) else f"{self.to.name}/{self.to.key}"
        return hashlib.sha256(f"{to}\n{self.form}".encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Request:
    """What is posted, apart from the address and the headers that the receiver asks for."""

    body: bytes
    headers: Mapping[str, str]


def request(form: Form, turn: Turn) -> Request:
    """The request that tells of the turn."""
    match form:
        case Slack():
            return _json({"text": _USE.sub(lambda use: _slack(_text(use.group(1), turn)), form.text)})
        case Webhook():
            return _json(turn.data() if form.body is None else _filled(_parsed(form.body), turn))
        case CloudEvents(Mode.BINARY):
            attributes = {f"ce-{name}": _header(value) for name, value in _attributes(turn).items()}
            return Request(_dump(turn.data()), {"content-type": "application/json", **attributes})
        case CloudEvents():
            event = {**_attributes(turn), "datacontenttype": "application/json", "data": turn.data()}
            return Request(_dump(event), {"content-type": "application/cloudevents+json; charset=utf-8"})


def has_known_variables(template: str) -> bool:
    """Does every `{{` in the template begin a variable that exists?"""
    return re.fullmatch(PATTERN[1:-1], template) is not None


def is_json(body: str) -> bool:
    """Is a webhook's `body` JSON, with its variables inside of strings?"""
    try:
        _parsed(body)
    except (ValueError, RecursionError):
        return False
    return True


def _attributes(turn: Turn) -> dict[str, str]:
    """The context attributes; `source` and `id` together name the turn."""
    return {
        "specversion": "1.0",
        "id": turn.id,
        "source": f"/apis/meshshift.io/v1alpha1/namespaces/{turn.namespace}/trafficshifts/{turn.name}",
        "type": f"io.meshshift.trafficshift.{turn.transition.lower()}",
        "subject": f"{turn.namespace}/{turn.name}",
        "time": turn.at,
    }


def _json(value: Any) -> Request:
    return Request(_dump(value), {"content-type": "application/json"})


def _dump(value: Any) -> bytes:
    """In ASCII, so that no receiver has to guess an encoding, and a half of a pair of surrogates is no error."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")


def _parsed(body: str) -> Any:
    return json.loads(body, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _filled(value: Any, turn: Turn) -> Any:
    """The template with its variables filled in; a string that is nothing but `{{weight}}` becomes the number."""
    match value:
        case str():
            alone = _USE.fullmatch(value)
            if alone and alone.group(1) == "weight":
                return turn.weight
            return _USE.sub(lambda use: _text(use.group(1), turn), value)
        case list():
            return [_filled(each, turn) for each in value]
        case dict():
            return {key: _filled(each, turn) for key, each in value.items()}
    return value


def _text(name: str, turn: Turn) -> str:
    value = turn.data()[name]
    return "" if value is None else str(value)


def _slack(text: str) -> str:
    """Slack reads mentions only in `<…>`; others that take its webhooks also read these bare ones."""
    text = _EVERYBODY.sub("@\u200b", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _header(value: str) -> str:
    """An attribute as the HTTP binding writes it: space, `"`, `%` and whatever is not ASCII as %XX of UTF-8."""
    return "".join(
        char
        if "!" <= char <= "~" and char not in '"%'
        else "".join(f"%{byte:02X}" for byte in char.encode(errors="replace"))
        for char in value
    )
