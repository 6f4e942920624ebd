from __future__ import annotations

import pytest

from meshshift.core.silence import Seen, diagnose

OURS = Seen("source", "bookinfo", "reviews")


@pytest.mark.parametrize(
    ("reporter", "seen", "said"),
    [
        (None, [], "no istio_requests_total at all"),
        ("waypoint", [OURS], "the label reporter removes every series: 'waypoint' is asked for, there is 'source'"),
        ("source", [OURS], "no traffic lately"),
        (None, [Seen("source", "prod", "reviews")], "destination_service_namespace removes every series"),
        (None, [Seen("source", "bookinfo", "ratings")], "destination_service_name removes every series"),
        (None, [Seen("source", "prod", "ratings")], "no service of namespace bookinfo has any series"),
    ],
)
def test_the_label_that_removes_the_series_is_named(reporter: str | None, seen: list[Seen], said: str) -> None:
    assert said in diagnose("bookinfo", "reviews", reporter, seen)


def test_long_lists_are_cut() -> None:
    many = [Seen("source", "bookinfo", f"service-{number}") for number in range(50)]
    text = diagnose("bookinfo", "reviews", None, many)
    assert "and 45 more" in text
    assert len(text) < 400
