from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshshift import __version__
from meshshift.adapters import kube
from meshshift.cli.operator import operator

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"
KUBECTL = os.environ.get("KUBECTL") or shutil.which("kubectl")
FILES = sorted(MANIFESTS.rglob("*.yaml"))


def _documents(*paths: str) -> list[dict[str, Any]]:
    return [each for path in paths for each in yaml.safe_load_all((MANIFESTS / path).read_text(encoding="utf-8"))]


def _rights(kind: str, name: str, path: str = "rbac.yaml") -> set[tuple[str, str, str]]:
    (role,) = [each for each in _documents(path) if each["kind"] == kind and each["metadata"]["name"] == name]
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


CLUSTER = _rights("ClusterRole", "meshshift")
LEADER = _rights("Role", "meshshift-leader")
NOTIFICATIONS = _rights("Role", "meshshift-notifications", "components/notifications/role.yaml")
IN_PLACE = _rights("ClusterRole", "meshshift-in-place", "components/in-place/role.yaml")
SCALE = _rights("ClusterRole", "meshshift-scale", "components/scale/role.yaml")
WATCHED = [kube.TRAFFIC_SHIFTS, kube.VIRTUAL_SERVICES, kube.DESTINATION_RULES, kube.SERVICES, kube.PODS]


@pytest.mark.parametrize("resource", WATCHED, ids=lambda each: each.plural)
@pytest.mark.parametrize("verb", ["get", "list", "watch"])
def test_what_is_watched_may_be_read(resource: kube.Resource, verb: str) -> None:
    assert (resource.group, resource.plural, verb) in CLUSTER


@pytest.mark.parametrize(
    ("resource", "verb"),
    [
        (kube.TRAFFIC_SHIFTS, "patch"),
        (kube.VIRTUAL_SERVICES, "patch"),
        (kube.VIRTUAL_SERVICES, "create"),
        (kube.DESTINATION_RULES, "patch"),
        (kube.DESTINATION_RULES, "create"),
        (kube.EVENTS, "create"),
        (kube.EVENTS, "patch"),
        (kube.EVENTS, "get"),
    ],
)
def test_what_is_written_may_be_written(resource: kube.Resource, verb: str) -> None:
    assert (resource.group, resource.plural, verb) in CLUSTER


def test_the_status_may_be_patched() -> None:
    assert ("meshshift.io", "trafficshifts/status", "patch") in CLUSTER


def test_the_lease_may_be_kept() -> None:
    assert {verb for _, resource, verb in LEADER if resource == "leases"} == {"get", "create", "update", "patch"}


def test_every_resource_that_the_code_uses_is_granted() -> None:
    """A resource constant that adapters, engine or operator use must be in a role."""
    granted = {(group, resource) for group, resource, _ in CLUSTER | LEADER | NOTIFICATIONS | IN_PLACE | SCALE}
    constants = {name: each for name, each in vars(kube).items() if isinstance(each, kube.Resource)}
    sources = [path for room in ("adapters", "engine", "operator") for path in (ROOT / "meshshift" / room).glob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources if path.name != "kube.py")
    used = {name for name in constants if re.search(rf"\b{name}\b", text)}
    assert used
    assert {name for name in used if (constants[name].group, constants[name].plural) not in granted} == set()


def test_nothing_may_be_deleted_and_nothing_is_a_wildcard() -> None:
    everything = {part for right in CLUSTER | LEADER | SCALE for part in right}
    assert not everything & {"*", "delete", "deletecollection", "impersonate", "escalate", "bind", "secrets"}


def test_secrets_are_opened_one_by_one() -> None:
    """Addresses of notifications: only with a Role for Secrets of that name, only to be read."""
    assert {("", "secrets", "get")} == NOTIFICATIONS
    (role,) = [each for each in _documents("components/notifications/role.yaml") if each["kind"] == "Role"]
    assert [rule["resourceNames"] for rule in role["rules"]] == [["meshshift-notifications"]]


def test_deployments_are_touched_only_where_the_component_is_asked_for() -> None:
    verbs = ("get", "list", "watch", "patch", "create", "delete")
    assert {("apps", "deployments", verb) for verb in verbs} == IN_PLACE
    assert not any(resource == "deployments" for _, resource, _ in CLUSTER)


