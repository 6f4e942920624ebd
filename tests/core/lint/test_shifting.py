from __future__ import annotations

from meshshift.core.lint import shifting
from meshshift.core.lint.findings import Severity
from meshshift.core.mesh.routes import VirtualServiceSelector
from meshshift.core.spec import CreatePolicy, Subset
from tests.core.lint.samples import only, reviews_rule, routed, said, shift, sound, to

SPLIT = {"name": "default", "route": [to("v1")]}
PIN = {"match": [{"headers": {"x-canary": {"exact": "yes"}}}], "route": [to("v2")]}


def test_a_missing_service_may_be_in_the_cluster() -> None:
    severity, about, message = said(shifting.service_missing, sound(services=frozenset()))
    assert (severity, about) == (Severity.WARNING, "TrafficShift bookinfo/reviews")
    assert message.startswith("spec.service: Service bookinfo/reviews is not in the set")
    assert not list(shifting.service_missing(sound()))


def test_routes_and_rules_that_cannot_be_used_are_errors() -> None:
    unfit = sound(virtual_services=(routed({"route": [to("v9")]}),), destination_rules=())
    routes, rule = shifting.unfit_mesh(unfit)
    assert {routes.severity, rule.severity} == {Severity.ERROR}
    assert 'no route sends to subset "v1"' in routes.message
    assert "no DestinationRule in namespace bookinfo" in rule.message
    assert not list(shifting.unfit_mesh(sound()))


def test_what_the_shift_may_create_need_not_be_there() -> None:
    creating = shift(create=CreatePolicy.IF_MISSING)
    assert not list(shifting.unfit_mesh(sound(shifts=(creating,), virtual_services=(), destination_rules=())))


def test_a_malformed_virtual_service_is_told_by_another_rule() -> None:
    assert not list(shifting.unfit_mesh(sound(virtual_services=(routed({"route": "v1"}),))))


def test_a_subset_that_nobody_adds_is_an_error() -> None:
    severity, _, message = said(shifting.subset_missing, sound(destination_rules=(reviews_rule("v1"),)))
    assert severity is Severity.ERROR
    assert message.startswith('spec.canary.subset: DestinationRule bookinfo/reviews has no subset "v2"')


def test_a_subset_that_the_shift_adds_is_fine() -> None:
    adding = shift(canary=Subset("v2", {"version": "v2"}))
    assert not list(shifting.subset_missing(sound(shifts=(adding,), destination_rules=(reviews_rule("v1"),))))


def test_a_baseline_that_nobody_adds_is_an_error() -> None:
    severity, _, message = said(shifting.subset_missing, sound(shifts=(shift(baseline=Subset("v1-baseline")),)))
    assert severity is Severity.ERROR
    assert message.startswith('spec.baseline.subset: DestinationRule bookinfo/reviews has no subset "v1-baseline"')
    adding = shift(baseline=Subset("v1-baseline", {"version": "v1-baseline"}))
    assert not list(shifting.subset_missing(sound(shifts=(adding,))))


def test_stable_has_to_be_there_before() -> None:
    found = only(shifting.subset_missing, sound(destination_rules=(reviews_rule("v2"),)))
    assert found.message.startswith('spec.stable.subset: DestinationRule bookinfo/reviews has no subset "v1"')


def test_a_route_that_is_not_shifted_is_told_with_the_reason() -> None:
    document = routed(SPLIT, tcp=[{"match": [{"port": 9000}], "route": [to("v2")]}])
    severity, about, message = said(shifting.skipped_route, sound(virtual_services=(document,)))
    assert (severity, about) == (Severity.WARNING, "VirtualService bookinfo/reviews")
    assert message.startswith('route tcp[0] sends to subset "v2" alone and stays as it is')
    assert not list(shifting.skipped_route(sound()))


def test_a_header_route_that_pins_the_canary_is_told_once() -> None:
    manifests = sound(virtual_services=(routed(PIN, SPLIT),))
    severity, _, message = said(shifting.pinned_canary, manifests)
    assert severity is Severity.WARNING
    assert message.startswith('http[0] pins its requests to subset "v2", the canary of TrafficShift bookinfo/reviews')
    assert not list(shifting.skipped_route(manifests))


def test_a_pin_is_told_even_if_the_shift_names_its_routes() -> None:
    naming = shift(virtual_services=(VirtualServiceSelector("bookinfo", "reviews", ("default",)),))
    assert list(shifting.pinned_canary(sound(shifts=(naming,), virtual_services=(routed(PIN, SPLIT),))))


def test_a_header_route_to_stable_pins_no_canary() -> None:
    route = {**PIN, "route": [to("v1")]}
    assert not list(shifting.pinned_canary(sound(virtual_services=(routed(route, SPLIT),))))


def test_stable_at_weight_zero_leaves_a_pin_a_pin() -> None:
    route = {**PIN, "route": [to("v1", 0), to("v2", 100)]}
    assert list(shifting.pinned_canary(sound(virtual_services=(routed(route, SPLIT),))))


def test_a_route_without_a_match_to_the_canary_alone_is_skipped_but_no_pin() -> None:
    manifests = sound(virtual_services=(routed(SPLIT, {"route": [to("v2")]}),))
    assert "stays as it is" in only(shifting.skipped_route, manifests).message
    assert not list(shifting.pinned_canary(manifests))


def test_a_mirror_to_the_canary_is_told() -> None:
    mirrored = {**SPLIT, "mirror": {"host": "reviews", "subset": "v2"}, "mirrorPercentage": {"value": 5}}
    severity, about, message = said(shifting.mirrored_canary, sound(virtual_services=(routed(mirrored),)))
    assert (severity, about) == (Severity.WARNING, "VirtualService bookinfo/reviews")
    assert message.startswith('http[0] "default".mirror copies requests to subset "v2", the canary of TrafficShift')
    other = {**SPLIT, "mirror": {"host": "reviews", "subset": "v3"}}
    assert not list(shifting.mirrored_canary(sound(virtual_services=(routed(other),))))


def test_what_istio_would_not_obey_keeps_a_shift_from_beginning() -> None:
    old = routed({"route": [to("v9")]}, name="old", metadata={"creationTimestamp": "2020-01-01T00:00:00Z"})
    new = routed(SPLIT, metadata={"creationTimestamp": "2025-01-01T00:00:00Z"})
    shadowed = only(shifting.unfit_mesh, sound(virtual_services=(old, new)))
    assert "VirtualService bookinfo/old is older" in shadowed.message
    rules = (reviews_rule("v1", "v2"), reviews_rule("v1", namespace="web"))
    hides = only(shifting.unfit_mesh, sound(destination_rules=rules))
    assert hides.message.startswith("callers in namespace web get DestinationRule web/reviews")
