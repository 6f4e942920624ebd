"""The Kubernetes API over the official async client, by plain documents and paths.

Typed models would have to exist for Istio's kinds too and would drop the fields they do not know, so objects stay the
dictionaries that the server sent.  The official client still does what it is good at: kubeconfig, in-cluster tokens and
their rotation, TLS, proxies.  Every failure leaves here as one of the four kinds in `meshshift.engine.failures`.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import aiohttp
from kubernetes.aio import client, config

from meshshift import __version__
from meshshift.core.mesh.writers import MANAGER
from meshshift.engine.failures import ApiFailure, Conflict, NotFound, Refused, Transient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

REQUEST_TIMEOUT = 10.0
WATCH_TIMEOUT = 290
WATCH_SILENCE = 75.0
"""Seconds without a byte after which a watch counts as dead: API servers send a bookmark every minute."""

Document = dict[str, Any]
_CONTENT_TYPES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as the API server serves it; `plural` is the path segment."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """The `apiVersion` of documents of this kind."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path of one object, or of the collection if `name` is None (of all namespaces if `namespace` is)."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", _segment(namespace)]
        parts.append(self.plural)
        parts += [_segment(part) for part in (name, subresource) if part]
        return "/" + "/".join(parts)


NAMESPACES = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
SERVICES = Resource("", "v1", "Service", "services")
PODS = Resource("", "v1", "Pod", "pods")
EVENTS = Resource("", "v1", "Event", "events")
SECRETS = Resource("", "v1", "Secret", "secrets")
LEASES = Resource("coordination.k8s.io", "v1", "Lease", "leases")
DEPLOYMENTS = Resource("apps", "v1", "Deployment", "deployments")
AUTOSCALERS = Resource("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
REPLICA_SETS = Resource("apps", "v1", "ReplicaSet", "replicasets")
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
CRDS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)
VIRTUAL_SERVICES = Resource("networking.istio.io", "v1", "VirtualService", "virtualservices")
DESTINATION_RULES = Resource("networking.istio.io", "v1", "DestinationRule", "destinationrules")
TRAFFIC_SHIFTS = Resource("meshshift.io", "v1alpha1", "TrafficShift", "trafficshifts")
SHIFT_POLICIES = Resource("meshshift.io", "v1alpha1", "ShiftPolicy", "shiftpolicies")


_SEGMENT = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._:]{0,252}")
"""What a name may look like in a path; the API server is stricter, and says so in its own words."""


def _segment(text: str) -> str:
    """Refuse what would walk to another path: names come from users' objects."""
    if not _SEGMENT.fullmatch(text):
        hint = "use lower-case letters, digits, '-' and '.', at most 253 of them"
        raise Refused(f"{text[:80]!r} is not a valid Kubernetes object name; {hint}")
    return text


