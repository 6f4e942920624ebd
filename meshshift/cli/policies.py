"""The ShiftPolicies among the manifests, and the specs of the shifts that name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.api.errors import InvalidSpec, SpecError, show
from meshshift.api.policies import KIND, Policy, policy_name, with_policy
from meshshift.core.mesh.documents import ObjectRef

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshshift.cli.manifests import Manifest
    from meshshift.core.mesh.documents import Document

_ALONE = {
    "service": "any",
    "stable": {"subset": "stable"},
    "canary": {"subset": "canary"},
    "strategy": {"canary": {}},
}
"""A shift that says nothing that a policy could say, but for a strategy, which a policy need not have."""


def policies_in(manifests: Iterable[Manifest]) -> dict[tuple[str, str], Policy]:
    """The policies by namespace and name."""
    found = (each for each in manifests if each.ref.kind == KIND)
    return {(each.ref.namespace, each.ref.name): Policy(each.ref.name, each.document.get("spec")) for each in found}


def whole_spec(document: Document, policies: dict[tuple[str, str], Policy], where: str = "the files") -> Any:
    """The `spec` of a TrafficShift with what its policy adds.

    Raises InvalidSpec for all that is wrong with the two together, or if the policy is not among those given; `where`
    says where they were looked for.
    """
    spec, namespace = document.get("spec"), document["metadata"]["namespace"]
    name = policy_name(spec)
    if name is None:
        return with_policy(spec, None)
    policy = policies.get((namespace, name))
    if policy is None:
        fix = f"there is no {KIND} {namespace}/{name} in {where}; give its manifest, too"
        raise InvalidSpec([SpecError("spec.policyRef.name", show(name), fix)])
    return with_policy(spec, policy)


def unnamed(manifests: Iterable[Manifest]) -> dict[ObjectRef, InvalidSpec]:
    """What is wrong with the policies that none of the shifts names: those that one names are judged with it."""
    listed = list(manifests)
    shifts = (each for each in listed if each.ref.kind == "TrafficShift")
    named = {(each.ref.namespace, policy_name(each.document.get("spec"))) for each in shifts}
    wrong: dict[ObjectRef, InvalidSpec] = {}
    for (namespace, name), policy in policies_in(listed).items():
        if (namespace, name) not in named:
            try:
                with_policy(_alone(policy.spec), policy)
            except InvalidSpec as invalid:
                wrong[ObjectRef(KIND, namespace, name)] = invalid
    return wrong


def _alone(policy: object) -> dict[str, Any]:
    given = policy if isinstance(policy, dict) else {}
    return {name: value for name, value in _ALONE.items() if given.get(name) is None}
