"""Notifications are read apart from the rest of a spec, and are no part of a run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshshift.api.convert import InvalidSpec, notifications_from_wire, spec_from_wire, spec_hash
from meshshift.api.convert import wire_spec_with_defaults as with_defaults_written
from meshshift.api.notifications import MAX_NOTIFICATIONS, NotificationModel, is_address, is_header_value
from meshshift.core.notices import (
    DEFAULT_TRANSITIONS,
    VARIABLES,
    CloudEvents,
    Form,
    Header,
    Mode,
    Notification,
    SecretKey,
    Slack,
    Transition,
    Webhook,
    has_known_variables,
    is_json,
    request,
)
from tests.api.samples import VALID, load, minimal
from tests.api.server import schema, with_defaults
from tests.core.test_notices import TURN

GUIDE = Path(__file__).parents[2] / "docs/how-to/notifications.md"
URL = "https://hooks.example.com/services/T0/B0/sesame"
SAMPLE = load(VALID / "notifications.yaml")


def test_everything_that_can_be_written_arrives() -> None:
    token = SecretKey("meshshift-notifications", "token")
    assert notifications_from_wire(SAMPLE) == (
        Notification(Slack(), SecretKey("meshshift-notifications", "slack")),
        Notification(
            Slack(":canary: {{service}} {{stable}} to {{ canary }}: {{message}} {"),
            "http://mattermost.chat.svc:8065/hooks/abc",
            frozenset({Transition.ADVANCED, Transition.PAUSED, Transition.ROLLING_BACK, Transition.OTHER}),
        ),
        Notification(
            Webhook(SAMPLE["notifications"][2]["webhook"]["body"]),
            "https://[2001:db8::1]:8443/deployments?env=prod",
            frozenset({Transition.STARTED, Transition.SUCCEEDED, Transition.ROLLED_BACK}),
            (Header("Authorization", token), Header("X-Team", "book info")),
        ),
        Notification(Webhook(), "http://receiver"),
        Notification(CloudEvents(), "http://broker-ingress.knative-eventing.svc.cluster.local/bookinfo/default"),
        Notification(
            CloudEvents(Mode.BINARY),
            "http://argo-events.argo.svc:12000/meshshift",
            frozenset({Transition.FAILED, Transition.COMMANDED}),
        ),
    )


def test_the_servers_defaults_change_nothing() -> None:
    assert notifications_from_wire(with_defaults(SAMPLE, schema())) == notifications_from_wire(SAMPLE)


def test_notifications_are_no_part_of_a_run() -> None:
    plain = {name: value for name, value in SAMPLE.items() if name != "notifications"}
    assert spec_hash(SAMPLE) == spec_hash(plain)
    assert with_defaults_written(SAMPLE) == with_defaults_written(plain)
    assert spec_from_wire(SAMPLE, namespace="a") == spec_from_wire(plain, namespace="a")


def test_they_are_read_whatever_else_is_wrong() -> None:
    spec = {"service": 7, "nonsense": [], "notifications": SAMPLE["notifications"]}
    with pytest.raises(InvalidSpec):
        spec_from_wire(spec, namespace="a")
    assert len(notifications_from_wire(spec)) == 6


@pytest.mark.parametrize(
    "written",
    [
        *("x", 7, {}, [7], [{}], [{"slack": {}}], [{"slack": {"url": URL}}, {}]),
        [{"slack": {"url": URL}}] * (MAX_NOTIFICATIONS + 1),
        [{"slack": {"url": URL}}] * 100_000,
        [{str(number): number for number in range(100_000)}],
    ],
    ids=lambda written: str(written)[:30],
)
def test_what_is_wrong_is_nobody(written: Any) -> None:
    assert notifications_from_wire(minimal(notifications=written)) == ()


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        (URL, True),
        ("http://a", True),
        ("http://a:80?x", True),
        ("https://[::1]:8443/", True),
        ("http://user@a/", False),
        ("http://a/ b", False),
        ("http://a/\n", False),
        ("http://a\\@b/", False),
        ("http://a#@b", False),
        ("HTTPS://a", False),
        ("file:///etc/passwd", False),
        ("http://ä", False),
        ("http://", False),
        ("http://a/" + "x" * 2048, False),
    ],
)
def test_what_an_address_looks_like(text: str, sound: bool) -> None:
    assert is_address(text) is sound
    try:
        NotificationModel.model_validate({"slack": {"url": text}})
    except ValueError:
        assert not sound
    else:
        assert sound


@pytest.mark.parametrize(("text", "sound"), [("Bearer x", True), (" x", False), ("a\r\nb", False), ("é", False)])
def test_what_a_header_looks_like(text: str, sound: bool) -> None:
    assert is_header_value(text) is sound


def test_the_guide_tells_every_transition_and_variable() -> None:
    page = GUIDE.read_text(encoding="utf-8")
    for word in Transition:
        asked = "yes" if word in DEFAULT_TRANSITIONS else ""
        assert re.search(rf"^\| `{word}` \| {asked} *\|", page, re.MULTILINE), word
    for name in VARIABLES:
        assert f"`{{{{{name}}}}}`" in page


def test_the_guides_examples_are_sound() -> None:
    examples = [
        document
        for block in re.findall(r"^```yaml\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        for document in yaml.safe_load_all(block)
        if "notifications" in document
    ]
    assert len(examples) >= 4
    for example in examples:
        spec_from_wire(minimal(**example), namespace="bookinfo")
        for notification in notifications_from_wire(minimal(**example)):
            if isinstance(notification.form, Webhook) and notification.form.body:
                assert is_json(notification.form.body)
                assert has_known_variables(notification.form.body)


def test_the_guide_shows_the_bodies_that_arrive() -> None:
    """Field by field; what their values are is an example."""
    shown = [
        json.loads(block)
        for block in re.findall(r"^```json\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    ]
    forms: tuple[Form, ...] = (Slack(), Webhook(), CloudEvents())
    arriving = [json.loads(request(form, TURN).body) for form in forms]
    assert [list(body) for body in shown] == [list(body) for body in arriving]
    assert list(shown[2]["data"]) == list(arriving[2]["data"])
