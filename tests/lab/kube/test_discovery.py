"""Contract: discovery and OpenAPI: what a client finds out before its first request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab.kube.client import ok

if TYPE_CHECKING:
    from tests.lab.kube.client import Api

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


async def test_the_version_is_a_kubernetes_version(api: Api) -> None:
    assert (await api.get("/version"))["gitVersion"].startswith("v1.")


async def test_the_core_group_lists_its_resources(api: Api) -> None:
    found = {one["name"]: one for one in (await api.get("/api/v1"))["resources"]}
    assert found["services"]["shortNames"] == ["svc"]
    assert found["namespaces"]["namespaced"] is False
    assert "watch" in found["pods"]["verbs"]


async def test_workloads_have_status_and_scale(api: Api) -> None:
    found = {one["name"]: one for one in (await api.get("/apis/apps/v1"))["resources"]}
    assert found["deployments/scale"]["kind"] == "Scale"
    assert found["deployments/status"]["kind"] == "Deployment"


async def test_groups_name_their_preferred_version(api: Api) -> None:
    definition = api.widget_definition({"type": "object"})
    first = definition["spec"]["versions"][0]
    versions = [first, *({**first, "name": name, "storage": False} for name in ("v1alpha3", "v1beta1"))]
    definition["spec"]["versions"] = versions
    await api.define(definition)
    groups = {one["name"]: one for one in (await api.get("/apis"))["groups"]}
    assert groups[api.group]["preferredVersion"]["version"] == "v1"
    assert [one["version"] for one in groups[api.group]["versions"]] == ["v1", "v1beta1", "v1alpha3"]


async def test_aggregated_discovery_says_everything_at_once(api: Api) -> None:
    await api.define_widgets({"type": "object"})
    response = await api.http.get("/apis", headers={"Accept": AGGREGATED})
    assert "as=APIGroupDiscoveryList" in response.headers["Content-Type"]
    groups = {one["metadata"]["name"]: one for one in ok(response)["items"]}
    widgets = groups[api.group]["versions"][0]["resources"][0]
    assert (widgets["resource"], widgets["scope"], widgets["shortNames"]) == ("widgets", "Namespaced", ["wdg"])
    assert [one["subresource"] for one in widgets["subresources"]] == ["status"]
    core = ok(await api.http.get("/api", headers={"Accept": AGGREGATED}))
    assert "pods" in {one["resource"] for one in core["items"][0]["versions"][0]["resources"]}


async def test_openapi_has_the_schema_of_a_custom_kind(api: Api) -> None:
    await api.define_widgets({"type": "object", "properties": {"size": {"type": "integer", "description": "How big."}}})
    document = await api.openapi(f"apis/{api.group}/v1")
    wanted = {"group": api.group, "version": "v1", "kind": "Widget"}
    schema = next(
        one
        for one in document["components"]["schemas"].values()
        if wanted in one.get("x-kubernetes-group-version-kind", ())
    )
    assert schema["properties"]["spec"]["properties"]["size"]["description"] == "How big."


async def test_openapi_tells_which_patches_a_kind_takes(api: Api) -> None:
    await api.define_widgets({"type": "object"})
    for path, strategic in ((f"apis/{api.group}/v1", False), ("apis/apps/v1", True)):
        document = await api.openapi(path)
        patches = [item["patch"] for item in document["paths"].values() if "patch" in item]
        kinds = [one["requestBody"]["content"] for one in patches]
        assert all(("application/strategic-merge-patch+json" in content) == strategic for content in kinds)


async def test_a_client_may_ask_what_it_is_allowed(api: Api) -> None:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "create", "resource": "pods"}},
    }
    review = await api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
    assert review["status"]["allowed"] is True
