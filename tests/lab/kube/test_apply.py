"""Contract: server-side apply: intents, conflicts, shared and abandoned fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.lab.kube.client import APPLY, STRATEGIC, owners, refusal
from tests.lab.kube.test_objects import DEPLOYMENTS, deployment

if TYPE_CHECKING:
    from tests.lab.kube.client import Api

OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def config_map(data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


async def test_applying_creates_what_is_missing(api: Api) -> None:
    response = await api.send_patch(api.config_maps("a"), config_map({"x": "1"}), APPLY, fieldManager="one")
    assert response.status_code == 201
    assert owners(response.json()) == {("one", "Apply", ""): {"f:data": {"f:x": {}}}}


async def test_applying_the_same_again_keeps_the_version(api: Api) -> None:
    first = await api.patch(api.config_maps("a"), config_map({"x": "1"}), APPLY, fieldManager="one")
    again = await api.patch(api.config_maps("a"), config_map({"x": "1"}), APPLY, fieldManager="one")
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_another_managers_value_is_a_conflict(api: Api) -> None:
    await api.patch(api.config_maps("a"), config_map({"x": "1"}), APPLY, fieldManager="one")
    response = await api.send_patch(api.config_maps("a"), config_map({"x": "2"}), APPLY, fieldManager="two")
    status = refusal(response, 409, "Conflict")
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "one": .data.x'
    assert status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.x"}
    ]


async def test_a_conflict_with_an_update_names_its_version(api: Api) -> None:
    await api.config_map("a", {"x": "1"})
    response = await api.send_patch(api.config_maps("a"), config_map({"x": "2"}), APPLY, fieldManager="two")
    status = refusal(response, 409, "Conflict")
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "contract" using v1: .data.x'


async def test_force_takes_the_field_over(api: Api) -> None:
    await api.patch(api.config_maps("a"), config_map({"x": "1", "y": "1"}), APPLY, fieldManager="one")
    after = await api.patch(api.config_maps("a"), config_map({"x": "2"}), APPLY, fieldManager="two", force="true")
    assert after["data"] == {"x": "2", "y": "1"}
    assert owners(after)["one", "Apply", ""] == {"f:data": {"f:y": {}}}


async def test_the_same_value_is_shared_and_survives_one_owner_leaving(api: Api) -> None:
    await api.patch(api.config_maps("a"), config_map({"x": "1"}), APPLY, fieldManager="one")
    await api.patch(api.config_maps("a"), config_map({"x": "1"}), APPLY, fieldManager="two")
    after = await api.patch(api.config_maps("a"), config_map({"y": "1"}), APPLY, fieldManager="one")
    assert after["data"] == {"x": "1", "y": "1"}


async def test_a_field_that_nobody_mentions_any_more_is_removed(api: Api) -> None:
    await api.patch(api.config_maps("a"), config_map({"x": "1", "y": "1"}), APPLY, fieldManager="one")
    after = await api.patch(api.config_maps("a"), config_map({"y": "1"}), APPLY, fieldManager="one")
    assert after["data"] == {"y": "1"}


async def test_lists_with_keys_merge_by_entry(api: Api) -> None:
    path = api.path("deployments", "web", prefix=DEPLOYMENTS)
    await api.patch(path, deployment("web"), APPLY, fieldManager="one")
    side = {"name": "side", "image": "side:1"}
    intent = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": [side]}}},
    }
    after = await api.patch(path, intent, APPLY, fieldManager="two")
    assert [one["name"] for one in after["spec"]["template"]["spec"]["containers"]] == ["web", "side"]
    intent["spec"] = {"replicas": 2}
    after = await api.patch(path, intent, APPLY, fieldManager="two")
    assert [one["name"] for one in after["spec"]["template"]["spec"]["containers"]] == ["web"]


async def test_a_custom_resources_list_is_atomic(api: Api) -> None:
    await api.define_widgets(OPEN)
    await api.patch(api.widgets("w"), api.widget_document("w", {"http": [1, 2]}), APPLY, fieldManager="one")
    response = await api.send_patch(
        api.widgets("w"), api.widget_document("w", {"http": [1]}), APPLY, fieldManager="two"
    )
    assert refusal(response, 409, "Conflict")["details"]["causes"][0]["field"] == ".spec.http"


async def test_a_weight_patch_makes_a_later_apply_of_the_list_conflict(api: Api) -> None:
    await api.define_widgets(OPEN)
    intent = api.widget_document("w", {"http": [{"weight": 100}]})
    await api.patch(api.widgets("w"), intent, APPLY, fieldManager="gitops")
    operations = [{"op": "replace", "path": "/spec/http/0/weight", "value": 90}]
    await api.patch(api.widgets("w"), operations, "application/json-patch+json", fieldManager="shifter")
    response = await api.send_patch(api.widgets("w"), intent, APPLY, fieldManager="gitops")
    assert '"shifter"' in refusal(response, 409, "Conflict")["message"]


async def test_apply_needs_a_field_manager(api: Api) -> None:
    response = await api.send_patch(api.config_maps("a"), config_map({}), APPLY)
    status = refusal(response, 422, "Invalid")
    assert "fieldManager: Required value: is required for apply patch" in status["message"]


async def test_applying_a_field_that_the_schema_lacks_is_refused(api: Api) -> None:
    await api.define_widgets({"type": "object", "properties": {"size": {"type": "integer"}}})
    response = await api.send_patch(
        api.widgets("w"), api.widget_document("w", {"colour": "red"}), APPLY, fieldManager="one"
    )
    assert response.status_code == 500
    assert ".spec.colour: field not declared in schema" in response.json()["message"]


async def test_an_entry_goes_with_its_last_owner_even_if_others_own_fields_in_it(api: Api) -> None:
    path = api.path("deployments", "web", prefix=DEPLOYMENTS)
    intent: dict[str, Any] = deployment("web")
    containers = intent["spec"]["template"]["spec"]["containers"]
    containers.append({"name": "side", "image": "side:1"})
    await api.patch(path, intent, APPLY, fieldManager="one")
    newer = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:2"}]}}}}
    await api.patch(path, newer, STRATEGIC, fieldManager="two")
    containers.pop()
    after = await api.patch(path, intent, APPLY, fieldManager="one")
    assert [one["name"] for one in after["spec"]["template"]["spec"]["containers"]] == ["web"]


async def test_an_entry_that_another_manager_applied_too_keeps_its_key(api: Api) -> None:
    path = api.path("deployments", "web", prefix=DEPLOYMENTS)
    intent: dict[str, Any] = deployment("web")
    containers = intent["spec"]["template"]["spec"]["containers"]
    containers.append({"name": "side", "image": "side:1"})
    await api.patch(path, intent, APPLY, fieldManager="one")
    await api.patch(path, intent, APPLY, fieldManager="two")
    containers.pop()
    after = await api.patch(path, intent, APPLY, fieldManager="one")
    assert [one["name"] for one in after["spec"]["template"]["spec"]["containers"]] == ["web", "side"]


async def test_an_intent_for_another_version_conflicts(api: Api) -> None:
    first = await api.patch(api.config_maps("a"), config_map({"x": "1"}), APPLY, fieldManager="one")
    await api.patch(api.config_maps("a"), config_map({"x": "2"}), APPLY, fieldManager="one")
    stale = config_map({"x": "3"})
    stale["metadata"]["resourceVersion"] = first["metadata"]["resourceVersion"]
    refusal(await api.send_patch(api.config_maps("a"), stale, APPLY, fieldManager="one"), 409, "Conflict")
