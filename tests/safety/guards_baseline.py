"""A baseline beside the canary: what it gets, when it goes, and that nothing else is compared with the canary."""

from __future__ import annotations

from tests.safety.guard import Guard, at

CONTROL = "meshshift/core/control.py"
SHARES = "meshshift/core/mesh/control.py"
WEIGHTED = "meshshift/core/mesh/weighted_route.py"
ATTRIBUTION = "meshshift/core/attribution.py"


def _run(*names: str) -> tuple[str, ...]:
    return at("engine/test_baseline.py", *names)


def _shares(*names: str) -> tuple[str, ...]:
    return at("core/mesh/test_control.py", *names)


BASELINE = (
    Guard(
        "baseline-no-more-than-canary",
        "The baseline never gets more than the canary, whose pods are as many.",
        SHARES,
        "min(canary, rest // 2)",
        "rest // 2",
        _shares("the_baseline_never_gets_more_than_the_canary_or_stable"),
    ),
    Guard(
        "baseline-leaves-stable-warm",
        "Below 100 percent stable keeps at least as much as the baseline, so that a way back meets warm pods.",
        SHARES,
        "min(canary, rest // 2)",
        "min(canary, rest)",
        _shares("the_baseline_never_gets_more_than_the_canary_or_stable"),
    ),
    Guard(
        "baseline-all-three-agree",
        "A route says a weight only if the baseline's is right too; anything else is somebody else's.",
        WEIGHTED,
        "route.shares.like(share(100, percent, controlled=route.target.baseline is not None))",
        "route.percent == percent",
        _run("a_hand_edit_of_the_baselines_weight_alone_is_drift"),
    ),
    Guard(
        "baseline-room",
        "A step that leaves no weight for stable and baseline each is refused before the first weight.",
        "meshshift/core/groundwork.py",
        " or _without_control(look)",
        "",
        _run("a_route_too_small_for_a_baseline_is_refused_before_the_first_weight"),
    ),
    Guard(
        "baseline-raise-needs-telemetry",
        "What raises the baseline alone is an increase too: it waits for telemetry that can be read.",
        WEIGHTED,
        "more = (wanted.canary * whole, have.canary), (wanted.baseline * whole, have.baseline)",
        "more = ((wanted.canary * whole, have.canary),)",
        _run("nothing_rises_while_prometheus_cannot_be_read_not_even_the_baseline"),
    ),
    Guard(
        "baseline-enforce-only-ready",
        "onDrift: Enforce never gives weight to a baseline without ready pods.",
        "meshshift/core/drift.py",
        " or look.lacking_baseline",
        "",
        _run("enforce_gives_a_lost_baseline_no_weight"),
    ),
    Guard(
        "baseline-overtaken",
        "A baseline that is lost while the intent is persisted gets no weight.",
        "meshshift/engine/observe.py",
        "endpoints.canary_ready > 0, endpoints.baseline_ready > 0",
        "(endpoints.canary_ready > 0,)",
        _run("a_baseline_lost_while_the_intent_is_persisted_gets_no_weight"),
    ),
    Guard(
        "baseline-held-not-restarted",
        "A run that a person was holding does not begin anew by itself when its baseline is lost.",
        CONTROL,
        "again = run.hold is None",
        "again = True",
        _run("a_lost_baseline_does_not_begin_anew_what_a_person_was_holding"),
    ),
    Guard(
        "baseline-cleared",
        "A baseline that this run has added goes once all traffic is on the canary.",
        "meshshift/core/progressing.py",
        "    if cleared is not None:\n",
        "    if False:\n",
        _run("an_added_baseline_goes_at_the_end_whatever_the_end[good]"),
    ),
    Guard(
        "baseline-cleared-settled",
        "Its subset goes only once no proxy can hold a destination that names it.",
        CONTROL,
        "    if run.settled_stage != _CLEARED or run.settle_until is None:\n",
        "    if False:\n",
        _run("an_added_baseline_goes_at_the_end_whatever_the_end[good]"),
    ),
    Guard(
        "baseline-adopted-unconfirmed",
        "A weight that was adopted is not taken as ours before baseline and stable divide the rest.",
        "meshshift/core/run.py",
        "confirmed=percent if self.spec.baseline is None else None,",
        "confirmed=percent,",
        _run("a_shift_mid_way_is_adopted_with_its_baseline"),
    ),
    Guard(
        "baseline-is-the-control",
        "With a baseline the canary is compared with it alone: stable is warm and has another size.",
        "meshshift/core/rules.py",
        "run.evidence.see(judged.compared, warming_up=warming_up)",
        "run.evidence.see(judged, warming_up=warming_up)",
        _run("what_fails_like_the_baseline_is_promoted_although_stable_is_better"),
    ),
    Guard(
        "baseline-told-from-stable",
        "Requests that only name the version are not counted as the baseline's, which runs stable's version.",
        ATTRIBUTION,
        "own, others = arms.baseline.without(arms.stable), arms.stable.without(arms.baseline)",
        "own, others = arms.baseline, arms.stable.without(arms.baseline)",
        at("core/test_attribution.py", "a_series_that_names_the_shared_version_alone_is_stables"),
    ),
    Guard(
        "baseline-in-the-expected",
        "What the canary lacks is measured by all traffic of the service, the baseline's included.",
        "meshshift/core/deficit.py",
        "requests = tick.answered + tick.unattributed.failed",
        "requests = tick.canary.total + tick.stable.total + tick.unattributed.failed",
        at("core/test_deficit.py", "the_baselines_requests_count_in_what_was_to_come"),
    ),
)
