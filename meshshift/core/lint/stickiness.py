"""Rules about shifts that keep their users: what the controller would refuse, and cookies that end too early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshshift.core.lint.findings import Finding, ManifestSet, error, warning
from meshshift.core.mesh.cohorts import Extras, extra_patches
from meshshift.core.mesh.documents import Problem
from meshshift.core.mesh.routes import find_routes
from meshshift.core.mesh.stickiness import Cookies
from meshshift.core.spec import Analyse, Pause, SetWeight
from meshshift.core.steps import FULL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshshift.core.spec import ShiftSpec


def cannot_stick(manifests: ManifestSet) -> Iterator[Finding]:
    """Routes that cannot keep users, in the words in which the controller would hold for them."""
    for shift, target in manifests.targets:
        found = find_routes(manifests.virtual_services, target, shift.spec.virtual_services)
        if shift.spec.stickiness is None or isinstance(found, Problem):
            continue
        wanted = Extras(cookies=Cookies(shift.spec.stickiness, ""))
        problem = extra_patches(found.routes, found.inserted, wanted, target)
        if isinstance(problem, Problem):
            yield error("cannot-stick", shift.ref, f"spec.stickiness: {problem.message}")


def cookie_expires(manifests: ManifestSet) -> Iterator[Finding]:
    """Cookies that browsers drop before the run can be over: their owners are drawn anew in the middle of it."""
    for shift in manifests.shifts:
        least = _least_course(shift.spec)
        if shift.spec.stickiness is not None and shift.spec.stickiness.max_age < least:
            yield warning(
                "cookie-expires",
                shift.ref,
                f"spec.stickiness.maxAge is {shift.spec.stickiness.max_age} s, and the steps take {least:g} s at the "
                "least after the first weight: users whose cookie expires may change version; raise maxAge",
            )


def _least_course(spec: ShiftSpec) -> float:
    """Seconds from the first weight to the end that no evidence can shorten."""
    first = next(i for i, step in enumerate(spec.steps) if isinstance(step, SetWeight) and step.percent)
    seconds = 0.0
    for step in spec.steps[first:]:
        match step:
            case SetWeight(percent) if percent < FULL:
                seconds += spec.min_step
            case Pause(float(held)) | Analyse(float(held)):
                seconds += held
    return seconds
