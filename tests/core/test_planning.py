"""What a plan promises, for VirtualServices of any shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jsonpatch
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.indicator import JudgeSettings
from meshshift.core.mesh.documents import Document, Target
from meshshift.core.mesh.routes import FoundRoutes, VirtualServiceSelector, find_routes
from meshshift.core.mesh.stickiness import Stickiness
from meshshift.core.mesh.weighted_route import at_percent
from meshshift.core.planning import Plan, mesh_view, plan, with_version
from meshshift.core.spec import Analysis, CreatePolicy, OnInconclusive, Pause, SetWeight, ShiftSpec, Step, Subset
from meshshift.core.steps import complete
from tests.core.mesh.sample_documents import TARGET, to, virtual_service, virtual_services

RULE: Document = {
    "kind": "DestinationRule",
    "metadata": {"name": "reviews", "namespace": "bookinfo"},
    "spec": {"host": "reviews", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]},
}


def spec(*steps: Step, **more: Any) -> ShiftSpec:
    judge = JudgeSettings(
        false_rollback=0.01,
        false_promotion=0.05,
        tolerance=0.25,
        harm_budget=0.005,
        spare_requests=5.0,
        interval=15.0,
    )
    analysis = Analysis(judge, (), warmup=0.0, step_timeout=60.0, on_inconclusive=OnInconclusive.HOLD)
    stable, canary = (Subset(name, {"version": name}) for name in ("v1", "v2"))
    return replace(ShiftSpec("reviews", stable, canary, complete(steps), 0.0, analysis), **more)


def applied(document: Document, operations: Any) -> Document:
    after: Document = jsonpatch.apply_patch(document, [dict(each) for each in operations])
    return after


def planned(asked: ShiftSpec, *documents: Document) -> Plan | tuple[str, ...]:
    kinds: list[Document] = [{"kind": "VirtualService", **each} for each in documents]
    return plan(asked, "bookinfo", kinds, applied)


@given(virtual_services(whole=st.just(100)), st.lists(st.integers(1, 100), min_size=1, max_size=4, unique=True))
def test_every_step_leaves_the_mesh_at_its_weight(document: Document, percents: list[int]) -> None:
    asked = spec(*map(SetWeight, sorted(percents)))
    found = planned(asked, document, RULE)
    if not isinstance(found, Plan):
        return
    mesh = with_version(document)
    for step in found.steps[1:]:
        for edit in step.edits:
            mesh = with_version(edit.after)
        routes = find_routes([mesh], TARGET)
        assert isinstance(routes, FoundRoutes)
        assert at_percent(routes.routes, asked.steps[step.number - 1].percent)  # type: ignore[union-attr]


@given(virtual_services())
def test_what_is_planned_on_is_left_as_it_was(document: Document) -> None:
    before = repr((document, RULE))
    planned(spec(SetWeight(50)), document, RULE)
    assert repr((document, RULE)) == before


def test_a_pause_writes_nothing_and_keeps_its_number() -> None:
    found = planned(spec(Pause(60.0), SetWeight(50)), virtual_service({"route": [to("v1")]}), RULE)
    assert isinstance(found, Plan)
    assert [(step.number, step.title, len(step.edits)) for step in found.steps] == [
        (0, "preparation", 1),
        (1, "pause 60 s", 0),
        (2, "setWeight 50%", 1),
        (3, "setWeight 100%", 1),
    ]


def test_all_that_is_in_the_way_is_said_at_once() -> None:
    found = planned(spec(SetWeight(50)))
    assert isinstance(found, tuple)
    assert found[0].startswith("no VirtualService has the host reviews.bookinfo.svc.cluster.local")
    assert found[1].startswith("no DestinationRule in namespace bookinfo")


def test_what_may_be_created_is_not_in_the_way() -> None:
    missing = spec(SetWeight(50), create=CreatePolicy.IF_MISSING)
    found = planned(missing)
    assert isinstance(found, Plan)
    assert [edit.target.kind for edit in found.steps[0].edits] == ["DestinationRule", "VirtualService"]


def test_the_view_of_a_named_rule_does_not_fall_back_to_another() -> None:
    asked = spec(SetWeight(50), destination_rule="other")
    found = planned(asked, virtual_service({"route": [to("v1")]}), RULE)
    assert isinstance(found, tuple)
    assert "DestinationRule bookinfo/other does not exist" in found[0]


def test_a_named_rule_of_another_host_is_named_as_such() -> None:
    other = {**RULE, "metadata": {"name": "other", "namespace": "bookinfo"}, "spec": {"host": "ratings"}}
    found = planned(spec(SetWeight(50), destination_rule="other"), virtual_service({"route": [to("v1")]}), RULE, other)
    assert isinstance(found, tuple)
    assert 'DestinationRule bookinfo/other: spec.host is "ratings"' in found[0]


def test_a_shift_that_names_a_virtual_service_hears_of_no_other() -> None:
    named = virtual_service(tcp=[{"route": [to("v7")]}])
    other = virtual_service({"route": [to("v1")]}, name="other")
    asked = spec(virtual_services=(VirtualServiceSelector("bookinfo", "reviews"),))
    found = planned(asked, named, other, RULE)
    assert isinstance(found, tuple)
    assert found[0].startswith("VirtualService bookinfo/reviews: no route sends to subset")


def test_several_virtual_services_are_written_in_the_order_of_their_names() -> None:
    route = {"route": [to("v1")]}
    preview = virtual_service(route, name="a", hosts=["preview.example.com"])
    found = planned(spec(), virtual_service(route, name="z"), preview, RULE)
    assert isinstance(found, Plan)
    assert [edit.target.name for edit in found.steps[1].edits] == ["a", "z"]


def test_a_shift_that_is_paused_is_planned_as_if_it_were_not() -> None:
    document = virtual_service({"route": [to("v1")]})
    assert planned(spec(paused=True), document, RULE) == planned(spec(), document, RULE)


def test_all_steps_that_are_too_small_are_said() -> None:
    shared = virtual_service({"route": [to("v1", 10), to("v1", 90, host="ratings")]})
    found = planned(spec(SetWeight(1), SetWeight(5), SetWeight(50)), shared, RULE)
    assert isinstance(found, tuple)
    assert [" 1 % of that" in found[0], " 5 % of that" in found[1], len(found)] == [True, True, 2]


def test_cookies_come_with_the_first_weight_and_go_at_the_end() -> None:
    document = virtual_service({"name": "default", "route": [to("v1", 100), to("v2", 0)]})
    whole = {
        **RULE,
        "spec": {"host": "reviews", "subsets": [{"name": n, "labels": {"version": n}} for n in ("v1", "v2")]},
    }
    asked = spec(Pause(1.0), SetWeight(10), Pause(1.0), stickiness=Stickiness("version", 60))
    found = planned(asked, document, whole)
    assert isinstance(found, Plan)
    assert [(step.title, len(step.edits)) for step in found.steps] == [
        ("preparation", 0),
        ("pause 1 s", 0),
        ("setWeight 10%", 1),
        ("pause 1 s", 0),
        ("setWeight 100%", 1),
        ("header routes, mirrors and cookies go", 1),
    ]
    first, last = found.steps[2].edits[0].after["spec"]["http"], found.steps[-1].edits[0].after["spec"]["http"]
    assert [each["name"].rpartition("/")[2] for each in first] == ["stable", "canary", "default"]
    assert [each["weight"] for each in first[-1]["route"]] == [90, 10]
    assert last == [{"name": "default", "route": [to("v1", 0), to("v2", 100)]}]


def test_a_route_that_cannot_be_sticky_is_in_the_way() -> None:
    document = virtual_service({"route": [to("v1", 90), to(weight=10, host="legacy")]})
    found = planned(spec(stickiness=Stickiness("version", 60)), document, RULE)
    assert isinstance(found, tuple)
    assert found[0].startswith("spec.stickiness: VirtualService bookinfo/reviews route")


def test_the_target_is_in_the_domain_of_the_cluster() -> None:
    view = mesh_view(spec(SetWeight(50)), "bookinfo", {}, "mesh.test")
    assert view.target == Target("reviews", "bookinfo", "v1", "v2", "mesh.test")
