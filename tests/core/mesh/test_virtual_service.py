"""A document is read as Istio reads it."""

from meshshift.core.mesh.virtual_service import read_virtual_service
from tests.core.mesh.sample_documents import to, virtual_service


def test_a_virtual_service_mentions_every_host_it_speaks_for_or_sends_to() -> None:
    document = virtual_service(
        {"route": [to("v1", host="ratings")], "mirror": {"host": "shadow.test.svc.cluster.local"}},
        hosts=["shop.example.com", 7],
        tcp=[{"route": [to(host="mongo")]}],
    )
    assert read_virtual_service(document, "cluster.local").mentions == {
        "shop.example.com",
        "ratings.bookinfo.svc.cluster.local",
        "shadow.test.svc.cluster.local",
        "mongo.bookinfo.svc.cluster.local",
    }


def test_one_bad_route_does_not_hide_the_others() -> None:
    service = read_virtual_service(virtual_service({"route": 7}, {"route": [to("v1")]}), "cluster.local")
    assert [route.index for route in service.routes] == [1]
    assert len(service.defects) == 1


def test_documents_read_alike_are_equal_and_usable_as_keys() -> None:
    first, second = (read_virtual_service(virtual_service({"route": [to("v1")]}), "cluster.local") for _ in range(2))
    assert first == second
    assert len({first, second}) == 1
