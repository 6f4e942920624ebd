"""The API server on a loopback port: paths, verbs, streams and faults; everything it means is in `store`.

Plain HTTP on 127.0.0.1 without authentication: it serves one test or one lab on one machine, nothing else.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Self

import yaml
from aiohttp import web

from meshshift.lab.kube import discovery, errors, openapi
from meshshift.lab.kube.faults import Fault, FaultPlan, InterceptedRequest
from meshshift.lab.kube.handlers import Answer, Call
from meshshift.lab.kube.requests import form_of, target_of, verb_of
from meshshift.lab.kube.store import Store
from meshshift.lab.kube.watch import Watcher, watch_request

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Kind
    from meshshift.lab.kube.requests import Target

LOOPBACK = "127.0.0.1"
LARGEST_BODY = 3 * 1024 * 1024


class ApiServer:
    """An in-memory Kubernetes API on a loopback port; an async context manager.

    Attributes:
        store: the objects; for in-process access.
        faults: where a test hangs its interceptor.
        url: the address, once it is serving.

    Args:
        port: the TCP port; 0 lets the operating system choose.
        history: changes remembered per resource; a watch from an older version gets 410.
        bookmark_interval: seconds between bookmarks to watchers that want them.
    """

    def __init__(self, *, port: int = 0, history: int = 4096, bookmark_interval: float = 60.0) -> None:
        self.store = Store(history)
        self.faults = FaultPlan()
        self.url = ""
        self._port = port
        self._bookmark_interval = bookmark_interval
        self._runner: web.AppRunner | None = None
        self._openapi: dict[str, tuple[int, bytes]] = {}

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=LARGEST_BODY)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=2.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, self._port).start()
        self._port = self._runner.addresses[0][1]
        self.url = f"http://{LOOPBACK}:{self._port}"
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.disconnect_watchers()
        if self._runner is not None:
            await self._runner.cleanup()

    def disconnect_watchers(self) -> None:
        """End every running watch, as a restart of a real API server would."""
        self.store.storage.close_all_subscriptions()

    def kubeconfig(self) -> dict[str, object]:
        """Return a kubeconfig for this server, as a document."""
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "meshshift-lab",
            "clusters": [{"name": "meshshift-lab", "cluster": {"server": self.url}}],
            "users": [{"name": "lab-admin", "user": {}}],
            "contexts": [
                {
                    "name": "meshshift-lab",
                    "context": {"cluster": "meshshift-lab", "user": "lab-admin", "namespace": "default"},
                }
            ],
        }

    def write_kubeconfig(self, path: Path | str) -> None:
        """Write the kubeconfig to a file."""
        Path(path).write_text(yaml.safe_dump(self.kubeconfig(), sort_keys=False))

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._routed(request)
        except errors.StatusError as error:
            headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else None
            return _json(error.status(), error.code, headers)

    async def _routed(self, request: web.Request) -> web.StreamResponse:
        target = target_of(request.path)
        if target is None or not target.plural:
            return self._about_the_server(request, target)
        kind = self.store.registry.get(target.group, target.version, target.plural)
        if kind is None or not _is_served(kind, target):
            return self._not_served(target)
        verb = verb_of(request.method, target, request.query)
        if verb not in kind.verbs:
            raise errors.method_not_allowed()
        asked = (verb, kind.group, kind.plural, target.subresource, target.namespace, target.name)
        early = await self._fault(InterceptedRequest("before", *asked), request)
        if early is not None:
            return early
        if verb == "watch":
            return await self._watch(request, kind, target)
        answer: Answer = await getattr(Call(self.store, kind, target, request), verb)()
        late = await self._fault(InterceptedRequest("after", *asked), request)
        return late or _answered(answer)

    async def _fault(self, asked: InterceptedRequest, request: web.Request) -> web.Response | None:
        if self.faults.intercept is None:
            return None
        fault = await self.faults.intercept(asked)
        return None if fault is None else await _carry_out(fault, request)

    async def _watch(self, request: web.Request, kind: Kind, target: Target) -> web.StreamResponse:
        form = form_of(request.headers.get("Accept", ""))
        wanted = watch_request(kind, target.namespace, request.query, form)
        storage = self.store.storage
        subscription = storage.subscribe(kind.bucket)
        if request.transport is not None:
            subscription.on_overflow = request.transport.abort
        try:
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            response.enable_chunked_encoding()
            await response.prepare(request)
            watcher = Watcher(self.store, wanted, subscription, self._bookmark_interval)
            silent = False
            async with aclosing(watcher.lines()) as lines:
                async for line in lines:
                    silent = silent or kind.plural in self.faults.silent
                    if not silent:
                        await response.write(line)
            return response
        finally:
            storage.unsubscribe(subscription)

    def _not_served(self, target: Target) -> web.Response:
        """The servers of built-in groups know that there is no such resource; beyond them is nobody who would."""
        if any(kind.group == target.group and not kind.custom for kind in self.store.registry):
            raise errors.no_such_resource()
        return _no_such_page()

    def _about_the_server(self, request: web.Request, target: Target | None) -> web.Response:
        if request.method not in {"GET", "HEAD"}:
            raise errors.method_not_allowed()
        registry = self.store.registry
        if target is not None:
            if not registry.within(target.group, target.version):
                return _no_such_page()
            return _json(discovery.api_resources(registry, target.group, target.version))
        path = request.path.rstrip("/")
        if path in {"/healthz", "/readyz", "/livez"}:
            return web.Response(text="ok")
        if path.startswith("/openapi"):
            return self._openapi_document(path, request)
        if path in {"/api", "/apis"} and "as=APIGroupDiscoveryList" in request.headers.get("Accept", ""):
            groups = [""] if path == "/api" else registry.groups()
            return _discovered(discovery.aggregated(registry, groups))
        documents = {"/version": discovery.VERSION, "/api": discovery.api_versions(f"{LOOPBACK}:{self._port}")}
        if path in documents:
            return _json(documents[path])
        if path == "/apis":
            return _json(discovery.api_groups(registry))
        group = path.removeprefix("/apis/")
        return _json(discovery.api_group(registry, group)) if group in registry.groups() else _no_such_page()

    def _openapi_document(self, path: str, request: web.Request) -> web.Response:
        registry = self.store.registry
        if path == "/openapi/v2":
            if "protobuf" in request.headers.get("Accept", ""):
                return web.Response(body=openapi.EMPTY_V2_PROTOBUF, headers={"Content-Type": openapi.PROTOBUF_V2})
            return _json(openapi.minimal_v2())
        if path == "/openapi/v3":
            return _json(openapi.index(registry))
        target = target_of(path.removeprefix("/openapi/v3"))
        if target is None or not registry.within(target.group, target.version):
            return _no_such_page()
        known = self._openapi.get(path)
        if known is None or known[0] != registry.generation:
            body = json.dumps(openapi.document(registry, target.group, target.version)).encode()
            known = self._openapi[path] = (registry.generation, body)
        return web.Response(body=known[1], content_type="application/json")


def _is_served(kind: Kind, target: Target) -> bool:
    """Tell whether a kind has a path of this form: scope, and subresource if one is named."""
    if (target.namespace and not kind.namespaced) or (target.name and kind.namespaced and not target.namespace):
        return False
    subresources = {"": True, "status": kind.status, "scale": kind.scale is not None}
    return subresources.get(target.subresource, False)


async def _carry_out(fault: Fault, request: web.Request) -> web.Response | None:
    if fault.delay:
        await asyncio.sleep(fault.delay)
    if fault.reset:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=499)
    if fault.status:
        raise errors.StatusError(fault.status, fault.reason, fault.message, retry_after=fault.retry_after)
    return None


def _answered(answer: Answer) -> web.Response:
    response = _json(answer.document, answer.code)
    for text in answer.warnings:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


def _json(document: Document, code: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    body = json.dumps(document, separators=(",", ":")).encode()
    return web.Response(body=body, status=code, content_type="application/json", headers=headers)


def _discovered(document: Document) -> web.Response:
    body = json.dumps(document, separators=(",", ":")).encode()
    return web.Response(body=body, headers={"Content-Type": discovery.AGGREGATED, "Vary": "Accept"})


def _no_such_page() -> web.Response:
    return web.Response(status=404, text="404 page not found\n")
