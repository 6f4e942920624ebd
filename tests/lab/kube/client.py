"""A few lines over httpx, so that the contract tests read as claims. They run against any API server's base URL."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import httpx

Document = dict[str, Any]
Answer = TypeVar("Answer")
MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass
class Api:
    """A namespace of a cluster, and what the tests do in it."""

    http: httpx.AsyncClient
    namespace: str
    group: str = field(default_factory=lambda: f"g{uuid.uuid4().hex[:8]}.example.com")

    def path(self, plural: str, name: str = "", *, prefix: str = "/api/v1") -> str:
        return f"{prefix}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def config_maps(self, name: str = "") -> str:
        return self.path("configmaps", name)

    def widgets(self, name: str = "", version: str = "v1") -> str:
        return self.path("widgets", name, prefix=f"/apis/{self.group}/{version}")

    async def create(self, path: str, document: Document, **parameters: str) -> Document:
        return ok(await self.http.post(path, json=document, params=parameters))

    async def get(self, path: str, **parameters: str) -> Document:
        return ok(await self.http.get(path, params=parameters))

    async def put(self, path: str, document: Document, **parameters: str) -> Document:
        return ok(await self.http.put(path, json=document, params=parameters))

    async def patch(self, path: str, body: Any, media: str = MERGE, **parameters: str) -> Document:
        return ok(await self.send_patch(path, body, media, **parameters))

    async def send_patch(self, path: str, body: Any, media: str = MERGE, **parameters: str) -> httpx.Response:
        return await self.http.patch(path, content=json.dumps(body), headers={"Content-Type": media}, params=parameters)

    async def delete(self, path: str, **parameters: str) -> Document:
        return ok(await self.http.delete(path, params=parameters))

    async def names(self, path: str, **parameters: str) -> list[str]:
        listed = await self.get(path, **parameters)
        return [item["metadata"]["name"] for item in listed["items"]]

    async def config_map(self, name: str, data: dict[str, str] | None = None, **meta: Any) -> Document:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **meta}, "data": data or {"k": "v"}}
        return await self.create(self.config_maps(), body)

    async def widget(self, name: str, spec: Document, **meta: Any) -> Document:
        return await self.create(self.widgets(), self.widget_document(name, spec, **meta))

    def widget_document(self, name: str, spec: Document, **meta: Any) -> Document:
        return {
            "apiVersion": f"{self.group}/v1",
            "kind": "Widget",
            "metadata": {"name": name, "namespace": self.namespace, **meta},
            "spec": spec,
        }

    def widget_definition(self, spec_schema: Document, **version: Any) -> Document:
        schema = {
            "type": "object",
            "properties": {
                "spec": spec_schema,
                "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        }
        first = {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": schema},
            "subresources": {"status": {}},
            **version,
        }
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"widgets.{self.group}"},
            "spec": {
                "group": self.group,
                "scope": "Namespaced",
                "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "shortNames": ["wdg"]},
                "versions": [first],
            },
        }

    async def define(self, definition: Document) -> Document:
        """Create a definition and wait until it is served (a real server takes a moment after saying so)."""
        created = await self.create(DEFINITIONS, definition)
        name = created["metadata"]["name"]
        await self.until(DEFINITIONS, name, is_established)
        await repeated(lambda: self.http.get(self.widgets()), lambda response: response.is_success)
        return await self.get(f"{DEFINITIONS}/{name}")

    async def openapi(self, group_version: str) -> Document:
        """Return the OpenAPI document of a path such as `apis/apps/v1` (a real server takes a moment for a new one)."""
        index = await repeated(lambda: self.get("/openapi/v3"), lambda found: group_version in found["paths"])
        return await self.get(index["paths"][group_version]["serverRelativeURL"])

    async def until(self, path: str, name: str, holds: Callable[[Document | None], bool]) -> None:
        """Wait until an object is as wanted; None stands for an object that is not there."""
        selector = {"fieldSelector": f"metadata.name={name}"}
        listed = await self.get(path, **selector)
        if holds(next(iter(listed["items"]), None)):
            return
        async with self.watch(path, resourceVersion=listed["metadata"]["resourceVersion"], **selector) as events:
            event, document = await events.next()
            while not holds(None if event == "DELETED" else document):
                event, document = await events.next()

    async def gone(self, path: str, name: str) -> bool:
        """Wait for an object to go, as a real cluster's collector takes its time."""
        await self.until(path, name, lambda document: document is None)
        return True

    async def define_widgets(self, spec_schema: Document, **version: Any) -> Document:
        return await self.define(self.widget_definition(spec_schema, **version))

    @asynccontextmanager
    async def watch(self, path: str, **parameters: str) -> AsyncIterator[Events]:
        asked = {"watch": "true", "timeoutSeconds": "20", **parameters}
        async with self.http.stream("GET", path, params=asked) as response:
            assert response.status_code == 200, await response.aread()
            yield Events(response.aiter_lines())


@dataclass
class Events:
    """The events of a watch, one by one."""

    lines: AsyncIterator[str]

    async def next(self) -> tuple[str, Document]:
        async with asyncio.timeout(20):
            event = json.loads(await anext(self.lines))
        return event["type"], event["object"]

    async def next_name(self) -> tuple[str, str]:
        event, document = await self.next()
        return event, document["metadata"]["name"]

    async def rest(self) -> list[tuple[str, Document]]:
        async with asyncio.timeout(20):
            events = [json.loads(line) async for line in self.lines]
        return [(event["type"], event["object"]) for event in events]


async def repeated(ask: Callable[[], Awaitable[Answer]], holds: Callable[[Answer], bool]) -> Answer:
    """Ask until the answer is as wanted: a real server acts by a new definition a moment later, and tells nobody."""
    async with asyncio.timeout(20):
        while not holds(answer := await ask()):  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.02)
    return answer


def is_established(definition: Document | None) -> bool:
    conditions = (definition or {}).get("status", {}).get("conditions") or ()
    return any((one["type"], one["status"]) == ("Established", "True") for one in conditions)


def ok(response: httpx.Response) -> Document:
    assert response.is_success, response.text
    found: Document = response.json()
    return found


def refusal(response: httpx.Response, code: int, reason: str) -> Document:
    """Check that a request was refused with a Status of this code and reason; return the Status."""
    assert response.status_code == code, response.text
    status: Document = response.json()
    assert (status["kind"], status["status"], status["code"], status["reason"]) == ("Status", "Failure", code, reason)
    return status


def owners(document: Document) -> dict[tuple[str, str, str], Document]:
    """Return managedFields by manager, operation and subresource."""
    return {
        (entry["manager"], entry["operation"], entry.get("subresource", "")): entry["fieldsV1"]
        for entry in document["metadata"].get("managedFields", ())
    }
