"""What has to be true of the Service and the subsets before a run may begin.

A route to a subset is sound on paper whatever the subset selects.  If both select the same pods, nothing is shifted and
the canary is compared with itself; if a subset selects other pods than the spec says, something else is released than
was meant.  Neither shows in the weights, so both are refused before the first one.  Under way they are not asked again:
there, a subset that changes is answered by rules that still roll back.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from meshshift.core.decision import Decision, Kind
from meshshift.core.look import SOON
from meshshift.core.mesh.documents import Problem, Reason, ref_of, shown
from meshshift.core.mesh.route_edits import weight_patches
from meshshift.core.spec import SetWeight

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshshift.core.look import Look
    from meshshift.core.spec import Subset


def unfit(look: Look) -> Decision | None:
    """Hold, and say which object is to be mended; nothing has been written by then."""
    problem = _unselective(look) or _unlike_spec(look) or _overlapping(look) or _without_control(look)
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
    labels = {"stable": mesh.stable_labels, "canary": mesh.canary_labels, "baseline": mesh.baseline_labels}
    for arm, subset in spec.arms:
        present = labels[arm]
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
    present = {"stable": mesh.stable_labels or {}, "canary": mesh.canary_labels, "baseline": mesh.baseline_labels}
    known = [(arm, subset.name, _as_it_will_be(present[arm], subset)) for arm, subset in spec.arms]
    for (_, name, labels), (arm, other, others) in combinations(known, 2):
        if labels is None or others is None or not (_is_within(labels, others) or _is_within(others, labels)):
            continue
        return Problem(
            Reason.SUBSETS_OVERLAP,
            f"spec.{arm}.subset: {_rule(look)} has subsets that share pods: {shown(name)} selects "
            f"{shown(dict(labels))} and {shown(other)} {shown(dict(others))}; give each a label that tells its "
            "pods from the other's, such as version",
        )
    return None


def _as_it_will_be(present: Mapping[str, str] | None, subset: Subset) -> Mapping[str, str] | None:
    """The labels of a subset that is there, or of one that will be added; None if nothing is known of it."""
    return (subset.labels or None) if present is None else present


def _without_control(look: Look) -> Problem | None:
    """A step that a route has no room for would be met half-way; with a baseline, great steps need room as well."""
    if look.run.spec.baseline is None:
        return None
    weights = [step.percent for step in look.run.spec.steps if isinstance(step, SetWeight)]
    planned = (weight_patches(look.routes, weight) for weight in weights)
    return next((found for found in planned if isinstance(found, Problem)), None)


def _is_within(fewer: Mapping[str, str], more: Mapping[str, str]) -> bool:
    return fewer.items() <= more.items()


def _rule(look: Look) -> str:
    return str(ref_of(look.rule, "DestinationRule"))
