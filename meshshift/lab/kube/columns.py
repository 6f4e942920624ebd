"""The columns of `kubectl get` for built-in kinds, and those that a CustomResourceDefinition asks for.

Source: k8s.io/kubernetes/pkg/printers/internalversion/printers.go, narrowed to what has meaning here.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from meshshift.lab.kube.documents import at, name_of
from meshshift.lab.kube.jsonpath import compile_path
from meshshift.lab.kube.kinds import Column

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.lab.kube.documents import Document

NAME = Column("Name", name_of, format="name", description="Name must be unique within a namespace.")
NONE = "<none>"


def elapsed(timestamp: Any) -> str:
    """Render the time since an RFC 3339 timestamp as `kubectl` does: 5s, 3m20s, 2h5m, 3d4h, 20d."""
    if not isinstance(timestamp, str):
        return "<unknown>"
    try:
        seconds = int((datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds())
    except ValueError:
        return "<invalid>"
    return _duration(max(seconds, 0))


def _duration(seconds: int) -> str:
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    return f"{days}d" if days < 730 else f"{days // 365}y{days % 365}d"


AGE = Column("Age", lambda one: elapsed(at(one, "metadata", "creationTimestamp")), description="Time since creation.")
CREATED_AT = Column("Created At", lambda one: at(one, "metadata", "creationTimestamp") or "", "date")


def _labels(labels: Any) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def _selector(document: Document) -> str:
    return _labels(at(document, "spec", "selector", "matchLabels"))


def _number(*path: str) -> Callable[[Document], int]:
    return lambda document: int(at(document, *path) or 0)


def _of(count: Callable[[Document], int], total: Callable[[Document], int]) -> Callable[[Document], str]:
    return lambda document: f"{count(document)}/{total(document)}"


def _text(*path: str) -> Callable[[Document], Any]:
    return lambda document: at(document, *path) or NONE


def _containers(document: Document) -> list[Document]:
    return at(document, "spec", "template", "spec", "containers") or []


def _joined(key: str) -> Callable[[Document], str]:
    return lambda document: ",".join(str(one.get(key, "")) for one in _containers(document)) or NONE


CONTAINERS = (
    Column("Containers", _joined("name"), priority=1),
    Column("Images", _joined("image"), priority=1),
    Column("Selector", _selector, priority=1),
)


def _pod_ready(document: Document) -> str:
    ready = sum(1 for one in at(document, "status", "containerStatuses") or () if one.get("ready"))
    return f"{ready}/{len(at(document, 'spec', 'containers') or ())}"


def _pod_status(document: Document) -> str:
    if at(document, "metadata", "deletionTimestamp"):
        return "Terminating"
    for one in at(document, "status", "containerStatuses") or ():
        for state in ("waiting", "terminated"):
            reason = at(one, "state", state, "reason")
            if reason:
                return str(reason)
    return str(at(document, "status", "reason") or at(document, "status", "phase") or "Unknown")


def _restarts(document: Document) -> str:
    return str(sum(one.get("restartCount", 0) for one in at(document, "status", "containerStatuses") or ()))


def _service_ports(document: Document) -> str:
    ports = at(document, "spec", "ports") or ()
    return ",".join(f"{port.get('port')}/{port.get('protocol', 'TCP')}" for port in ports) or NONE


def _external_address(document: Document) -> str:
    entries = at(document, "status", "loadBalancer", "ingress") or ()
    given = [str(one.get("ip") or one.get("hostname")) for one in entries]
    return ",".join([*(at(document, "spec", "externalIPs") or ()), *given]) or NONE


def _endpoints(document: Document) -> str:
    found = [
        f"{address.get('ip')}:{port.get('port')}"
        for subset in document.get("subsets") or ()
        for address in subset.get("addresses") or ()
        for port in subset.get("ports") or ()
    ]
    return ",".join(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "") or NONE


def _slice_ports(document: Document) -> str:
    return ",".join(str(port.get("port")) for port in document.get("ports") or ()) or "<unset>"


def _slice_endpoints(document: Document) -> str:
    return ",".join(one for end in document.get("endpoints") or () for one in end.get("addresses") or ()) or "<unset>"


def _event_object(document: Document) -> str:
    involved = document.get("involvedObject") or {}
    return f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"


def _last_seen(document: Document) -> str:
    last = document.get("lastTimestamp") or document.get("eventTime") or document.get("firstTimestamp")
    return elapsed(last or at(document, "metadata", "creationTimestamp"))


_wanted, _ready = _number("spec", "replicas"), _number("status", "readyReplicas")

BUILT_IN: dict[str, tuple[Column, ...]] = {
    "Namespace": (NAME, Column("Status", _text("status", "phase")), AGE),
    "Pod": (
        NAME,
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _restarts),
        AGE,
        Column("IP", _text("status", "podIP"), priority=1),
        Column("Node", _text("spec", "nodeName"), priority=1),
    ),
    "Service": (
        NAME,
        Column("Type", _text("spec", "type")),
        Column("Cluster-IP", _text("spec", "clusterIP")),
        Column("External-IP", _external_address),
        Column("Port(s)", _service_ports),
        AGE,
        Column("Selector", lambda one: _labels(at(one, "spec", "selector")), priority=1),
    ),
    "Deployment": (
        NAME,
        Column("Ready", _of(_ready, _wanted)),
        Column("Up-to-date", _number("status", "updatedReplicas"), "integer"),
        Column("Available", _number("status", "availableReplicas"), "integer"),
        AGE,
        *CONTAINERS,
    ),
    "ReplicaSet": (
        NAME,
        Column("Desired", _wanted, "integer"),
        Column("Current", _number("status", "replicas"), "integer"),
        Column("Ready", _ready, "integer"),
        AGE,
        *CONTAINERS,
    ),
    "StatefulSet": (NAME, Column("Ready", _of(_ready, _wanted)), AGE, *CONTAINERS[:2]),
    "DaemonSet": (
        NAME,
        Column("Desired", _number("status", "desiredNumberScheduled"), "integer"),
        Column("Current", _number("status", "currentNumberScheduled"), "integer"),
        Column("Ready", _number("status", "numberReady"), "integer"),
        AGE,
        *CONTAINERS,
    ),
    "ConfigMap": (NAME, Column("Data", lambda one: len(one.get("data") or ()), "integer"), AGE),
    "Secret": (
        NAME,
        Column("Type", _text("type")),
        Column("Data", lambda one: len(one.get("data") or ()), "integer"),
        AGE,
    ),
    "Endpoints": (NAME, Column("Endpoints", _endpoints), AGE),
    "EndpointSlice": (
        NAME,
        Column("AddressType", _text("addressType")),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_endpoints),
        AGE,
    ),
    "Event": (
        Column("Last Seen", _last_seen),
        Column("Type", _text("type")),
        Column("Reason", _text("reason")),
        Column("Object", _event_object),
        Column("Subobject", lambda one: at(one, "involvedObject", "fieldPath") or "", priority=1),
        Column("Source", lambda one: at(one, "source", "component") or one.get("reportingComponent", ""), priority=1),
        Column("Message", lambda one: str(one.get("message", "")).strip()),
        Column("Count", lambda one: one.get("count", 1), "integer", priority=1),
        Column("Name", name_of, format="name", priority=1),
    ),
    "Lease": (NAME, Column("Holder", _text("spec", "holderIdentity")), AGE),
    "CustomResourceDefinition": (NAME, CREATED_AT),
    "Role": (NAME, CREATED_AT),
    "ClusterRole": (NAME, CREATED_AT),
    "RoleBinding": (
        NAME,
        Column("Role", lambda one: f"{at(one, 'roleRef', 'kind')}/{at(one, 'roleRef', 'name')}"),
        AGE,
    ),
    "ClusterRoleBinding": (
        NAME,
        Column("Role", lambda one: f"{at(one, 'roleRef', 'kind')}/{at(one, 'roleRef', 'name')}"),
        AGE,
    ),
}


def built_in(kind: str) -> tuple[Column, ...]:
    """Return the columns of a built-in kind; name and age if it has none of its own."""
    return BUILT_IN.get(kind, (NAME, AGE))


def custom(entries: list[Document]) -> tuple[Column, ...]:
    """Return the columns of a CustomResourceDefinition's version: the name and what it lists, or name and age.

    Raises:
        ValueError: a column's JSONPath cannot be read.
    """
    if not entries:
        return (NAME, AGE)
    return (NAME, *(_custom(entry) for entry in entries))


def _custom(entry: Document) -> Column:
    select = compile_path(entry["jsonPath"])
    wanted = entry.get("type", "string")

    def cell(document: Document) -> Any:
        values = select(document)
        return _cell(values, wanted) if values else None

    return Column(
        entry["name"], cell, wanted, entry.get("format", ""), entry.get("description", ""), entry.get("priority", 0)
    )


def _cell(values: list[Any], wanted: str) -> Any:
    if wanted == "date":
        return elapsed(values[0])
    if wanted in {"integer", "number", "boolean"}:
        return values[0] if isinstance(values[0], (int, float)) else None
    text = [one if isinstance(one, str) else re.sub(r"\s+", " ", json.dumps(one)) for one in values]
    return ",".join(text)
