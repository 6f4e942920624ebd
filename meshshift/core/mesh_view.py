"""What the documents around a service say about one shift: the same reading for the controller and for planning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshshift.core.mesh.references import references
from meshshift.core.mesh.routes import find_routes
from meshshift.core.mesh.subsets import find_rule, joined_labels
from meshshift.core.mesh.writers import last_writers
from meshshift.core.observation import MeshView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshshift.core.mesh.documents import Target
    from meshshift.core.spec import ShiftSpec

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Documents:
    """VirtualServices that speak of the host, those that the spec names, rules for the host, and the rule it names."""

    speaking: Sequence[Document]
    named: Sequence[Document]
    rules: Sequence[Document]
    named_rules: Sequence[Document]


def read_mesh(spec: ShiftSpec, target: Target, documents: Documents) -> MeshView:
    """The view that a look at the shift works on."""
    services = documents.named if spec.virtual_services else documents.speaking
    rules = documents.rules if spec.destination_rule is None else documents.named_rules
    return MeshView(
        target=target,
        routes=find_routes(services, target, spec.virtual_services),
        rule=find_rule(rules, target, spec.destination_rule),
        stable_labels=joined_labels(documents.rules, target, spec.stable.name),
        canary_labels=joined_labels(documents.rules, target, spec.canary.name),
        writers=last_writers(services),
        canary_users=tuple(map(str, references(documents.speaking, target, spec.canary.name))),
    )
