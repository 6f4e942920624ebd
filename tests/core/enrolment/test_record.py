"""What a shift remembers of versions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.enrolment.record import (
    CANARY,
    MOST_REJECTED,
    TEMPLATE,
    VERSIONS,
    Fate,
    Known,
    Record,
    read_record,
)
from meshshift.core.enrolment.versions import Version

NAMES = st.text("abcv123.-", min_size=1, max_size=8)
TEMPLATES = st.frozensets(st.text("0123456789abcdef", min_size=1, max_size=6), max_size=3)


def version(name: str, *templates: str) -> Version:
    return Version(name, {"version": name}, frozenset(templates), 1, 1, "", frozenset())


@given(
    st.builds(
        Record,
        NAMES,
        TEMPLATES,
        st.dictionaries(NAMES, st.builds(Known, TEMPLATES, st.sampled_from(Fate)), max_size=4),
        st.frozensets(NAMES, max_size=3),
    )
)
def test_what_is_written_is_read_again(record: Record) -> None:
    assert read_record(record.annotations) == record


@pytest.mark.parametrize("text", ["", "[]", "{", '{"v1": 3}', '{"v1": {"templates": 3, "fate": "gone"}}', "null"])
def test_what_makes_no_sense_counts_as_little_as_possible(text: str) -> None:
    annotations: dict[str, Any] = {CANARY: "v2", TEMPLATE: "a b", VERSIONS: text, "other": 3}
    record = read_record(annotations)
    assert (record.canary, sorted(record.templates)) == ("v2", ["a", "b"])
    assert all(known.templates == frozenset() for known in record.others.values())


def test_a_rejected_version_is_new_with_another_template_only() -> None:
    record = Record("v2", frozenset({"a"})).settled(Fate.REJECTED)
    assert record.knows(version("v2", "a"))
    assert not record.knows(version("v2", "b"))
    assert not record.knows(version("v2", "a", "b"))


def test_a_former_version_is_not_new_until_it_has_gone() -> None:
    record = Record().noting(version("v1", "a"))
    assert record.knows(version("v1", "b"))
    assert not record.forgetting({"v2"}).knows(version("v1", "a"))


def test_the_latest_rejected_ones_are_kept_although_they_have_gone() -> None:
    record = Record()
    for number in range(MOST_REJECTED + 5):
        record = Record(f"v{number}", frozenset({"a"}), record.others).settled(Fate.REJECTED)
    kept = record.forgetting(())
    assert len(kept.others) == MOST_REJECTED
    assert not kept.knows(version("v4", "a"))
    assert kept.knows(version("v5", "a"))


def test_one_that_was_mended_and_served_is_rejected_no_more() -> None:
    record = Record("v2", frozenset({"a"})).settled(Fate.REJECTED).beginning(version("v2", "b")).settled(Fate.FORMER)
    assert record.others["v2"] == Known(frozenset({"a", "b"}))


def test_a_withdrawn_version_leaves_no_trace() -> None:
    assert Record("v2", frozenset({"a"})).settled(None) == Record()
