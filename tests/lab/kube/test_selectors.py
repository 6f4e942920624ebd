"""Selectors that cannot be read are refused; random ones agree with their meaning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.lab.kube.errors import StatusError
from meshshift.lab.kube.selectors import label_selector

keys = st.sampled_from(["app", "tier"])
values = st.sampled_from(["a", "b", ""])
labels = st.dictionaries(keys, values)


@pytest.mark.parametrize("text", ["a in b", "a=(b)", "a!", "in (b)", "a=b=c"])
def test_an_unreadable_selector_is_a_bad_request(text: str) -> None:
    with pytest.raises(StatusError) as refused:
        label_selector(text)
    assert refused.value.code == 400


@given(labels, keys, values)
def test_equal_and_not_equal_are_opposites(given_labels: dict[str, str], key: str, value: str) -> None:
    document = {"metadata": {"labels": given_labels}}
    equal, unequal = label_selector(f"{key}={value}"), label_selector(f"{key}!={value}")
    assert equal is not None
    assert unequal is not None
    assert equal(document) == (given_labels.get(key) == value)
    assert equal(document) != unequal(document)


@given(labels, keys, st.lists(values, min_size=1, max_size=3))
def test_in_and_notin_are_opposites(given_labels: dict[str, str], key: str, wanted: list[str]) -> None:
    document = {"metadata": {"labels": given_labels}}
    listed = ",".join(wanted)
    inside, outside = label_selector(f"{key} in ({listed})"), label_selector(f"{key} notin ({listed})")
    assert inside is not None
    assert outside is not None
    assert inside(document) == (given_labels.get(key) in wanted)
    assert inside(document) != outside(document)
