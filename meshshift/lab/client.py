"""The lab's own access to the API server: the product's client under another name, plus what a lab needs.

The controller under test tells its own writes from other people's by the field manager.  If the lab wrote as
`meshshift` too, a person's edit in a scenario would look like the controller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from meshshift.adapters.kube import Document, KubeClient, Resource
from meshshift.engine.failures import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kubernetes.aio import client

DEFAULT_MANAGER = "meshshift-lab"
_PODS = Resource("", "v1", "Pod", "pods")


class UnknownKindError(LookupError):
    """A document of a kind that the API server does not serve; the message says which and what to do."""


class LabClient(KubeClient):
    """A KubeClient that writes as `manager` and takes documents of any kind that the server knows.

    `created` are the objects that `apply` found missing, as the server answered, in the order of their creation.
    """

    manager = DEFAULT_MANAGER

    def __init__(self, configuration: client.Configuration) -> None:
        super().__init__(configuration)
        self.created: list[tuple[Resource, Document]] = []

    @classmethod
    async def connect_as(cls, kubeconfig: Path, manager: str = DEFAULT_MANAGER) -> Self:
        """Connect by a kubeconfig file and write under the given field manager."""
        connected = await cls.connect(kubeconfig)
        connected.manager = manager
        return connected

    async def resource_of(self, document: Document) -> Resource:
        """The resource that serves a document, by discovery; raises UnknownKindError."""
        api_version, kind = document["apiVersion"], document["kind"]
        group, _, version = api_version.rpartition("/")
        try:
            found = await self._json("GET", f"/apis/{api_version}" if group else f"/api/{version}")
        except NotFound:
            found = {"resources": []}
        for entry in found["resources"]:
            if entry["kind"] == kind and "/" not in entry["name"]:
                return Resource(group, version, kind, entry["name"], namespaced=bool(entry["namespaced"]))
        raise UnknownKindError(f"kind {kind} of {api_version} is not served: apply its CustomResourceDefinition first")

    async def apply(self, document: Document) -> Document:
        """Create the object, or merge the document into the one that is there; returns what the server holds then."""
        resource = await self.resource_of(document)
        metadata = document["metadata"]
        namespace = metadata.get("namespace", "default") if resource.namespaced else None
        try:
            stored = await self.create(resource, namespace, document)
        except Conflict:
            return await self.patch(resource, namespace, metadata["name"], document, kind="merge")
        self.created.append((resource, stored))
        return stored

    async def remove_pod(self, namespace: str, name: str) -> None:
        """Remove a pod whose process has ended, as a kubelet does: without a further grace period."""
        await self._json("DELETE", _PODS.path(namespace, name), body={"gracePeriodSeconds": 0})

    async def _json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        own = dict(query or {})
        if "fieldManager" in own:
            own["fieldManager"] = self.manager
        return await super()._json(method, path, query=own, body=body, content_type=content_type)
