"""The store in process: copies out, copies in, and nothing that was stored changes under a reader."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from meshshift.lab.kube import ApiServer, Options, StatusError, Store

SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {"ports": [{"port": 80}]},
}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    },
}


def test_a_kind_is_found_by_any_of_its_names() -> None:
    store = Store()
    store.create(SERVICE)
    for name in ("svc", "Service", "services", "service"):
        assert store.get(name, "web")["kind"] == "Service"
    assert store.kind("vs").plural == store.kind("virtualservices.networking.istio.io").plural == "virtualservices"


def test_an_unknown_kind_says_what_to_do() -> None:
    with pytest.raises(LookupError, match="create its CustomResourceDefinition first"):
        Store().get("gadgets", "x")


def test_changing_what_was_returned_changes_nothing_stored() -> None:
    store = Store()
    for returned in (store.create(SERVICE), store.get("svc", "web"), store.list("svc")[0]):
        returned["metadata"]["labels"]["app"] = "spoilt"
        returned["spec"]["ports"].append({"port": 1})
    assert store.get("svc", "web")["metadata"]["labels"] == {"app": "web"}
    assert len(store.get("svc", "web")["spec"]["ports"]) == 1


def test_changing_what_was_given_changes_nothing_stored() -> None:
    store = Store()
    store.create(SERVICE)
    body = {"spec": {"ports": [{"port": 81}]}}
    store.patch("svc", "web", "default", body)
    body["spec"]["ports"][0]["port"] = 99
    assert store.get("svc", "web")["spec"]["ports"][0]["port"] == 81


def test_no_write_reaches_into_earlier_versions() -> None:
    store = Store()
    created = store.create(DEPLOYMENT)
    revision = store.storage.revision
    store.patch("deploy", "web", "default", {"status": {"replicas": 1}}, options=Options(subresource="status"))
    store.patch("deploy", "web", "default", {"spec": {"replicas": 3}}, options=Options(subresource="scale"))
    store.patch("deploy", "web", "default", {"metadata": {"labels": {"a": "b"}}})
    store.delete("deploy", "web")
    earlier = store.storage.list_as_of(("apps", "deployments"), "default", revision)
    assert [one for _, one in earlier] == [created]


def test_selectors_narrow_a_list() -> None:
    store = Store()
    store.create(SERVICE)
    assert store.list("svc", labels="app=web", fields="metadata.name=web")
    assert not store.list("svc", labels="app=db")
    assert not store.list("svc", namespace="kube-system")


def test_a_refusal_has_code_reason_and_message() -> None:
    with pytest.raises(StatusError) as refused:
        Store().get("svc", "web")
    assert (refused.value.code, refused.value.reason, str(refused.value)) == (
        404,
        "NotFound",
        'services "web" not found',
    )


def test_a_crowded_namespace_is_deleted_with_everything_in_it() -> None:
    store = Store()
    store.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "crowd"}})
    for number in range(sys.getrecursionlimit()):
        meta = {"name": f"m{number}", "namespace": "crowd"}
        store.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    assert store.delete("ns", "crowd")[1]
    assert store.list("cm") == []


async def test_a_server_that_went_away_comes_back_at_its_address_with_its_objects() -> None:
    server = ApiServer()
    async with server:
        server.store.create(SERVICE)
        address = server.url
    async with server:
        assert server.url == address
        assert server.store.get("svc", "web")
