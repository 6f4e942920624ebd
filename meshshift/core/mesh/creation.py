"""The documents for a service that has none: all traffic stays where it is, and the canary has a place at weight 0.

They are complete objects to create, never to apply over existing ones.  Hosts are fully qualified, because a short host
means another service as soon as somebody copies the document to another namespace.
"""

from collections.abc import Mapping, Sequence

from meshshift.core.mesh.documents import Document, Target
from meshshift.core.mesh.ports import ALL_HTTP, Ports
from meshshift.core.mesh.writers import MADE_BY

_API_VERSION = "networking.istio.io/v1"
_MESH = "mesh"
ROUTE_NAME = "default"


def new_virtual_service(
    target: Target, hosts: Sequence[str] = (), gateways: Sequence[str] = (), ports: Ports = ALL_HTTP
) -> Document:
    """One http route named `default` that sends 100 to stable and 0 to the canary, if there is one.

    `hosts` and `gateways` come beside the service's own host and the mesh: a VirtualService that names a gateway no
    longer speaks for the sidecars unless it says `mesh` too.  `ports` that carry no http get a tcp route each.
    """
    spec: Document = {"hosts": _distinct(target.host, *hosts)}
    if gateways:
        spec["gateways"] = _distinct(_MESH, *gateways)
    if ports.http:
        spec["http"] = [{"name": ROUTE_NAME, "route": _destinations(target)}]
    if ports.tcp:
        spec["tcp"] = [{"match": [{"port": port}], "route": _destinations(target)} for port in ports.tcp]
    return _new("VirtualService", target, spec)


def _destinations(target: Target) -> list[Document]:
    weights = ((target.stable, 100), (target.canary, 0))
    return [
        {"destination": {"host": target.host, "subset": subset}, "weight": weight}
        for subset, weight in weights
        if subset
    ]


def new_destination_rule(
    target: Target,
    stable_labels: Mapping[str, str],
    canary_labels: Mapping[str, str] | None = None,
    baseline_labels: Mapping[str, str] | None = None,
) -> Document:
    """The subsets that are given labels, without any traffic policy; without `canary_labels`, stable alone."""
    subsets: list[Document] = [{"name": target.stable, "labels": dict(stable_labels)}]
    if canary_labels is not None:
        subsets.append({"name": target.canary, "labels": dict(canary_labels)})
    if target.baseline is not None and baseline_labels is not None:
        subsets.append({"name": target.baseline, "labels": dict(baseline_labels)})
    return _new("DestinationRule", target, {"host": target.host, "subsets": subsets})


def _new(kind: str, target: Target, spec: Document) -> Document:
    metadata = {"name": target.service, "namespace": target.namespace, "labels": dict(MADE_BY)}
    return {"apiVersion": _API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _distinct(*values: str) -> list[str]:
    return list(dict.fromkeys(values))
