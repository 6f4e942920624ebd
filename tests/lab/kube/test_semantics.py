"""Contract: what Kubernetes refuses in built-in kinds beyond their structure, and what it fills in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.kube.client import JSON, refusal
from tests.lab.kube.test_objects import DEPLOYMENTS, deployment

if TYPE_CHECKING:
    from tests.lab.kube.client import Api, Document

SLICES = "/apis/discovery.k8s.io/v1"
LEASES = "/apis/coordination.k8s.io/v1"
WEB = {"name": "web", "image": "web:1"}


def workload(**spec: Any) -> Document:
    document: Any = deployment("web")
    document["spec"] |= spec
    return dict(document)


def template(*containers: Document, app: str = "web") -> Document:
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": list(containers)}}


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        (
            {"template": template(WEB, app="other")},
            'spec.template.metadata.labels: Invalid value: {"app":"other"}: '
            "`selector` does not match template `labels`",
        ),
        ({"template": template()}, "spec.template.spec.containers: Required value"),
        ({"template": template({"name": "web"})}, "spec.template.spec.containers[0].image: Required value"),
        (
            {"selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}},
            'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
        ),
    ],
)
async def test_a_deployment_that_could_not_work_is_refused(api: Api, spec: Document, complaint: str) -> None:
    response = await api.http.post(api.path("deployments", prefix=DEPLOYMENTS), json=workload(**spec))
    assert refusal(response, 422, "Invalid")["message"] == f'Deployment.apps "web" is invalid: {complaint}'


@pytest.mark.parametrize(
    "expression",
    [
        {"operator": "In", "values": ["web"]},
        {"operator": "NotIn", "values": ["other"]},
        {"operator": "Exists"},
        {"key": "tier", "operator": "DoesNotExist"},
    ],
)
async def test_a_selector_may_be_made_of_expressions(api: Api, expression: Document) -> None:
    selector = {"matchExpressions": [{"key": "app", **expression}]}
    await api.create(api.path("deployments", prefix=DEPLOYMENTS), workload(selector=selector))


async def test_two_containers_of_one_name_are_refused(api: Api) -> None:
    response = await api.http.post(
        api.path("deployments", prefix=DEPLOYMENTS), json=workload(template=template(WEB, WEB))
    )
    assert "Duplicate value" in refusal(response, 422, "Invalid")["message"]


async def test_a_probe_has_its_defaults(api: Api) -> None:
    probed = {**WEB, "readinessProbe": {"httpGet": {"path": "/healthz", "port": 80}, "periodSeconds": 1}}
    created = await api.create(api.path("deployments", prefix=DEPLOYMENTS), workload(template=template(probed)))
    assert created["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] == {
        "httpGet": {"path": "/healthz", "port": 80, "scheme": "HTTP"},
        "periodSeconds": 1,
        "timeoutSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


async def test_a_pod_may_change_its_image_and_not_its_node(api: Api) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [WEB], "nodeName": "a"},
    }
    await api.create(api.path("pods"), body)
    image = [{"op": "replace", "path": "/spec/containers/0/image", "value": "web:2"}]
    changed = await api.patch(api.path("pods", "p"), image, JSON)
    assert changed["spec"]["containers"][0]["image"] == "web:2"
    response = await api.send_patch(api.path("pods", "p"), {"spec": {"nodeName": "b"}})
    status = refusal(response, 422, "Invalid")
    assert 'Pod "p" is invalid: spec: Forbidden: pod updates may not change fields other than' in status["message"]


async def test_a_service_needs_a_port(api: Api) -> None:
    body: Document = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {}}
    status = refusal(await api.http.post(api.path("services"), json=body), 422, "Invalid")
    assert status["message"] == 'Service "web" is invalid: spec.ports: Required value'
    await api.create(api.path("services"), {**body, "spec": {"clusterIP": "None"}})


async def test_several_ports_need_names(api: Api) -> None:
    spec = {"ports": [{"port": 80, "name": "http"}, {"port": 81}]}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}
    status = refusal(await api.http.post(api.path("services"), json=body), 422, "Invalid")
    assert status["message"] == 'Service "web" is invalid: spec.ports[1].name: Required value'


def endpoint_slice(address: str) -> Document:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "web"},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address]}],
        "ports": [{"port": 80}],
    }


async def test_a_slice_has_no_loopback_address(api: Api) -> None:
    path = api.path("endpointslices", prefix=SLICES)
    status = refusal(await api.http.post(path, json=endpoint_slice("127.0.0.1")), 422, "Invalid")
    assert status["details"]["causes"] == [
        {
            "reason": "FieldValueInvalid",
            "message": 'Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
            "field": "endpoints[0].addresses[0]",
        }
    ]


async def test_a_slice_keeps_the_type_of_its_addresses(api: Api) -> None:
    path = api.path("endpointslices", prefix=SLICES)
    created = await api.create(path, endpoint_slice("10.1.1.1"))
    assert created["ports"] == [{"name": "", "port": 80, "protocol": "TCP"}]
    assert created["endpoints"] == [{"addresses": ["10.1.1.1"], "conditions": {}}]
    response = await api.send_patch(f"{path}/web", {"addressType": "FQDN"})
    assert "addressType: Invalid value" in refusal(response, 422, "Invalid")["message"]


async def test_an_event_lives_beside_what_it_is_about(api: Api) -> None:
    about = {"kind": "Pod", "name": "p", "namespace": "elsewhere"}
    body = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "involvedObject": about}
    status = refusal(await api.http.post(api.path("events"), json=body), 422, "Invalid")
    assert status["message"] == (
        'Event "e" is invalid: involvedObject.namespace: Invalid value: "elsewhere": does not match event.namespace'
    )


async def test_a_lease_lasts(api: Api) -> None:
    spec = {"leaseDurationSeconds": 0}
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": spec}
    status = refusal(await api.http.post(api.path("leases", prefix=LEASES), json=body), 422, "Invalid")
    assert status["message"].endswith("spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0")


async def test_a_config_maps_keys_could_be_file_names(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a b": "c"}}
    status = refusal(await api.http.post(api.config_maps(), json=body), 422, "Invalid")
    assert status["details"]["causes"][0]["field"] == "data[a b]"


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"dryRun": "Some"}, 'dryRun: Unsupported value: ["Some"]: supported values: "All"'),
        (
            {"fieldValidation": "Some"},
            'fieldValidation: Unsupported value: "Some": supported values: "", "Ignore", "Strict", "Warn"',
        ),
    ],
)
async def test_a_parameter_that_means_nothing_is_invalid(api: Api, parameters: Document, complaint: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    status = refusal(await api.http.post(api.config_maps(), json=body, params=parameters), 422, "Invalid")
    assert status["message"] == f'CreateOptions.meta.k8s.io "" is invalid: {complaint}'


async def test_a_new_object_brings_no_version(api: Api) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "resourceVersion": "5"}}
    response = await api.http.post(api.config_maps(), json=body)
    assert response.status_code == 500
    assert response.json()["message"] == "resourceVersion should not be set on objects to be created"


async def test_a_patch_of_no_known_format_is_refused(api: Api) -> None:
    await api.config_map("a")
    response = await api.send_patch(api.config_maps("a"), {}, "text/plain")
    assert refusal(response, 415, "UnsupportedMediaType")["message"] == "415: Unsupported Media Type"
