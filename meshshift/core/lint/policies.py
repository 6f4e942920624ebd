"""Rules about DestinationRules: settings that work against a canary, and rules that hide each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.core.lint.findings import Finding, ManifestSet, warning
from meshshift.core.mesh.documents import member, ref_of, shown, text
from meshshift.core.mesh.subsets import rule_host, subset_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshshift.core.mesh.documents import Document

_KIND = "DestinationRule"
_ROOT_NAMESPACE = "istio-system"


def ejected_canary(manifests: ManifestSet) -> Iterator[Finding]:
    """Outlier detection on the canary's subset: once its only pod is ejected, nothing answers (503 UH)."""
    for shift, target in manifests.targets:
        for rule in manifests.rules_beside(target):
            if any(map(_ejects, _policies(rule, target.canary, like=target.stable))):
                yield warning(
                    "ejected-canary",
                    ref_of(rule, _KIND),
                    f"outlierDetection holds for subset {shown(target.canary)}, the canary of {shift.ref}: a canary of "
                    "one pod can be ejected by its first errors, and then its requests fail with 503 (UH); run several "
                    f"pods of it, or have outlierDetection in the trafficPolicy of subset {shown(target.stable)} alone",
                )


def not_sticky(manifests: ManifestSet) -> Iterator[Finding]:
    """Consistent hashing in a rule with subsets: the subset is chosen by weight before the hash chooses the pod."""
    for rule in manifests.destination_rules:
        names = [name for each in _subsets(rule) if (name := text(member(each, "name")))]
        if any(_hashes(policy) for name in names for policy in _policies(rule, name, like=name)):
            yield warning(
                "not-sticky",
                ref_of(rule, _KIND),
                "consistentHash chooses a pod after a weight has chosen the subset, so users are not sticky across "
                f"{_listed(names)}; put a route with a cookie or header match before the "
                "weighted one",
            )


def hidden_subsets(manifests: ManifestSet) -> Iterator[Finding]:
    """A rule in a client's namespace hides the service's own from these clients, with all of its subsets.

    The lookup goes through the client's, the service's and the root namespace; the first with a match, be it by a
    wildcard, wins whole (`destinationRule` in Istio's pilot/pkg/model/push_context.go).
    """
    for host in _hosts(manifests):
        home = _home(host, manifests.cluster_domain)
        for rule in _acting(manifests, host):
            ref = ref_of(rule, _KIND)
            if home is None or ref.namespace in (home, _ROOT_NAMESPACE):
                continue
            lost = [name for name in _wanted(manifests, host, home) if subset_labels(rule, name) is None]
            if lost:
                yield warning(
                    "hidden-subsets",
                    ref,
                    f"callers in namespace {ref.namespace} get this rule instead of those of namespace {home} for "
                    f"{host}, and it does not have {_listed(lost)}: their requests to it will fail with 503 (NC); "
                    f"add what is missing here, or move the rule to namespace {home}",
                )


def _hosts(manifests: ManifestSet) -> list[str]:
    """The hosts that rules or shifts of the set name, wildcards left out."""
    named = [rule_host(rule, manifests.cluster_domain) for rule in manifests.destination_rules]
    shifted = [target.host for _, target in manifests.targets]
    return [host for host in dict.fromkeys([*named, *shifted]) if not host.startswith("*")]


def _acting(manifests: ManifestSet, host: str) -> Iterator[Document]:
    """The rules for the host that Istio takes in the namespace of each: the exact host comes before a wildcard."""
    exact = {ref_of(rule, _KIND).namespace for rule in manifests.rules_for(host)}
    for rule in manifests.rules_over(host):
        if rule_host(rule, manifests.cluster_domain) == host or ref_of(rule, _KIND).namespace not in exact:
            yield rule


def _listed(names: list[str]) -> str:
    return f"{'subset' if len(names) == 1 else 'subsets'} {', '.join(map(shown, names))}"


def _wanted(manifests: ManifestSet, host: str, home: str) -> list[str]:
    """The subsets that the service's own rules have, and those that shifts will send to."""
    own = [rule for rule in manifests.rules_for(host) if ref_of(rule, _KIND).namespace == home]
    named = [text(member(each, "name")) for rule in own for each in _subsets(rule)]
    shifted = [
        name for _, target in manifests.targets if target.host == host for name in (target.stable, target.canary)
    ]
    return [name for name in dict.fromkeys([*named, *shifted]) if name]


def _home(host: str, cluster_domain: str) -> str | None:
    """The namespace of a Service's host; None for any other host."""
    name, _, rest = host.partition(".")
    namespace, _, domain = rest.partition(".")
    return namespace if name and domain == f"svc.{cluster_domain}" else None


def _policies(rule: Document, subset: str, like: str) -> Iterator[Any]:
    """The traffic policies that hold for a subset: its own settings before the rule's; a new one copies `like`."""
    by_name = {text(member(each, "name")): each for each in _subsets(rule)}
    own = member(by_name.get(subset, by_name.get(like)), "trafficPolicy")
    general = member(rule, "spec", "trafficPolicy")
    yield {**(general if isinstance(general, dict) else {}), **(own if isinstance(own, dict) else {})}
    for policy in (general, own):
        ports = member(policy, "portLevelSettings")
        yield from ports if isinstance(ports, list) else ()


def _subsets(rule: Document) -> list[Any]:
    subsets = member(rule, "spec", "subsets")
    return subsets if isinstance(subsets, list) else []


def _ejects(policy: Any) -> bool:
    return member(policy, "outlierDetection") is not None


def _hashes(policy: Any) -> bool:
    return member(policy, "loadBalancer", "consistentHash") is not None
