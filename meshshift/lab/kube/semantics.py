"""What Kubernetes refuses in built-in kinds beyond their structure: the mistakes that manifests really contain.

Not complete by intention; a manifest with one of these mistakes must not pass here and fail on a cluster.  Each check
takes the object and the one that it replaces (None on creation) and says what is wrong, in the server's order and
words.  Source: k8s.io/kubernetes/pkg/apis/{core,apps,discovery,coordination}/validation.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from meshshift.lab.kube.documents import at
from meshshift.lab.kube.errors import FieldError, duplicate, forbidden_field, invalid_value, required

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshshift.lab.kube.documents import Document

CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
CONFIG_KEY_HELP = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
UNCHANGED_POD = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
CHANGEABLE_POD = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")


def workload(document: Document, _live: Document | None) -> Iterator[FieldError]:
    """Check a Deployment, ReplicaSet, StatefulSet or DaemonSet: replicas, selector, pod template."""
    spec = document["spec"]
    replicas = spec.get("replicas")
    if replicas is not None and replicas < 0:
        yield invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
    selector, labels = spec.get("selector"), at(spec, "template", "metadata", "labels")
    if not selector:
        yield required("spec.selector")
    if not selector or not _selects(selector, labels or {}):
        yield invalid_value("spec.template.metadata.labels", labels, "`selector` does not match template `labels`")
    yield from _containers(at(spec, "template", "spec") or {}, "spec.template.spec")


def _selects(selector: Document, labels: Document) -> bool:
    wanted = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or ()
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(expression, labels) for expression in expressions
    )


def _holds(expression: Document, labels: Document) -> bool:
    key, values = str(expression.get("key")), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _containers(spec: Document, path: str) -> Iterator[FieldError]:
    containers = spec.get("containers")
    if not containers:
        yield required(f"{path}.containers")
    seen: set[Any] = set()
    for index, container in enumerate(containers or ()):
        name = container.get("name")
        if not name:
            yield required(f"{path}.containers[{index}].name")
        elif name in seen:
            yield duplicate(f"{path}.containers[{index}].name", name)
        seen.add(name)
        if not container.get("image"):
            yield required(f"{path}.containers[{index}].image")


def pod(document: Document, live: Document | None) -> Iterator[FieldError]:
    """Check a Pod: its containers, and that an update changes little more than their images."""
    yield from _containers(document["spec"], "spec")
    if live is not None and _fixed(document["spec"]) != _fixed(live["spec"]):
        yield forbidden_field("spec", UNCHANGED_POD)


def _fixed(spec: Document) -> Document:
    kept = {key: value for key, value in spec.items() if key not in CHANGEABLE_POD}
    for key in ("containers", "initContainers"):
        if key in kept:
            kept[key] = [{**container, "image": ""} for container in kept[key]]
    return kept


def service(document: Document, _live: Document | None) -> Iterator[FieldError]:
    """Check a Service: it has ports unless it is headless or an alias, and several ports have names."""
    spec = document["spec"]
    ports = spec.get("ports") or ()
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    for index, port in enumerate(ports):
        if len(ports) > 1 and not port.get("name"):
            yield required(f"spec.ports[{index}].name")


def endpoint_slice(document: Document, _live: Document | None) -> Iterator[FieldError]:
    """Check an EndpointSlice: nobody else could reach a loopback address."""
    if document.get("addressType") not in {"IPv4", "IPv6"}:
        return
    for index, endpoint in enumerate(document.get("endpoints") or ()):
        for number, address in enumerate(endpoint.get("addresses") or ()):
            if ip_address(address).is_loopback:
                detail = "may not be in the loopback range (127.0.0.0/8, ::1/128)"
                yield invalid_value(f"endpoints[{index}].addresses[{number}]", address, detail)


def event(document: Document, _live: Document | None) -> Iterator[FieldError]:
    """Check an Event: it lives in the namespace of what it is about, or in `default`."""
    about = document.get("involvedObject") or document.get("regarding") or {}
    given, own = about.get("namespace") or "", at(document, "metadata", "namespace")
    if given != own and not (given == "" and own == "default"):
        yield invalid_value("involvedObject.namespace", given, "does not match event.namespace")


def lease(document: Document, _live: Document | None) -> Iterator[FieldError]:
    """Check a Lease: it lasts."""
    seconds = at(document, "spec", "leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        yield invalid_value("spec.leaseDurationSeconds", seconds, "must be greater than 0")


def config_map(document: Document, _live: Document | None) -> Iterator[FieldError]:
    """Check a ConfigMap: its keys could be file names."""
    for key in document.get("data") or ():
        if not CONFIG_KEY.fullmatch(key):
            yield invalid_value(f"data[{key}]", key, CONFIG_KEY_HELP)
