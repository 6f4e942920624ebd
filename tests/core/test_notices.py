"""Which turns are told, and that whatever is told stays text."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.notices import (
    VARIABLES,
    CloudEvents,
    Form,
    Mark,
    Mode,
    Notification,
    SecretKey,
    Slack,
    Transition,
    Turn,
    Webhook,
    has_known_variables,
    is_json,
    request,
    transition,
)
from meshshift.core.run import Phase

TURN = Turn(
    id="reviews.0123456789abcdef",
    at="2026-01-31T12:00:00Z",
    transition=Transition.ROLLED_BACK,
    phase="RolledBack",
    reason="RegressionProven",
    message='5% → 0%: "success-rate" proven worse',
    weight=0,
    namespace="bookinfo",
    name="reviews",
    service="reviews",
    stable="v1",
    canary="v2",
    run="run-1",
)
HOSTILE = '"}, "admin": true, {"x": "\\ \n\x00 {{name}} <!channel> & \ud800 \u202e'


def sent(form: Form, turn: Turn = TURN) -> Any:
    return json.loads(request(form, turn).body)


def words(*marks: tuple[Phase, str, int | None]) -> list[str]:
    """The words for a history, as the engine asks for them."""
    turns = [Mark(*mark) for mark in marks]
    before = [None, *turns[:-1]]
    return [str(transition(turn, earlier)) for turn, earlier in zip(turns, before, strict=True)]


PENDING, PROGRESSING, PAUSED = Phase.PENDING, Phase.PROGRESSING, Phase.PAUSED


def test_a_good_canary_starts_advances_and_succeeds() -> None:
    assert words(
        (PENDING, "Started", 0),
        (PENDING, "CanaryNotReady", 0),
        (PROGRESSING, "FirstStep", 5),
        (PROGRESSING, "NoTraffic", 5),
        (PROGRESSING, "ProvenNotWorse", 100),
        (Phase.SUCCEEDED, "Promoted", 100),
    ) == ["Started", "Other", "Advanced", "Other", "Advanced", "Succeeded"]


def test_a_bad_canary_turns_back_and_is_back_then() -> None:
    assert words(
        (PROGRESSING, "FirstStep", 5),
        (Phase.ROLLING_BACK, "RegressionProven", 0),
        (Phase.ROLLING_BACK, "StableNotReady", 0),
        (Phase.ROLLED_BACK, "RegressionProven", 0),
        (PENDING, "Retried", 0),
    ) == ["Advanced", "RollingBack", "Other", "RolledBack", "Started"]


def test_a_pause_is_told_once_until_its_reason_changes() -> None:
    assert words(
        (PROGRESSING, "Commanded", 5),
        (PAUSED, "PausedByPerson", 5),
        (PAUSED, "PausedByPerson", 5),
        (PAUSED, "RegressionProven", 5),
        (PROGRESSING, "Commanded", 5),
        (PAUSED, "RegressionProven", 5),
    ) == ["Commanded", "Paused", "Other", "Paused", "Commanded", "Paused"]


def test_a_spec_that_cannot_be_carried_out_has_failed_in_any_phase() -> None:
    assert words((Phase.FAILED, "InvalidSpec", None)) == ["Failed"]
    assert words((PROGRESSING, "FirstStep", 5), (PROGRESSING, "InvalidSpec", 5)) == ["Advanced", "Failed"]


def test_an_ended_shift_does_not_end_again() -> None:
    assert words(
        (Phase.SUCCEEDED, "Promoted", 100), (Phase.SUCCEEDED, "CommandRefused", 100), (Phase.SUCCEEDED, "Deleted", 100)
    ) == ["Succeeded", "Commanded", "Other"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Phase),
            st.sampled_from(["Started", "Commanded", "FirstStep", "InvalidSpec", "NoTraffic"]),
            st.none() | st.integers(0, 100),
        ),
        min_size=1,
    )
)
def test_every_turn_has_exactly_one_word(history: list[tuple[Phase, str, int | None]]) -> None:
    assert set(words(*history)) <= set(Transition)


def test_the_default_text_for_slack() -> None:
    text = '*bookinfo/reviews*: RolledBack, RegressionProven: 5% → 0%: "success-rate" proven worse'
    assert request(Slack(), TURN).headers == {"content-type": "application/json"}
    assert sent(Slack()) == {"text": text}


def test_the_default_body_holds_every_variable() -> None:
    body = sent(Webhook())
    assert body.keys() == VARIABLES.keys()
    assert body == {
        "namespace": "bookinfo",
        "name": "reviews",
        "service": "reviews",
        "stable": "v1",
        "canary": "v2",
        "transition": "RolledBack",
        "phase": "RolledBack",
        "reason": "RegressionProven",
        "message": '5% → 0%: "success-rate" proven worse',
        "weight": 0,
        "run": "run-1",
        "time": "2026-01-31T12:00:00Z",
        "id": "reviews.0123456789abcdef",
    }


def test_a_structured_event_is_wrapped_around_the_data() -> None:
    asked = request(CloudEvents(), TURN)
    assert asked.headers["content-type"].startswith("application/cloudevents+json")
    assert json.loads(asked.body) == {
        "specversion": "1.0",
        "id": "reviews.0123456789abcdef",
        "source": "/apis/meshshift.io/v1alpha1/namespaces/bookinfo/trafficshifts/reviews",
        "type": "io.meshshift.trafficshift.rolledback",
        "subject": "bookinfo/reviews",
        "time": "2026-01-31T12:00:00Z",
        "datacontenttype": "application/json",
        "data": sent(Webhook()),
    }


def test_a_binary_event_has_its_attributes_beside_the_data() -> None:
    asked = request(CloudEvents(Mode.BINARY), TURN)
    assert json.loads(asked.body) == sent(Webhook())
    wrapped = sent(CloudEvents())
    attributes = wrapped.keys() - {"data", "datacontenttype"}
    assert asked.headers == {
        "content-type": "application/json",
        **{f"ce-{name}": wrapped[name] for name in attributes},
    }


def test_attributes_in_headers_are_escaped_as_the_http_binding_says() -> None:
    strange = replace(TURN, name='Euro € "50%" 😀\r\nx: y\ud800')
    subject = request(CloudEvents(Mode.BINARY), strange).headers["ce-subject"]
    assert subject == "bookinfo/Euro%20%E2%82%AC%20%2250%25%22%20%F0%9F%98%80%0D%0Ax:%20y%3F"


def test_no_value_adds_a_field_to_a_body() -> None:
    body = '{"title": "{{name}}: {{message}}", "tags": ["{{reason}}"], "weight": "{{weight}}"}'
    hostile = replace(TURN, message=HOSTILE, reason=HOSTILE)
    assert sent(Webhook(body), hostile) == {"title": f"reviews: {HOSTILE}", "tags": [HOSTILE], "weight": 0}


def test_a_weight_that_is_not_known_is_null_or_nothing() -> None:
    body = '{"weight": "{{weight}}", "text": "at {{weight}}%"}'
    assert sent(Webhook(body), replace(TURN, weight=None)) == {"weight": None, "text": "at %"}


def test_no_value_makes_a_mention_or_a_link_in_slack() -> None:
    text = sent(Slack("<https://example.com|{{message}}>"), replace(TURN, message="<!channel> & <@U1>"))["text"]
    assert text == "<https://example.com|&lt;!channel&gt; &amp; &lt;@U1&gt;>"


def test_no_value_calls_everybody_where_a_bare_word_is_a_mention() -> None:
    text = sent(Slack("@here {{message}}"), replace(TURN, message="@channel @ALL @everyone alice@hereford.example"))[
        "text"
    ]
    assert text == "@here @\u200bchannel @\u200bALL @\u200beveryone alice@hereford.example"


@given(st.text(), st.text())
def test_whatever_is_told_stays_text(message: str, name: str) -> None:
    turn = replace(TURN, message=message, name=name)
    assert sent(Webhook('["{{message}}", {"a": "{{name}}"}]'), turn) == [message, {"a": name}]
    assert sent(Webhook(), turn)["message"] == message
    assert sent(CloudEvents(), turn)["data"]["message"] == message
    assert set(sent(Slack("{{message}}"), turn)) == {"text"}
    headers = request(CloudEvents(Mode.BINARY), turn).headers
    assert all(" " < char <= "~" for name, value in headers.items() for char in value if name != "content-type")


@pytest.mark.parametrize("body", ['{"a": {{weight}}}', "{", "text", '{"a": NaN}', "[" * 2000, '{"a": 1} x', ""])
def test_what_is_no_json_is_no_body(body: str) -> None:
    assert not is_json(body)


@pytest.mark.parametrize(
    ("template", "sound"),
    [
        ("{{name}} {{ canary }}", True),
        ('{"a": {"b": "{{message}}"}}', True),
        ("{", True),
        ("{{secret}}", False),
        ("{{name", False),
        ("{{{name}}}", False),
    ],
)
def test_every_variable_has_to_exist(template: str, sound: bool) -> None:
    assert has_known_variables(template) is sound


def test_a_receiver_is_another_once_it_gets_something_else_or_is_elsewhere() -> None:
    first = Notification(Slack(), "https://hooks.example.com/1")
    assert first.digest == replace(first, transitions=frozenset({Transition.FAILED})).digest
    others = [
        replace(first, to="https://hooks.example.com/2"),
        replace(first, to=SecretKey("hooks", "slack")),
        replace(first, form=Slack("{{message}}")),
        replace(first, form=Webhook()),
    ]
    assert len({each.digest for each in [first, *others]}) == 5


def test_addresses_and_headers_are_not_shown() -> None:
    assert "example" not in repr(Notification(Slack(), "https://hooks.example.com/1"))
