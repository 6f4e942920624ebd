"""All rules in the order in which their findings are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshshift.core.lint import hidden, ignored, policies, routing, shifting, stickiness

if TYPE_CHECKING:
    from meshshift.core.lint.findings import Finding, ManifestSet, Rule

RULES: tuple[Rule, ...] = (
    shifting.unfit_mesh,
    shifting.subset_missing,
    shifting.service_missing,
    routing.malformed,
    routing.unknown_subset,
    ignored.competing,
    ignored.unreachable_route,
    ignored.ignored_delegate,
    routing.weights_sum,
    routing.ignored_weight,
    routing.mirrors_everything,
    routing.ports_differ,
    shifting.skipped_route,
    shifting.pinned_canary,
    shifting.mirrored_canary,
    policies.ejected_canary,
    policies.not_sticky,
    stickiness.cannot_stick,
    stickiness.cookie_expires,
    hidden.hidden_subsets,
    hidden.not_exported,
)


def lint(manifests: ManifestSet) -> tuple[Finding, ...]:
    """Everything that the rules find, each thing once."""
    return tuple(dict.fromkeys(finding for rule in RULES for finding in rule(manifests)))
