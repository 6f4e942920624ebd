"""Who gets a service's traffic, as VirtualServices of any shape say."""

from __future__ import annotations

from typing import Any

import jsonpatch

from meshshift.core.enrolment.serving import Serving, covering, pin_patches, serving
from meshshift.core.mesh.documents import Problem, Target

TARGET = Target("reviews", "bookinfo", "", "")
HOST = TARGET.host


def to(subset: str | None = None, weight: int | None = None, host: str = "reviews") -> dict[str, Any]:
    destination = {"host": host} | ({"subset": subset} if subset else {})
    return {"destination": destination} | ({} if weight is None else {"weight": weight})


def document(*routes: dict[str, Any], **spec: Any) -> dict[str, Any]:
    metadata = {"name": "reviews", "namespace": "bookinfo", "resourceVersion": "7"}
    return {"metadata": metadata, "spec": {"hosts": ["reviews"], "http": list(routes), **spec}}


def said(*documents: dict[str, Any]) -> Serving:
    found = serving(documents, TARGET)
    assert isinstance(found, Serving), found
    return found


def test_weights_are_summed_by_subset_and_zero_is_nothing() -> None:
    found = said(document({"route": [to("v1", 100), to("v2", 0)]}))
    assert (found.subsets, found.is_spread) == (("v1",), False)


def test_a_route_for_some_requests_does_not_say_who_serves_unless_it_is_alone() -> None:
    testers = {"match": [{"headers": {"x": {"exact": "y"}}}], "route": [to("v2")]}
    assert said(document(testers, {"route": [to("v1")]})).subsets == ("v1",)
    assert said(document(testers)).subsets == ("v2",)


def test_nobody_speaks_for_a_host_that_is_served_at_a_gateway_only() -> None:
    found = said(document({"route": [to()]}, hosts=["reviews.example.com"], gateways=["public"]))
    assert (found.spoken, found.is_spread, len(found.spread)) == (False, True, 1)


def test_a_malformed_document_that_speaks_of_the_host_is_told_and_others_are_not() -> None:
    broken = document({"route": [to("v1"), {"destination": 3}]})
    assert isinstance(serving([broken], TARGET), Problem)
    other = document({"route": [{"destination": 3}]}, hosts=["ratings"])
    assert said(other, document({"route": [to("v1")]})).subsets == ("v1",)


def test_a_wildcard_in_the_mesh_covers_and_one_at_a_gateway_does_not() -> None:
    assert covering([document(hosts=["*.svc.cluster.local"])], TARGET) is not None
    assert covering([document(hosts=["*"], gateways=["public"])], TARGET) is None
    assert covering([document()], TARGET) is None


def test_pinning_adds_the_subset_and_nothing_else_on_every_kind_of_route() -> None:
    before = document({"route": [to(), to(host="legacy", weight=5)]}, tcp=[{"route": [to()]}])
    before["spec"]["http"][0]["route"][0]["weight"] = 95
    (patch,) = pin_patches(said(before).spread, "v1")
    after = jsonpatch.apply_patch(before, patch.operations)
    expected = document({"route": [to("v1", 95), to(host="legacy", weight=5)]}, tcp=[{"route": [to("v1")]}])
    assert after == expected
