"""Rules about DestinationRules: settings that work against a canary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.core.lint.findings import Finding, ManifestSet, listed_subsets, warning
from meshshift.core.mesh.documents import member, ref_of, shown, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshshift.core.mesh.documents import Document

_KIND = "DestinationRule"


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
        names = [name for each in ManifestSet.subsets_of(rule) if (name := text(member(each, "name")))]
        if any(_hashes(policy) for name in names for policy in _policies(rule, name, like=name)):
            yield warning(
                "not-sticky",
                ref_of(rule, _KIND),
                "consistentHash chooses a pod after a weight has chosen the subset, so users are not sticky across "
                f"{listed_subsets(names)}; set spec.stickiness of the TrafficShift, or put a route with a cookie or "
                "header match before the weighted one",
            )


def _policies(rule: Document, subset: str, like: str) -> Iterator[Any]:
    """The traffic policies that hold for a subset: its own settings before the rule's; a new one copies `like`."""
    by_name = {text(member(each, "name")): each for each in ManifestSet.subsets_of(rule)}
    own = member(by_name.get(subset, by_name.get(like)), "trafficPolicy")
    general = member(rule, "spec", "trafficPolicy")
    yield {**(general if isinstance(general, dict) else {}), **(own if isinstance(own, dict) else {})}
    for policy in (general, own):
        ports = member(policy, "portLevelSettings")
        yield from ports if isinstance(ports, list) else ()


def _ejects(policy: Any) -> bool:
    return member(policy, "outlierDetection") is not None


def _hashes(policy: Any) -> bool:
    return member(policy, "loadBalancer", "consistentHash") is not None
