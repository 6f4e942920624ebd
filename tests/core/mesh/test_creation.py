"""What is created for a service that has no routing changes nobody's traffic."""

from meshshift.core.mesh.creation import new_destination_rule, new_virtual_service
from meshshift.core.mesh.documents import Document, Problem
from meshshift.core.mesh.routes import find_routes
from meshshift.core.mesh.subsets import find_rule, subset_labels
from meshshift.core.mesh.weighted_route import at_percent
from tests.core.mesh.sample_documents import TARGET


def stored(document: Document) -> Document:
    return {**document, "metadata": {**document["metadata"], "resourceVersion": "1"}}


def test_a_new_virtual_service_is_found_and_leaves_all_traffic_on_stable() -> None:
    found = find_routes([stored(new_virtual_service(TARGET))], TARGET)
    assert not isinstance(found, Problem)
    (route,) = found.routes
    assert (route.name, route.stable, route.canary, route.has_canary) == ("default", 100, 0, True)
    assert at_percent(found.routes, 0)


def test_hosts_are_fully_qualified() -> None:
    document = new_virtual_service(TARGET)
    assert document["spec"]["hosts"] == [TARGET.host]
    assert "gateways" not in document["spec"]


def test_a_gateway_does_not_take_the_sidecars_away() -> None:
    spec = new_virtual_service(TARGET, hosts=["shop.example.com"], gateways=["ingress/shop"])["spec"]
    assert spec["hosts"] == [TARGET.host, "shop.example.com"]
    assert spec["gateways"] == ["mesh", "ingress/shop"]


def test_a_new_rule_holds_both_subsets() -> None:
    document = stored(new_destination_rule(TARGET, {"version": "1.0"}, {"version": "1.1"}))
    rule = find_rule([document], TARGET)
    assert not isinstance(rule, Problem)
    assert (subset_labels(rule, "v1"), subset_labels(rule, "v2")) == ({"version": "1.0"}, {"version": "1.1"})
    assert subset_labels(new_destination_rule(TARGET, {"version": "1.0"}), "v2") is None


def test_created_objects_say_who_made_them() -> None:
    for document in (new_virtual_service(TARGET), new_destination_rule(TARGET, {})):
        assert document["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "meshshift"}
        assert document["apiVersion"] == "networking.istio.io/v1"
