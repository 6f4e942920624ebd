"""What Kubernetes fills in for built-in kinds: the defaults that a controller or `kubectl` would miss.

Not complete by intention: fields that nothing in a mesh on one machine looks at stay as they were written.
Source: k8s.io/kubernetes/pkg/apis/{core,apps}/v1/defaults.go.
"""

from __future__ import annotations

import base64
import itertools
from typing import TYPE_CHECKING, Any

from meshshift.lab.kube.documents import at, copied, metadata

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")

_addresses = itertools.count(1)


def _set(target: Document, **values: Any) -> None:
    for key, value in values.items():
        if target.get(key) is None:
            target[key] = value


def _spec(document: Document) -> Document:
    spec: Document = document.setdefault("spec", {})
    return spec


def namespace(document: Document) -> None:
    """Fill in a Namespace: its own name as a label, the finalizer, the phase."""
    _set(_spec(document), finalizers=["kubernetes"])
    document.setdefault("status", {}).setdefault("phase", "Active")
    labels = metadata(document).setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = metadata(document)["name"]


def service(document: Document) -> None:
    """Fill in a Service: type and ports."""
    spec = _spec(document)
    _set(spec, type="ClusterIP", sessionAffinity="None")
    for port in spec.get("ports") or ():
        _set(port, protocol="TCP", targetPort=port.get("port"))
    document.setdefault("status", {}).setdefault("loadBalancer", {})


def cluster_address(document: Document) -> None:
    """Give a Service an address from 10.96.0.0/16, unless it has one, is headless, or is an alias."""
    spec = _spec(document)
    if spec.get("type") != "ExternalName":
        if not spec.get("clusterIP"):
            number = next(_addresses)
            spec["clusterIP"] = f"10.96.{number >> 8 & 255}.{number & 255}"
        _set(spec, clusterIPs=[spec["clusterIP"]], internalTrafficPolicy="Cluster", ipFamilies=["IPv4"])
        _set(spec, ipFamilyPolicy="SingleStack")


def pod_spec(spec: Document) -> None:
    """Fill in a pod's spec."""
    _set(spec, restartPolicy="Always", terminationGracePeriodSeconds=30, dnsPolicy="ClusterFirst", securityContext={})
    _set(spec, schedulerName="default-scheduler")
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        tagged = container.get("image", "").rpartition("/")[2].partition(":")[2] not in {"", "latest"}
        _set(container, imagePullPolicy="IfNotPresent" if tagged else "Always", resources={})
        _set(container, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File")
        for port in container.get("ports") or ():
            _set(port, protocol="TCP")
        for name in PROBES:
            if isinstance(container.get(name), dict):
                _probe(container[name])


def _probe(probe: Document) -> None:
    _set(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    if isinstance(probe.get("httpGet"), dict):
        _set(probe["httpGet"], path="/", scheme="HTTP")


def endpoint_slice(document: Document) -> None:
    """Fill in an EndpointSlice: conditions and ports."""
    for endpoint in document.get("endpoints") or ():
        _set(endpoint, conditions={})
    for port in document.get("ports") or ():
        _set(port, name="", protocol="TCP")


def pod(document: Document) -> None:
    """Fill in a Pod: it is Pending until someone runs it."""
    pod_spec(_spec(document))
    _set(_spec(document), enableServiceLinks=True)
    status = document.setdefault("status", {})
    _set(status, phase="Pending", qosClass="BestEffort")


def _workload(document: Document) -> Document:
    spec = _spec(document)
    _set(spec, replicas=1)
    template = spec.get("template")
    if isinstance(template, dict):
        template.setdefault("metadata", {})
        pod_spec(template.setdefault("spec", {}))
    document.setdefault("status", {})
    return spec


def deployment(document: Document) -> None:
    """Fill in a Deployment."""
    spec = _workload(document)
    _set(spec, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec.setdefault("strategy", {})
    _set(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _set(strategy.setdefault("rollingUpdate", {}), maxSurge="25%", maxUnavailable="25%")


def replica_set(document: Document) -> None:
    """Fill in a ReplicaSet; its selector defaults to the template's labels."""
    spec = _workload(document)
    document["status"].setdefault("replicas", 0)
    labels = at(spec, "template", "metadata", "labels")
    if not spec.get("selector") and labels:
        spec["selector"] = {"matchLabels": copied(labels)}


def stateful_set(document: Document) -> None:
    """Fill in a StatefulSet."""
    spec = _workload(document)
    _set(spec, revisionHistoryLimit=10, podManagementPolicy="OrderedReady")
    _set(spec.setdefault("updateStrategy", {}), type="RollingUpdate")


def daemon_set(document: Document) -> None:
    """Fill in a DaemonSet."""
    spec = _workload(document)
    del spec["replicas"]
    _set(spec, revisionHistoryLimit=10)
    _set(spec.setdefault("updateStrategy", {}), type="RollingUpdate")


def secret(document: Document) -> None:
    """Fill in a Secret: plain `stringData` becomes base64 `data`."""
    plain = document.pop("stringData", None) or {}
    data: Document = document.setdefault("data", {}) if plain else {}
    for key, value in plain.items():
        data[key] = base64.b64encode(value.encode()).decode()
    _set(document, type="Opaque")


def custom_resource_definition(document: Document) -> None:
    """Fill in a CustomResourceDefinition: names and conversion."""
    spec = _spec(document)
    names = spec.get("names")
    if isinstance(names, dict) and isinstance(names.get("kind"), str):
        _set(names, singular=names["kind"].lower(), listKind=f"{names['kind']}List")
    _set(spec, conversion={"strategy": "None"})
