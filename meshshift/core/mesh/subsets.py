"""The DestinationRule of a service: finding it, and adding or removing one subset of it.

Istio concatenates the subsets of all DestinationRules that one namespace has for one host, oldest rule first, and of
two subsets with one name the first counts (`mergeDestinationRule` in Istio's `pilot/pkg/model/destination_rule.go`).
Rules with a `workloadSelector` act for a few clients only and are left out.  Whatever else stands in a rule is not
ours.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from meshshift.core.mesh.documents import (
    Document,
    ObjectRef,
    Patch,
    PatchOperation,
    Problem,
    Reason,
    Target,
    member,
    operation,
    pointer,
    ref_of,
    resource_version,
    shown,
    text,
    unmoved,
)
from meshshift.core.mesh.hosts import covers, resolve_host
from meshshift.core.mesh.virtual_service import PUBLIC, exports

ROOT_NAMESPACE = "istio-system"
"""`meshConfig.rootNamespace`, as Istio is installed by default; its rules act where no other namespace has one."""

_KIND = "DestinationRule"


def rule_host(rule: Document, cluster_domain: str) -> str:
    """The fully qualified host that a rule is for; empty when it names none."""
    return resolve_host(text(member(rule, "spec", "host")), ref_of(rule, _KIND).namespace, cluster_domain)


def find_rule(destination_rules: Iterable[Document], target: Target, name: str | None = None) -> Document | Problem:
    """The rule that holds the target's stable subset, or else the canary, or else the oldest one for the host.

    Only the service's own namespace counts.  With `name`, exactly that rule, which must be for the host.
    `NoDestinationRule` means that one may be created.  Where a wildcard covers the host, a rule for the host alone
    would replace it whole, with its TLS settings and limits: only a person may do that.  A rule that is found can be
    patched: its subsets are a list.
    """
    rules = list(destination_rules)
    if name is not None:
        return _named(rules, target, name)
    ours = _rules_for(rules, target)
    if not ours:
        return _no_rule(rules, target)
    flaw = next(filter(None, map(_flaw, ours)), None)
    holders = (
        rule for subset in (target.stable, target.canary) for rule in ours if subset_labels(rule, subset) is not None
    )
    return flaw or next(holders, ours[0])


def _no_rule(rules: Sequence[Document], target: Target) -> Problem:
    wide = next((each for each in rules if _is_replaceable(each, target)), None)
    if wide is None:
        return Problem(
            Reason.NO_DESTINATION_RULE,
            f"no DestinationRule in namespace {target.namespace} has the host {target.host}; create one with the "
            f"subset {shown(target.stable)}, or set create: IfMissing",
        )
    return Problem(
        Reason.WILDCARD_RULE,
        f"{ref_of(wide, _KIND)}: spec.host is {shown(member(wide, 'spec', 'host'))}, and no rule has the host "
        f"{target.host} alone, which would replace this one whole; create one with the subset {shown(target.stable)} "
        "and all that shall go on to hold of this one's trafficPolicy",
    )


def subset_labels(rule: Document, subset: str) -> dict[str, str] | None:
    """The labels that select the subset's pods; None when the rule does not have the subset.

    An empty dictionary is a subset of all pods of the service, as Istio reads it.
    """
    index = _position(rule, subset)
    if index is None:
        return None
    labels = _subsets(rule)[index].get("labels")
    return dict(labels) if labels and _are_labels(labels) else {}


def joined_labels(destination_rules: Iterable[Document], target: Target, subset: str) -> dict[str, str] | None:
    """The labels that Istio acts on, from whichever rule of the service's namespace says them first; None if none does.

    A subset may stand in another rule than the one `find_rule` chose, and adding it there again would change nothing.
    """
    found = (subset_labels(rule, subset) for rule in _rules_for(destination_rules, target))
    return next((labels for labels in found if labels is not None), None)


def listed_subsets(destination_rules: Iterable[Document], target: Target) -> list[tuple[str, dict[str, str]]]:
    """Name and labels of every subset that the host has in the service's namespace, in Istio's order, each once."""
    found: dict[str, dict[str, str]] = {}
    for rule in _rules_for(destination_rules, target):
        for each in _subsets(rule):
            name, labels = text(member(each, "name")), member(each, "labels")
            found.setdefault(name, dict(labels) if labels and _are_labels(labels) else {})
    return list(found.items())


def add_subset_patch(
    rule: Document, subset: str, labels: Mapping[str, str], like: str | None = None
) -> Patch | Problem | None:
    """The edit that appends the subset; None when it is there with these labels, a Problem when it has others.

    `like` names a subset whose `trafficPolicy` the new one takes over: a canary with other timeouts, connection limits
    or TLS than stable would be judged for its settings instead of its code.
    """
    present = subset_labels(rule, subset)
    if present is not None:
        return None if present == dict(labels) else _other_labels(rule, subset, present, labels)
    entry = _entry(rule, subset, labels, like)
    if member(rule, "spec", "subsets") is None:
        return _patch(rule, operation("add", pointer("spec", "subsets"), [entry]))
    return _patch(rule, operation("add", pointer("spec", "subsets", "-"), entry))


def relabel_patch(rule: Document, subset: str, labels: Mapping[str, str]) -> Patch | None:
    """The edit that gives the subset other labels, after testing what it had; None if it is not there, or has them.

    Whoever relabels a subset that gets traffic moves the traffic: both label sets have to select ready pods that may
    have it.
    """
    index = _position(rule, subset)
    if index is None or subset_labels(rule, subset) == dict(labels):
        return None
    path = pointer("spec", "subsets", index)
    test = operation("test", path, _subsets(rule)[index])
    return _patch(rule, test, operation("add", pointer("spec", "subsets", index, "labels"), dict(labels)))


def is_as_added(rule: Document, subset: str, labels: Mapping[str, str], like: str | None = None) -> bool:
    """Does the subset stand there as `add_subset_patch` would write it, with nothing in it from anybody else?"""
    position = _position(rule, subset)
    return position is not None and _subsets(rule)[position] == _entry(rule, subset, labels, like)


def _entry(rule: Document, subset: str, labels: Mapping[str, str], like: str | None) -> Document:
    entry: Document = {"name": subset, "labels": dict(labels)}
    position = None if like is None else _position(rule, like)
    if position is not None and "trafficPolicy" in _subsets(rule)[position]:
        entry["trafficPolicy"] = _subsets(rule)[position]["trafficPolicy"]
    return entry


def remove_subset_patch(rule: Document, subset: str) -> Patch | None:
    """The edit that removes this one list element, after testing that it is still there; None when there is none.

    Nothing may route to the subset any more: a route to a subset that is not there answers 503 (flag NC).
    """
    index = _position(rule, subset)
    if index is None:
        return None
    path = pointer("spec", "subsets", index)
    return _patch(rule, operation("test", path, _subsets(rule)[index]), {"op": "remove", "path": path})


def _named(rules: Iterable[Document], target: Target, name: str) -> Document | Problem:
    ref = ObjectRef(_KIND, target.namespace, name)
    rule = next((rule for rule in rules if ref_of(rule, _KIND) == ref), None)
    if rule is None:
        return Problem(
            Reason.DESTINATION_RULE_MISSING,
            f"{ref} does not exist; create it, or correct destinationRule",
        )
    if rule_host(rule, target.cluster_domain) != target.host:
        return Problem(
            Reason.DESTINATION_RULE_HOST,
            f"{ref}: spec.host is {shown(member(rule, 'spec', 'host'))}, which is "
            f"not {target.host}; correct destinationRule, or leave it out",
        )
    return _flaw(rule) or rule


def _rules_for(rules: Iterable[Document], target: Target) -> list[Document]:
    """The rules of the service's namespace for its host and all clients, in the order in which Istio joins them."""
    return sorted((rule for rule in rules if _is_for(rule, target)), key=_age)


