"""Contract: deletion: finalizers, preconditions, what it means for owners and namespaces."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.lab.kube.client import refusal

if TYPE_CHECKING:
    from tests.lab.kube.client import Api, Document


def owned_by(owner: Document, **more: Any) -> list[dict[str, Any]]:
    meta = owner["metadata"]
    return [{"apiVersion": "v1", "kind": "ConfigMap", "name": meta["name"], "uid": meta["uid"], **more}]


async def delete_with(api: Api, path: str, options: dict[str, Any]) -> Any:
    return await api.http.request("DELETE", path, json={"apiVersion": "v1", "kind": "DeleteOptions", **options})


async def test_a_deletion_answers_with_what_was_deleted(api: Api) -> None:
    created = await api.config_map("a")
    answer = await api.delete(api.config_maps("a"))
    assert answer["status"] == "Success"
    assert answer["details"] == {"name": "a", "kind": "configmaps", "uid": created["metadata"]["uid"]}


async def test_a_finalizer_holds_the_object(api: Api) -> None:
    await api.config_map("a", finalizers=["example.com/hold"])
    marked = await api.delete(api.config_maps("a"))
    assert marked["metadata"]["deletionTimestamp"]
    assert (await api.get(api.config_maps("a")))["metadata"]["finalizers"] == ["example.com/hold"]
    await api.patch(api.config_maps("a"), {"metadata": {"finalizers": None}})
    refusal(await api.http.get(api.config_maps("a")), 404, "NotFound")


async def test_a_dying_object_takes_no_new_finalizer(api: Api) -> None:
    await api.config_map("a", finalizers=["example.com/hold"])
    await api.delete(api.config_maps("a"))
    more = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
    status = refusal(await api.send_patch(api.config_maps("a"), more), 422, "Invalid")
    assert "no new finalizers can be added if the object is being deleted" in status["message"]
    await api.patch(api.config_maps("a"), {"metadata": {"finalizers": None}})


async def test_deleting_twice_keeps_the_first_timestamp(api: Api) -> None:
    await api.config_map("a", finalizers=["example.com/hold"])
    first = await api.delete(api.config_maps("a"))
    second = await api.delete(api.config_maps("a"))
    assert first["metadata"]["deletionTimestamp"] == second["metadata"]["deletionTimestamp"]
    await api.patch(api.config_maps("a"), {"metadata": {"finalizers": None}})


async def test_a_uid_precondition_protects_a_namesake(api: Api) -> None:
    created = await api.config_map("a")
    await api.delete(api.config_maps("a"))
    await api.config_map("a")
    wanted = {"preconditions": {"uid": created["metadata"]["uid"]}}
    status = refusal(await delete_with(api, api.config_maps("a"), wanted), 409, "Conflict")
    assert status["message"].startswith('Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition (')


async def test_a_version_precondition_protects_an_edit(api: Api) -> None:
    created = await api.config_map("a")
    await api.patch(api.config_maps("a"), {"data": {"k": "2"}})
    wanted = {"preconditions": {"resourceVersion": created["metadata"]["resourceVersion"]}}
    status = refusal(await delete_with(api, api.config_maps("a"), wanted), 409, "Conflict")
    assert "the ResourceVersion in the precondition (" in status["message"]


async def test_a_dry_run_deletes_nothing(api: Api) -> None:
    await api.config_map("a")
    await api.delete(api.config_maps("a"), dryRun="All")
    assert await api.get(api.config_maps("a"))


def pod(node: str) -> Document:
    spec = {"containers": [{"name": "web", "image": "web:1"}], "terminationGracePeriodSeconds": 60}
    named = {"nodeName": node} if node else {}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {**spec, **named}}


async def test_a_pod_on_a_node_is_marked_until_the_node_ends_it(api: Api) -> None:
    created = await api.create(api.path("pods"), pod("worker"))
    marked = (await delete_with(api, api.path("pods", "p"), {})).json()
    begun, ends = (datetime.fromisoformat(one["metadata"][key]) for one, key in (
        (created, "creationTimestamp"), (marked, "deletionTimestamp")
    ))  # fmt: skip
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 60
    assert 60 <= (ends - begun).total_seconds() <= 80
    again = await api.delete(api.path("pods", "p"))
    assert again["metadata"]["deletionTimestamp"] == marked["metadata"]["deletionTimestamp"]
    assert (await api.get(api.path("pods", "p")))["metadata"]["uid"] == created["metadata"]["uid"]
    await delete_with(api, api.path("pods", "p"), {"gracePeriodSeconds": 0})
    refusal(await api.http.get(api.path("pods", "p")), 404, "NotFound")


async def test_a_pod_that_nobody_runs_goes_at_once(api: Api) -> None:
    await api.create(api.path("pods"), pod(""))
    await api.delete(api.path("pods", "p"))
    refusal(await api.http.get(api.path("pods", "p")), 404, "NotFound")


async def test_a_pod_that_has_ended_goes_at_once(api: Api) -> None:
    await api.create(api.path("pods"), pod("worker"))
    await api.patch(api.path("pods", "p/status"), {"status": {"phase": "Succeeded"}})
    await api.delete(api.path("pods", "p"))
    refusal(await api.http.get(api.path("pods", "p")), 404, "NotFound")


async def test_a_foreground_deletion_holds_the_owner(api: Api) -> None:
    owner = await api.config_map("owner")
    await api.config_map(
        "child", finalizers=["example.com/hold"], ownerReferences=owned_by(owner, blockOwnerDeletion=True)
    )
    await delete_with(api, api.config_maps("owner"), {"propagationPolicy": "Foreground"})
    held = await api.get(api.config_maps("owner"))
    assert held["metadata"]["finalizers"] == ["foregroundDeletion"]
    await api.patch(api.config_maps("child"), {"metadata": {"finalizers": None}})


async def test_a_dying_namespace_takes_nothing_new(api: Api) -> None:
    await api.config_map("a", finalizers=["example.com/hold"])
    await api.delete(f"/api/v1/namespaces/{api.namespace}")
    found = await api.get(f"/api/v1/namespaces/{api.namespace}")
    assert found["status"]["phase"] == "Terminating"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}}
    status = refusal(await api.http.post(api.config_maps(), json=body), 403, "Forbidden")
    assert "because it is being terminated" in status["message"]
    await api.patch(api.config_maps("a"), {"metadata": {"finalizers": None}})