def test_of_deployments_nothing_but_the_scale_may_be_written() -> None:
    assert {
        ("apps", "deployments", "get"),
        ("apps", "deployments/scale", "patch"),
        ("autoscaling", "horizontalpodautoscalers", "list"),
    } == SCALE


def test_one_namespaces_role_grants_what_the_cluster_role_grants_in_a_namespace() -> None:
    role = _rights("Role", "meshshift", "components/namespaced/role.yaml")
    outside = {"namespaces", "customresourcedefinitions"}
    assert role == {right for right in CLUSTER if right[1] not in outside}


def _container() -> dict[str, Any]:
    (deployment,) = _documents("deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(container)


def test_the_pod_satisfies_the_restricted_pod_security_standard() -> None:
    (deployment,) = _documents("deployment.yaml")
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert _container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_pod_has_no_proxy() -> None:
    (deployment,) = _documents("deployment.yaml")
    assert deployment["spec"]["template"]["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"


def test_the_image_is_this_version() -> None:
    assert _container()["image"].endswith(f":{__version__}")


def test_every_variable_is_a_setting_of_the_command() -> None:
    known = {option.envvar for option in operator.params}
    written = {each["name"]: each.get("value") for each in _container()["env"]}
    assert written.keys() <= known
    assert "MESHSHIFT_PROMETHEUS_URL" in written


def test_the_pods_environment_is_accepted_by_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in _container()["env"]:
        monkeypatch.setenv(variable["name"], variable.get("value", "meshshift-system"))
    settings = operator.make_context("operator", []).params
    assert settings["prometheus_url"].startswith("http://")
    assert settings["scrape_interval"] == 15.0
    assert settings["prometheus_token_file"] is None


def test_probes_and_service_point_at_the_port_that_is_listened_on() -> None:
    container = _container()
    (port,) = container["ports"]
    (service,) = _documents("service.yaml")
    variables = {each["name"]: each.get("value") for each in container["env"]}
    assert variables["MESHSHIFT_PORT"] == str(port["containerPort"])
    assert {container[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")} == {port["name"]}
    assert [each["targetPort"] for each in service["spec"]["ports"]] == [port["name"]]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(MANIFESTS)))
def test_every_file_is_yaml_with_kind_and_version(path: Path) -> None:
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        assert document["kind"]
        assert document["apiVersion"]


def _kustomize(directory: Path) -> list[dict[str, Any]]:
    if KUBECTL is None:
        pytest.skip("needs kubectl on PATH, or its path in the KUBECTL environment variable")
    done = subprocess.run(
        [KUBECTL, "kustomize", str(directory)], capture_output=True, text=True, check=True, timeout=60
    )
    return list(yaml.safe_load_all(done.stdout))


def test_kustomize_builds_the_installation() -> None:
    kinds = [each["kind"] for each in _kustomize(MANIFESTS)]
    assert kinds.count("Deployment") == 1
    assert "CustomResourceDefinition" in kinds
    assert "ServiceMonitor" not in kinds


def test_kustomize_builds_it_for_one_namespace_and_with_monitoring(tmp_path: Path) -> None:
    shutil.copytree(MANIFESTS, tmp_path / "manifests")
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    components = [f"../manifests/components/{name}" for name in ("in-place", "monitoring", "namespaced", "scale")]
    text = yaml.safe_dump({"resources": ["../manifests"], "components": components})
    (overlay / "kustomization.yaml").write_text(text, encoding="utf-8")
    built = _kustomize(overlay)
    names = {(each["kind"], each["metadata"]["name"]) for each in built}
    assert ("ServiceMonitor", "meshshift") in names
    assert ("ClusterRole", "meshshift") not in names
    assert ("ClusterRoleBinding", "meshshift") not in names
    (deployment,) = [each for each in built if each["kind"] == "Deployment"]
    env = {each["name"]: each.get("value") for each in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert env["MESHSHIFT_NAMESPACES"] == "bookinfo"
    assert env["MESHSHIFT_IN_PLACE"] == "true"
    assert "MESHSHIFT_PROMETHEUS_URL" in env
