"""kubectl finds a cluster that it can work with."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import textwrap
from typing import TYPE_CHECKING

import pytest

from meshshift.lab.kube import ApiServer

if TYPE_CHECKING:
    from pathlib import Path

KUBECTL = os.environ.get("KUBECTL") or shutil.which("kubectl")

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(KUBECTL is None, reason="install kubectl 1.34 or later, or set KUBECTL to its path"),
]

MANIFEST = textwrap.dedent(
    """\
    apiVersion: v1
    kind: Namespace
    metadata: {name: bookinfo}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: reviews, namespace: bookinfo}
    spec: {selector: {app: reviews}, ports: [{name: http, port: 9080}]}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: reviews, namespace: bookinfo}
    spec:
      selector: {matchLabels: {app: reviews}}
      template:
        metadata: {labels: {app: reviews}}
        spec: {containers: [{name: reviews, image: "reviews:1", env: [{name: A, value: a}]}]}
    ---
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: reviews, namespace: bookinfo}
    spec:
      hosts: [reviews]
      http: [{route: [{destination: {host: reviews, subset: v1}, weight: 100}]}]
    """
)
DEFINITION = textwrap.dedent(
    """\
    apiVersion: apiextensions.k8s.io/v1
    kind: CustomResourceDefinition
    metadata: {name: widgets.example.com}
    spec:
      group: example.com
      scope: Namespaced
      names: {kind: Widget, plural: widgets, singular: widget, shortNames: [wdg], categories: [all]}
      versions:
      - name: v1
        served: true
        storage: true
        subresources: {status: {}}
        additionalPrinterColumns:
        - {name: Size, type: integer, jsonPath: .spec.size}
        schema:
          openAPIV3Schema:
            type: object
            properties:
              spec:
                type: object
                properties:
                  size: {type: integer, maximum: 10, description: How big it is.}
              status: {type: object, x-kubernetes-preserve-unknown-fields: true}
    """
)
WIDGET = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: 3}\n"


class Kubectl:
    """Runs kubectl against one server, with a configuration and a cache of its own."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self._config = folder / "kubeconfig"
        self._cache = folder / "cache"
        server.write_kubeconfig(self._config)

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        assert KUBECTL is not None
        return await asyncio.create_subprocess_exec(
            KUBECTL,
            f"--kubeconfig={self._config}",
            f"--cache-dir={self._cache}",
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str, given: str = "") -> tuple[int, str, str]:
        process = await self.start(*arguments)
        async with asyncio.timeout(60):
            out, err = await process.communicate(given.encode())
        return process.returncode or 0, out.decode(), err.decode()

    async def __call__(self, *arguments: str, given: str = "") -> str:
        code, out, err = await self.run(*arguments, given=given)
        assert code == 0, err
        return out

    async def fails(self, *arguments: str, given: str = "") -> str:
        code, _, err = await self.run(*arguments, given=given)
        assert code != 0
        return err


@pytest.fixture
async def kubectl(server: ApiServer, tmp_path: Path) -> Kubectl:
    return Kubectl(server, tmp_path)


async def test_apply_creates_then_leaves_unchanged_then_configures(kubectl: Kubectl) -> None:
    assert (await kubectl("apply", "-f", "-", given=MANIFEST)).count(" created") == 4
    assert (await kubectl("apply", "-f", "-", given=MANIFEST)).count(" unchanged") == 4
    changed = MANIFEST.replace("reviews:1", "reviews:2").replace("weight: 100", "weight: 90")
    out = await kubectl("apply", "-f", "-", given=changed)
    assert out.count(" configured") == 2
    image = "jsonpath={.spec.template.spec.containers[0].image}"
    assert await kubectl("get", "deploy", "reviews", "-n", "bookinfo", "-o", image) == "reviews:2"


async def test_apply_reads_a_directory(kubectl: Kubectl, tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "mesh.yaml").write_text(MANIFEST)
    (folder / "crd.yaml").write_text(DEFINITION)
    assert (await kubectl("apply", "-f", str(folder))).count(" created") == 5


