"""Sets of field paths, as `metadata.managedFields` records them (FieldsV1).

A path is a tuple of FieldsV1 elements: `f:name` for a field, `k:{"name":"x"}` for an entry of a list with keys,
`v:"x"` for an entry of a set. Atomic lists and maps are single leaves. In the wire form a set is a tree; `.` marks an
inner node that is itself a member. Follows sigs.k8s.io/structured-merge-diff/v6.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from meshshift.lab.kube.definitions import resolve
from meshshift.lab.kube.schema import property_schema
from meshshift.lab.kube.validation import list_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshshift.lab.kube.documents import Document

Path = tuple[str, ...]

# What the server itself writes is nobody's (fieldmanager.stripMeta).
UNOWNED_META = {
    "name", "namespace", "uid", "creationTimestamp", "generation", "resourceVersion", "managedFields", "selfLink",
    "deletionTimestamp", "deletionGracePeriodSeconds",
}  # fmt: skip
ANYTHING: Document = {"x-kubernetes-preserve-unknown-fields": True}


def list_type(schema: Document) -> str:
    """Return how a list merges: `map`, `set` or `atomic`."""
    return str(schema.get("x-kubernetes-list-type", "atomic"))


def is_atomic(value: Any, schema: Document) -> bool:
    """Tell whether a value is owned as a whole: scalars, atomic lists and atomic maps."""
    if isinstance(value, dict):
        return schema.get("x-kubernetes-map-type") == "atomic"
    return not isinstance(value, list) or list_type(schema) == "atomic"


def field_schema(schema: Document, key: str) -> Document:
    """Return a field's schema, or one that allows anything."""
    return resolve(property_schema(schema, key) or ANYTHING)


def key_element(item: Any, schema: Document) -> str:
    """Return the path element that names an entry of a list of type `map` or `set`."""
    keys = list_keys(schema)
    if not keys or not isinstance(item, dict):
        return "v:" + json.dumps(item, separators=(",", ":"), sort_keys=True)
    defaults = {key: item.get(key, _key_default(key)) for key in sorted(keys)}
    return "k:" + json.dumps(
        {key: value for key, value in defaults.items() if value is not None}, separators=(",", ":")
    )


def _key_default(key: str) -> str | None:
    return "TCP" if key == "protocol" else None


def children(value: Any, schema: Document) -> Iterator[tuple[str, Any, Document]]:
    """Yield the path element, value and schema of what is inside a map or a mergeable list."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"f:{key}", item, field_schema(schema, key)
    else:
        items = resolve(schema.get("items", ANYTHING))
        for item in value:
            yield key_element(item, schema), item, items


def leaves(value: Any, schema: Document, path: Path = (), nodes: bool = False) -> set[Path]:
    """Return the paths of everything in a value.

    Args:
        value: the value.
        schema: its schema.
        path: where it stands.
        nodes: whether maps count as members beside what is in them, as they do for what an Update adds.
    """
    if is_atomic(value, schema) or not value:
        return {path}
    found = {path} if nodes or (path and path[-1][0] == "k") else set()
    for element, item, inner in children(value, schema):
        if element[0] == "v":
            found.add((*path, element))
        else:
            found |= leaves(item, inner, (*path, element), nodes)
    return found


def changes(old: Any, new: Any, schema: Document, path: Path = ()) -> tuple[set[Path], set[Path]]:
    """Compare two values.

    Returns:
        The paths that were added or modified, and the paths that are gone.
    """
    if old == new and type(old) is type(new):
        return set(), set()
    if type(old) is not type(new) or is_atomic(new, schema):
        return leaves(new, schema, path, nodes=True), leaves(old, schema, path, nodes=True) - {path}
    before = {element: (item, inner) for element, item, inner in children(old, schema)}
    changed: set[Path] = set()
    removed: set[Path] = set()
    for element, item, inner in children(new, schema):
        if element in before:
            more, less = changes(before.pop(element)[0], item, inner, (*path, element))
            changed |= more
            removed |= less
        else:
            changed |= leaves(item, inner, (*path, element), nodes=True)
    for element, (item, inner) in before.items():
        removed |= leaves(item, inner, (*path, element), nodes=True)
    return changed, removed


def owned_part(document: Document) -> Document:
    """Return a document without what nobody can own."""
    meta = {key: value for key, value in document.get("metadata", {}).items() if key not in UNOWNED_META}
    rest = {key: value for key, value in document.items() if key not in {"apiVersion", "kind", "metadata"}}
    if not rest.get("status", True):
        del rest["status"]
    return {"metadata": meta, **rest} if meta else rest


def to_fields_v1(paths: set[Path]) -> Document:
    """Write a set of paths as a FieldsV1 tree."""
    tree: Document = {}
    inner = {path[:length] for path in paths for length in range(1, len(path))}
    for path in sorted(paths):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
        if path in inner:
            node["."] = {}
    return tree


def from_fields_v1(tree: Any, path: Path = ()) -> set[Path]:
    """Read a FieldsV1 tree as a set of paths."""
    if not isinstance(tree, dict) or not tree:
        return {path} if path else set()
    found: set[Path] = set()
    for element, inner in tree.items():
        if element == ".":
            found.add(path)
        else:
            found |= from_fields_v1(inner, (*path, element))
    return found


def shown_path(path: Path) -> str:
    """Render a path for people: `.spec.containers[name="web"].image`."""
    parts: list[str] = []
    for element in path:
        kind, text = element[0], element[2:]
        if kind == "f":
            parts.append(f".{text}")
        elif kind == "k":
            keys = json.loads(text)
            parts.append("[" + ",".join(f"{key}={json.dumps(value)}" for key, value in keys.items()) + "]")
        else:
            parts.append(f"[={text}]")
    return "".join(parts)
