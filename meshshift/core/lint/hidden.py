"""Rules about DestinationRules that some callers do not get: others come first, or theirs are not exported to them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from meshshift.core.lint.findings import Finding, ManifestSet, listed_subsets, warning
from meshshift.core.mesh.documents import member, ref_of, shown, text
from meshshift.core.mesh.precedence import ELSEWHERE
from meshshift.core.mesh.rule_lookup import acting_for
from meshshift.core.mesh.subsets import ROOT_NAMESPACE, rule_host, subset_labels
from meshshift.core.mesh.virtual_service import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshshift.core.mesh.documents import Document
    from meshshift.core.mesh.virtual_service import VirtualService

_KIND = "DestinationRule"


def hidden_subsets(manifests: ManifestSet) -> Iterator[Finding]:
    """A rule in a client's namespace hides the service's own from these clients, with all of its subsets.

    The lookup goes through the client's, the service's and the root namespace; the first with a match, be it by a
    wildcard, wins whole (`acting_for`).
    """
    rules, domain = manifests.destination_rules, manifests.cluster_domain
    for host in _hosts(manifests):
        home = home_of(host, domain)
        clients = sorted({ref_of(rule, _KIND).namespace for rule in rules} - {home, ROOT_NAMESPACE})
        for client in clients if home is not None else ():
            for acting in acting_for(rules, host, home or "", client, domain):
                lost = [name for name in _wanted(manifests, host, home or "") if acting.labels(name) is None]
                if lost and acting.ref.namespace == client:
                    yield warning(
                        "hidden-subsets",
                        acting.ref,
                        f"callers in namespace {client} get this rule instead of those of namespace {home} for "
                        f"{host}, and it does not have {listed_subsets(lost)}: their requests to it will fail with "
                        f"503 (NC); add what is missing here, or move the rule to namespace {home}",
                    )


def not_exported(manifests: ManifestSet) -> Iterator[Finding]:
    """A VirtualService that callers see, and that sends to subsets of a rule that is not exported to them: 503 (NC)."""
    for service, _ in manifests.read:
        sent: dict[str, list[str]] = defaultdict(list)
        for each in (each for route in service.routes for each in route.destinations):
            if service.hosts and each.weight and each.subset and each.subset not in sent[each.host]:
                sent[each.host].append(each.subset)
        for host, subsets in sent.items():
            owner = next((rule for rule in manifests.rules_for(host) if _has_one(rule, subsets)), None)
            client = None if owner is None else _unserved(manifests, service, host)
            if client is not None:
                yield _lacking(owner, client, service, subsets)


def _has_one(rule: Document, subsets: list[str]) -> bool:
    return any(subset_labels(rule, subset) is not None for subset in subsets)


def _lacking(rule: Document | None, client: str, service: VirtualService, subsets: list[str]) -> Finding:
    whose = "other namespaces" if client == ELSEWHERE else f"namespace {client}"
    return warning(
        "not-exported",
        ref_of(rule, _KIND),
        f"spec.exportTo is {shown(member(rule, 'spec', 'exportTo'))}, but callers of {whose} go by {service.ref} to "
        f"{listed_subsets(subsets)}: their requests will fail with 503 (NC); export the rule to them, or the "
        "VirtualService to fewer",
    )


def _unserved(manifests: ManifestSet, service: VirtualService, host: str) -> str | None:
    """A namespace that sees the VirtualService, and no rule for the host; None if there is none."""
    home = home_of(host, manifests.cluster_domain)
    if home is None:
        return None
    everywhere = [ELSEWHERE] if PUBLIC in service.exported_to else []
    audience = [*everywhere, *sorted(service.exported_to - {PUBLIC})]
    rules, domain = manifests.destination_rules, manifests.cluster_domain
    return next((each for each in audience if not acting_for(rules, host, home, each, domain)), None)


def home_of(host: str, cluster_domain: str) -> str | None:
    """The namespace of a Service's host; None for any other host."""
    name, _, rest = host.partition(".")
    namespace, _, domain = rest.partition(".")
    return namespace if name and domain == f"svc.{cluster_domain}" else None


def _hosts(manifests: ManifestSet) -> list[str]:
    """The hosts that rules or shifts of the set name, wildcards left out."""
    named = [rule_host(rule, manifests.cluster_domain) for rule in manifests.destination_rules]
    shifted = [target.host for _, target in manifests.targets]
    return [host for host in dict.fromkeys([*named, *shifted]) if not host.startswith("*")]


def _wanted(manifests: ManifestSet, host: str, home: str) -> list[str]:
    """The subsets that the service's own rules have, and those that shifts will send to."""
    own = [rule for rule in manifests.rules_for(host) if ref_of(rule, _KIND).namespace == home]
    named = [text(member(each, "name")) for rule in own for each in manifests.subsets_of(rule)]
    shifted = [
        name
        for _, target in manifests.targets
        if target.host == host
        for name in (target.stable, target.canary, target.baseline or "")
    ]
    return [name for name in dict.fromkeys([*named, *shifted]) if name]
