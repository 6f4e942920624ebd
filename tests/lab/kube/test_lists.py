"""Contract: lists: selectors, pages, versions, tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.kube.client import refusal

if TYPE_CHECKING:
    from tests.lab.kube.client import Api

TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


async def labelled(api: Api) -> None:
    await api.config_map("a", labels={"app": "web", "tier": "front"})
    await api.config_map("b", labels={"app": "web"})
    await api.config_map("c", labels={"app": "db"})


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=web", ["a", "b"]),
        ("app==web,tier=front", ["a"]),
        ("app!=web", ["c"]),
        ("app in (web, db),tier", ["a"]),
        ("app notin (web)", ["c"]),
        ("!tier", ["b", "c"]),
        ("tier notin (back),app=web", ["a", "b"]),
        ("app=web,app=db", []),
    ],
)
async def test_label_selectors_choose(api: Api, selector: str, expected: list[str]) -> None:
    await labelled(api)
    names = await api.names(api.config_maps(), labelSelector=selector)
    assert [name for name in names if not name.startswith("kube-root-ca")] == expected


async def test_a_field_selector_chooses_by_name(api: Api) -> None:
    await labelled(api)
    assert await api.names(api.config_maps(), fieldSelector="metadata.name=b") == ["b"]


async def test_events_are_chosen_by_what_they_are_about(api: Api) -> None:
    for number in range(2):
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"e{number}"},
            "involvedObject": {"kind": "Pod", "name": f"p{number}", "namespace": api.namespace},
        }
        await api.create(api.path("events"), body)
    assert await api.names(api.path("events"), fieldSelector="involvedObject.name=p1,involvedObject.kind=Pod") == ["e1"]


async def test_a_field_that_cannot_be_selected_by_is_a_bad_request(api: Api) -> None:
    await api.define_widgets({"type": "object"})
    strange = {"fieldSelector": "data.k=v"}
    for path in (api.path("pods"), api.widgets()):
        status = refusal(await api.http.get(path, params=strange), 400, "BadRequest")
        assert status["message"] == "field label not supported: data.k"
    status = refusal(await api.http.get(api.config_maps(), params=strange), 400, "BadRequest")
    assert status["message"] == '"data.k" is not a known field selector: only "metadata.name", "metadata.namespace"'


async def test_pages_together_are_the_list_as_it_was_at_the_first(api: Api) -> None:
    for number in range(5):
        await api.config_map(f"m{number}")
    parameters = {"limit": "2", "fieldSelector": "metadata.name!=kube-root-ca.crt"}
    first = await api.get(api.config_maps(), **parameters)
    await api.delete(api.config_maps("m3"))
    await api.config_map("m9")
    names = [item["metadata"]["name"] for item in first["items"]]
    token = first["metadata"]["continue"]
    while token:
        page = await api.get(api.config_maps(), **parameters, **{"continue": token})
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
    assert names == ["m0", "m1", "m2", "m3", "m4"]


async def test_a_list_can_be_read_at_an_exact_earlier_version(api: Api) -> None:
    created = await api.config_map("a")
    await api.config_map("b")
    version = created["metadata"]["resourceVersion"]
    names = await api.names(api.config_maps(), resourceVersion=version, resourceVersionMatch="Exact")
    assert "a" in names
    assert "b" not in names


async def test_a_version_in_the_future_times_out(api: Api) -> None:
    listed = await api.get(api.config_maps())
    future = str(int(listed["metadata"]["resourceVersion"]) + 1_000_000)
    response = await api.http.get(api.config_maps(), params={"resourceVersion": future})
    status = refusal(response, 504, "Timeout")
    assert "Too large resource version" in status["message"]


async def test_a_list_spans_all_namespaces_without_one(api: Api) -> None:
    await api.config_map("a")
    listed = await api.get("/api/v1/configmaps", fieldSelector="metadata.name=a")
    assert api.namespace in {item["metadata"]["namespace"] for item in listed["items"]}


async def test_items_of_a_built_in_list_do_not_repeat_their_kind(api: Api) -> None:
    await api.config_map("a")
    listed = await api.get(api.config_maps())
    assert (listed["kind"], listed["apiVersion"]) == ("ConfigMapList", "v1")
    assert all("kind" not in item for item in listed["items"])


async def test_items_of_a_custom_list_do(api: Api) -> None:
    await api.define_widgets({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
    await api.widget("w", {})
    listed = await api.get(api.widgets())
    assert listed["kind"] == "WidgetList"
    assert [item["kind"] for item in listed["items"]] == ["Widget"]


async def test_a_table_has_the_columns_of_its_kind(api: Api) -> None:
    await api.config_map("a", {"x": "1", "y": "2"})
    response = await api.http.get(api.config_maps("a"), headers=TABLE)
    table = response.json()
    assert table["kind"] == "Table"
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert table["rows"][0]["cells"][:2] == ["a", 2]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


async def test_a_custom_table_has_the_columns_of_its_definition(api: Api) -> None:
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Owner", "type": "string", "jsonPath": r".metadata.annotations.example\.com/owner", "priority": 1},
    ]
    open_object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    await api.define_widgets(open_object, additionalPrinterColumns=columns)
    await api.widget("w", {"size": 3}, annotations={"example.com/owner": "me"})
    conditions = [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]
    await api.patch(f"{api.widgets('w')}/status", {"status": {"conditions": conditions}})
    table = (await api.http.get(api.widgets(), headers=TABLE)).json()
    assert table["rows"][0]["cells"] == ["w", 3, "True", "me"]


async def test_a_collection_is_deleted_by_selector(api: Api) -> None:
    await labelled(api)
    await api.delete(api.config_maps(), labelSelector="app=web")
    assert await api.names(api.config_maps(), labelSelector="app") == ["c"]


@pytest.mark.parametrize("parameter", ["limit", "resourceVersion"])
async def test_a_parameter_that_is_no_number_is_a_bad_request(api: Api, parameter: str) -> None:
    refusal(await api.http.get(api.config_maps(), params={parameter: "many"}), 400, "BadRequest")


async def test_a_match_without_a_version_is_invalid(api: Api) -> None:
    status = refusal(await api.http.get(api.config_maps(), params={"resourceVersionMatch": "Exact"}), 422, "Invalid")
    assert status["message"] == (
        'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
        "resourceVersionMatch is forbidden unless resourceVersion is provided"
    )


async def test_a_resource_has_no_path_outside_its_scope(api: Api) -> None:
    await api.config_map("a")
    for path in ("/api/v1/configmaps/a", f"/api/v1/namespaces/{api.namespace}/nodes"):
        assert (await api.http.get(path)).status_code == 404
