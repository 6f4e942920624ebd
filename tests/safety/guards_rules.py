"""The ordered rules: each of them taken out, and two of them moved."""

from __future__ import annotations

from meshshift.core.rules import RULES as IN_ORDER
from tests.safety.guard import Guard, at, course, drift

FILE = "meshshift/core/rules.py"
_NAMES = [rule.__name__ for rule in IN_ORDER]


def _rule(name: str, promise: str, tests: tuple[str, ...]) -> Guard:
    """The rule's line in RULES."""
    return _moved(f"rule-{name.replace('_', '-')}", promise, [each for each in _NAMES if each != name], tests)


def _before(name: str, promise: str, rule: str, other: str, tests: tuple[str, ...]) -> Guard:
    """That `other` comes before `rule`, wherever the two stand."""
    order = [each for each in _NAMES if each != rule]
    order.insert(order.index(other), rule)
    return _moved(name, promise, order, tests)


def _moved(name: str, promise: str, order: list[str], tests: tuple[str, ...]) -> Guard:
    return Guard(name, promise, FILE, _lines(_NAMES), _lines(order), tests)


def _lines(names: list[str]) -> str:
    return "".join(f"    {each},\n" for each in names)


RULES = (
    _rule(
        "deleted",
        "A deleted shift gives its traffic back, and then its object may go.",
        course("deletion_restores_traffic_and_lets_the_object_go"),
    ),
    _rule("commanded", "An abort is carried out at once.", course("abort_gives_traffic_back_at_once")),
    _rule("no_run", "Without a run there is nothing but to begin one.", course("a_good_canary_is_promoted")),
    _rule(
        "ended",
        "A shift that has ended writes nothing any more.",
        course("a_finished_shift_that_is_applied_again_changes_nothing"),
    ),
    _rule(
        "restoring",
        "Once a run is on its way back, it goes the whole way.",
        course("abort_gives_traffic_back_at_once"),
    ),
    _rule(
        "another_goes_first",
        "Of two shifts of one service one goes at a time.",
        drift("a_second_shift_of_the_same_service_waits_until_the_first_is_over"),
    ),
    _rule(
        "mesh_missing",
        "While an object that the shift needs is missing or unfit, nothing is written.",
        at("engine/test_bad_input.py", "it_is_told_in_full_and_the_mesh_is_untouched[service-deleted]"),
    ),
    _rule(
        "weights_drifted",
        "Weights that somebody else wrote are reported, and answered only as onDrift says.",
        drift("a_hand_edit_pauses_and_says_which_route_which_weight_and_who"),
    ),
    _rule(
        "canary_not_ready",
        "A canary that loses its last ready pod, or its subset, loses its traffic at once.",
        course("losing_every_canary_pod_rolls_back", "losing_the_subset_rolls_back"),
    ),
    _rule(
        "baseline_lost",
        "A baseline that loses its last ready pod, or its subset, loses its traffic at once, and so does the canary.",
        at("engine/test_baseline.py", "a_lost_baseline_gives_all_traffic_back_and_a_new_run_waits_for_it"),
    ),
    _rule(
        "subsets_changed",
        "A subset that begins to select other pods ends the run: its evidence is about something else.",
        drift("a_subset_that_selects_other_pods_ends_the_run_and_begins_a_new_one"),
    ),
    _rule(
        "regression_proven",
        "A canary that is proven worse than tolerated is rolled back.",
        course("a_failing_canary_is_rolled_back_with_numbers"),
    ),
    _rule(
        "worse_than_before",
        "After all traffic has moved at once, a canary that is proven worse than stable was before is taken back.",
        at("engine/test_red_black.py", "what_fails_more_than_before_is_flipped_back_in_one_write"),
    ),
    _rule(
        "query_limit_exceeded",
        "A check that has failed as often as it may rolls back.",
        at("engine/test_checks.py", "the_third_failure_rolls_back_with_value_bound_and_count"),
    ),
    _rule(
        "group_failed",
        "When one service of a group goes back, all of them do.",
        at("engine/test_group.py", "when_one_regresses_all_are_back_at_stable"),
    ),
    _rule(
        "paused",
        "Nothing rises while a person holds the shift.",
        course("pause_command_holds_the_weight_and_resume_goes_on"),
    ),
    _rule(
        "run_changed",
        "A spec that changes under way goes back to 0 before it begins anew.",
        course("a_changed_spec_goes_back_before_it_begins_anew"),
    ),
    _rule(
        "not_obeyed",
        "A shift whose routes Istio ceases to obey goes no step further, and its way back stays open.",
        course("a_rival_that_istio_obeys_mid_way_stops_the_shift_and_not_the_way_back"),
    ),
    _rule(
        "creating",
        "Objects that may be created are created before anything builds on them.",
        course("create_if_missing_makes_the_rule_before_the_route"),
    ),
    _rule(
        "preparing",
        "Before the first weight its ground is prepared and checked.",
        course("nothing_is_shifted_without_a_ready_canary"),
    ),
    _rule(
        "set_extras",
        "Header routes and mirrors of a step are in the mesh before the step goes on.",
        at("engine/test_cohorts.py", "a_cohort_meets_the_canary_before_any_weight_and_until_the_end"),
    ),
    _rule(
        "apply_weight",
        "The mesh follows the intent, and no later step begins before it does.",
        course("weight_follows_the_steps_in_order"),
    ),
    _rule(
        "promoted_by_person",
        "A person's promotion ends the wait.",
        course("pause_without_duration_waits_for_promote"),
    ),
    _rule(
        "promoting",
        "After 100 % a shift settles and ends.",
        course("a_good_canary_is_promoted"),
    ),
    _rule(
        "gate_closed",
        "No step goes on before its gate has said yes.",
        at("engine/test_gate.py", "a_gate_that_says_wait_is_asked_again_every_interval_until_it_opens"),
    ),
    _rule(
        "telemetry_missing",
        "Without telemetry that can be read the weight stays, and the status says why.",
        course("prometheus_outage_holds_and_goes_on"),
    ),
    _rule(
        "waiting",
        "Pauses and the least time on a weight are kept.",
        course("pause_without_duration_waits_for_promote", "pause_with_duration_goes_on_by_itself"),
    ),
    _rule(
        "group_behind",
        "No service of a group is more than a step ahead of the others.",
        at("engine/test_group.py", "they_take_each_step_together_and_end_together"),
    ),
    _rule(
        "timed_out",
        "A step without proof ends as onInconclusive says.",
        course("inconclusive_follows_the_policy"),
    ),
    _rule(
        "misspecified",
        "A run whose spec was edited into one that makes no sense goes no further.",
        at("engine/test_misspecified.py", "it_is_held_where_it_is_and_says_why"),
    ),
    _before(
        "order-guard-before-pause",
        "A paused canary that fails is still rolled back (ADR 0002).",
        "paused",
        "regression_proven",
        course("a_paused_canary_that_regresses_is_still_rolled_back"),
    ),
    _before(
        "order-way-back-first",
        "Nothing that is missing in the mesh, and no hand edit, holds up the way back (ADR 0002).",
        "mesh_missing",
        "restoring",
        drift("the_way_back_gives_no_weight_to_a_stable_subset_that_is_gone"),
    ),
    _before(
        "order-guard-before-misspecified",
        "A canary that fails is rolled back, however senseless the spec has become (ADR 0016).",
        "misspecified",
        "regression_proven",
        at("engine/test_misspecified.py", "a_canary_that_fails_meanwhile_is_taken_back"),
    ),
    Guard(
        "misspecified-begins-nothing",
        "No run begins of a spec that makes no sense, nor of the one before it.",
        "meshshift/engine/policies.py",
        "        return Asked(_started_with(stored), problem=problem_of(invalid), held=True)\n",
        "        return Asked(_started_with(stored), held=True)\n",
        at("engine/test_misspecified.py", "it_does_not_hold_up_the_way_back_and_nothing_begins_after_it"),
    ),
)
