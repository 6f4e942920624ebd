"""What has to be true of the Service and the two subsets before a run may begin.

A route to a subset is sound on paper whatever the subset selects.  If both select the same pods, nothing is shifted and
the canary is compared with itself; if a subset selects other pods than the spec says, something else is released than
was meant.  Neither shows in the weights, so both are refused before the first one.  Under way they are not asked again:
there, a subset that changes is answered by rules that still roll back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshshift.core.decision import Decision, Kind
from meshshift.core.look import SOON
from meshshift.core.mesh.documents import Problem, Reason, ref_of, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshshift.core.look import Look


def unfit(look: Look) -> Decision | None:
    """Hold, and say which object is to be mended; nothing has been written by then."""
    problem = _unselective(look) or _unlike_spec(look) or _overlapping(look)
    if problem is None:
        return None
    return look.decide(Kind.HOLD, problem.reason, problem.message, stalled=True, again=SOON)


def _unselective(look: Look) -> Problem | None:
    if look.seen.service_selects:
        return None
    service = f"{look.seen.mesh.target.namespace}/{look.run.spec.service}"
    fix = "give it a selector of the labels that its pods have"
    return Problem(Reason.SERVICE_UNSELECTIVE, f"spec.service: Service {service} selects no pods by label; {fix}")


def _unlike_spec(look: Look) -> Problem | None:
    """Labels in the spec are there to create a subset; one that exists has to be what they say."""
    mesh, spec = look.seen.mesh, look.run.spec
    for arm, subset, present in (
        ("stable", spec.stable, mesh.stable_labels),
        ("canary", spec.canary, mesh.canary_labels),
    ):
        if subset.labels and present is not None and present != subset.labels:
            return Problem(
                Reason.SUBSET_LABELS_DIFFER,
                f"spec.{arm}.labels: {_rule(look)} gives subset {shown(subset.name)} the labels "
                f"{shown(dict(present))}, not {shown(dict(subset.labels))}; correct one of the two, or "
                f"leave spec.{arm}.labels out",
            )
    return None


def _overlapping(look: Look) -> Problem | None:
    """Every pod with more labels also has the fewer, so a subset within the other shares all of its pods with it."""
    mesh, spec = look.seen.mesh, look.run.spec
    stable = mesh.stable_labels or {}
    canary = (spec.canary.labels or None) if mesh.canary_labels is None else mesh.canary_labels
    if canary is None or not (_is_within(stable, canary) or _is_within(canary, stable)):
        return None
    return Problem(
        Reason.SUBSETS_OVERLAP,
        f"spec.canary.subset: {_rule(look)} has subsets that share pods: {shown(spec.stable.name)} selects "
        f"{shown(dict(stable))} and {shown(spec.canary.name)} {shown(dict(canary))}; give each a label that tells its "
        "pods from the other's, such as version",
    )


def _is_within(fewer: Mapping[str, str], more: Mapping[str, str]) -> bool:
    return fewer.items() <= more.items()


def _rule(look: Look) -> str:
    return str(ref_of(look.rule, "DestinationRule"))
