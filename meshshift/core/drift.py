"""Somebody else writes what a run manages: the weights of its routes, or what its subsets select.

Which answer is right is the user's to say (`onDrift`), within two limits.  What raises the canary's weight must be as
safe as an increase of our own: no proven regression, ready pods, telemetry that can be read.  And two writers that each
insist would push the users' traffic to and fro, so after three answers within ten minutes the run stops insisting and
says whom it met: whoever it is, a person or a tool that applies manifests, has to be told to leave the weights alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshshift.core import words
from meshshift.core.decision import Decision, Kind
from meshshift.core.group import group_failed
from meshshift.core.mesh.documents import Problem
from meshshift.core.mesh.weighted_route import gives_canary
from meshshift.core.run import Hold, Phase
from meshshift.core.spec import OnDrift
from meshshift.core.telemetry import NoData, Tick

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshshift.core.look import Look
    from meshshift.core.mesh.weighted_route import WeightedRoute
    from meshshift.core.run import Run

FIGHT = 3
"""Answers to drift that make a fight when they fall into one `FIGHT_WITHIN`."""
FIGHT_WITHIN = 600.0
"""Seconds."""
_MOST_VERSIONS = 16
"""Objects of one drift that are remembered; with more of them, each attempt counts."""

_ADVICE = "Set it back, or annotate with meshshift.io/command: resume (set it again) or abort (back to stable)"


def weights_drifted(look: Look) -> Decision | None:
    """Somebody else wrote the weights: answer as `onDrift` says, unless that has become a fight."""
    if not look.drifted:
        return None
    run = look.run
    if run.spec.on_drift is OnDrift.PAUSE or run.hold is Hold.REGRESSION:
        return _pause(look, "Drifted", _ADVICE)
    if _is_another(look) and _is_fight(run.drifts):
        return _pause(
            look,
            "DriftFight",
            f"This is change {FIGHT + 1} within {words.duration(FIGHT_WITHIN)}, so it is not answered any more. Keep "
            "the other writer from the weights, then annotate with meshshift.io/command: resume or abort",
        )
    return _enforce(look) if run.spec.on_drift is OnDrift.ENFORCE else _adopt(look)


def subsets_changed(look: Look) -> Decision | None:
    """A subset selects other pods than when the run set its first weight: what was learned is about something else."""
    run, mesh = look.run, look.seen.mesh
    if run.stable_labels is None or run.canary_labels is None or mesh.stable_labels is None:
        return None
    baseline = run.spec.baseline.name if run.spec.baseline else ""
    for subset, before, labels in (
        (run.spec.stable.name, run.stable_labels, mesh.stable_labels),
        (run.spec.canary.name, run.canary_labels, mesh.canary_labels),
        (baseline, run.baseline_labels, mesh.baseline_labels),
    ):
        if before is not None and labels is not None and selector(labels) != before:
            message = (
                f"{look.weight_to(0)}: subset {subset} now selects {selector(labels)}, and {before} when the run "
                f"began; back to {run.spec.stable.name}, then a new run"
            )
            turned = run.roll_back("SubsetChanged", message, look.seen.now, restart=True)
            return look.decide(Kind.ROLL_BACK, "SubsetChanged", message, run=turned)
    return None


def selector(labels: Mapping[str, str]) -> str:
    """Labels as selector text, as `kubectl get -l` takes it: `app=reviews,version=v2`; `all pods` without any."""
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items())) or "all pods"


def told(look: Look) -> str:
    """What the mesh says in place of what was set, and who may have written it."""
    by = f" ({', '.join(look.seen.mesh.writers)})" if look.seen.mesh.writers else ""
    if not look.strange_routes:
        return f"header routes, mirrors or cookies that were set are gone or changed: somebody else{by} changed them"
    beside = look.seen.mesh.target.baseline is not None
    asked = look.run.desired
    was = f"{asked}%" if not beside else f"{asked}% and {look.run.shares.baseline}%"
    return f"{places(look.strange_routes)}, but {was} was set: somebody else{by} changed it"


def places(routes: Iterable[WeightedRoute]) -> str:
    """What each route gives to whom."""
    return ", ".join(f"{route} gives {route.said}" for route in routes)


def one_weight(look: Look) -> int | None:
    """The whole percent that all routes give the canary; None if they differ or say a fraction."""
    percent = round(look.routes[0].percent) if look.routes else 0
    return percent if look.routes and all(gives_canary(route, percent) for route in look.routes) else None


def _pause(look: Look, reason: str, advice: str) -> Decision:
    return look.decide(
        Kind.PAUSE, reason, f"{told(look)}. {advice}", run=_unsure(look.run), phase=Phase.PAUSED, stalled=True
    )


def _enforce(look: Look) -> Decision | None:
    """Write the run's own weight again."""
    run = look.run
    raises = any(route.raised_by(run.desired) for route in look.strange_routes) or look.extras_lost
    if raises and _is_unsafe(look):
        return None
    if raises and not isinstance(look.seen.telemetry, Tick | NoData):
        message = f"{told(look)}. onDrift: Enforce sets it again with the next telemetry that can be read"
        return look.decide(Kind.HOLD, "Drifted", message, run=_unsure(run), phase=Phase.PAUSED)
    edits = look.as_intended
    if isinstance(edits, Problem):
        return _pause(look, edits.reason, edits.message)
    message = f"{told(look)}. onDrift: Enforce sets it again"
    return look.decide(Kind.APPLY, "DriftEnforced", message, run=_answered(_unsure(run), look), edits=edits, again=0.0)


