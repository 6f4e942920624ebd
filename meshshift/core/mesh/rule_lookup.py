"""Which DestinationRules a caller's proxy acts on: the lookup goes by the caller's namespace, and the first hit wins.

Istio looks in the namespace of the caller, of the service, and in the root namespace; in each the rules for the most
specific host that matches count, a wildcard being less specific than any name, and where one is found the rest is not
looked at (`destinationRule`, `setDestinationRules` in Istio's `pilot/pkg/model/push_context.go`,
`MostSpecificHostMatch` in `config.go`).  A rule in the root namespace hides nothing, for it comes last; only its own
proxies see one first that is exported to nobody else.

Rules of one namespace for one host are joined if they have the same `exportTo`, and stay apart if not; then the newest
of those that the caller sees is the one that acts (`mergeDestinationRule` in `destination_rule.go`,
`SidecarScope.DestinationRule` in `sidecar.go`).  A rule with a `workloadSelector` acts alone, for the workloads of its
own namespace that it selects.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from meshshift.core.mesh.documents import Document, ObjectRef, Problem, Reason, Target, member, ref_of, shown, text
from meshshift.core.mesh.hosts import covers, specificity
from meshshift.core.mesh.precedence import ELSEWHERE
from meshshift.core.mesh.subsets import ROOT_NAMESPACE, rule_host, subset_labels
from meshshift.core.mesh.virtual_service import PUBLIC, texts

_KIND = "DestinationRule"


@dataclass(frozen=True, slots=True)
class Acting:
    """What acts as one rule for a caller: documents that Istio joins, the oldest first."""

    rules: tuple[Document, ...]
    exported_to: frozenset[str]
    """Empty without `exportTo`, which is public but not joined with what says so."""

    @property
    def ref(self) -> ObjectRef:
        """The first of them."""
        return ref_of(self.rules[0], _KIND)

    @property
    def selector(self) -> Mapping[str, object] | None:
        """The labels of the only workloads it acts for; None if it acts for all."""
        return _selector(self.rules[0])

    def labels(self, subset: str) -> dict[str, str] | None:
        """The labels that select the subset's pods; None if it has no such subset."""
        found = (subset_labels(rule, subset) for rule in self.rules)
        return next((labels for labels in found if labels is not None), None)

    def is_seen_in(self, namespace: str) -> bool:
        """May callers of another namespace use it?"""
        return not self.exported_to or bool(self.exported_to & {PUBLIC, namespace})


def acting_for(rules: Sequence[Document], host: str, home: str, client: str, cluster_domain: str) -> tuple[Acting, ...]:
    """What callers in namespace `client` have for `host`, a service of namespace `home`: for all, or some, of them."""
    local = _is_local if client != ROOT_NAMESPACE else _is_private
    found = _most_specific(rules, host, client, cluster_domain, local)
    for owner in (home, ROOT_NAMESPACE):
        if not found:
            exported = _most_specific(rules, host, owner, cluster_domain, lambda rule: not _is_private(rule))
            found = [each for each in exported if each.is_seen_in(client)]
    general = [each for each in found if each.selector is None]
    return (*general[-1:], *(each for each in found if each.selector is not None and each.ref.namespace == client))


def clients_of(rules: Iterable[Document], home: str) -> list[str]:
    """The namespaces whose callers may have rules of their own, home first; ELSEWHERE stands for all others."""
    listed = list(rules)
    owners = {ref_of(rule, _KIND).namespace for rule in listed}
    named = {name for rule in listed for name in _exports(rule)}
    return [home, *sorted((owners | named) - {home, PUBLIC, "~", ELSEWHERE}), ELSEWHERE]


def hidden_subset(
    rules: Sequence[Document],
    target: Target,
    wanted: Mapping[str, Mapping[str, str]],
    adding_to: Mapping[str, ObjectRef],
) -> Problem | None:
    """The first rule that callers have instead of the service's own and that lacks what the shift sends to.

    `wanted` are the labels of the shift's subsets as they are or are to be; `adding_to` are the rules that those which
    are not there will be added to.  Callers for whom nothing of the service's namespace acts, and nothing
    of their own, are not told of: they had no subset before.
    """
    for client in clients_of(rules, target.namespace):
        found = acting_for(rules, target.host, target.namespace, client, target.cluster_domain)
        for acting in found:
            if not _is_first(acting, target.namespace, client):
                continue
            refs = {ref_of(rule, _KIND) for rule in acting.rules}
            for subset, labels in wanted.items():
                present = acting.labels(subset)
                if adding_to.get(subset) not in refs and present != labels:
                    return _hides(acting, target, client, subset, labels, present)
        if found and all(acting.selector is not None for acting in found):
            return _leaves_nothing(found[0], target, client)
    return None


