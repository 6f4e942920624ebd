"""The words of the lint rules: what they look at, and what they say.

A rule is a function from a `ManifestSet` to findings.  An *error* is what fails requests, is refused, or does nothing
that its author wanted; a *warning* is what surprises people, or what only the cluster could tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from meshshift.core.mesh.documents import ObjectRef, Target, member, ref_of, shown
from meshshift.core.mesh.hosts import covers
from meshshift.core.mesh.subsets import rule_host
from meshshift.core.mesh.virtual_service import read_virtual_service

if TYPE_CHECKING:
    from meshshift.core.mesh.documents import Document
    from meshshift.core.mesh.virtual_service import Route, VirtualService
    from meshshift.core.spec import ShiftSpec


class Severity(StrEnum):
    """How bad it is; only an error makes lint fail."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with `about`, and what to do."""

    severity: Severity
    rule: str
    """The rule's name, in words joined by dashes."""
    about: ObjectRef
    message: str


def error(rule: str, about: ObjectRef, message: str) -> Finding:
    """A finding that makes lint fail; the object's own name is not said twice."""
    return Finding(Severity.ERROR, rule, about, _without_name(about, message))


def warning(rule: str, about: ObjectRef, message: str) -> Finding:
    """A finding to know of; the object's own name is not said twice."""
    return Finding(Severity.WARNING, rule, about, _without_name(about, message))


@dataclass(frozen=True, slots=True)
class Shift:
    """A TrafficShift whose spec is valid."""

    ref: ObjectRef
    spec: ShiftSpec

    def target(self, cluster_domain: str) -> Target:
        """Whose traffic it shifts."""
        spec = self.spec
        return spec.target(self.ref.namespace, cluster_domain)


@dataclass(frozen=True)
class ManifestSet:
    """The documents of a set, each with `metadata.namespace` and a version to be read by (`planning.with_version`)."""

    shifts: tuple[Shift, ...] = ()
    virtual_services: tuple[Document, ...] = ()
    destination_rules: tuple[Document, ...] = ()
    services: frozenset[ObjectRef] = frozenset()
    cluster_domain: str = "cluster.local"

    @cached_property
    def read(self) -> tuple[tuple[VirtualService, Document], ...]:
        """Every VirtualService, understood, beside its document."""
        return tuple((read_virtual_service(each, self.cluster_domain), each) for each in self.virtual_services)

    @cached_property
    def routes(self) -> tuple[tuple[VirtualService, Route], ...]:
        """Every route that could be read, of any protocol, with its owner."""
        return tuple((service, route) for service, _ in self.read for route in service.routes)

    @cached_property
    def http_routes(self) -> tuple[tuple[VirtualService, Route, Document], ...]:
        """Every http route that could be read: its owner, the route, and its entry in the document."""
        return tuple(
            (service, route, document["spec"]["http"][route.index])
            for service, document in self.read
            for route in service.routes
            if route.protocol == "http"
        )

    @cached_property
    def targets(self) -> tuple[tuple[Shift, Target], ...]:
        """Every shift with its target."""
        return tuple((shift, shift.target(self.cluster_domain)) for shift in self.shifts)

    def rules_for(self, host: str) -> list[Document]:
        """The DestinationRules of all namespaces for exactly this host (fully qualified) and all clients."""
        return [rule for rule in self.rules_over(host) if rule_host(rule, self.cluster_domain) == host]

    def rules_over(self, host: str) -> list[Document]:
        """The DestinationRules of all namespaces for the host and all clients, those with a wildcard, too."""
        return [
            rule
            for rule in self.destination_rules
            if covers(rule_host(rule, self.cluster_domain), host) and member(rule, "spec", "workloadSelector") is None
        ]

    @staticmethod
    def subsets_of(rule: Document) -> list[Any]:
        """The entries of a rule's list of subsets, whatever they are."""
        subsets = member(rule, "spec", "subsets")
        return subsets if isinstance(subsets, list) else []

    def rules_beside(self, target: Target) -> list[Document]:
        """The DestinationRules for the target's host in its own namespace."""
        return [rule for rule in self.rules_for(target.host) if ref_of(rule, "").namespace == target.namespace]


Rule = Callable[[ManifestSet], Iterable[Finding]]


def place(route: Route) -> str:
    """Where a route stands, as people look for it."""
    return f'{route.protocol}[{route.index}] "{route.name}"' if route.name else f"{route.protocol}[{route.index}]"


def listed_subsets(names: list[str]) -> str:
    """The names of one or several subsets, for a message."""
    return f"{'subset' if len(names) == 1 else 'subsets'} {', '.join(map(shown, names))}"


def _without_name(about: ObjectRef, message: str) -> str:
    return message.removeprefix(str(about)).lstrip(": ")