def _adopt(look: Look) -> Decision:
    """Take over what somebody wrote; no weight at all is their way to say that the canary is to go."""
    run, now, percent = look.run, look.seen.now, one_weight(look)
    if not look.strange_routes:
        return _pause(look, "Drifted", f"onDrift: Adopt takes over weights only. {_ADVICE}")
    if percent is None:
        return _pause(look, "Drifted", f"onDrift: Adopt needs one whole percent on all routes. {_ADVICE}")
    if percent == 0:
        message = f"{look.weight_to(0)}: {told(look)}, and onDrift: Adopt takes that for an abort"
        return look.decide(Kind.ROLL_BACK, "DriftAdopted", message, run=run.roll_back("DriftAdopted", message, now))
    message = f"{words.move(run.desired, percent)}: {told(look)}. onDrift: Adopt goes on from there"
    adopted = replace(_answered(run.adopt(percent, now), look), deficit=run.deficit.anew())
    return look.decide(Kind.APPLY, "DriftAdopted", message, run=adopted)


def _is_unsafe(look: Look) -> bool:
    """Is there a rule behind this one that takes traffic away from the canary, or will not give it any?"""
    lost = look.seen.mesh.canary_labels is None or look.seen.endpoints.canary_ready == 0 or look.lacking_baseline
    after, settings = look.run.after, look.run.evidence.settings
    worse = look.assessment.regression or (after is not None and after.is_proven(settings))
    turns = subsets_changed(look) is not None or group_failed(look) is not None
    return bool(lost) or worse or turns or any(check.spent for check in look.checks)


def _unsure(run: Run) -> Run:
    """What was counted under somebody else's weights says nothing about ours: confirm and count anew afterwards."""
    return replace(run, weight_since=None, deficit=run.deficit.anew())


def _answered(run: Run, look: Look) -> Run:
    """With one more answer, unless it is the last one again: a write of ours that failed makes nobody a fighter."""
    if not _is_another(look):
        return run
    return replace(run, drifts=(*run.drifts, look.seen.now)[-FIGHT:], answered=_versions(look))


def _is_another(look: Look) -> bool:
    """Has somebody written since the last answer was decided?"""
    return not set(_versions(look)) <= set(look.run.answered)


def _versions(look: Look) -> tuple[str, ...]:
    """The objects that say something else, as they are."""
    return tuple(sorted({route.resource_version for route in look.strange_routes or look.routes}))[:_MOST_VERSIONS]


def _is_fight(drifts: tuple[float, ...]) -> bool:
    return len(drifts) == FIGHT and drifts[-1] - drifts[0] <= FIGHT_WITHIN
