"""Contract: create, read, replace: identity, versions, generations, and the words of the refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab.kube.client import refusal

if TYPE_CHECKING:
    from tests.lab.kube.client import Api

DEPLOYMENTS = "/apis/apps/v1"


def deployment(name: str, image: str = "web:1") -> dict[str, object]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    }


async def test_a_created_object_gets_an_identity(api: Api) -> None:
    created = await api.config_map("a")
    meta = created["metadata"]
    assert meta["uid"]
    assert meta["creationTimestamp"].endswith("Z")
    assert int(meta["resourceVersion"]) > 0
    assert meta["namespace"] == api.namespace
    assert await api.get(api.config_maps("a")) == created


async def test_a_second_object_of_the_same_name_is_refused(api: Api) -> None:
    await api.config_map("a")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    status = refusal(await api.http.post(api.config_maps(), json=body), 409, "AlreadyExists")
    assert status["message"] == 'configmaps "a" already exists'
    assert status["details"] == {"name": "a", "kind": "configmaps"}


async def test_a_missing_object_is_named_with_its_resource(api: Api) -> None:
    status = refusal(await api.http.get(api.path("deployments", "x", prefix=DEPLOYMENTS)), 404, "NotFound")
    assert status["message"] == 'deployments.apps "x" not found'
    assert status["details"] == {"name": "x", "group": "apps", "kind": "deployments"}


async def test_an_object_needs_an_existing_namespace(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    status = refusal(await api.http.post("/api/v1/namespaces/nowhere/configmaps", json=body), 404, "NotFound")
    assert status["message"] == 'namespaces "nowhere" not found'


async def test_generate_name_makes_distinct_names(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "a-"}}
    names = {(await api.create(api.config_maps(), body))["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("a-") and len(name) == 7 for name in names)


async def test_an_object_without_a_name_is_invalid(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}
    status = refusal(await api.http.post(api.config_maps(), json=body), 422, "Invalid")
    assert status["message"] == (
        'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'
    )


async def test_a_bad_name_is_explained(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Not_A_Name"}}
    status = refusal(await api.http.post(api.config_maps(), json=body), 422, "Invalid")
    assert status["message"].startswith(
        'ConfigMap "Not_A_Name" is invalid: metadata.name: Invalid value: "Not_A_Name": a lowercase RFC 1123 subdomain'
    )
    assert status["details"]["causes"][0]["field"] == "metadata.name"


async def test_a_bad_label_value_is_refused(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": {"k": "not a label"}}}
    status = refusal(await api.http.post(api.config_maps(), json=body), 422, "Invalid")
    assert 'metadata.labels: Invalid value: "not a label": a valid label must be' in status["message"]


async def test_a_replace_from_an_older_version_conflicts(api: Api) -> None:
    created = await api.config_map("a")
    await api.put(api.config_maps("a"), {**created, "data": {"k": "2"}})
    response = await api.http.put(api.config_maps("a"), json={**created, "data": {"k": "3"}})
    status = refusal(response, 409, "Conflict")
    assert status["message"] == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


async def test_a_replace_of_another_object_of_that_name_conflicts(api: Api) -> None:
    created = await api.config_map("a")
    await api.delete(api.config_maps("a"))
    await api.config_map("a")
    created["metadata"].pop("resourceVersion")
    status = refusal(await api.http.put(api.config_maps("a"), json=created), 409, "Conflict")
    assert "Precondition failed: UID in precondition:" in status["message"]


async def test_a_write_that_changes_nothing_keeps_the_version(api: Api) -> None:
    created = await api.config_map("a")
    again = await api.put(api.config_maps("a"), created)
    assert again["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


async def test_generation_counts_spec_changes_only(api: Api) -> None:
    path = api.path("deployments", prefix=DEPLOYMENTS)
    created = await api.create(path, deployment("web"))
    assert created["metadata"]["generation"] == 1
    labelled = await api.patch(f"{path}/web", {"metadata": {"labels": {"a": "b"}}})
    assert labelled["metadata"]["generation"] == 1
    reported = await api.patch(f"{path}/web/status", {"status": {"readyReplicas": 1, "replicas": 1}})
    assert reported["metadata"]["generation"] == 1
    scaled = await api.patch(f"{path}/web", {"spec": {"replicas": 3}})
    assert scaled["metadata"]["generation"] == 2


async def test_the_scale_subresource_shows_and_sets_replicas(api: Api) -> None:
    path = api.path("deployments", prefix=DEPLOYMENTS)
    await api.create(path, deployment("web"))
    scale = await api.get(f"{path}/web/scale")
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 1}, "app=web")
    await api.patch(f"{path}/web/scale", {"spec": {"replicas": 4}})
    assert (await api.get(f"{path}/web"))["spec"]["replicas"] == 4


async def test_a_selector_is_immutable(api: Api) -> None:
    path = api.path("deployments", prefix=DEPLOYMENTS)
    await api.create(path, deployment("web"))
    response = await api.send_patch(f"{path}/web", {"spec": {"selector": {"matchLabels": {"app": "other"}}}})
    status = refusal(response, 422, "Invalid")
    assert status["message"].startswith('Deployment.apps "web" is invalid: ')
    assert "field is immutable" in status["message"]


async def test_a_value_of_the_wrong_type_is_a_bad_request_for_a_built_in_kind(api: Api) -> None:
    body = deployment("web")
    body["spec"] = {"replicas": "three"}
    response = await api.http.post(api.path("deployments", prefix=DEPLOYMENTS), json=body)
    status = refusal(response, 400, "BadRequest")
    assert status["message"].startswith('Deployment in version "v1" cannot be handled as a Deployment: json: cannot')


async def test_strict_validation_names_the_unknown_field(api: Api) -> None:
    body = deployment("web")
    body["spec"] = {**body["spec"], "replica": 3}  # type: ignore[dict-item]
    path = api.path("deployments", prefix=DEPLOYMENTS)
    status = refusal(await api.http.post(path, json=body, params={"fieldValidation": "Strict"}), 400, "BadRequest")
    assert status["message"] == (
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
        'unknown field "spec.replica"'
    )


async def test_by_default_an_unknown_field_is_dropped_with_a_warning(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "dada": {}}
    response = await api.http.post(api.config_maps(), json=body)
    assert response.headers["Warning"] == '299 - "unknown field \\"dada\\""'
    assert "dada" not in response.json()


async def test_a_dry_run_answers_as_if_and_stores_nothing(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    created = await api.create(api.config_maps(), body, dryRun="All")
    assert created["metadata"]["uid"]
    refusal(await api.http.get(api.config_maps("a")), 404, "NotFound")


async def test_name_and_url_must_agree(api: Api) -> None:
    created = await api.config_map("a")
    created["metadata"]["name"] = "b"
    status = refusal(await api.http.put(api.config_maps("a"), json=created), 400, "BadRequest")
    assert status["message"] == "the name of the object (b) does not match the name on the URL (a)"


async def test_namespace_and_url_must_agree(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}
    status = refusal(await api.http.post(api.config_maps(), json=body), 400, "BadRequest")
    assert status["message"] == "the namespace of the provided object does not match the namespace sent on the request"


async def test_a_service_gets_an_address_and_keeps_it(api: Api) -> None:
    path = api.path("services")
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    created = await api.create(path, body)
    assert created["spec"]["ports"][0] == {"port": 80, "protocol": "TCP", "targetPort": 80}
    replacement = {**body, "metadata": {**created["metadata"]}, "spec": {"ports": [{"port": 81}]}}
    replaced = await api.put(f"{path}/web", replacement)
    assert replaced["spec"]["clusterIP"] == created["spec"]["clusterIP"]


async def test_both_event_apis_show_the_same_events(api: Api) -> None:
    regarding = {"kind": "Pod", "name": "p", "namespace": api.namespace}
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "involvedObject": regarding,
        "message": "hello",
        "reason": "Tested",
        "type": "Normal",
    }
    await api.create(api.path("events"), body)
    seen = await api.get(api.path("events", "e", prefix="/apis/events.k8s.io/v1"))
    assert (seen["regarding"], seen["note"], seen["apiVersion"]) == (regarding, "hello", "events.k8s.io/v1")


async def test_metadata_alone_can_be_asked_for(api: Api) -> None:
    await api.config_map("a")
    accept = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
    found = (await api.http.get(api.config_maps("a"), headers=accept)).json()
    assert found["kind"] == "PartialObjectMetadata"
    assert found["metadata"]["name"] == "a"
    assert "data" not in found


async def test_a_format_that_is_not_served_is_not_acceptable(api: Api) -> None:
    response = await api.http.get(api.config_maps(), headers={"Accept": "text/html"})
    refusal(response, 406, "NotAcceptable")


async def test_an_unknown_resource_of_a_built_in_group_is_told(api: Api) -> None:
    for path in ("/apis/apps/v1/gadgets", "/apis/apps/v7/deployments", api.path("gadgets", "x")):
        status = refusal(await api.http.get(path), 404, "NotFound")
        assert status["message"] == "the server could not find the requested resource"


async def test_an_unknown_group_is_a_plain_404(api: Api) -> None:
    response = await api.http.get("/apis/nowhere.example.com/v1/gadgets")
    assert response.status_code == 404
    assert response.text == "404 page not found\n"
