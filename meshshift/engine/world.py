"""What the watches have told so far: plain dictionaries of plain documents, with the few indexes that lookups need.

A stale entry is harmless: every write tests the version it was decided on, and a failed test leads to a fresh read that
lands here.  An answer to one's own write may be newer than the watch; the newer version always wins.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING, Any

from meshshift.api.annotations import has_opted_in
from meshshift.api.policies import policy_name
from meshshift.core.in_place.deployments import PAUSED_FOR
from meshshift.core.mesh.documents import member, text
from meshshift.core.mesh.hosts import covers, is_wildcard
from meshshift.core.mesh.subsets import rule_host
from meshshift.core.mesh.virtual_service import MESH, read_virtual_service
from meshshift.core.pods import selector_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Document = dict[str, Any]
Key = tuple[str, str]
REMEMBERED_DELETIONS = 1024
"""Deleted objects of a kind whose version is kept, so that a list that was read before the deletion changes nothing."""


def key_of(document: Document) -> Key:
    """Namespace and name."""
    metadata = document["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def group_of(shift: Document) -> str | None:
    """The name of the group that a TrafficShift belongs to, if any."""
    name = member(shift, "spec", "group", "name")
    return name if isinstance(name, str) and name else None


def is_older(document: Document, present: Document) -> bool:
    """Did `document` exist before `present`?  Versions of one resource are ordered numbers (KEP-5504)."""
    new, old = (each["metadata"].get("resourceVersion", "") for each in (document, present))
    return new.isdigit() and old.isdigit() and int(new) < int(old)


class Table:
    """The objects of one kind, and the versions at which the latest deleted ones went."""

    def __init__(self) -> None:
        self.objects: dict[Key, Document] = {}
        self._gone: OrderedDict[Key, Document] = OrderedDict()

    def put(self, document: Document) -> bool:
        """Keep the document unless a newer one, or a later deletion, is known; False then."""
        key = key_of(document)
        known = self.objects.get(key) or self._gone.get(key)
        if known is not None and is_older(document, known):
            return False
        self.objects[key] = document
        return True

    def drop(self, document: Document) -> None:
        """The object is gone; `document` is the last that is known of it."""
        key = key_of(document)
        self.objects.pop(key, None)
        self._gone[key] = {"metadata": document["metadata"]}
        if len(self._gone) > REMEMBERED_DELETIONS:
            self._gone.popitem(last=False)

    def get(self, key: Key) -> Document | None:
        """The object as last seen."""
        return self.objects.get(key)


class HostTable(Table):
    """Objects of Istio, found by the mesh hosts that they speak of."""

    def __init__(self, hosts_of: Callable[[Document], frozenset[str]]) -> None:
        super().__init__()
        self._hosts_of = hosts_of
        self._by_host: dict[str, set[Key]] = defaultdict(set)
        self._hosts: dict[Key, frozenset[str]] = {}
        self._wildcards: set[str] = set()

    def put(self, document: Document) -> bool:
        """Keep the document and the hosts it speaks of."""
        if not super().put(document):
            return False
        self._forget(key_of(document))
        hosts = self._hosts_of(document)
        self._hosts[key_of(document)] = hosts
        for host in hosts:
            self._by_host[host].add(key_of(document))
        self._wildcards.update(filter(is_wildcard, hosts))
        return True

    def drop(self, document: Document) -> None:
        """The object is gone, and what it said of hosts with it."""
        super().drop(document)
        self._forget(key_of(document))

    def of(self, host: str) -> list[Document]:
        """Every object that speaks of the host, in the order of namespace and name."""
        return [self.objects[key] for key in sorted(self.keys(host))]

    def keys(self, host: str) -> set[Key]:
        """Namespace and name of every object that speaks of the host, be it by a wildcard, or of what it covers."""
        found = set(self._by_host.get(host, ()))
        if self._wildcards:
            covering = (f"*{host[start:]}" for start in range(len(host) + 1))
            found.update(key for each in covering if each in self._wildcards for key in self._by_host[each])
        if is_wildcard(host):
            found.update(key for each, keys in self._by_host.items() if covers(host, each) for key in keys)
        return found

    def hosts(self, key: Key) -> frozenset[str]:
        """The hosts that an object speaks of."""
        return self._hosts.get(key, frozenset())

    def _forget(self, key: Key) -> None:
        for host in self._hosts.pop(key, ()):
            self._by_host[host].discard(key)
            if not self._by_host[host]:
                del self._by_host[host]
                self._wildcards.discard(host)


class PodTable(Table):
    """Pods, of each only what endpoints are judged by (the rest of a pod is large), found by namespace and labels."""

    def __init__(self) -> None:
        super().__init__()
        self._carriers: dict[tuple[str, str, str], set[Key]] = defaultdict(set)

    def put(self, document: Document) -> bool:
        """Keep what matters of the pod."""
        before = self.objects.get(key_of(document))
        if not super().put(_slim(document)):
            return False
        if before is not None:
            self._forget(before)
        for pair in _label_pairs(document):
            self._carriers[pair].add(key_of(document))
        return True

    def drop(self, document: Document) -> None:
        """The pod is gone."""
        before = self.objects.get(key_of(document))
        super().drop(document)
        if before is not None:
            self._forget(before)

    def labelled(self, namespace: str, labels: Mapping[str, str]) -> list[Document]:
        """The pods of a namespace that carry all of `labels`, of which there has to be one at least."""
        carriers = sorted((self._carriers.get((namespace, *pair), set()) for pair in labels.items()), key=len)
        found = set.intersection(*carriers) if carriers else set()
        return [self.objects[key] for key in sorted(found)]

    def _forget(self, pod: Document) -> None:
        for pair in _label_pairs(pod):
            self._carriers[pair].discard(key_of(pod))
            if not self._carriers[pair]:
                del self._carriers[pair]


class ServiceTable(HostTable):
    """Services; those that have opted in are found by their host, and by the labels of the pods that they select."""

    def __init__(self, host_of: Callable[[Key], str]) -> None:
        super().__init__(lambda each: frozenset({host_of(key_of(each))}))
        self._selecting: dict[tuple[str, str, str], set[Key]] = defaultdict(set)

    def put(self, document: Document) -> bool:
        """Keep the Service, and by which label it may be found."""
        before = self.get(key_of(document))
        if not super().put(document):
            return False
        self._unselect(before)
        if (pair := _first_pair(document)) is not None:
            self._selecting[pair].add(key_of(document))
        return True

    def drop(self, document: Document) -> None:
        """The Service is gone."""
        self._unselect(self.get(key_of(document)))
        super().drop(document)

    def selecting(self, pod: Document) -> list[Key]:
        """The Services that have opted in and may select the pod: it has the first of the labels that they ask for."""
        return sorted({key for pair in _label_pairs(pod) for key in self._selecting.get(pair, ())})

    def _unselect(self, service: Document | None) -> None:
        if service is not None and (pair := _first_pair(service)) is not None:
            self._selecting[pair].discard(key_of(service))
            if not self._selecting[pair]:
                del self._selecting[pair]


class DeploymentTable(HostTable):
    """Deployments, without the record of who wrote what, found by their namespace; they speak of no host."""

    def __init__(self) -> None:
        super().__init__(lambda _: frozenset())
        self._within: dict[str, set[Key]] = defaultdict(set)
        self._held: dict[Key, str] = {}

    def put(self, document: Document) -> bool:
        """Keep the Deployment."""
        metadata = {name: value for name, value in document["metadata"].items() if name != "managedFields"}
        if not super().put({**document, "metadata": metadata}):
            return False
        key = key_of(document)
        self._within[key[0]].add(key)
        self._held.pop(key, None)
        if service := text(member(document, "metadata", "annotations", PAUSED_FOR)):
            self._held[key] = service
        return True

    def drop(self, document: Document) -> None:
        """The Deployment is gone."""
        super().drop(document)
        self._within[key_of(document)[0]].discard(key_of(document))
        self._held.pop(key_of(document), None)

    def are_held_for(self, service: Key) -> bool:
        """Was one of them paused for the Service?"""
        return bool(self.held_for(service))

    def held_for(self, service: Key) -> list[Document]:
        """Those that were paused for the Service, by name."""
        found = [key for key, name in self._held.items() if (key[0], name) == service]
        return [self.objects[key] for key in sorted(found)]

    def within(self, namespace: str) -> list[Document]:
        """The Deployments of a namespace, by name."""
        return [self.objects[key] for key in sorted(self._within.get(namespace, ()))]


def _first_pair(service: Document) -> tuple[str, str, str] | None:
    """Namespace and first label of the selector of a Service that has opted in."""
    selector = selector_of(service)
    if not selector or not has_opted_in(service):
        return None
    return key_of(service)[0], *min(selector.items())


def _label_pairs(pod: Document) -> list[tuple[str, str, str]]:
    namespace, _ = key_of(pod)
    return [(namespace, name, value) for name, value in (pod["metadata"].get("labels") or {}).items()]


class World:
    """All the caches, and which shifts an object concerns."""

    def __init__(self, cluster_domain: str = "cluster.local", *, watches_deployments: bool = False) -> None:
        self.cluster_domain = cluster_domain
        self.watches_deployments = watches_deployments
        self.deployments = DeploymentTable()
        self.shifts = HostTable(lambda each: frozenset({self.host_of(each)}))
        self.policies = Table()
        self.services = ServiceTable(self.host_of_service)
        self.pods = PodTable()
        self.virtual_services = HostTable(lambda each: read_virtual_service(each, cluster_domain).keys)
        self.destination_rules = HostTable(lambda each: frozenset({rule_host(each, cluster_domain)}))
        self.tables: dict[str, HostTable] = {
            "TrafficShift": self.shifts,
            "Service": self.services,
            "VirtualService": self.virtual_services,
            "DestinationRule": self.destination_rules,
            "Deployment": self.deployments,
        }
        """Those of the kinds that are found by their host."""

    def shifts_on(self, hosts: Iterable[str]) -> list[Key]:
        """The shifts whose service has one of the hosts, or is sent to by what these may decide over.

        A root decides over its delegates; what speaks in the mesh for a host, over everything else that speaks for it.
        """
        return sorted({key for host in self._reached(hosts) for key in self.shifts.keys(host)})

    def services_on(self, hosts: Iterable[str]) -> list[Key]:
        """The Services that have one of the hosts, or are sent to by what these may decide over."""
        return sorted({key for host in self._reached(hosts) for key in self.services.keys(host)})

    def _reached(self, hosts: Iterable[str]) -> set[str]:
        named = set(hosts)
        rivals = named | {each for host in named for key in self._speakers(host) for each in self._spoken(key)}
        return rivals | {each for key in _delegates(rivals) for each in self.virtual_services.hosts(key)}

    def services_around(self, host: str, named: Iterable[Key]) -> list[Document]:
        """The VirtualServices that decide over the traffic of a host, as `Documents` of core asks for them."""
        table = self.virtual_services
        found = table.keys(host) | {key for key in named if key in table.objects}
        found |= {key for each in found for key in _delegates(table.hosts(each)) if key in table.objects}
        found |= {key for namespace, name in found for key in table.keys(f"{namespace}/{name}")}
        found |= {key for each in found for spoken in self._hosts_of(each) for key in self._speakers(spoken)}
        return [table.objects[key] for key in sorted(found)]

    def _speakers(self, host: str) -> list[Key]:
        """The VirtualServices with this host, or one that covers it, in the mesh."""
        keys = () if "/" in host else self.virtual_services.keys(host)
        return [key for key in keys if any(covers(each, host) or covers(host, each) for each in self._hosts_of(key))]

    def _spoken(self, key: Key) -> frozenset[str]:
        """What a VirtualService sends to, speaks for and delegates to."""
        return self.virtual_services.hosts(key)

    def _hosts_of(self, key: Key) -> frozenset[str]:
        """The hosts that a VirtualService speaks for in the mesh."""
        service = read_virtual_service(self.virtual_services.objects[key], self.cluster_domain)
        return service.hosts if MESH in service.gateways else frozenset()

    def shifts_of_group(self, namespace: str, group: str) -> list[Key]:
        """The shifts of a namespace that belong to a group."""
        return [key for key in self.shifts_in(namespace) if group_of(self.shifts.objects[key]) == group]

    def shifts_of_policy(self, key: Key) -> list[Key]:
        """The shifts that name a policy."""
        return [each for each in self.shifts_in(key[0]) if policy_name(self.shifts.objects[each].get("spec")) == key[1]]

    def policy_of(self, shift: Document) -> Document | None:
        """The policy that a shift names, if it names one that is there."""
        name = policy_name(shift.get("spec"))
        return None if name is None else self.policies.get((key_of(shift)[0], name))

    def shifts_in(self, namespace: str) -> list[Key]:
        """The shifts of a namespace."""
        return [key for key in self.shifts.objects if key[0] == namespace]

    def host_of(self, shift: Document) -> str:
        """The fully qualified host that a shift is about."""
        spec = shift.get("spec")
        service = spec.get("service") if isinstance(spec, dict) else ""
        return self.host_of_service((key_of(shift)[0], str(service)))

    def host_of_service(self, key: Key) -> str:
        """The fully qualified host of a Service."""
        return f"{key[1]}.{key[0]}.svc.{self.cluster_domain}"


def _delegates(keys: Iterable[str]) -> list[Key]:
    """Those of the keys that name a delegate (`delegate_key`)."""
    pairs = (each.partition("/") for each in keys if "/" in each)
    return [(namespace, name) for namespace, _, name in pairs]


_POD_METADATA = ("name", "namespace", "labels", "ownerReferences", "creationTimestamp", "deletionTimestamp")


def _slim(pod: Document) -> Document:
    metadata, status = pod["metadata"], pod.get("status") or {}
    kept = {name: metadata.get(name) for name in _POD_METADATA}
    kept["resourceVersion"] = metadata.get("resourceVersion", "")
    return {"metadata": kept, "status": {"conditions": status.get("conditions") or [], "phase": status.get("phase")}}