def _is_for(rule: Document, target: Target) -> bool:
    return _is_local(rule, target) and rule_host(rule, target.cluster_domain) == target.host


def _covers(rule: Document, target: Target) -> bool:
    return covers(rule_host(rule, target.cluster_domain), target.host)


def _is_replaceable(rule: Document, target: Target) -> bool:
    """Would a rule for the host alone act in place of this one, which covers it, for callers who had it so far?"""
    of_root = ref_of(rule, _KIND).namespace == ROOT_NAMESPACE and member(rule, "spec", "workloadSelector") is None
    policy = member(rule, "spec", "trafficPolicy") and exports(rule) & {PUBLIC, target.namespace}
    return (_is_local(rule, target) or bool(of_root and policy)) and _covers(rule, target)


def _is_local(rule: Document, target: Target) -> bool:
    """Is it in the service's namespace, and for all clients?"""
    local = ref_of(rule, _KIND).namespace == target.namespace
    return local and member(rule, "spec", "workloadSelector") is None


def _age(rule: Document) -> tuple[str, str]:
    """Istio's order: creation time (RFC 3339 in UTC sorts as text), then name."""
    return text(member(rule, "metadata", "creationTimestamp")), ref_of(rule, _KIND).name


def _flaw(rule: Document) -> Problem | None:
    ref = ref_of(rule, _KIND)
    if not resource_version(rule):
        return Problem(Reason.MALFORMED, f"{ref}: metadata.resourceVersion is missing; read it from the API server")
    subsets = member(rule, "spec", "subsets")
    if subsets is not None and not isinstance(subsets, list):
        return Problem(Reason.MALFORMED, f"{ref}: spec.subsets is {shown(subsets)}; write a list of subsets")
    for index, subset in enumerate(subsets or ()):
        if not text(member(subset, "name")) or not _are_labels(subset.get("labels")):
            fix = "write an object with a name and labels, numbers in quotes"
            return Problem(Reason.MALFORMED, f"{ref}: spec.subsets[{index}] is {shown(subset)}; {fix}")
    return None


def _are_labels(labels: object) -> bool:
    return labels is None or (isinstance(labels, dict) and all(isinstance(value, str) for value in labels.values()))


def _subsets(rule: Document) -> list[Any]:
    subsets = member(rule, "spec", "subsets")
    return subsets if isinstance(subsets, list) else []


def _position(rule: Document, subset: str) -> int | None:
    return next((i for i, each in enumerate(_subsets(rule)) if member(each, "name") == subset), None)


def _other_labels(rule: Document, subset: str, present: dict[str, str], labels: Mapping[str, str]) -> Problem:
    return Problem(
        Reason.SUBSET_LABELS_DIFFER,
        f"{ref_of(rule, _KIND)}: subset {shown(subset)} has the labels {shown(present)}, not {shown(dict(labels))}; "
        "correct the labels, or name another subset",
    )


def _patch(rule: Document, *operations: PatchOperation) -> Patch:
    return Patch(ref_of(rule, _KIND), (unmoved(resource_version(rule)), *operations))
