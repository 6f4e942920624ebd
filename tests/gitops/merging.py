"""What both tools build their writes from: JSON pointers, merge patches, and server-side apply of Istio's kinds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

from meshshift.lab.kube.apply import apply
from meshshift.lab.kube.istio import istio_definitions
from meshshift.lab.kube.managed import Author
from meshshift.lab.kube.patch import merge_patch

Document = dict[str, Any]
VERSION = "networking.istio.io/v1"
SCHEMA: Document = istio_definitions()[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
"""Istio's lists are atomic, in the lab's open schema as in Istio's own."""
MISSING = object()


@dataclass(frozen=True)
class Request:
    """A write that a tool sends: create, merge patch, or server-side apply with force."""

    verb: Literal["create", "merge", "apply"]
    kind: str
    name: str
    body: Document
    manager: str


def carried_out(request: Request, live: Document, at: str) -> Document:
    """The object after a write, managedFields aside unless it is an apply."""
    if request.verb == "create":
        return deepcopy(request.body)
    if request.verb == "merge":
        return merge_patch(live, request.body)
    return apply(live or None, request.body, SCHEMA, Author(request.manager, VERSION, "", at), force=True)


def merge_difference(before: Document, after: Document) -> Document:
    """The merge patch (RFC 7386) that makes `after` of `before`: maps by key, everything else whole."""
    patch: Document = dict.fromkeys(before.keys() - after.keys())
    for key, value in after.items():
        old = before.get(key, MISSING)
        if isinstance(old, dict) and isinstance(value, dict):
            if inner := merge_difference(old, value):
                patch[key] = inner
        elif old != value or type(old) is not type(value):
            patch[key] = deepcopy(value)
    return patch


def three_way(original: Document, modified: Document, current: Document) -> Document:
    """What `kubectl apply` sends for custom kinds (apimachinery, jsonmergepatch.CreateThreeWayJSONMergePatch).

    What `modified` adds or changes, and what `original` had that it has no more.
    """
    patch = _kept(merge_difference(current, modified), nulls=False)
    return merge_patch_of(patch, _kept(merge_difference(original, modified), nulls=True))


def merge_patch_of(patch: Document, more: Document) -> Document:
    """Two merge patches as one."""
    joined = deepcopy(patch)
    for key, value in more.items():
        inner = joined.get(key)
        joined[key] = merge_patch_of(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return joined


def _kept(patch: Document, *, nulls: bool) -> Document:
    found: Document = {}
    for key, value in patch.items():
        if isinstance(value, dict):
            if inner := _kept(value, nulls=nulls):
                found[key] = inner
        elif (value is None) is nulls:
            found[key] = value
    return found


def looked_up(document: Any, pointer: str) -> Any:
    """What an RFC 6901 pointer names, MISSING if nothing."""
    found: Any = document
    for step in _steps(pointer):
        if isinstance(found, dict):
            found = found.get(step, MISSING)
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            return MISSING
    return found


def without(document: Document, pointer: str) -> Document:
    """A copy without what the pointer names; one that names nothing changes nothing."""
    changed = deepcopy(document)
    *to, last = _steps(pointer)
    parent = looked_up(changed, "".join(f"/{_escaped(step)}" for step in to))
    if isinstance(parent, dict):
        parent.pop(last, None)
    elif isinstance(parent, list) and last.isdigit() and int(last) < len(parent):
        del parent[int(last)]
    return changed


def replaced(document: Document, pointer: str, value: Any) -> Document:
    """A copy with another value where the pointer names one; KeyError where it names none, as RFC 6902 has it."""
    if looked_up(document, pointer) is MISSING:
        raise KeyError(f"replace operation does not apply: nothing at {pointer}")
    changed = deepcopy(document)
    *to, last = _steps(pointer)
    parent = looked_up(changed, "".join(f"/{_escaped(step)}" for step in to))
    parent[int(last) if isinstance(parent, list) else last] = deepcopy(value)
    return changed


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def is_meant(rule: Mapping[str, Any], document: Document) -> bool:
    """Does a selector of group, kind, name and namespace mean the document?  All are anchored regular expressions.

    Argo CD's are globs (group, kind) and plain names; the page uses words that are the same in all three.
    """
    metadata = document["metadata"]
    facts = {
        "group": document["apiVersion"].rpartition("/")[0],
        "kind": document["kind"],
        "name": metadata["name"],
        "namespace": metadata.get("namespace", ""),
    }
    return all(re.fullmatch(str(rule[key]), value) for key, value in facts.items() if rule.get(key))


def content(document: Document) -> Document:
    """What a tool compares: no status, and of the metadata what people write."""
    metadata = {key: document["metadata"].get(key) or {} for key in ("labels", "annotations")}
    return {**{key: document[key] for key in document.keys() - {"status", "metadata"}}, "metadata": metadata}
