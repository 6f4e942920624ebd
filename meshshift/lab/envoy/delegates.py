"""VirtualServices that delegate: a root hands paths to documents without hosts, which hold the routes and weights.

Follows pilot/pkg/model/virtualservice.go of Istio 1.32: a delegate's route takes the root's match unless the two
contradict each other (then the route is dropped), and what it does not say itself it takes from the root.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from meshshift.core.mesh.match_conflicts import contradict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

Document = dict[str, Any]

_INHERITED = (
    "rewrite",
    "directResponse",
    "timeout",
    "retries",
    "fault",
    "mirror",
    "mirrorPercent",
    "mirrorPercentage",
    "corsPolicy",
    "mirrors",
    "headers",
)
_MAPS = ("headers", "withoutHeaders", "queryParams", "sourceLabels")
_SINGLE = ("uri", "scheme", "method", "authority", "port", "sourceNamespace", "gateways", "statPrefix")


def with_delegates(documents: Iterable[Document], resolve: Callable[[str, str], str]) -> list[Document]:
    """The root documents, each with the routes of its delegates in place.

    `resolve` completes a host in a namespace: a delegate's short hosts mean its own namespace, not the root's.
    """
    found = list(documents)
    by_name = {
        (document["metadata"]["namespace"], document["metadata"]["name"]): document
        for document in found
        if not document["spec"].get("hosts")
    }
    return [_expanded(document, by_name, resolve) for document in found if document["spec"].get("hosts")]


def _expanded(
    root: Document, delegates: Mapping[tuple[str, str], Document], resolve: Callable[[str, str], str]
) -> Document:
    routes = root["spec"].get("http") or []
    if not any(route.get("delegate") for route in routes):
        return root
    out: list[Document] = []
    for route in routes:
        wish = route.get("delegate")
        if not wish:
            out.append(route)
            continue
        key = (wish.get("namespace") or root["metadata"]["namespace"], wish["name"])
        delegate = delegates.get(key)
        if delegate is not None:
            out += _merged_routes(route, _resolved_routes(delegate, resolve))
    return {**root, "spec": {**root["spec"], "http": out}}


def _resolved_routes(delegate: Document, resolve: Callable[[str, str], str]) -> list[Document]:
    routes: list[Document] = copy.deepcopy(delegate["spec"].get("http") or [])
    for destination in (destination for route in routes for destination in _destinations(route)):
        destination["host"] = resolve(destination.get("host", ""), delegate["metadata"]["namespace"])
    return routes


def _destinations(route: Document) -> Iterator[Document]:
    yield from (target["destination"] for target in route.get("route") or () if target.get("destination"))
    yield from (mirror["destination"] for mirror in route.get("mirrors") or () if mirror.get("destination"))
    if route.get("mirror"):
        yield route["mirror"]


def _merged_routes(root: Document, routes: list[Document]) -> Iterator[Document]:
    for route in routes:
        matches = _merged_matches(root.get("match") or [], route.get("match") or [])
        if matches is None:
            continue
        merged = {**{field: root[field] for field in _INHERITED if field in root}, **route, "match": matches}
        merged["name"] = _joined(root, route)
        yield merged


def _merged_matches(root: list[Document], delegate: list[Document]) -> list[Document] | None:
    """Every match of the delegate inside a match of the root; None if one of them fits into none."""
    if not root or not delegate:
        return root or delegate
    out: list[Document] = []
    for inner in delegate:
        fitting = [outer for outer in root if not contradict(outer, inner)]
        if not fitting:
            return None
        out += [_merged_match(outer, inner) for outer in fitting]
    return out


def _merged_match(outer: Document, inner: Document) -> Document:
    out = {**{field: outer[field] for field in _SINGLE if field in outer}, **inner}
    for field in _MAPS:
        if outer.get(field) or inner.get(field):
            out[field] = {**(outer.get(field) or {}), **(inner.get(field) or {})}
    name = _joined(outer, inner)
    return out | {"name": name} if name else out


def _joined(outer: Document, inner: Document) -> str:
    return "-".join(part["name"] for part in (outer, inner) if part.get("name"))
