"""A shift that would move nobody is not begun: who is obeyed instead, and why."""

from typing import Any

import pytest

from meshshift.core.mesh.documents import Document, Problem, Reason
from meshshift.core.mesh.routes import FoundRoutes, VirtualServiceSelector, find_routes
from tests.core.mesh.sample_documents import TARGET, to, virtual_service

ROUTE = {"route": [to("v1", host=TARGET.host)]}
OLD, NEW = "2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z"


def mesh(name: str, *http: dict[str, Any], created: str = "", namespace: str = "bookinfo", **spec: Any) -> Document:
    document = virtual_service(*http, name=name, namespace=namespace, **{"hosts": [TARGET.host], **spec})
    document["metadata"]["creationTimestamp"] = created
    return document


def found(*documents: Document, only: tuple[str, ...] = ()) -> FoundRoutes:
    selectors = [VirtualServiceSelector("bookinfo", each) for each in only]
    result = find_routes(documents, TARGET, selectors)
    assert isinstance(result, FoundRoutes), result
    return result


def conflict(*documents: Document, only: tuple[str, ...] = ()) -> Problem:
    result = found(*documents, only=only).conflict
    assert result is not None
    return result


def routes_of(*documents: Document, only: tuple[str, ...] = ()) -> list[str]:
    result = found(*documents, only=only)
    assert result.conflict is None, result.conflict
    return [f"{each.owner.name}/{each.protocol}[{each.index}]" for each in result.routes]


ROOT = mesh("root", {"delegate": {"name": "lent"}})
LENT = mesh("lent", ROUTE, hosts=[])


def test_the_winner_is_named_with_the_reason() -> None:
    result = conflict(mesh("a-new", ROUTE, created=NEW), mesh("old", {"route": [to()]}, created=OLD))
    assert result.reason is Reason.SHADOWED
    assert result.message == (
        "VirtualService bookinfo/a-new is ignored: VirtualService bookinfo/old has the host "
        "reviews.bookinfo.svc.cluster.local in the mesh, too, sidecars do not merge the two, and VirtualService "
        "bookinfo/old is older; join them into one, or delete one of them"
    )


def test_a_shadowed_one_is_told_even_if_the_winner_is_shifted_too() -> None:
    assert conflict(mesh("new", ROUTE, created=NEW), mesh("old", ROUTE, created=OLD)).reason is Reason.SHADOWED


def test_naming_the_winner_alone_is_a_way_out_and_naming_the_loser_is_none() -> None:
    both = (mesh("new", ROUTE, created=NEW), mesh("old", ROUTE, created=OLD))
    assert routes_of(*both, only=("old",)) == ["old/http[0]"]
    assert conflict(*both, only=("new",)).reason is Reason.SHADOWED


def test_a_gateway_and_the_mesh_are_both_shifted() -> None:
    edge = mesh("edge", ROUTE, created=NEW, gateways=["public"])
    assert routes_of(mesh("old", ROUTE, created=OLD), edge) == ["old/http[0]", "edge/http[0]"]


def test_callers_that_go_by_another_one_are_named() -> None:
    private = mesh("private", {"route": [to()]}, namespace="web", exportTo=["."], created=NEW)
    result = conflict(mesh("ours", ROUTE, created=OLD), private)
    assert "VirtualService bookinfo/ours is ignored for callers in namespace web" in result.message
    assert "VirtualService web/private is exported to namespace web by name" in result.message
    assert "name bookinfo/ours in virtualServices" in result.message


def test_callers_that_go_by_another_one_do_not_matter_if_it_is_shifted_or_left_out_by_name() -> None:
    ours, private = mesh("ours", ROUTE), mesh("private", ROUTE, namespace="web", exportTo=["."])
    assert routes_of(ours, private) == ["ours/http[0]", "private/http[0]"]
    other = mesh("private", {"route": [to()]}, namespace="web", exportTo=["."])
    assert routes_of(ours, other, only=("ours",)) == ["ours/http[0]"]


