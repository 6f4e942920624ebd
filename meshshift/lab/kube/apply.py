"""Server-side apply: merge a manager's intent into the live object, field by field.

What the manager stopped mentioning is removed if nobody else owns it; what another manager owns and the intent would
change is a conflict unless forced. Maps merge by key, lists with declared keys by entry, every other list is one atomic
value; that is why nothing should ever apply a VirtualService's routes. Follows structured-merge-diff's `merge.Updater`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from meshshift.lab.kube.definitions import resolve
from meshshift.lab.kube.documents import copied
from meshshift.lab.kube.errors import StatusError
from meshshift.lab.kube.fields import (
    ANYTHING,
    Path,
    changes,
    children,
    field_schema,
    is_atomic,
    key_element,
    leaves,
    owned_part,
    shown_path,
)
from meshshift.lab.kube.managed import Author, Entry, current_entries, encode, find_entry

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document


def apply(live: Document | None, intent: Document, schema: Document, author: Author, force: bool) -> Document:
    """Return the object that results from applying an intent, managedFields included.

    Raises:
        StatusError: 409, naming every field that another manager owns, unless `force`.
    """
    base: Document = live or {}
    merged: Document = _merged(copied(base), intent, schema)
    entries = current_entries(live, base, author.subresource)
    own = find_entry(entries, author, "Apply")
    others = [entry for entry in entries if entry is not own]
    applied = {path for path in leaves(owned_part(intent), schema) if path}
    changed, _ = changes(owned_part(base), owned_part(merged), schema)
    _settle_conflicts(others, changed & applied, force)
    for path in sorted(_abandoned(own, applied, others), key=len):
        _remove(merged, path, schema)
    _, removed = changes(owned_part(base), owned_part(merged), schema)
    for entry in others:
        entry.fields -= removed
    if own.fields != applied or changed or removed:
        own.time = author.time
    own.fields = applied
    merged.setdefault("metadata", {})["managedFields"] = encode([own, *others])
    return merged


def _merged(target: Any, intent: Any, schema: Document) -> Any:
    if type(target) is not type(intent) or is_atomic(intent, schema):
        return copied(intent)
    if isinstance(intent, dict):
        for key, value in intent.items():
            target[key] = _merged(target[key], value, field_schema(schema, key)) if key in target else copied(value)
        return target
    items = resolve(schema.get("items", ANYTHING))
    places = {key_element(item, schema): index for index, item in enumerate(target)}
    for item in intent:
        place = places.get(key_element(item, schema))
        if place is None:
            target.append(copied(item))
        else:
            target[place] = _merged(target[place], item, items)
    return target


def _settle_conflicts(others: list[Entry], contested: set[Path], force: bool) -> None:
    conflicts = [(entry, path) for entry in others for path in sorted(entry.fields & contested)]
    if conflicts and not force:
        raise _conflict(conflicts)
    for entry, path in conflicts:
        entry.fields.discard(path)


def _conflict(conflicts: list[tuple[Entry, Path]]) -> StatusError:
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_owner(entry)}", "field": shown_path(path)}
        for entry, path in conflicts
    ]
    count = len(conflicts)
    title = f"Apply failed with {count} conflict{'s' if count > 1 else ''}: "
    by_owner: dict[str, list[str]] = {}
    for entry, path in conflicts:
        by_owner.setdefault(_owner(entry), []).append(shown_path(path))
    parts = [
        f"conflict with {owner}: {paths[0]}"
        if len(paths) == 1
        else f"conflicts with {owner}:\n" + "\n".join(f"- {path}" for path in paths)
        for owner, paths in by_owner.items()
    ]
    return StatusError(409, "Conflict", title + "\n".join(parts), {"causes": causes})


def _owner(entry: Entry) -> str:
    """Name an owner as the server does; a manager that applies is the same one in every version."""
    subresource = f" with subresource {json.dumps(entry.subresource)}" if entry.subresource else ""
    version = f" using {entry.api_version}" if entry.operation == "Update" else ""
    return f"{json.dumps(entry.manager)}{subresource}{version}"


def _abandoned(own: Entry, applied: set[Path], others: list[Entry]) -> set[Path]:
    kept = set(applied)
    for entry in others:
        kept |= entry.fields
    # A map stays as long as anything inside it is owned; an entry of a list only if it is owned itself.
    inside = {path[:length] for path in kept for length in range(1, len(path)) if path[length - 1][0] == "f"}
    abandoned = own.fields - kept - inside
    return {path for path in abandoned if not _is_key(path) or path[:-1] in abandoned}


def _is_key(path: Path) -> bool:
    """Tell whether a path is a key field of a list entry: an entry that stays keeps those."""
    return len(path) > 1 and path[-2][0] == "k" and path[-1][2:] in json.loads(path[-2][2:])


def _remove(value: Any, path: Path, schema: Document) -> None:
    element, rest = path[0], path[1:]
    found = next(((item, inner) for name, item, inner in children(value, schema) if name == element), None)
    if found is None:
        return
    item, inner = found
    if rest and isinstance(item, (dict, list)):
        _remove(item, rest, inner)
    if rest and item:
        return
    if isinstance(value, dict):
        del value[element[2:]]
    else:
        value.remove(item)