async def test_server_side_apply_reports_conflicts(kubectl: Kubectl) -> None:
    await kubectl("apply", "--server-side", "--field-manager=gitops", "-f", "-", given=MANIFEST)
    other = MANIFEST.replace("weight: 100", "weight: 90")
    err = await kubectl.fails("apply", "--server-side", "--field-manager=other", "-f", "-", given=other)
    assert 'conflict with "gitops": .spec.http' in err
    await kubectl("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-", given=other)


async def test_client_side_apply_can_move_to_server_side(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", given=MANIFEST)
    code, _, err = await kubectl.run("apply", "--server-side", "-f", "-", given=MANIFEST)
    assert (code, err) == (0, "")


async def test_get_shows_columns_short_names_and_categories(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", given=MANIFEST)
    lines = (await kubectl("get", "vs", "-A")).splitlines()
    assert lines[0].split() == ["NAMESPACE", "NAME", "GATEWAYS", "HOSTS", "AGE"]
    assert lines[1].split()[:3] == ["bookinfo", "reviews", '["reviews"]']
    everything = await kubectl("get", "all", "-n", "bookinfo")
    assert "deployment.apps/reviews" in everything
    assert "service/reviews" in everything


async def test_a_custom_resource_from_definition_to_deletion(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", given=DEFINITION)
    await kubectl("wait", "--for=condition=Established", "crd/widgets.example.com", "--timeout=20s")
    await kubectl("apply", "-f", "-", given=WIDGET)
    assert (await kubectl("get", "wdg")).split() == ["NAME", "SIZE", "w", "3"]
    err = await kubectl.fails("apply", "-f", "-", given=WIDGET.replace("3", "11"))
    assert 'The Widget "w" is invalid: spec.size: Invalid value: 11' in err
    err = await kubectl.fails("create", "-f", "-", given=WIDGET.replace("size", "sise").replace("name: w", "name: x"))
    assert 'strict decoding error: unknown field "spec.sise"' in err
    condition = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
    await kubectl("patch", "wdg", "w", "--subresource=status", "--type=merge", "-p", condition)
    await kubectl("wait", "--for=condition=Ready", "wdg/w", "--timeout=20s")
    await kubectl("delete", "wdg", "w")
    await kubectl("wait", "--for=delete", "wdg/w", "--timeout=20s")
    await kubectl("delete", "crd", "widgets.example.com")


async def test_explain_knows_built_in_and_custom_fields(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", given=DEFINITION)
    assert "How big it is." in await kubectl("explain", "widget.spec.size")
    assert "progressDeadlineSeconds" in await kubectl("explain", "deployment.spec")
    assert "matchLabels" in await kubectl("explain", "deployment.spec.selector")


async def test_annotate_label_and_scale_record_who_did_it(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", given=MANIFEST)
    await kubectl("annotate", "svc", "reviews", "-n", "bookinfo", "meshshift.io/strategy=canary")
    await kubectl("label", "svc", "reviews", "-n", "bookinfo", "team=books")
    await kubectl("scale", "deploy", "reviews", "-n", "bookinfo", "--replicas=3")
    service = json.loads(
        await kubectl("get", "svc", "reviews", "-n", "bookinfo", "-o", "json", "--show-managed-fields")
    )
    managers = {one["manager"]: one["fieldsV1"] for one in service["metadata"]["managedFields"]}
    assert "f:meshshift.io/strategy" in managers["kubectl-annotate"]["f:metadata"]["f:annotations"]
    assert "f:team" in managers["kubectl-label"]["f:metadata"]["f:labels"]
    assert "0/3" in await kubectl("get", "deploy", "-n", "bookinfo")


async def test_create_run_by_typed_commands(kubectl: Kubectl) -> None:
    await kubectl("create", "namespace", "shop")
    await kubectl("create", "deployment", "cart", "--image=cart:1", "--port=8080", "--replicas=2", "-n", "shop")
    await kubectl("expose", "deployment", "cart", "--port=80", "--target-port=8080", "-n", "shop")
    await kubectl("create", "configmap", "settings", "--from-literal=a=b", "-n", "shop")
    await kubectl("set", "image", "deployment/cart", "cart=cart:2", "-n", "shop")
    deployment = json.loads(await kubectl("get", "deploy", "cart", "-n", "shop", "-o", "json"))
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert deployment["spec"]["replicas"] == 2
    assert (container["image"], container["ports"][0]["containerPort"]) == ("cart:2", 8080)
    ports = "jsonpath={.spec.ports[0].targetPort}"
    assert await kubectl("get", "svc", "cart", "-n", "shop", "-o", ports) == "8080"


async def test_describe_and_events_show_an_objects_events(kubectl: Kubectl, server: ApiServer) -> None:
    await kubectl("apply", "-f", "-", given=MANIFEST)
    uid = server.store.get("deploy", "reviews", "bookinfo")["metadata"]["uid"]
    server.store.create(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": "e.", "namespace": "bookinfo"},
            "involvedObject": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": "reviews",
                "namespace": "bookinfo",
                "uid": uid,
            },
            "reason": "Scaled",
            "message": "scaled by hand",
            "type": "Normal",
            "source": {"component": "test"},
            "firstTimestamp": "2026-01-01T00:00:00Z",
            "lastTimestamp": "2026-01-01T00:00:00Z",
            "count": 1,
        }
    )
    assert "scaled by hand" in await kubectl("describe", "deploy", "reviews", "-n", "bookinfo")
    assert "scaled by hand" in await kubectl("events", "-n", "bookinfo")
    assert "scaled by hand" in await kubectl("get", "events", "-n", "bookinfo")
    assert "Subset" in await kubectl("describe", "vs", "reviews", "-n", "bookinfo")


async def test_watch_prints_changes(kubectl: Kubectl, server: ApiServer) -> None:
    await kubectl("apply", "-f", "-", given=MANIFEST)
    process = await kubectl.start("get", "svc", "-n", "bookinfo", "-w", "-o", "name")
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert (await process.stdout.readline()).strip() == b"service/reviews"
            service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ratings", "namespace": "bookinfo"}}
            server.store.create({**service, "spec": {"ports": [{"port": 80}]}})
            assert (await process.stdout.readline()).strip() == b"service/ratings"
    finally:
        process.kill()
        await process.wait()


async def test_a_conflicting_edit_is_refused(kubectl: Kubectl, server: ApiServer) -> None:
    await kubectl("apply", "-f", "-", given=MANIFEST)
    old = await kubectl("get", "vs", "reviews", "-n", "bookinfo", "-o", "yaml")
    server.store.patch("vs", "reviews", "bookinfo", {"spec": {"hosts": ["reviews", "other"]}})
    err = await kubectl.fails("replace", "-f", "-", given=old)
    assert "the object has been modified; please apply your changes to the latest version and try again" in err


async def test_auth_answers(kubectl: Kubectl) -> None:
    assert (await kubectl("auth", "can-i", "patch", "virtualservices")).strip() == "yes"
    assert "lab-admin" in await kubectl("auth", "whoami")


async def test_diff_and_dry_run_change_nothing(kubectl: Kubectl, server: ApiServer) -> None:
    await kubectl("apply", "-f", "-", given=MANIFEST)
    version = server.store.storage.revision
    changed = MANIFEST.replace("weight: 100", "weight: 90")
    await kubectl("apply", "--dry-run=server", "-f", "-", given=changed)
    code, out, _ = await kubectl.run("diff", "-f", "-", given=changed)
    assert code == 1
    assert "weight: 90" in out
    assert server.store.storage.revision == version


async def test_deleting_a_namespace_deletes_its_content(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", given=MANIFEST)
    await kubectl("delete", "namespace", "bookinfo")
    assert "No resources found" in (await kubectl.run("get", "svc", "-A"))[2]