def test_one_that_no_proxy_sees_is_refused() -> None:
    result = conflict(mesh("ours", ROUTE, exportTo=["~"]))
    assert result.message.startswith('VirtualService bookinfo/ours: spec.exportTo is ["~"], so that no proxy sees it')


def test_a_match_on_a_gateway_that_is_not_bound_acts_nowhere() -> None:
    result = conflict(mesh("ours", {"match": [{"gateways": ["public"]}], **ROUTE}))
    assert (result.reason, "not in spec.gateways" in result.message) == (Reason.ROUTE_UNREACHABLE, True)


def test_a_route_behind_one_that_takes_everything_is_never_reached() -> None:
    result = conflict(mesh("ours", {"route": [to(host="ratings")]}, ROUTE))
    assert result.reason is Reason.ROUTE_UNREACHABLE
    assert "route http[1] is never reached: http[0] before it has no match" in result.message
    tcp = mesh("ours", tcp=[{"route": [to(host="ratings")]}, {"match": [{"port": 1}], **ROUTE}])
    assert conflict(tcp).reason is Reason.ROUTE_UNREACHABLE


def test_an_unreached_route_goes_along_with_one_that_is_reached() -> None:
    assert routes_of(mesh("ours", ROUTE, ROUTE)) == ["ours/http[0]", "ours/http[1]"]


def test_routes_of_other_protocols_and_delegating_entries_take_nothing_away() -> None:
    tcp = mesh("ours", {"match": [{"uri": {"prefix": "/a"}}], **ROUTE}, tcp=[ROUTE])
    assert routes_of(tcp) == ["ours/http[0]", "ours/tcp[0]"]
    root = mesh("ours", {"delegate": {"name": "lent"}}, ROUTE)
    assert routes_of(root, mesh("lent", {"route": [to(host="ratings")]}, hosts=[])) == ["ours/http[1]"]


def test_the_routes_of_a_delegate_are_shifted_where_a_root_refers_to_it() -> None:
    assert routes_of(ROOT, LENT) == ["lent/http[0]"]
    away = mesh("away", {"delegate": {"name": "lent", "namespace": "bookinfo"}}, namespace="edge", gateways=["public"])
    assert routes_of(away, LENT) == ["lent/http[0]"]


def test_naming_the_root_names_its_delegates() -> None:
    assert routes_of(ROOT, LENT, mesh("edge", ROUTE, gateways=["g"]), only=("root",)) == ["lent/http[0]"]


def test_a_root_in_another_namespace_has_to_say_where_its_delegate_is() -> None:
    result = conflict(mesh("root", {"delegate": {"name": "lent"}}, namespace="edge"), LENT)
    assert result.reason is Reason.DELEGATE_IGNORED
    assert result.message.startswith(
        "VirtualService bookinfo/lent has no spec.hosts and no VirtualService delegates to it, so that its routes have"
    )


@pytest.mark.parametrize("only", [(), ("lent",)])
def test_a_delegate_that_nobody_refers_to_is_refused(only: tuple[str, ...]) -> None:
    assert conflict(LENT, only=only).reason is Reason.DELEGATE_IGNORED


def test_an_unused_delegate_beside_routes_that_act_goes_along_unless_it_is_named() -> None:
    assert routes_of(mesh("ours", ROUTE), LENT) == ["ours/http[0]", "lent/http[0]"]
    assert conflict(mesh("ours", ROUTE), LENT, only=("ours", "lent")).reason is Reason.DELEGATE_IGNORED


def test_delegates_are_not_nested() -> None:
    middle = mesh("middle", {"delegate": {"name": "lent"}}, hosts=[])
    top = mesh("top", {"delegate": {"name": "middle"}})
    assert (
        "only VirtualService bookinfo/middle delegates to it, which has no hosts either"
        in conflict(top, middle, LENT).message
    )


