"""A delegate's route stays within the entry that delegates to it, or is left out."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.mesh.match_conflicts import contradict, fits
from tests.core.mesh.sample_documents import json_values

PREFIX: dict[str, Any] = {"uri": {"prefix": "/a"}}


@pytest.mark.parametrize(
    ("outer", "inner", "beyond"),
    [
        ({}, PREFIX, False),
        (PREFIX, {}, False),
        (PREFIX, {"uri": {"prefix": "/a/b"}}, False),
        (PREFIX, {"uri": {"exact": "/ab"}}, False),
        (PREFIX, {"uri": {"prefix": "/"}}, True),
        (PREFIX, {"uri": {"exact": "/b"}}, True),
        (PREFIX, {"uri": {"regex": "/a.*"}}, True),
        ({"uri": {"regex": "/a.*"}}, PREFIX, True),
        ({"uri": {"prefix": "/a", "regex": "/a"}}, {"uri": {"prefix": "/a"}}, True),
        ({"uri": {"exact": "/a"}}, {"uri": {"exact": "/a", "regex": "/a"}}, True),
        ({"uri": {"exact": "/a"}}, {"uri": {"exact": "/a"}}, False),
        ({"uri": {"exact": "/a"}}, {"uri": {"prefix": "/a"}}, True),
        ({"method": {"exact": "GET"}}, {"method": {"exact": "PUT"}}, True),
        ({"headers": {"x": {"exact": "1"}}}, {"headers": {"y": {"exact": "2"}}}, False),
        ({"headers": {"x": {"exact": "1"}}}, {"headers": {"x": {"exact": "2"}}}, True),
        ({"headers": {"x": {}}}, {"headers": {"x": {"exact": "2"}}}, True),
        ({"queryParams": {"x": {"exact": "1"}}}, {"queryParams": {"x": {"exact": "2"}}}, True),
        ({"port": 80}, {"port": 81}, True),
        ({"port": 80}, {}, False),
        ({"ignoreUriCase": True}, {}, True),
        ({"sourceNamespace": "web"}, {"sourceNamespace": "web"}, False),
        ({"sourceNamespace": "web"}, {}, True),
        ({"sourceLabels": {"app": "a"}}, {"sourceLabels": {"app": "b"}}, True),
        ({"sourceLabels": {"app": "a"}}, {"sourceLabels": {"tier": "b"}}, False),
        ({"gateways": ["mesh", "g"]}, {"gateways": ["g"]}, False),
        ({"gateways": ["g"]}, {"gateways": ["mesh"]}, True),
        ({"gateways": ["g"]}, {}, False),
    ],
)
def test_a_match_goes_beyond_another_as_istio_sees_it(
    outer: dict[str, Any], inner: dict[str, Any], beyond: bool
) -> None:
    assert contradict(outer, inner) is beyond


def test_every_match_of_the_delegate_has_to_fit_into_one_of_the_roots() -> None:
    other = {"uri": {"prefix": "/b"}}
    assert fits([PREFIX, other], [{"uri": {"exact": "/a/1"}}, {"uri": {"exact": "/b/1"}}])
    assert not fits([PREFIX], [{"uri": {"exact": "/a/1"}}, {"uri": {"exact": "/b/1"}}])
    assert fits([], [PREFIX])
    assert fits([PREFIX], [])


@given(st.dictionaries(st.sampled_from(["uri", "headers", "port", "gateways", "sourceLabels"]), json_values), st.data())
def test_no_document_raises(outer: dict[str, Any], data: st.DataObject) -> None:
    contradict(outer, data.draw(st.sampled_from([outer, {**outer, **PREFIX}, {}])))
