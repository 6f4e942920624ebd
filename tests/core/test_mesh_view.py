"""What Istio would not obey keeps a shift from beginning, and never from going back."""

from __future__ import annotations

from typing import Any

from meshshift.core.mesh.documents import Document, Problem, Reason
from meshshift.core.mesh.routes import FoundRoutes, VirtualServiceSelector
from meshshift.core.mesh_view import Documents, read_mesh
from meshshift.core.observation import MeshView
from meshshift.core.spec import CreatePolicy, SetWeight, Subset
from tests.core.mesh.sample_documents import TARGET, to, virtual_service
from tests.core.mesh.test_subsets import V1, V2, rule
from tests.core.test_planning import spec

ROUTE = {"route": [to("v1", host=TARGET.host)]}
OURS = virtual_service(ROUTE, name="ours")
OLDER = virtual_service({"route": [to()]}, name="a")
CALLERS = rule(V1, name="callers", namespace="web", host=TARGET.host)


def view(services: list[Document], rules: list[Document], *, begun: bool = False, **more: Any) -> MeshView:
    return read_mesh(spec(SetWeight(50), **more), TARGET, Documents(services, rules), begun=begun)


def reason(found: object) -> Reason | None:
    return found.reason if isinstance(found, Problem) else None


def test_a_shift_that_would_move_nobody_is_not_begun() -> None:
    seen = view([OURS, OLDER], [rule(V1, V2)])
    assert reason(seen.routes) is reason(seen.conflict) is Reason.SHADOWED


def test_a_shift_that_is_under_way_keeps_its_routes_and_hears_of_the_winner() -> None:
    seen = view([OURS, OLDER], [rule(V1, V2)], begun=True)
    assert isinstance(seen.routes, FoundRoutes)
    assert [route.owner.name for route in seen.routes.routes] == ["ours"]
    assert reason(seen.conflict) is Reason.SHADOWED


def test_a_hidden_subset_keeps_a_shift_from_beginning_and_its_rule_stays_known_under_way() -> None:
    rules = [rule(V1, V2), CALLERS]
    assert reason(view([OURS], rules).rule) is Reason.SUBSET_HIDDEN
    seen = view([OURS], rules, begun=True)
    assert reason(seen.rule) is None
    assert reason(seen.conflict) is Reason.SUBSET_HIDDEN


def test_nothing_is_in_conflict_in_a_sound_mesh() -> None:
    for begun in (False, True):
        seen = view([OURS], [rule(V1, V2)], begun=begun)
        assert (reason(seen.routes), reason(seen.rule), seen.conflict) == (None, None, None)


def test_a_subset_that_will_be_added_is_missed_where_callers_have_their_own_rule() -> None:
    assert view([OURS], [rule(V1)]).conflict is None
    assert reason(view([OURS], [rule(V1), CALLERS]).rule) is Reason.SUBSET_HIDDEN
    unlabelled = view([OURS], [rule(V1), CALLERS], canary=Subset("v2"))
    assert unlabelled.conflict is None, "no labels to add: that is told of the subset itself"


def test_a_rule_that_will_be_created_must_not_be_hidden_either() -> None:
    assert reason(view([OURS], [CALLERS], create=CreatePolicy.IF_MISSING).rule) is Reason.SUBSET_HIDDEN
    assert reason(view([OURS], [CALLERS]).rule) is Reason.NO_DESTINATION_RULE


def test_what_is_wrong_with_the_rule_itself_comes_first() -> None:
    other = rule(V1, name="other", host="ratings")
    seen = view([OURS], [rule(V1, V2), CALLERS, other], destination_rule="other")
    assert reason(seen.rule) is Reason.DESTINATION_RULE_HOST
    assert reason(view([OURS], [rule(V2), CALLERS]).rule) is None


def test_a_wildcard_is_no_rule_for_the_host_and_must_not_be_replaced() -> None:
    wild = rule(V1, V2, host="*.bookinfo.svc.cluster.local")
    assert reason(view([OURS], [wild], create=CreatePolicy.IF_MISSING).rule) is Reason.WILDCARD_RULE
    elsewhere = rule(V1, V2, namespace="istio-system", host="*.local")
    assert reason(view([OURS], [elsewhere]).rule) is Reason.NO_DESTINATION_RULE
    elsewhere["spec"]["trafficPolicy"] = {"tls": {"mode": "ISTIO_MUTUAL"}}
    assert reason(view([OURS], [elsewhere]).rule) is Reason.WILDCARD_RULE, "its settings would act no more"
    elsewhere["spec"]["exportTo"] = ["."]
    assert reason(view([OURS], [elsewhere]).rule) is Reason.NO_DESTINATION_RULE


def test_writers_are_those_of_the_managed_virtual_services() -> None:
    def written(document: Document, manager: str) -> Document:
        entry = {"manager": manager, "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {}}}
        return {**document, "metadata": {**document["metadata"], "managedFields": [entry]}}

    elsewhere = virtual_service(ROUTE, name="edge", gateways=["public"])
    services = [written(OURS, "argocd"), written(elsewhere, "kubectl")]
    named = (VirtualServiceSelector("bookinfo", "ours"),)
    assert view(services, [rule(V1, V2)]).writers == ("argocd", "kubectl")
    assert view(services, [rule(V1, V2)], virtual_services=named).writers == ("argocd",)
