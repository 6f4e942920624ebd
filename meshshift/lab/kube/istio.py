"""Istio's configuration kinds as CustomResourceDefinitions: names as Istio has them, specs left open.

The lab's control plane reads what it understands from these documents; a schema that accepts any spec keeps the lab
from rejecting what a real mesh would take. The names, short names and printer columns are those of Istio's
`manifests/charts/base/files/crd-all.gen.yaml`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document

NETWORKING = "networking.istio.io"
NETWORKING_VERSIONS = ("v1", "v1beta1", "v1alpha3")
TELEMETRY = "telemetry.istio.io"
TELEMETRY_VERSIONS = ("v1", "v1alpha1")

AGE: Document = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def _column(name: str, path: str) -> Document:
    return {"name": name, "type": "string", "jsonPath": path}


def _definition(
    group: str, versions: tuple[str, ...], kind: str, plural: str, short_names: list[str], columns: list[Document]
) -> Document:
    open_object: Document = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema: Document = {"type": "object", "properties": {"spec": open_object, "status": open_object}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "labels": {"app": "istio-pilot", "chart": "istio"}},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": short_names,
                "categories": ["istio-io", f"{group.partition('.')[0]}-istio-io"],
            },
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == versions[0],
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [*columns, AGE],
                }
                for version in versions
            ],
        },
    }


def istio_definitions() -> list[Document]:
    """Return the CustomResourceDefinitions that Istio installs, as far as the lab's mesh reads them."""
    host = _column("Host", ".spec.host")
    hosts = _column("Hosts", ".spec.hosts")
    gateways = _column("Gateways", ".spec.gateways")
    entry = [hosts, _column("Location", ".spec.location"), _column("Resolution", ".spec.resolution")]
    return [
        _definition(NETWORKING, NETWORKING_VERSIONS, "VirtualService", "virtualservices", ["vs"], [gateways, hosts]),
        _definition(NETWORKING, NETWORKING_VERSIONS, "DestinationRule", "destinationrules", ["dr"], [host]),
        _definition(NETWORKING, NETWORKING_VERSIONS, "Gateway", "gateways", ["gw"], []),
        _definition(NETWORKING, NETWORKING_VERSIONS, "ServiceEntry", "serviceentries", ["se"], entry),
        _definition(NETWORKING, NETWORKING_VERSIONS, "Sidecar", "sidecars", [], []),
        _definition(TELEMETRY, TELEMETRY_VERSIONS, "Telemetry", "telemetries", ["telemetry"], []),
    ]