def test_a_delegate_has_to_be_exported_to_its_root() -> None:
    root = mesh("root", {"delegate": {"name": "lent", "namespace": "bookinfo"}}, namespace="edge")
    lent = mesh("lent", ROUTE, hosts=[], exportTo=["."])
    result = conflict(root, lent)
    assert 'spec.exportTo ["bookinfo"]' in result.message
    assert result.message.endswith('VirtualService edge/root cannot delegate to it; add "edge" to exportTo')
    assert routes_of(root, mesh("lent", ROUTE, hosts=[], exportTo=["edge"])) == ["lent/http[0]"]


def test_tcp_and_tls_of_a_delegate_go_nowhere() -> None:
    result = conflict(ROOT, mesh("lent", hosts=[], tcp=[ROUTE]))
    assert "VirtualService bookinfo/lent tcp[0]: a VirtualService without hosts lends only its http" in result.message


def test_the_route_of_an_entry_that_delegates_is_nobodys() -> None:
    both = mesh("root", {"delegate": {"name": "lent"}, **ROUTE})
    assert routes_of(both, LENT) == ["lent/http[0]"]


def test_a_delegate_is_shadowed_with_its_root() -> None:
    root = mesh("root", {"delegate": {"name": "lent"}}, created=NEW)
    result = conflict(root, LENT, mesh("old", {"route": [to()]}, created=OLD))
    assert result.message.startswith(
        "VirtualService bookinfo/root (which delegates to VirtualService bookinfo/lent) is ignored: VirtualService "
        "bookinfo/old has the host"
    )
    edge = mesh("edge", {"delegate": {"name": "lent"}}, gateways=["public"], created=NEW)
    assert routes_of(edge, LENT) == ["lent/http[0]"]


def test_a_name_of_a_root_s_entry_leads_to_its_delegate() -> None:
    root = mesh("root", {"name": "all", "delegate": {"name": "lent"}})
    result = find_routes([root, LENT], TARGET, [VirtualServiceSelector("bookinfo", "root", ("all",))])
    assert isinstance(result, Problem)
    assert result.message.endswith("name VirtualService bookinfo/lent, which it delegates to")


def test_names_are_for_http_routes_and_the_message_says_so() -> None:
    result = find_routes([mesh("ours", tcp=[ROUTE])], TARGET, [VirtualServiceSelector("bookinfo", "ours", ("x",))])
    assert isinstance(result, Problem)
    assert result.message.endswith(
        "name one of its routes: none (tcp routes have no name: to shift them, leave routes out)"
    )


def test_a_delegate_s_route_that_matches_more_than_its_entry_is_left_out() -> None:
    root = mesh("root", {"match": [{"uri": {"prefix": "/a"}}], "delegate": {"name": "lent"}})
    beyond = mesh("lent", {"match": [{"uri": {"prefix": "/b"}}], **ROUTE}, hosts=[])
    result = conflict(root, beyond)
    assert result.reason is Reason.DELEGATE_IGNORED
    assert result.message.startswith(
        "VirtualService bookinfo/lent http[0] is left out, because its match goes beyond that of every entry that "
        "delegates to it (VirtualService bookinfo/root http[0])"
    )
    assert routes_of(root, mesh("lent", {"match": [{"uri": {"exact": "/a/b"}}], **ROUTE}, hosts=[])) == ["lent/http[0]"]


def test_at_a_gateway_it_acts_and_in_the_mesh_it_is_ignored() -> None:
    both = mesh("both", ROUTE, gateways=["mesh", "public"], created=NEW)
    result = conflict(both, mesh("old", {"route": [to()]}, created=OLD))
    assert result.message.startswith(
        "VirtualService bookinfo/both is ignored: VirtualService bookinfo/old has the host"
    )
    assert routes_of(both, mesh("old", ROUTE, created=OLD)) == ["both/http[0]", "old/http[0]"]
