"""All rules in the order in which their findings are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshshift.core.lint import policies, routing, shifting

if TYPE_CHECKING:
    from meshshift.core.lint.findings import Finding, ManifestSet, Rule

RULES: tuple[Rule, ...] = (
    shifting.unfit_mesh,
    shifting.subset_missing,
    shifting.service_missing,
    routing.malformed,
    routing.unknown_subset,
    routing.competing,
    routing.weights_sum,
    routing.ignored_weight,
    routing.mirrors_everything,
    shifting.skipped_route,
    shifting.pinned_canary,
    policies.ejected_canary,
    policies.not_sticky,
    policies.hidden_subsets,
)


def lint(manifests: ManifestSet) -> tuple[Finding, ...]:
    """Everything that the rules find, each thing once."""
    return tuple(dict.fromkeys(finding for rule in RULES for finding in rule(manifests)))
