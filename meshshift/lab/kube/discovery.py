"""What is served here? The legacy documents per group version, and the aggregated one that kubectl prefers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Kind, Registry

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
SUBRESOURCE_VERBS = ["get", "patch", "update"]

VERSION: Document = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0+meshshift-lab",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "lab/memory",
}


def api_versions(address: str) -> Document:
    """Return the document at `/api`."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def api_group(registry: Registry, group: str) -> Document:
    """Return the document at `/apis/<group>`."""
    versions = [{"groupVersion": f"{group}/{version}", "version": version} for version in registry.versions(group)]
    return {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": group,
        "versions": versions,
        "preferredVersion": versions[0],
    }


def api_groups(registry: Registry) -> Document:
    """Return the document at `/apis`."""
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [api_group(registry, one) for one in registry.groups()],
    }


def api_resources(registry: Registry, group: str, version: str) -> Document:
    """Return the document at `/apis/<group>/<version>`."""
    resources: list[Document] = []
    for kind in registry.within(group, version):
        resources.append(_resource(kind))
        resources += _subresources(kind)
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def _resource(kind: Kind) -> Document:
    entry: Document = {
        "name": kind.plural,
        "singularName": kind.known_as,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
        "storageVersionHash": "",
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    return entry


def _subresources(kind: Kind) -> list[Document]:
    common: Document = {"singularName": "", "namespaced": kind.namespaced, "verbs": SUBRESOURCE_VERBS}
    found: list[Document] = []
    if kind.status:
        found.append({"name": f"{kind.plural}/status", "kind": kind.kind, **common})
    if kind.scale:
        scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        found.append({"name": f"{kind.plural}/scale", **scale, **common})
    return found


def aggregated(registry: Registry, groups: list[str]) -> Document:
    """Return the APIGroupDiscoveryList of some groups; the core group is the empty name."""
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_group(registry, group) for group in groups],
    }


def _group(registry: Registry, group: str) -> Document:
    return {
        "metadata": {"name": group, "creationTimestamp": None} if group else {"creationTimestamp": None},
        "versions": [
            {
                "version": version,
                "freshness": "Current",
                "resources": [_discovered(kind) for kind in registry.within(group, version)],
            }
            for version in registry.versions(group)
        ],
    }


def _discovered(kind: Kind) -> Document:
    response = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    subresources: list[Document] = []
    if kind.status:
        subresources.append({"subresource": "status", "responseKind": response, "verbs": SUBRESOURCE_VERBS})
    if kind.scale:
        scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        subresources.append({"subresource": "scale", "responseKind": scale, "verbs": SUBRESOURCE_VERBS})
    return {
        "resource": kind.plural,
        "responseKind": response,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.known_as,
        "verbs": list(kind.verbs),
        "shortNames": list(kind.short_names),
        "categories": list(kind.categories),
        "subresources": subresources,
    }
