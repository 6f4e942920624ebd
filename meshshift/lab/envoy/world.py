"""What a sidecar's configuration is computed from: Services, the pods behind them, and Istio's traffic documents.

The lookups follow Istio, by the functions that plans are made with: hosts resolve in the namespace of the document that
names them, of several VirtualServices for a host the first in Istio's order wins (`in_order`), and a DestinationRule is
searched in the client's namespace, then the service's, then the root namespace (`acting_for`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshshift.core.mesh.hosts import resolve_host
from meshshift.core.mesh.precedence import in_order
from meshshift.core.mesh.rule_lookup import acting_for
from meshshift.core.mesh.virtual_service import read_virtual_service
from meshshift.lab.envoy.delegates import with_delegates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Document = dict[str, Any]

_NOT_HTTP = ("tcp", "tls", "https", "mongo", "mysql", "redis", "udp")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A ready pod as one Service port sees it."""

    address: str
    port: int
    namespace: str
    workload: str
    labels: Mapping[str, str]

    @property
    def canonical_name(self) -> str:
        """Istio's name of the application (pkg/model: canonical-name, app.kubernetes.io/name, app, workload)."""
        names = ("service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
        return next((self.labels[name] for name in names if self.labels.get(name)), self.workload)

    @property
    def canonical_revision(self) -> str:
        """Istio's name of the version; `latest` when no label says it."""
        names = ("service.istio.io/canonical-revision", "app.kubernetes.io/version", "version")
        return next((self.labels[name] for name in names if self.labels.get(name)), "latest")


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One HTTP port of a Service and the ready endpoints behind it."""

    number: int
    http2: bool
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class MeshService:
    """A Service: where it is, and its HTTP ports in the order of the document."""

    name: str
    namespace: str
    host: str
    ports: tuple[ServicePort, ...]


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a push depends on, indexed; build it with `World.of`."""

    client_namespace: str
    cluster_domain: str
    services: Mapping[str, MeshService]
    virtual_services: tuple[Document, ...]
    destination_rules: tuple[Document, ...]

    @classmethod
    def of(
        cls,
        *,
        services: Iterable[Document],
        pods: Iterable[Document],
        virtual_services: Iterable[Document],
        destination_rules: Iterable[Document],
        client_namespace: str,
        cluster_domain: str = "cluster.local",
    ) -> World:
        """Index the documents as the API server holds them.

        Delegates are put in their place; VirtualServices bound to gateways only are left out: this client is a sidecar.
        """

        def resolve(host: str, namespace: str) -> str:
            return resolve_host(host, namespace, cluster_domain)

        roots = [document for document in with_delegates(virtual_services, resolve) if _for_sidecars(document)]
        read = {read_virtual_service(document, cluster_domain): document for document in roots}
        ready = [pod for pod in pods if serves(pod)]
        found = [mesh_service(service, ready, cluster_domain) for service in services]
        return cls(
            client_namespace=client_namespace,
            cluster_domain=cluster_domain,
            services={service.host: service for service in sorted(found, key=lambda service: service.host)},
            virtual_services=tuple(read[each] for each in in_order(read, client_namespace)),
            destination_rules=tuple(destination_rules),
        )

    def resolve(self, host: str, namespace: str) -> str:
        """The mesh host that a document in `namespace` means by `host`."""
        return resolve_host(host, namespace, self.cluster_domain)

    def virtual_service(self, host: str) -> Document | None:
        """The one VirtualService that rules a mesh host: exact beats wildcard, longer beats shorter, then age."""
        best: tuple[int, Document] | None = None
        for document in self.virtual_services:
            for name in document["spec"].get("hosts") or ():
                rank = _match_rank(self.resolve(name, document["metadata"]["namespace"]), host)
                if rank > (best[0] if best else 0):
                    best = (rank, document)
        return best[1] if best else None

    def destination_rule(self, service: MeshService) -> Document | None:
        """The DestinationRule of a service as this client gets it, several that Istio joins as one (`acting_for`).

        Those with a `workloadSelector` are left out: they are for some clients only.
        """
        domain = self.cluster_domain
        found = acting_for(self.destination_rules, service.host, service.namespace, self.client_namespace, domain)
        return next((_merged(list(acting.rules)) for acting in found if acting.selector is None), None)


def serves(pod: Document) -> bool:
    """Whether traffic may go to the pod: Ready, with an address, and not on its way out."""
    status = pod.get("status") or {}
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
    return ready and bool(status.get("podIP")) and "deletionTimestamp" not in pod["metadata"]


def mesh_service(document: Document, pods: Iterable[Document], cluster_domain: str) -> MeshService:
    """A Service document with the given pods behind its HTTP ports."""
    metadata, spec = document["metadata"], document.get("spec") or {}
    selected = [pod for pod in pods if selects(document, pod)]
    ports = tuple(
        ServicePort(
            number=int(port["port"]),
            http2=_protocol(port) in {"http2", "grpc", "h2c"},
            endpoints=tuple(sorted(_endpoints(port, selected), key=lambda endpoint: endpoint.address)),
        )
        for port in spec.get("ports") or ()
        if _protocol(port) not in _NOT_HTTP
    )
    host = f"{metadata['name']}.{metadata['namespace']}.svc.{cluster_domain}"
    return MeshService(metadata["name"], metadata["namespace"], host, ports)


def selects(service: Document, pod: Document) -> bool:
    """Whether the Service's selector names the pod; a Service without a selector has no pods."""
    selector = (service.get("spec") or {}).get("selector") or {}
    labels = pod["metadata"].get("labels") or {}
    same_namespace = service["metadata"]["namespace"] == pod["metadata"]["namespace"]
    return same_namespace and bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def target_port(port: Document, pod: Document) -> int | None:
    """The container port that a Service port means on this pod; None if it names one that the pod does not have."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for container in (pod.get("spec") or {}).get("containers") or ():
        for offered in container.get("ports") or ():
            if offered.get("name") == target:
                return int(offered["containerPort"])
    return int(target) if target is not None and str(target).isdigit() else None


def workload_name(pod: Document) -> str:
    """The workload that Istio reports: the Deployment behind the ReplicaSet, else the owner, else the pod."""
    metadata = pod["metadata"]
    owner = next((owner for owner in metadata.get("ownerReferences") or () if owner.get("controller")), None)
    if owner is None:
        return str(metadata["name"])
    suffix = "-" + (metadata.get("labels") or {}).get("pod-template-hash", "")
    return str(owner["name"]).removesuffix(suffix) if owner["kind"] == "ReplicaSet" else str(owner["name"])


def _endpoints(port: Document, pods: Iterable[Document]) -> Iterable[Endpoint]:
    for pod in pods:
        number = target_port(port, pod)
        if number is not None:
            metadata = pod["metadata"]
            yield Endpoint(
                address=pod["status"]["podIP"],
                port=number,
                namespace=metadata["namespace"],
                workload=workload_name(pod),
                labels=metadata.get("labels") or {},
            )


def _protocol(port: Document) -> str:
    """Istio's explicit protocol selection: appProtocol, else the port name up to its first dash, else detected."""
    said = str(port.get("appProtocol") or port.get("name") or "")
    return said.rsplit("/", 1)[-1].split("-", 1)[0].lower()


def _for_sidecars(document: Document) -> bool:
    return "mesh" in (document["spec"].get("gateways") or ["mesh"])


def _match_rank(pattern: str, host: str) -> int:
    if pattern == host:
        return 1_000_000
    if pattern.startswith("*") and host.endswith(pattern[1:]):
        return len(pattern)
    return 0


def _merged(rules: list[Document]) -> Document:
    """All their subsets, and the traffic policy of the first that has one (`mergeDestinationRule`)."""
    if len(rules) == 1:
        return rules[0]
    subsets: dict[str, Document] = {}
    policies = [rule["spec"]["trafficPolicy"] for rule in rules if rule["spec"].get("trafficPolicy")]
    for rule in rules:
        for subset in rule["spec"].get("subsets") or ():
            subsets.setdefault(subset["name"], subset)
    merged = {**rules[0]["spec"], "subsets": list(subsets.values())}
    return {**rules[0], "spec": merged | ({"trafficPolicy": policies[0]} if policies else {})}
