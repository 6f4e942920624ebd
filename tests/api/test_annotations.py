"""What the annotations of a Service ask for, and what is wrong with them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.api.annotations import ANNOTATIONS, PREFIX, has_opted_in, wishes_of
from meshshift.api.convert import spec_from_wire
from meshshift.core.enrolment.wish import Wish


def service(**annotations: str) -> dict[str, Any]:
    return {
        "metadata": {"annotations": {f"{PREFIX}{name.replace('_', '-')}": text for name, text in annotations.items()}}
    }


def wish(**annotations: str) -> Wish:
    found = wishes_of(service(**{"strategy": "canary", **annotations}))
    assert found.bad == ()
    assert found.wish is not None
    return found.wish


def wrong(**annotations: str) -> list[str]:
    return [str(each) for each in wishes_of(service(**{"strategy": "canary", **annotations})).bad]


@pytest.mark.parametrize(
    "document", [{}, {"metadata": {}}, service(steps="5"), service(strategy="off", steps="nonsense")]
)
def test_without_a_strategy_nothing_is_asked_for(document: dict[str, Any]) -> None:
    assert not has_opted_in(document)
    assert not wishes_of(document).enrolled


def test_each_annotation_becomes_a_field_of_the_shift() -> None:
    assert wish(steps="5, 25,50", step_duration="2m").fields == {
        "strategy": {"canary": {"steps": [{"setWeight": weight} for weight in (5, 25, 50)], "minStepDuration": "2m"}}
    }
    assert wish(strategy="rolling", step_duration="30s").fields == {"strategy": {"rolling": {"every": "30s"}}}
    assert wish(strategy="red-black").fields == {"strategy": {"redBlack": {}}}
    assert wish(success_rate="99.5%", latency="500ms@99").fields["analysis"] == {
        "indicators": [
            {"name": "success-rate", "successRate": {"objective": 99.5}},
            {"name": "latency", "latency": {"threshold": "500ms", "objective": 99.0}},
        ]
    }


@pytest.mark.parametrize("annotations", [{"success_rate": "99"}, {"latency": "1s"}, {"latency": "250ms@99.9"}])
def test_one_objective_leaves_the_other_indicator_to_its_comparison(annotations: dict[str, str]) -> None:
    indicators = wish(**annotations).fields["analysis"]["indicators"]
    assert [each["name"] for each in indicators] == ["success-rate", "latency"]


def test_who_serves_where_and_whether() -> None:
    found = wish(stable="1.2", hosts="a.example, *.b.example", gateways="own,istio-system/public", paused="true")
    assert (found.stable, found.paused) == ("1.2", True)
    assert (found.hosts, found.gateways) == (("a.example", "*.b.example"), ("own", "istio-system/public"))


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=lambda each: each.name)
def test_the_example_of_each_is_right_and_nonsense_is_told_with_its_value_and_what_is_allowed(annotation: Any) -> None:
    beside = {"hosts": {"gateways": "own"}, "gateways": {"hosts": "a.example"}}.get(annotation.name, {})
    assert wrong(**{annotation.name: annotation.example, **beside}) == []
    told = wrong(**{annotation.name: "no, no!", **beside})
    assert told == [f'meshshift.io/{annotation.name}: "no, no!": {annotation.allowed}']


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", "50,25"),
        ("steps", "0,5"),
        ("steps", "5,101"),
        ("steps", "5,,10"),
        ("step-duration", "2"),
        ("success-rate", "100"),
        ("success-rate", "nan"),
        ("latency", "500ms@"),
        ("latency", "@99"),
        ("hosts", "a_b.example"),
        ("paused", "yes"),
        ("strategy", "Canary"),
        ("policy", "Careful"),
    ],
)
def test_values_beyond_what_is_allowed_are_refused(name: str, value: str) -> None:
    assert any(told.startswith(f'meshshift.io/{name}: "{value}"') for told in wrong(**{name: value})), value


def test_everything_that_is_wrong_is_told_at_once_and_typing_errors_too() -> None:
    told = wrong(steps="x", paused="x", step_durations="2m")
    assert [each.partition(":")[0] for each in told] == [
        f"meshshift.io/{name}" for name in ("paused", "step-durations", "steps")
    ]
    assert "did you mean meshshift.io/step-duration?" in told[1]


@pytest.mark.parametrize(
    ("annotations", "word"),
    [
        ({"strategy": "rolling", "steps": "5"}, "strategy rolling has none"),
        ({"strategy": "red-black", "step_duration": "5s"}, "red-black has no steps"),
        ({"hosts": "a.example"}, "means nothing without meshshift.io/gateways"),
        ({"gateways": "own"}, "means nothing without meshshift.io/hosts"),
        ({"step_duration": "2h"}, "stepTimeout"),
    ],
)
def test_what_cannot_be_followed_together_is_told(annotations: dict[str, str], word: str) -> None:
    (told,) = wrong(**annotations)
    assert word in told


ROOT = Path(__file__).parents[2]
SHOWN = [
    (name, value)
    for page in ("README.md", "docs/how-to/annotated-services.md")
    for name, value in re.findall(r"meshshift\.io/([a-z-]+)=(\S*[^\s`,.;)])", (ROOT / page).read_text("utf-8"))
    if name != "command"
]


def test_what_the_pages_show_can_be_followed() -> None:
    assert {name for name, _ in SHOWN} >= {"strategy", "steps", "policy", "stable", "hosts"}
    for name, value in SHOWN:
        beside = {"hosts": {"gateways": "own"}, "gateways": {"hosts": "a.example"}}.get(name, {})
        assert value == "off" or wrong(**{name: value, **beside}) == [], (name, value)


TEXTS = st.one_of(st.text(max_size=40), st.sampled_from([each.example for each in ANNOTATIONS]))


@given(st.dictionaries(st.sampled_from([each.name for each in ANNOTATIONS]), TEXTS))
def test_whatever_is_written_it_is_a_spec_or_told(texts: dict[str, str]) -> None:
    found = wishes_of(service(**texts))
    if found.wish is not None:
        arms = {arm: {"subset": arm, "labels": {"version": arm}} for arm in ("stable", "canary")}
        assert spec_from_wire({"service": "any", **arms, **found.wish.fields}, namespace="any").steps
    assert all(len(str(each)) < 400 for each in found.bad)
