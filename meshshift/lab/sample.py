"""The sample mesh's documents: where they are, how to read them, how to make another version of the app."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

Document = dict[str, Any]

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def sample_directory() -> Path:
    """The sample mesh: inside the installed package, or `istio/` of a source checkout."""
    here = Path(__file__).parent
    installed = here / "istio"
    return installed if installed.is_dir() else here.parents[1] / "istio"


def read_documents(directory: Path) -> list[Document]:
    """All documents of the YAML files directly in the directory, those that others need first.

    TrafficShifts are left out: when a shift begins is up to whoever uses the mesh.  Raises FileNotFoundError if there
    is no YAML file at all.
    """
    files = sorted(directory.glob("*.yaml"))
    if not files:
        raise FileNotFoundError(f"manifests: {directory} holds no *.yaml file; name a directory that does")
    found = [document for file in files for document in yaml.safe_load_all(file.read_text()) if document]
    order = {"Namespace": 0, "CustomResourceDefinition": 1}
    wanted = [document for document in found if document["kind"] != "TrafficShift"]
    return sorted(wanted, key=lambda document: order.get(document["kind"], 2))


def renamed(documents: Iterable[Document], service: str, other: str) -> list[Document]:
    """What makes up `service` in the documents (Service, workloads, traffic rules), once more under another name."""
    own = (one for one in documents if one["metadata"]["name"].partition("-")[0] == service)
    return [json.loads(json.dumps(one).replace(service, other)) for one in own]


def as_kubectl_would(document: Document) -> Document:
    """The document with the annotation by which `kubectl apply` knows what it has applied before.

    Without it every `kubectl apply -f istio/` of a person in the lab would begin with a page of warnings.
    """
    applied = copy.deepcopy(document)
    metadata = applied["metadata"]
    metadata["annotations"] = {**(metadata.get("annotations") or {}), _LAST_APPLIED: json.dumps(document) + "\n"}
    return applied


def version_of(service: str, namespace: str, version: str, replicas: int, variables: dict[str, str]) -> Document:
    """A Deployment of the sample app as `<service>-<version>`; `variables` are its environment."""
    document = copy.deepcopy(_DEPLOYMENT)
    labels = {"app": service, "version": version}
    document["metadata"] = {"name": f"{service}-{version}", "namespace": namespace, "labels": labels}
    document["spec"]["replicas"] = replicas
    document["spec"]["selector"] = {"matchLabels": labels}
    document["spec"]["template"]["metadata"] = {"labels": labels}
    container = document["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": name, "value": value} for name, value in variables.items()]
    return document


_DEPLOYMENT: Document = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "spec": {
        "template": {
            "spec": {
                "terminationGracePeriodSeconds": 5,
                "containers": [
                    {
                        "name": "app",
                        "image": "meshshift:latest",
                        "command": ["python", "-m", "meshshift.lab.app"],
                        "ports": [{"name": "http", "containerPort": 9080}],
                        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
                    }
                ],
            }
        }
    },
}
