"""Who is told of a shift's turns, as users write it: the `notifications` of a TrafficShift.

An address is often a secret (whoever knows a Slack webhook may post to it), so it can stand in a Secret of the shift's
own namespace, and no error, Event or log line shows what was read from there.  Notifications are no part of a run: they
are read by themselves, take effect with the next turn, and a spec that is invalid elsewhere is still told of.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import Field, StrictStr

from meshshift.api.wire import (
    HEADER_VALUE,
    MAX_HEADER_VALUE,
    URL,
    HeaderName,
    HeaderValue,
    ObjectName,
    Rule,
    SecretEntry,
    WireModel,
)
from meshshift.core import notices
from meshshift.core.notices import KNOWN, PATTERN, Mode, Transition, has_known_variables, is_json

MAX_NOTIFICATIONS = 8
MAX_TEMPLATE = 2048
MAX_URL = 2048
MAX_HEADERS = 16
RESERVED_HEADERS = (
    "host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*|cookie|ce-.*"
)
"""Headers that belong to the connection, to the body, or to the CloudEvent; in lower case."""

_Url = Annotated[StrictStr, Field(max_length=MAX_URL, pattern=URL)]
_Template = Annotated[StrictStr, Field(min_length=1, max_length=MAX_TEMPLATE)]
_UNKNOWN_VARIABLE = f"a variable that does not exist; use {KNOWN}"
_CEL_PATTERN = PATTERN.replace("\\", "\\\\")


_ONE_ADDRESS = Rule(
    "exactly one of url and urlFrom is needed; write e.g. urlFrom: {secretKeyRef: {name: hooks, key: url}}",
    lambda target: (target.url is None) != (target.url_from is None),
    cel="has(self.url) != has(self.urlFrom)",
    about=("url", "urlFrom"),
)


class SecretKeyRefModel(WireModel):
    """One entry of a Secret in the namespace of the TrafficShift."""

    name: ObjectName = Field(description="Name of the Secret.")
    key: SecretEntry = Field(description="The entry in its data.")


class ValueFromModel(WireModel):
    """Where a value is read, each time it is needed."""

    secret_key_ref: SecretKeyRefModel = Field(description="An entry of a Secret in the namespace of this TrafficShift.")


class HeaderModel(WireModel):
    """A header that the receiver asks for."""

    name: HeaderName = Field(description="Name of the header, such as Authorization.")
    value: HeaderValue | None = Field(None, description="Its value, for everybody to read.")
    value_from: ValueFromModel | None = Field(None, description="Its value, where only the controller reads it.")

    RULES = (
        Rule(
            "a header takes exactly one of value and valueFrom; "
            "write e.g. valueFrom: {secretKeyRef: {name: hooks, key: token}}",
            lambda header: (header.value is None) != (header.value_from is None),
            cel="has(self.value) != has(self.valueFrom)",
            about=("value", "valueFrom"),
        ),
        Rule(
            "this header is set by meshshift or by the connection; remove it",
            lambda header: re.fullmatch(RESERVED_HEADERS, header.name.lower()) is None,
            cel=f"!self.name.matches('(?i)^({RESERVED_HEADERS})$')",
            at="name",
        ),
    )


class _TargetModel(WireModel):
    """Where a notification is posted to."""

    RULES: ClassVar[tuple[Rule, ...]] = (_ONE_ADDRESS,)

    url: _Url | None = Field(None, description="An http or https address, for everybody to read.")
    url_from: ValueFromModel | None = Field(None, description="The address, where only the controller reads it.")


class SlackModel(_TargetModel):
    """An incoming webhook of Slack, or of anything that takes the same (Mattermost, Rocket.Chat, Discord's /slack)."""

    text: _Template = Field(
        notices.DEFAULT_TEXT, description=f"The message in Slack's markup, with variables: {KNOWN}."
    )

    RULES = (
        _ONE_ADDRESS,
        Rule(
            f"text has {_UNKNOWN_VARIABLE}",
            lambda slack: has_known_variables(slack.text),
            cel=f"self.text.matches('{_CEL_PATTERN}')",
            at="text",
        ),
    )


class _AnyHeadersModel(_TargetModel):
    """A receiver that may ask for headers."""

    headers: tuple[HeaderModel, ...] | None = Field(
        None, min_length=1, max_length=MAX_HEADERS, description="Headers that the receiver asks for."
    )


def _headers_differ(target: _AnyHeadersModel) -> bool:
    names = [header.name for header in target.headers or ()]
    return len(set(names)) == len(names)


_NO_HEADER_TWICE = Rule(
    "headers must not name one header twice; leave one out",
    _headers_differ,
    cel="!has(self.headers) || self.headers.all(a, self.headers.exists_one(b, a.name == b.name))",
    at="headers",
)


class WebhookModel(_AnyHeadersModel):
    """Any receiver of JSON."""

    body: _Template | None = Field(
        None,
        description="JSON whose strings may hold variables; default: an object of all of them. "
        f"Variables: {KNOWN}. A string that is nothing but {{{{weight}}}} becomes a number, or null.",
    )

    RULES = (
        _ONE_ADDRESS,
        _NO_HEADER_TWICE,
        Rule(
            f"body has {_UNKNOWN_VARIABLE}",
            lambda webhook: webhook.body is None or has_known_variables(webhook.body),
            cel=f"!has(self.body) || self.body.matches('{_CEL_PATTERN}')",
            at="body",
        ),
        Rule(
            'body must be JSON with its variables inside of strings; write e.g. {"text": "{{message}}"}',
            lambda webhook: webhook.body is None or is_json(webhook.body),
            cel=None,
            at="body",
        ),
    )


class CloudEventsModel(_AnyHeadersModel):
    """A receiver of CloudEvents 1.0 over HTTP, such as a Knative broker."""

    mode: Mode = Field(
        Mode.STRUCTURED,
        description="Structured: the whole event is the body. Binary: its attributes are headers beside the data.",
    )

    RULES = (_ONE_ADDRESS, _NO_HEADER_TWICE)


def _is_one_kind(notification: NotificationModel) -> bool:
    return [notification.slack, notification.webhook, notification.cloud_events].count(None) == 2


class NotificationModel(WireModel):
    """One receiver: exactly one of slack, webhook and cloudEvents."""

    transitions: tuple[Transition, ...] = Field(
        notices.DEFAULT_TRANSITIONS,
        min_length=1,
        max_length=len(Transition),
        description="The turns that it is told of. Other is every turn that no other word stands for: waiting, "
        "telemetry that fails, a check that failed.",
    )
    slack: SlackModel | None = Field(None, description="Post a message to a Slack-compatible webhook.")
    webhook: WebhookModel | None = Field(None, description="Post JSON.")
    cloud_events: CloudEventsModel | None = Field(None, description="Post a CloudEvent.")

    RULES = (
        Rule(
            "each notification takes exactly one of slack, webhook and cloudEvents; write them as two notifications",
            _is_one_kind,
            cel="(has(self.slack) ? 1 : 0) + (has(self.webhook) ? 1 : 0) + (has(self.cloudEvents) ? 1 : 0) == 1",
            about=("slack", "webhook", "cloudEvents"),
        ),
    )


def is_address(text: str) -> bool:
    """Is what a Secret holds a URL that a notification can be posted to?"""
    return len(text) <= MAX_URL and re.fullmatch(URL[1:-1], text) is not None


def is_header_value(text: str) -> bool:
    """Is what a Secret holds fit for a header?"""
    return len(text) <= MAX_HEADER_VALUE and re.fullmatch(HEADER_VALUE[1:-1], text) is not None


def secret_key(source: ValueFromModel) -> notices.SecretKey:
    """Where the value is, in the core's terms."""
    return notices.SecretKey(source.secret_key_ref.name, source.secret_key_ref.key)


def notification_of(model: NotificationModel) -> notices.Notification:
    """Who is told, in the core's terms."""
    transitions = frozenset(model.transitions)
    if model.slack is not None:
        return notices.Notification(notices.Slack(model.slack.text), _to(model.slack), transitions)
    if model.webhook is not None:
        form, to = notices.Webhook(model.webhook.body), _to(model.webhook)
        return notices.Notification(form, to, transitions, _headers(model.webhook))
    if model.cloud_events is None:
        raise AssertionError("a rule sees to it that there is one kind")
    events = notices.CloudEvents(model.cloud_events.mode)
    return notices.Notification(events, _to(model.cloud_events), transitions, _headers(model.cloud_events))


def _to(target: _TargetModel) -> notices.Value:
    return _value(target.url, target.url_from)


def _headers(target: _AnyHeadersModel) -> tuple[notices.Header, ...]:
    return tuple(notices.Header(each.name, _value(each.value, each.value_from)) for each in target.headers or ())


def _value(plain: str | None, source: ValueFromModel | None) -> notices.Value:
    if source is not None:
        return secret_key(source)
    if plain is None:
        raise AssertionError("a rule sees to it that there is one of both")
    return plain