class KubeClient:
    """One connection pool to one API server; close it, or use it as an async context manager."""

    def __init__(self, configuration: client.Configuration, *, timeout: float = REQUEST_TIMEOUT) -> None:
        """`timeout` bounds each request that is not a watch, in seconds."""
        self._api = client.ApiClient(configuration=configuration)
        self._api.user_agent = f"{MANAGER}/{__version__}"
        self._timeout = timeout

    @classmethod
    async def connect(cls, kubeconfig: Path | None = None, context: str | None = None) -> Self:
        """Use `kubeconfig` if given, else the pod's service account, else $KUBECONFIG or ~/.kube/config.

        Raises `kubernetes.aio.config.ConfigException` when none of them is usable.
        """
        configuration = client.Configuration()
        if kubeconfig is None and Path("/var/run/secrets/kubernetes.io/serviceaccount/token").exists():
            config.load_incluster_config(client_configuration=configuration)
        else:
            await config.load_kube_config(
                config_file=str(kubeconfig) if kubeconfig else None, context=context, client_configuration=configuration
            )
        return cls(configuration)

    @property
    def configuration(self) -> Any:
        """Server, certificates and tokens, for those who keep connections of their own."""
        return self._api.configuration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection pool."""
        await self._api.close()

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Document:
        """One object; raises NotFound."""
        return await self._json("GET", resource.path(namespace, name))

    async def list(
        self, resource: Resource, namespace: str | None = None, *, label_selector: str = ""
    ) -> tuple[list[Document], str]:
        """All objects of the kind (in `namespace`, or in all) and the resourceVersion to watch from."""
        query = {"labelSelector": label_selector} if label_selector else {}
        body = await self._json("GET", resource.path(namespace), query=query)
        items = body.get("items") or []
        for item in items:
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        return items, str(body["metadata"]["resourceVersion"])

    async def create(self, resource: Resource, namespace: str | None, body: Document) -> Document:
        """Create; an object of that name already there raises Conflict."""
        return await self._json("POST", resource.path(namespace), body=body, query={"fieldManager": MANAGER})

    async def patch(
        self,
        resource: Resource,
        namespace: str | None,
        name: str,
        body: Sequence[Mapping[str, Any]] | Mapping[str, Any],
        *,
        kind: Literal["json", "merge", "apply"] = "json",
        subresource: str | None = None,
    ) -> Document:
        """Patch; a failing `test` of a JSON Patch, or a resourceVersion that moved, raises Conflict."""
        query = {"fieldManager": MANAGER} | ({"force": "true"} if kind == "apply" else {})
        path = resource.path(namespace, name, subresource)
        content = body if isinstance(body, dict) else list(body)
        return await self._json("PATCH", path, body=content, query=query, content_type=_CONTENT_TYPES[kind])

    async def delete(self, resource: Resource, namespace: str | None, name: str, *, uid: str = "") -> None:
        """Ask for deletion (finalizers may delay it); an object that is gone already raises NotFound.

        With `uid` only that very object: another one of its name raises Conflict.
        """
        body: Document = {"propagationPolicy": "Background"} | ({"preconditions": {"uid": uid}} if uid else {})
        await self._json("DELETE", resource.path(namespace, name), body=body)

    async def watch(
        self, resource: Resource, namespace: str | None = None, *, label_selector: str = "", since: str | None = None
    ) -> AsyncIterator[tuple[str, Document]]:
        """Yield ("ADDED" | "MODIFIED" | "DELETED", object) until the server ends the stream.

        Without `since` the present objects come first, as ADDED.  A version too old raises Conflict: list again.  A
        watch that breaks, or says nothing for `WATCH_SILENCE`, raises Transient.
        """
        if since is None:
            items, since = await self.list(resource, namespace, label_selector=label_selector)
            for item in items:
                yield "ADDED", item
        query = {
            "watch": "true",
            "resourceVersion": since,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_TIMEOUT),
        }
        if label_selector:
            query["labelSelector"] = label_selector
        response = await self._call("GET", resource.path(namespace), query=query, endless=True)
        try:
            async for line in _lines(response):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise _failure(int(event["object"].get("code", 500)), json.dumps(event["object"]), None)
                if event["type"] != "BOOKMARK":
                    yield event["type"], event["object"]
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Transient(f"the watch on {resource.plural} broke: {type(error).__name__}: {error}") from error
        finally:
            response.close()

    async def _json(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> Document:
        response = await self._call(method, path, query=query or {}, body=body, content_type=content_type)
        try:
            document: Document = await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Transient(f"{method} {path}: the answer broke off: {error}") from error
        return document

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        body: object = None,
        content_type: str = "application/json",
        endless: bool = False,
    ) -> aiohttp.ClientResponse:
        limit = aiohttp.ClientTimeout(
            total=None if endless else self._timeout,
            sock_connect=self._timeout,
            sock_read=WATCH_SILENCE if endless else None,
        )
        try:
            request = await self._api.param_serialize(
                method,
                path,
                query_params=list(query.items()),
                header_params={"Accept": "application/json", "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await self._api.call_api(*request, _request_timeout=limit)
        except (aiohttp.ClientError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise Transient(f"{method} {path}: {type(error).__name__}: {error}") from error
        response: aiohttp.ClientResponse = answer.response
        if response.status >= 400:
            text = await _text(response)
            raise _failure(response.status, text, response.headers.get("Retry-After"), f"{method} {path}")
        return response


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Whole lines of any length: an object may be larger than what aiohttp takes for a line."""
    rest = b""
    async for part in response.content.iter_any():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest


async def _text(response: aiohttp.ClientResponse) -> str:
    try:
        return await response.text()
    except (aiohttp.ClientError, TimeoutError):
        return ""


def _failure(status: int, body: str, retry_after: str | None, what: str = "watch") -> ApiFailure:
    """Translate an answer of 400 or more.

    A JSON Patch whose `test` fails is answered 422 with a generic message by a real API server (seen with 1.36), where
    409 would be expected.  A 422 with causes is a validation error; without, it is taken for such a test.
    """
    try:
        document = json.loads(body)
    except ValueError:
        document = {}
    message = f"{what}: {status} {document.get('message') or body[:300]}"
    if status == 404:
        return NotFound(message)
    if status in {409, 410}:
        return Conflict(message)
    if status == 422 and not (document.get("details") or {}).get("causes"):
        return Conflict(message)
    if status in {408, 429} or status >= 500:
        return Transient(message, float(retry_after) if retry_after and retry_after.isdigit() else None)
    return Refused(message)
