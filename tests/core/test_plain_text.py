from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.plain_text import one_line


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("5% → 25%: größer", "5% → 25%: größer"),
        ("promote\nresume", "promote\\nresume"),
        ("promote\x1b[2K\rabort", "promote\\x1b[2K\\rabort"),
        ("abort\u202etomorp", "abort\\u202etomorp"),
        ("pro\u200bmote", "pro\\u200bmote"),
        ("\ud800", "\\ud800"),
        ("a\u2028b\u0085c\u00a0d", "a\\u2028b\\x85c\\xa0d"),
    ],
)
def test_what_is_not_printable_is_an_escape(text: str, printed: str) -> None:
    assert one_line(text) == printed


@given(text=st.text(st.characters()))
def test_a_line_is_printable_and_stays_as_it_is_when_read_again(text: str) -> None:
    assert one_line(text).isprintable()
    assert one_line(one_line(text)) == one_line(text)
    one_line(text).encode()
