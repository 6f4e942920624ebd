"""What the documents around a service say about one shift: the same reading for the controller and for planning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshshift.core.mesh.documents import Problem, Reason, ref_of
from meshshift.core.mesh.references import references
from meshshift.core.mesh.routes import find_routes
from meshshift.core.mesh.rule_lookup import hidden_subset
from meshshift.core.mesh.subsets import find_rule, joined_labels
from meshshift.core.mesh.writers import give_back, last_writers
from meshshift.core.observation import MeshView
from meshshift.core.spec import CreatePolicy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meshshift.core.mesh.documents import ObjectRef, Target
    from meshshift.core.mesh.routes import FoundRoutes
    from meshshift.core.spec import ShiftSpec

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Documents:
    """Everything that the view may depend on; more than that changes nothing.

    `virtual_services` are those that send to the host or are named, the roots and delegates of these, and those that
    speak in the mesh for a host that one of them speaks for.  `destination_rules` are those of all namespaces whose
    host is the service's or covers it, and the named one.
    """

    virtual_services: Sequence[Document]
    destination_rules: Sequence[Document]


def read_mesh(spec: ShiftSpec, target: Target, documents: Documents, *, begun: bool) -> MeshView:
    """The view that a look at the shift works on.

    Before a shift has `begun`, what Istio would ignore or hide stands in the view in place of the routes or the rule,
    so that nothing is begun; later the way back must stay open, and it is told as the view's `conflict` alone.
    """
    services, rules = documents.virtual_services, documents.destination_rules
    routes = find_routes(services, target, spec.virtual_services)
    rule = find_rule(rules, target, spec.destination_rule)
    labels = {each.name: joined_labels(rules, target, each.name) for _, each in spec.arms}
    ignored = None if isinstance(routes, Problem) else routes.conflict
    managed = _managed(services, routes)
    held = [] if isinstance(rule, Problem) else [give_back(rule, "DestinationRule")]
    hidden = _hidden(spec, target, rules, rule, labels)
    return MeshView(
        target=target,
        routes=routes if begun or ignored is None else ignored,
        rule=rule if begun or hidden is None else hidden,
        stable_labels=labels[target.stable],
        canary_labels=labels[target.canary],
        baseline_labels=labels.get(target.baseline or ""),
        writers=last_writers(managed),
        owned=tuple(filter(None, [*(give_back(each, "VirtualService") for each in managed), *held])),
        canary_users=tuple(map(str, references(services, target, target.canary))),
        baseline_users=tuple(map(str, references(services, target, target.baseline))) if target.baseline else (),
        conflict=ignored or hidden,
    )


def _hidden(
    spec: ShiftSpec,
    target: Target,
    rules: Sequence[Document],
    rule: Document | Problem,
    present: Mapping[str, dict[str, str] | None],
) -> Problem | None:
    """What hides a subset of the shift, as it is or as it will be added, from some callers.

    Nothing is asked of callers that the service's own rule does not have, and cannot get.
    """
    creates = spec.create is CreatePolicy.IF_MISSING
    creatable = creates and isinstance(rule, Problem) and rule.reason is Reason.NO_DESTINATION_RULE
    if not creatable and (isinstance(rule, Problem) or present[spec.stable.name] is None):
        return None
    asked = {each.name: each.labels for _, each in spec.arms}
    wanted = {name: asked[name] if labels is None else labels for name, labels in present.items()}
    coming = {each.name for arm, each in spec.arms if arm != "stable" and not present[each.name]}
    adding_to = None if isinstance(rule, Problem) else ref_of(rule, "DestinationRule")
    named = {name: labels for name, labels in wanted.items() if labels}
    return hidden_subset(rules, target, named, {name: adding_to for name in coming if adding_to})


def _managed(services: Sequence[Document], routes: FoundRoutes | Problem) -> list[Document]:
    """The VirtualServices whose weights are the shift's."""
    owners: set[ObjectRef] = set() if isinstance(routes, Problem) else {route.owner for route in routes.routes}
    return [each for each in services if ref_of(each, "VirtualService") in owners]
