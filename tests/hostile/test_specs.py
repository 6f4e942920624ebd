"""Specs that mean harm: a megabyte in each field, any Unicode, lists without end.  Refused, briefly and legibly."""

from __future__ import annotations

import copy
from functools import reduce
from typing import TYPE_CHECKING, Any

import pytest

from meshshift.api.convert import InvalidSpec, spec_from_wire
from meshshift.api.crd import spec_schema
from meshshift.api.status import MAX_MESSAGE, shorten
from tests.api.samples import VALID, load, minimal
from tests.api.server import refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Place = tuple[str | int, ...]
EVERYTHING = load(VALID / "everything.yaml")
EVERYTHING["analysis"]["indicators"].append({"name": "own", "query": {"promql": "up", "max": 1}})
MEGABYTE = "a" * 10**6
FREE_TEXT = {"promql", "routes"}
"""Fields that take any characters: PromQL, and the names of routes, of which Istio says nothing."""

ODD_TEXT = {
    "right-to-left": "v2\u202e1v",
    "zero-width": "v\u200b2",
    "combining": "v2\u0301\u0302\u0303",
    "half-a-pair": "v2\ud800",
    "cyrillic": "r\u0435views",
    "terminal": "v2\x1b[2J",
    "zero-byte": "v2\0",
    "lines": "v2\nv3",
    "ends-in-a-line": "v2\n",
    "path": "../v2",
    "escaped-path": "..%2fv2",
    "pointer": "~1v2~0",
    "quote": 'v2"} or vector(1) #',
    "template": "{{canary}}",
    "expression": "v.*|",
    "full-width": "\uff15\uff10s",
    "arabic-digits": "\u0661\u0665s",
}


def texts(value: Any, place: Place = ()) -> Iterator[Place]:
    """Where there is text in a document."""
    if isinstance(value, str):
        yield place
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from texts(child, (*place, key))


def with_text(place: Place, text: Any) -> dict[str, Any]:
    """The full spec with another text at one place."""
    spec: Any = copy.deepcopy(EVERYTHING)
    holder: Any = reduce(lambda node, step: node[step], place[:-1], spec)
    holder[place[-1]] = text
    document: dict[str, Any] = spec
    return document


def told(spec: Any) -> str:
    """What the controller says of a spec that it must not take."""
    with pytest.raises(InvalidSpec) as caught:
        spec_from_wire(spec, namespace="bookinfo")
    return str(caught.value)


def nested(wrap: Callable[[Any], Any]) -> Any:
    """A hundred thousand levels."""
    return reduce(lambda inner, _: wrap(inner), range(10**5), None)


PLACES = list(texts(EVERYTHING))


def test_the_sample_has_text_everywhere() -> None:
    names = {place[-1] for place in PLACES if isinstance(place[-1], str)}
    assert {"service", "subset", "name", "destinationRule", "promql", "interval", "create", "onFailure"} <= names
    assert len(PLACES) >= 15


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_a_megabyte_is_refused_at_apply_and_again_by_the_controller(place: Place) -> None:
    spec = with_text(place, MEGABYTE)
    assert refusals(spec)
    message = told(spec)
    assert message.startswith("spec.")
    assert len(message) < MAX_MESSAGE


@pytest.mark.parametrize("name", ODD_TEXT)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_odd_text_is_refused_legibly_wherever_it_would_be_a_name(place: Place, name: str) -> None:
    spec = with_text(place, ODD_TEXT[name])
    if FREE_TEXT & set(place):
        return
    message = told(spec)
    assert message.isprintable()
    assert shorten(message) == message


@pytest.mark.parametrize("key", [MEGABYTE, "ve\u202ersion", "../a", "a/b/c", "", "version\n", 7, None, ("a",)])
def test_keys_of_labels_are_label_keys(key: Any) -> None:
    message = told(minimal(canary={"subset": "v2", "labels": {key: "v2"}}))
    assert message.startswith("spec.canary.labels")
    assert len(message) < MAX_MESSAGE
    assert message.isprintable()


@pytest.mark.parametrize(
    "weight", [2**31, 2**63, 10**100, 10**5000, -(2**31), -1, 101, 1e308, float("inf"), 50.5], ids=range(10)
)
def test_weights_are_percentages(weight: float) -> None:
    message = told(minimal(strategy={"canary": {"steps": [{"setWeight": weight}]}}))
    assert message.startswith("spec.strategy.canary.steps[0].setWeight = ")
    assert message.endswith(("write a number from 0 to 100", "write a whole number from 0 to 100"))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (minimal(strategy={"canary": {"steps": [{"setWeight": 1}] * 10**6}}), "steps = a list of 1000000: too many"),
        (minimal(strategy={"canary": {"steps": [None] * 10**6}}), "steps = a list of 1000000: too many entries"),
        (minimal(virtualServices=[{"name": "A"}] * 10**5), "spec.virtualServices = a list of 100000: too many"),
        (minimal(virtualServices=[{"name": "a", "routes": ["x"] * 10**5}]), "routes = a list of 100000: too many"),
        (minimal(analysis={"indicators": [{}] * 10**5}), "spec.analysis.indicators = a list of 100000: too many"),
        (minimal(canary={"subset": "v2", "labels": {f"k{i}": "" for i in range(10**5)}}), "object of 100000 fields"),
        (minimal(**{f"x{i}": 1 for i in range(10**5)}), "spec = an object of 100004 fields: too many entries"),
        (minimal(virtualServices=[{"routes": [[0] * 100] * 100}] * 100), "too many entries; leave at most 64"),
        (minimal(strategy=nested(lambda inner: {"a": inner})), "nested too deeply to be a shift"),
        (minimal(strategy=nested(lambda inner: [inner])), "nested too deeply to be a shift"),
    ],
    ids=["steps", "nulls", "services", "routes", "indicators", "labels", "fields", "products", "deep", "deep-lists"],
)
def test_what_is_far_too_much_is_one_error(spec: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        spec_from_wire(spec, namespace="bookinfo")
    assert len(caught.value.errors) == 1
    assert said in str(caught.value)
    assert len(str(caught.value)) < MAX_MESSAGE


def test_a_message_holds_whole_errors_and_says_how_many_there_are_besides() -> None:
    message = told(minimal(**{f"unknown{i}": "x" * 100 for i in range(50)}))
    assert len(message) < MAX_MESSAGE
    shown = message.count("no such field; remove it")
    assert message.endswith(f"; and {50 - shown} more")
    assert shown >= 2


def unbounded(node: dict[str, Any], path: str) -> Iterator[str]:
    """Where a schema sets no limit to how much is written."""
    limits = {"string": "maxLength", "array": "maxItems", "object": "maxProperties"}
    kind = node.get("type", "")
    later = "Not supported by this version" in node.get("description", "")
    if kind in limits and limits[kind] not in node and not ("enum" in node or "properties" in node or later):
        yield f"{path}: no {limits[kind]}"
    if later:
        return
    for name, child in node.get("properties", {}).items():
        yield from unbounded(child, f"{path}.{name}")
    for below in ("items", "additionalProperties"):
        if isinstance(node.get(below), dict):
            yield from unbounded(node[below], f"{path}[]")


def test_every_text_list_and_map_of_the_spec_is_bounded() -> None:
    assert list(unbounded(spec_schema(), "spec")) == []
