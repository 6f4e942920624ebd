"""Who owns which field: `metadata.managedFields`, kept for every write.

An Update makes its manager the owner of exactly what it added or changed; whoever owned those fields before loses
them. meshshift reads from here who wrote a command annotation, and gives fields back by dropping its own entry, so both
directions matter: what a client writes into managedFields is respected as in the real server, where a single empty
entry resets them and an unreadable or empty list leaves them alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshshift.lab.kube.documents import at
from meshshift.lab.kube.fields import Path, changes, from_fields_v1, owned_part, to_fields_v1

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document

_STRUCTS: dict[str, Any] = {
    "containers": {},
    "strategy": {},
    "template": {"metadata": {}, "spec": {"containers": {}}},
}


@dataclass(slots=True)
class Entry:
    """The fields that one manager owns through one kind of operation."""

    manager: str
    operation: str
    api_version: str
    subresource: str
    time: str
    fields: set[Path]

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """Return what tells entries apart."""
        return self.manager, self.operation, self.api_version, self.subresource

    def encode(self) -> Document:
        """Return the wire form."""
        entry: Document = {
            "manager": self.manager,
            "operation": self.operation,
            "apiVersion": self.api_version,
            "time": self.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": to_fields_v1(self.fields),
        }
        if self.subresource:
            entry["subresource"] = self.subresource
        return entry


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes, when, and as which version.

    Attributes:
        manager: the field manager.
        api_version: the version of the object as written.
        subresource: `status`, `scale` or empty.
        time: RFC 3339, to the second.
    """

    manager: str
    api_version: str
    subresource: str
    time: str


def decode(entries: Any) -> list[Entry]:
    """Read managedFields; entries that are not FieldsV1 are skipped."""
    return [
        Entry(
            one.get("manager", ""),
            one.get("operation", ""),
            one.get("apiVersion", ""),
            one.get("subresource", ""),
            one.get("time", ""),
            from_fields_v1(one.get("fieldsV1")),
        )
        for one in entries or ()
        if isinstance(one, dict) and one.get("fieldsType") == "FieldsV1"
    ]


def encode(entries: list[Entry]) -> list[Document]:
    """Write managedFields in the server's order: applied entries first, then by time and manager."""
    kept = [entry for entry in entries if entry.fields]
    kept.sort(key=lambda entry: (entry.operation, entry.time, entry.manager, entry.subresource))
    return [entry.encode() for entry in kept]


def current_entries(old: Document | None, new: Document, subresource: str) -> list[Entry]:
    """Return the entries that a write starts from: those it brings along, else those of the live object."""
    live = at(old, "metadata", "managedFields")
    given = at(new, "metadata", "managedFields")
    if subresource:
        return decode(live)
    if isinstance(given, list) and len(given) == 1 and not any(given[0].values()):
        return []
    return decode(given) or decode(live)


def record_update(old: Document | None, new: Document, schema: Document, author: Author) -> None:
    """Write managedFields of `new`, in place, for an Update that turns `old` into it."""
    entries = current_entries(old, new, author.subresource)
    changed, removed = changes(owned_part(old or {}), owned_part(new), schema)
    if not changed and not removed and decode(at(old, "metadata", "managedFields")) == entries:
        new["metadata"]["managedFields"] = at(old, "metadata", "managedFields") or []
        return
    changed = {path for path in changed if path and path != ("f:metadata",)}
    own = find_entry(entries, author, "Update")
    for entry in entries:
        if entry is not own:
            entry.fields -= changed
        entry.fields -= removed
    if changed:
        own.fields |= changed
        own.time = author.time
        if own not in entries:
            entries.append(own)
    new["metadata"]["managedFields"] = encode(entries)


def newborn(document: Document) -> Document:
    """Return what an object of a built-in kind holds before anybody has set a field.

    These are Go structs, there even when they are empty, and what the server itself sets: nobody comes to own them.
    """
    held = {"status": document["status"]} if "status" in document else {}
    if "spec" in document:
        of_the_server = document["kind"] == "Namespace"
        held["spec"] = document["spec"] if of_the_server else _empty(document["spec"], _STRUCTS)
    return held


def _empty(value: Document, structs: Document) -> Document:
    present = {key: inner for key, inner in structs.items() if key in value}
    return {key: _empty(value[key], inner) if inner else type(value[key])() for key, inner in present.items()}


def find_entry(entries: list[Entry], author: Author, operation: str) -> Entry:
    """Return the author's entry, a new one (not yet in the list) if there is none."""
    fresh = Entry(author.manager, operation, author.api_version, author.subresource, author.time, set())
    return next((entry for entry in entries if entry.identity == fresh.identity), fresh)
