"""The words shared by everything that reads or edits mesh documents: which object, which edit, what is wrong.

Documents are the plain dictionaries that the API server returns.  They are written by other people, so everything read
from them is checked, and what cannot be understood becomes a `Problem` (a value that a person can act on), never an
exception.  An edit is a `Patch`: RFC 6902 operations that name exact paths and first `test` what they believe to be
there, so that a document which changed in between refuses the whole patch instead of being half rewritten.
"""

import json
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from meshshift.core.mesh.hosts import resolve_host

Document: TypeAlias = dict[str, Any]

_LISTED = 8
"""How many names a message lists."""


class Reason(StrEnum):
    """Why a document cannot be used, or a route is left alone: the CamelCase word that conditions and events show."""

    MALFORMED = "MalformedDocument"
    NO_VIRTUAL_SERVICE = "NoVirtualService"
    VIRTUAL_SERVICE_MISSING = "VirtualServiceMissing"
    ROUTE_MISSING = "RouteMissing"
    NOT_ROUTED = "SubsetNotRouted"
    DUPLICATE_DESTINATION = "DuplicateDestination"
    DESTINATION_HEADERS = "DestinationHeaders"
    NO_WEIGHT = "NoWeight"
    WEIGHT_TOO_SMALL = "WeightTooSmall"
    HEADER_TAKEN = "HeaderTaken"
    MIRROR_TAKEN = "MirrorTaken"
    NOT_STICKY = "NotSticky"
    SET_COOKIE_TAKEN = "SetCookieTaken"
    PINNED_TO_CANARY = "PinnedToCanary"
    ROUTE_UNREACHABLE = "RouteUnreachable"
    DELEGATE_IGNORED = "DelegateIgnored"
    SHADOWED = "VirtualServiceShadowed"
    NO_DESTINATION_RULE = "NoDestinationRule"
    DESTINATION_RULE_MISSING = "DestinationRuleMissing"
    DESTINATION_RULE_HOST = "DestinationRuleHostDiffers"
    WILDCARD_RULE = "WildcardDestinationRule"
    SUBSET_HIDDEN = "SubsetHidden"
    SUBSET_LABELS_DIFFER = "SubsetLabelsDiffer"
    SUBSET_NOT_FOUND = "SubsetNotFound"
    SUBSETS_OVERLAP = "SubsetsOverlap"
    SERVICE_NOT_FOUND = "ServiceNotFound"
    SERVICE_UNSELECTIVE = "ServiceWithoutSelector"
    DEPLOYMENT_NOT_FOUND = "DeploymentNotFound"
    DEPLOYMENT_LABELS_DIFFER = "DeploymentLabelsDiffer"
    DEPLOYMENT_UNREADABLE = "DeploymentUnreadable"
    INVALID_SPEC = "InvalidSpec"
    POLICY_NOT_FOUND = "PolicyNotFound"
    CHECKPOINT_UNREADABLE = "CheckpointUnreadable"


@dataclass(frozen=True, slots=True)
class Problem:
    """What stops an edit: a reason for machines and a message that names the field, the value and the fix."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """One namespaced object."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Target:
    """Whose traffic is shifted: a Kubernetes Service and the subsets of it that share the traffic.

    `baseline` is the subset with which the canary is compared, None if that is stable itself.
    """

    service: str
    namespace: str
    stable: str
    canary: str
    cluster_domain: str = "cluster.local"
    baseline: str | None = None

    @property
    def host(self) -> str:
        """The mesh host: the service's fully qualified name."""
        return resolve_host(self.service, self.namespace, self.cluster_domain)


class PatchOperation(TypedDict):
    """One operation of a JSON Patch (RFC 6902); `remove` has no value."""

    op: Literal["test", "add", "replace", "remove"]
    path: str
    value: NotRequired[Any]


@dataclass(frozen=True, slots=True)
class Patch:
    """An edit of one object: all operations succeed, or none does."""

    target: ObjectRef
    operations: tuple[PatchOperation, ...]


def pointer(*steps: str | int) -> str:
    """The JSON Pointer (RFC 6901) that walks `steps`; `~` and `/` inside of a step are escaped."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def operation(op: Literal["test", "add", "replace"], path: str, value: object) -> PatchOperation:
    """An operation with its own copy of `value`, so that nobody can change the patch by changing the document."""
    return {"op": op, "path": path, "value": deepcopy(value)}


def unmoved(resource_version: str) -> PatchOperation:
    """The guard that every patch starts with: the object is still the version that was read."""
    return operation("test", pointer("metadata", "resourceVersion"), resource_version)


def member(parent: object, *steps: str) -> Any:
    """What lies under `steps` in a document; None where a step is missing or its parent is no object."""
    for step in steps:
        parent = parent.get(step) if isinstance(parent, dict) else None
    return parent


def text(value: object) -> str:
    """`value` if it is a string, else the empty string: for names, where nothing and nonsense mean the same."""
    return value if isinstance(value, str) else ""


def ref_of(document: object, kind: str) -> ObjectRef:
    """Which object a document is; a document without a name yields a reference that equals no real object."""
    return ObjectRef(kind, text(member(document, "metadata", "namespace")), text(member(document, "metadata", "name")))


def resource_version(document: object) -> str:
    """The version that the document was read at; empty when it was never stored."""
    return text(member(document, "metadata", "resourceVersion"))


def listing(items: Iterable[str]) -> str:
    """The first few of `items` and how many more there are: a document may hold thousands."""
    listed = list(items)
    more = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return ", ".join(listed[:_LISTED]) + more


def shown(value: object) -> str:
    """`value` as JSON for a message, cut short: a hostile document must not fill an event."""
    rendered = json.dumps(value, ensure_ascii=True, default=repr)
    return rendered if len(rendered) <= 60 else f"{rendered[:57]}..."
