"""Field sets: the wire form loses nothing, and a diff names exactly what differs."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from meshshift.lab.kube.fields import changes, from_fields_v1, leaves, shown_path, to_fields_v1

SCHEMA = {"x-kubernetes-preserve-unknown-fields": True}
names = st.sampled_from(["a", "b", "c", "d.e/f"])
values = st.recursive(
    st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(names, values, max_size=3)
elements = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"'])
path_sets = st.sets(st.lists(elements, min_size=1, max_size=4).map(tuple), max_size=8)


@given(path_sets)
def test_the_wire_form_loses_nothing(paths: set[tuple[str, ...]]) -> None:
    assert from_fields_v1(to_fields_v1(paths)) == paths


@given(documents)
def test_a_document_does_not_differ_from_itself(document: dict[str, Any]) -> None:
    assert changes(document, document, SCHEMA) == (set(), set())


@given(documents, documents)
def test_what_one_direction_adds_the_other_removes(left: dict[str, Any], right: dict[str, Any]) -> None:
    changed, _ = changes(left, right, SCHEMA)
    _, removed = changes(right, left, SCHEMA)
    assert removed - {()} <= changed


@given(documents, documents)
def test_everything_that_is_gone_was_there(left: dict[str, Any], right: dict[str, Any]) -> None:
    _, removed = changes(left, right, SCHEMA)
    assert removed <= leaves(left, SCHEMA, nodes=True)


def test_an_entry_is_named_by_its_keys() -> None:
    schema = {
        "properties": {
            "ports": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["port", "protocol"],
                "items": SCHEMA,
            }
        }
    }
    found = leaves({"ports": [{"port": 80, "name": "http"}]}, schema)
    assert {shown_path(path) for path in found} == {
        '.ports[port=80,protocol="TCP"]',
        '.ports[port=80,protocol="TCP"].name',
        '.ports[port=80,protocol="TCP"].port',
    }
