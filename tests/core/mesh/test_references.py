"""A subset is in use as long as anything sends to it."""

from typing import Any

import pytest

from meshshift.core.mesh.references import references
from tests.core.mesh.sample_documents import TARGET, to, virtual_service

CANARY = {"host": "reviews", "subset": "v2"}


@pytest.mark.parametrize(
    ("route", "place"),
    [
        ({"route": [to("v1", 95), to("v2", 5)]}, "route[1]"),
        ({"match": [{"headers": {}}], "route": [to("v2")]}, "route[0]"),
        ({"route": [to("v2", 0)]}, "route[0]"),
        ({"route": [to("v1")], "mirror": CANARY}, "mirror"),
        ({"route": [to("v1")], "mirrors": [{"destination": {"host": "x"}}, {"destination": CANARY}]}, "mirrors[1]"),
    ],
)
def test_everything_that_sends_to_the_subset_is_found(route: dict[str, Any], place: str) -> None:
    (found,) = references([virtual_service({"redirect": {}}, route)], TARGET, "v2")
    assert str(found) == f"VirtualService bookinfo/reviews spec.http[1].{place}"


@pytest.mark.parametrize("protocol", ["tls", "tcp"])
def test_connections_count_too(protocol: str) -> None:
    document = virtual_service({"route": [to("v1")]})
    document["spec"][protocol] = [{"route": [to("v2")]}]
    assert [each.place for each in references([document], TARGET, "v2")] == [f"spec.{protocol}[0].route[0]"]


@pytest.mark.parametrize(
    "route",
    [
        {"route": [to("v1", 100), to("v2", 0)]},
        {"route": [to("v2", host="ratings")], "mirror": {"host": "ratings", "subset": "v2"}},
        {"route": [to("v1")], "mirror": "v2", "mirrors": ["v2"]},
    ],
)
def test_nothing_else_is_a_reference(route: dict[str, Any]) -> None:
    assert references([virtual_service(route)], TARGET, "v2") == ()
