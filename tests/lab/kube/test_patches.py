"""Contract: JSON Patch, merge patch, strategic merge patch, and who owns a field after each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.kube.client import JSON, MERGE, STRATEGIC, owners, refusal
from tests.lab.kube.test_objects import DEPLOYMENTS, deployment

if TYPE_CHECKING:
    from tests.lab.kube.client import Api

OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


async def test_a_json_patch_with_a_failing_test_is_unprocessable(api: Api) -> None:
    await api.config_map("a", {"k": "1"})
    operations = [{"op": "test", "path": "/data/k", "value": "2"}, {"op": "replace", "path": "/data/k", "value": "3"}]
    status = refusal(await api.send_patch(api.config_maps("a"), operations, JSON), 422, "Invalid")
    assert status["message"] == "the server rejected our request due to an error in our request"
    assert (await api.get(api.config_maps("a")))["data"] == {"k": "1"}


async def test_a_json_patch_on_a_missing_path_is_unprocessable(api: Api) -> None:
    await api.config_map("a")
    operations = [{"op": "replace", "path": "/spec/http/0/weight", "value": 1}]
    refusal(await api.send_patch(api.config_maps("a"), operations, JSON), 422, "Invalid")


async def test_a_json_patch_may_replace_a_key_that_is_not_there(api: Api) -> None:
    await api.config_map("a", {"k": "1"})
    patched = await api.patch(api.config_maps("a"), [{"op": "replace", "path": "/data/new", "value": "2"}], JSON)
    assert patched["data"] == {"k": "1", "new": "2"}


@pytest.mark.parametrize(
    ("path", "value", "passes"),
    [
        ("/spec/weight", 1, True),
        ("/spec/weight", 1.0, False),
        ("/spec/weight", True, False),
        ("/spec/weight", "1", False),
        ("/spec/weight", None, False),
        ("/spec/absent", None, True),
        ("/spec/absent", 1, False),
        ("/spec/absent/deeper", None, False),
        ("/spec/list/0", 1, True),
        ("/spec/list/1", None, False),
        ("/spec/map", {"b": [2], "a": 1}, True),
        ("/spec/map", {"a": 1}, False),
    ],
)
async def test_what_a_test_operation_takes_for_equal(api: Api, path: str, value: Any, passes: bool) -> None:
    await api.define_widgets(OPEN)
    await api.widget("w", {"weight": 1, "list": [1], "map": {"a": 1, "b": [2]}})
    response = await api.send_patch(api.widgets("w"), [{"op": "test", "path": path, "value": value}], JSON)
    assert response.status_code == (200 if passes else 422), response.text


@pytest.mark.parametrize("body", [{"a": 1}, "x", [1]])
async def test_a_json_patch_that_is_no_patch_is_a_bad_request(api: Api, body: Any) -> None:
    await api.config_map("a")
    status = refusal(await api.send_patch(api.config_maps("a"), body, JSON), 400, "BadRequest")
    assert status["message"].startswith("error decoding patch: ")


@pytest.mark.parametrize(
    "operation", [{"path": "/data"}, {"op": "frob", "path": "/data"}, {"op": "add", "path": "data", "value": {}}]
)
async def test_an_operation_that_makes_no_sense_is_unprocessable(api: Api, operation: dict[str, Any]) -> None:
    await api.config_map("a")
    refusal(await api.send_patch(api.config_maps("a"), [operation], JSON), 422, "Invalid")


async def test_a_json_patch_may_test_the_version_it_was_made_for(api: Api) -> None:
    created = await api.config_map("a")
    version = created["metadata"]["resourceVersion"]

    def guarded(value: str) -> list[dict[str, Any]]:
        return [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "replace", "path": "/data/k", "value": value},
        ]

    await api.patch(api.config_maps("a"), guarded("1"), JSON)
    refusal(await api.send_patch(api.config_maps("a"), guarded("2"), JSON), 422, "Invalid")


async def test_a_merge_patch_merges_maps_and_removes_nulls(api: Api) -> None:
    await api.config_map("a", {"keep": "1", "drop": "2"})
    patched = await api.patch(api.config_maps("a"), {"data": {"drop": None, "add": "3"}}, MERGE)
    assert patched["data"] == {"keep": "1", "add": "3"}


async def test_a_merge_patch_with_an_old_version_conflicts(api: Api) -> None:
    created = await api.config_map("a")
    await api.patch(api.config_maps("a"), {"data": {"k": "2"}})
    stale = {"metadata": {"resourceVersion": created["metadata"]["resourceVersion"]}, "data": {"k": "3"}}
    refusal(await api.send_patch(api.config_maps("a"), stale), 409, "Conflict")


async def test_a_strategic_patch_merges_containers_by_name(api: Api) -> None:
    path = api.path("deployments", prefix=DEPLOYMENTS)
    await api.create(path, deployment("web"))
    add = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:1"}]}}}}
    await api.patch(f"{path}/web", add, STRATEGIC)
    change = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}}}
    patched = await api.patch(f"{path}/web", change, STRATEGIC)
    images = {one["name"]: one["image"] for one in patched["spec"]["template"]["spec"]["containers"]}
    assert images == {"web": "web:2", "side": "side:1"}


async def test_a_strategic_patch_can_delete_an_entry_and_order_the_rest(api: Api) -> None:
    path = api.path("deployments", prefix=DEPLOYMENTS)
    await api.create(path, deployment("web"))
    more = [{"name": name, "image": f"{name}:1"} for name in ("b", "c")]
    await api.patch(f"{path}/web", {"spec": {"template": {"spec": {"containers": more}}}}, STRATEGIC)
    edit = {
        "$setElementOrder/containers": [{"name": "c"}, {"name": "web"}],
        "containers": [{"$patch": "delete", "name": "b"}],
    }
    patched = await api.patch(f"{path}/web", {"spec": {"template": {"spec": edit}}}, STRATEGIC)
    assert [one["name"] for one in patched["spec"]["template"]["spec"]["containers"]] == ["c", "web"]


async def test_a_merge_patch_replaces_lists_where_a_strategic_one_merges(api: Api) -> None:
    path = api.path("deployments", prefix=DEPLOYMENTS)
    await api.create(path, deployment("web"))
    other = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:1"}]}}}}
    patched = await api.patch(f"{path}/web", other, MERGE)
    assert [one["name"] for one in patched["spec"]["template"]["spec"]["containers"]] == ["side"]


async def test_a_custom_resource_takes_no_strategic_patch(api: Api) -> None:
    await api.define_widgets(OPEN)
    await api.widget("w", {})
    status = refusal(await api.send_patch(api.widgets("w"), {}, STRATEGIC), 415, "UnsupportedMediaType")
    assert status["message"] == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )


async def test_the_field_manager_owns_what_it_wrote(api: Api) -> None:
    await api.config_map("a")
    await api.patch(api.config_maps("a"), {"metadata": {"annotations": {"m/c": "go"}}}, fieldManager="kubectl-annotate")
    found = owners(await api.get(api.config_maps("a")))
    assert "f:m/c" in found["kubectl-annotate", "Update", ""]["f:metadata"]["f:annotations"]
    assert found["contract", "Update", ""] == {"f:data": {".": {}, "f:k": {}}}


async def test_without_a_field_manager_the_user_agent_owns(api: Api) -> None:
    await api.config_map("a")
    await api.http.patch(
        api.config_maps("a"),
        json={"data": {"x": "1"}},
        headers={"User-Agent": "someone/2.0 (linux)", "Content-Type": MERGE},
    )
    assert ("someone", "Update", "") in owners(await api.get(api.config_maps("a")))


async def test_changing_a_field_takes_it_from_its_owner(api: Api) -> None:
    await api.config_map("a", {"x": "1", "y": "1"})
    await api.patch(api.config_maps("a"), {"data": {"x": "2"}}, fieldManager="second")
    found = owners(await api.get(api.config_maps("a")))
    assert found["second", "Update", ""] == {"f:data": {"f:x": {}}}
    assert found["contract", "Update", ""] == {"f:data": {".": {}, "f:y": {}}}


async def test_removing_a_field_leaves_it_unowned(api: Api) -> None:
    await api.config_map("a", {"x": "1", "y": "1"})
    await api.patch(api.config_maps("a"), {"data": {"x": None}}, fieldManager="second")
    found = owners(await api.get(api.config_maps("a")))
    assert list(found) == [("contract", "Update", "")]
    assert found["contract", "Update", ""] == {"f:data": {".": {}, "f:y": {}}}


async def test_an_atomic_list_is_owned_as_a_whole(api: Api) -> None:
    await api.define_widgets({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
    await api.widget("w", {"http": [{"weight": 1}]})
    await api.patch(
        api.widgets("w"), [{"op": "replace", "path": "/spec/http/0/weight", "value": 2}], JSON, fieldManager="shifter"
    )
    found = owners(await api.get(api.widgets("w")))
    assert found["shifter", "Update", ""] == {"f:spec": {"f:http": {}}}


async def test_a_manager_can_give_back_its_entry(api: Api) -> None:
    await api.config_map("a", {"x": "1", "y": "1"})
    patched = await api.patch(api.config_maps("a"), {"data": {"x": "2"}}, fieldManager="second")
    place = [entry["manager"] for entry in patched["metadata"]["managedFields"]].index("second")
    operations = [{"op": "remove", "path": f"/metadata/managedFields/{place}"}]
    after = await api.patch(api.config_maps("a"), operations, JSON, fieldManager="second")
    assert list(owners(after)) == [("contract", "Update", "")]


async def test_one_empty_entry_resets_all_owners(api: Api) -> None:
    await api.config_map("a")
    after = await api.patch(api.config_maps("a"), {"metadata": {"managedFields": [{}]}})
    assert owners(after) == {}


async def test_status_writes_are_recorded_apart(api: Api) -> None:
    await api.define_widgets(OPEN)
    await api.widget("w", {"size": 1})
    await api.patch(f"{api.widgets('w')}/status", {"status": {"phase": "On"}}, fieldManager="controller")
    found = owners(await api.get(api.widgets("w")))
    assert found["controller", "Update", "status"] == {"f:status": {".": {}, "f:phase": {}}}


async def test_whoever_creates_an_object_owns_fields_not_the_structs_around_them(api: Api) -> None:
    created = await api.create(api.path("deployments", prefix=DEPLOYMENTS), deployment("web"))
    spec = owners(created)["contract", "Update", ""]["f:spec"]
    template = spec["f:template"]
    structs = (spec, spec["f:strategy"], template, template["f:metadata"], template["f:spec"])
    assert not [one for one in (*structs, template["f:spec"]["f:containers"]) if "." in one]
    assert "." in template["f:spec"]["f:containers"]['k:{"name":"web"}']


async def test_nobody_owns_a_status_that_nobody_wrote(api: Api) -> None:
    created = await api.create(api.path("deployments", prefix=DEPLOYMENTS), deployment("web"))
    assert set(owners(created)["contract", "Update", ""]) == {"f:spec"}