def _is_first(acting: Acting, home: str, client: str) -> bool:
    """Is it the service's own, or a hit before the service's own?  The root's public rules come last, even there."""
    owner = acting.ref.namespace
    return owner == home or (owner == client and (owner != ROOT_NAMESPACE or acting.exported_to == {owner}))


def _leaves_nothing(acting: Acting, target: Target, client: str) -> Problem:
    """A rule for some workloads is a hit of the lookup for all callers of its namespace, and the others get none."""
    return Problem(
        Reason.SUBSET_HIDDEN,
        f"the workloads of namespace {client} that the workloadSelector of {acting.ref} does not select get no rule "
        f"for {target.host} at all: their requests to its subsets would fail with 503 (NC); add a rule without "
        f"workloadSelector to namespace {client}, or take its workloadSelector out",
    )


def _hides(
    acting: Acting,
    target: Target,
    client: str,
    subset: str,
    wanted: Mapping[str, str],
    present: Mapping[str, str] | None,
) -> Problem:
    who = "callers in all other namespaces" if client == ELSEWHERE else f"callers in namespace {client}"
    if acting.selector is not None:
        who = f"the workloads of namespace {client} with the labels {shown(dict(acting.selector))}"
    lack = f"has no subset {shown(subset)}" if present is None else f"selects {shown(dict(present))} as {shown(subset)}"
    fate = "would fail with 503 (NC)" if present is None else "would reach other pods"
    return Problem(
        Reason.SUBSET_HIDDEN,
        f"{who} get {acting.ref} for {target.host}{_why(acting, target)}, and it {lack}: their requests to the subset "
        f"{fate}; give it subset {shown(subset)} with the labels {shown(dict(wanted))}, or {_fix(acting, target)}",
    )


def _why(acting: Acting, target: Target) -> str:
    if acting.selector is not None:
        return " because of its workloadSelector"
    if acting.ref.namespace == target.namespace:
        return " alone, because Istio joins only rules with the same exportTo"
    return f" before any rule of namespace {target.namespace}"


def _fix(acting: Acting, target: Target) -> str:
    if acting.selector is not None:
        return "take its workloadSelector out"
    if acting.ref.namespace == target.namespace:
        return f"give all rules of namespace {target.namespace} for this host the same exportTo"
    return f"move the rule to namespace {target.namespace}"


def _most_specific(
    rules: Iterable[Document], host: str, namespace: str, cluster_domain: str, fits: Callable[[Document], bool]
) -> list[Acting]:
    there = [rule for rule in rules if ref_of(rule, _KIND).namespace == namespace and fits(rule)]
    matching = [rule for rule in there if covers(rule_host(rule, cluster_domain), host)]
    best = max((rule_host(rule, cluster_domain) for rule in matching), key=specificity, default="")
    return _joined(sorted((rule for rule in matching if rule_host(rule, cluster_domain) == best), key=_age))


def _joined(rules: Iterable[Document]) -> list[Acting]:
    """`mergeDestinationRule`, step by step."""
    entries: list[Acting] = []
    for rule in rules:
        exported, apart = _exports(rule), True
        for index, entry in enumerate(entries):
            same = exported == entry.exported_to
            wider = bool(entry.exported_to) and exported >= entry.exported_to
            if not (same or wider) or _selects_others(rule, entry):
                apart = True
                continue
            apart = not same and (_selector(rule) is None) != (entry.selector is None)
            entries[index] = Acting((*entry.rules, rule), entry.exported_to)
        if apart:
            entries.append(Acting((rule,), exported))
    return entries


def _selects_others(rule: Document, entry: Acting) -> bool:
    one, other = _selector(rule), entry.selector
    return one is not None and other is not None and one != other


def _selector(rule: Document) -> Mapping[str, object] | None:
    selector = member(rule, "spec", "workloadSelector")
    labels = member(selector, "matchLabels")
    return None if selector is None else labels if isinstance(labels, dict) else {}


def _exports(rule: Document) -> frozenset[str]:
    """As written, `.` resolved; a rule with a workloadSelector stays in its namespace whatever it says."""
    own = ref_of(rule, _KIND).namespace
    if _selector(rule) is not None:
        return frozenset({own})
    return frozenset(own if each == "." else each for each in texts(member(rule, "spec"), "exportTo"))


def _is_local(rule: Document) -> bool:
    exported = _exports(rule)
    return not exported or bool(exported & {PUBLIC, ref_of(rule, _KIND).namespace})


def _is_private(rule: Document) -> bool:
    return _exports(rule) == {ref_of(rule, _KIND).namespace}


def _age(rule: Document) -> tuple[bool, str, str]:
    """Istio's order: those for some workloads first, then creation time, then name."""
    return _selector(rule) is None, text(member(rule, "metadata", "creationTimestamp")), ref_of(rule, _KIND).name
