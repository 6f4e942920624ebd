"""What the server serves: one `Kind` per group, version and resource, and the registry that finds them.

Versions of one resource share their `storage` (as versions of a CRD with conversion strategy `None` do), so an object
written as `networking.istio.io/v1beta1` is read back as `v1`. `v1` and `events.k8s.io/v1` Events share storage too,
with a pair of converters between their field names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.errors import FieldError

Bucket = tuple[str, str]
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`: a name, an OpenAPI type, and how to read the cell from an object."""

    name: str
    cell: Callable[[Document], Any]
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a resource keeps what the scale subresource shows: dotted paths, as in a CRD."""

    spec_replicas: str = ".spec.replicas"
    status_replicas: str = ".status.replicas"
    selector: str = ".status.selector"


@dataclass(frozen=True, slots=True)
class Kind:
    """One served version of one resource.

    Attributes:
        storage: the group and plural under which objects are kept; shared by all versions.
        schema: the structural schema of the whole object.
        custom: whether it comes from a CustomResourceDefinition (no strategic merge, CEL rules, pruning).
        status: whether there is a status subresource.
        generation: whether metadata.generation counts changes of the desired state.
        create_on_update: whether a PUT to a missing object creates it.
        defaults: fills in what a built-in kind leaves open; custom kinds have theirs in the schema.
        allocate: fills in what the server itself hands out, which no field manager owns.
        immutable: dotted paths that may not change after creation.
        check: says what is wrong with an object of a built-in kind beyond its structure, given the one it replaces.
        read: turns a stored document into this version's form.
        write: turns this version's form into the stored document.
        definition: the name of the schema among the OpenAPI components.
        defaulting: the part of a custom kind's schema that carries defaults.
        list_kind: the kind of a list, if it is not the kind followed by `List`.
        selectable: JSONPaths that a custom kind's objects can be selected by.
    """

    group: str
    version: str
    kind: str
    plural: str
    schema: Document
    singular: str = ""
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    custom: bool = False
    status: bool = False
    scale: Scale | None = None
    generation: bool = False
    create_on_update: bool = False
    storage: Bucket = ("", "")
    columns: tuple[Column, ...] = ()
    defaults: Callable[[Document], None] | None = None
    allocate: Callable[[Document], None] | None = None
    immutable: tuple[str, ...] = ()
    check: Callable[[Document, Document | None], Iterator[FieldError]] | None = None
    read: Callable[[Document], Document] | None = None
    write: Callable[[Document], Document] | None = None
    definition: str = ""
    defaulting: Document | None = field(default=None, compare=False)
    list_kind: str = ""
    selectable: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """Return `group/version`, or just the version in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def bucket(self) -> Bucket:
        """Return the storage shared by all versions of this resource."""
        return self.storage if self.storage[1] else (self.group, self.plural)

    @property
    def listed_as(self) -> str:
        """Return the kind of a list of these."""
        return self.list_kind or f"{self.kind}List"

    @property
    def known_as(self) -> str:
        """Return the lower-case singular name."""
        return self.singular or self.kind.lower()


def version_priority(version: str) -> tuple[int, int, int, str]:
    """Sort key that puts v2 before v1 before v1beta1 before v1alpha1 before anything else, as Kubernetes does."""
    found = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if not found:
        return (3, 0, 0, version)
    stage = {None: 0, "beta": 1, "alpha": 2}[found[2]]
    return (stage, -int(found[1]), -int(found[3] or 0), version)


class Registry:
    """The kinds that are served now, by group, version and plural."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        self.generation = 0

    def add(self, kind: Kind) -> None:
        """Serve a kind, replacing what was served at its place."""
        self._kinds[(kind.group, kind.version, kind.plural)] = kind
        self.generation += 1

    def remove(self, kind: Kind) -> None:
        """Stop serving a kind."""
        self._kinds.pop((kind.group, kind.version, kind.plural), None)
        self.generation += 1

    def __iter__(self) -> Iterator[Kind]:
        return iter(list(self._kinds.values()))

    def get(self, group: str, version: str, plural: str) -> Kind | None:
        """Return the kind served at a path, if any."""
        return self._kinds.get((group, version, plural))

    def of_object(self, api_version: str, kind: str) -> Kind | None:
        """Return the kind of an object by its apiVersion and kind."""
        return next((one for one in self if one.kind == kind and one.api_version == api_version), None)

    def stored(self, bucket: Bucket) -> list[Kind]:
        """Return every served version of a stored resource, the preferred one first."""
        found = [one for one in self if one.bucket == bucket]
        return sorted(found, key=lambda one: version_priority(one.version))

    def versions(self, group: str) -> list[str]:
        """Return a group's versions, the preferred one first."""
        return sorted({one.version for one in self if one.group == group}, key=version_priority)

    def groups(self) -> list[str]:
        """Return the named groups (all but the core group), in order of first registration."""
        return list(dict.fromkeys(one.group for one in self if one.group))

    def within(self, group: str, version: str) -> list[Kind]:
        """Return the kinds of one group version."""
        return [one for one in self if one.group == group and one.version == version]

    def find(self, name: str) -> Kind:
        """Find a kind by any name that kubectl would accept: kind, plural, singular, short name, `plural.group`.

        Raises:
            LookupError: nothing is served under that name.
        """
        wanted, _, group = name.partition(".")
        found = [
            one
            for one in self
            if wanted in {one.kind, one.plural, one.known_as, *one.short_names} and (not group or one.group == group)
        ]
        if not found:
            raise LookupError(
                f"no resource is served under the name {name!r}; create its CustomResourceDefinition first"
            )
        return min(found, key=lambda one: (bool(one.group), version_priority(one.version)))
