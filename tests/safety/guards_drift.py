"""Other writers, people's commands, and deletion."""

from __future__ import annotations

from tests.safety.guard import Guard, at, course, drift

DRIFT = "meshshift/core/drift.py"
COMMANDS = "meshshift/core/commands.py"
RIVALS = "meshshift/engine/rivals.py"
RECONCILE = "meshshift/engine/reconcile.py"

_UNDO = drift("undo_is_refused_where_it_would_break_traffic")

OTHERS = (
    Guard(
        "enforce-only-safe-raises",
        "onDrift: Enforce never raises the weight of a canary without ready pods.",
        DRIFT,
        "    return lost or look.assessment.regression or any(",
        "    return look.assessment.regression or any(",
        drift("enforce_gives_no_weight_to_a_canary_without_ready_pods"),
    ),
    Guard(
        "enforce-after-regression",
        "onDrift: Enforce never raises the weight of a canary that is proven worse.",
        DRIFT,
        "    return lost or look.assessment.regression or any(",
        "    return lost or any(",
        drift("enforce_does_not_raise_in_the_look_that_brings_the_proof"),
    ),
    Guard(
        "enforce-after-limit",
        "onDrift: Enforce never raises the weight of a canary whose check has failed too often.",
        DRIFT,
        " or any(check.spent for check in look.checks)",
        "",
        drift("enforce_does_not_raise_in_the_look_that_brings_the_proof"),
    ),
    Guard(
        "held-regression-adopts-nothing",
        "What somebody writes while a regression is held becomes no intent.",
        DRIFT,
        " or run.hold is Hold.REGRESSION:\n",
        ":\n",
        drift("nothing_is_adopted_while_a_regression_is_held"),
    ),
    Guard(
        "enforce-raises-with-telemetry",
        "onDrift: Enforce lowers at once, but raises only with telemetry that was read.",
        DRIFT,
        "    if raises and not isinstance(look.seen.telemetry, Tick | NoData):\n",
        "    if False:\n",
        drift("enforce_lowers_at_once_but_never_raises_while_prometheus_cannot_be_read"),
    ),
    Guard(
        "drift-fight",
        "Two owners that write in turn end in a pause that names the other one.",
        DRIFT,
        "    if _is_fight(run.drifts):\n",
        "    if False:\n",
        drift("two_owners_writing_in_turn_end_in_a_pause_that_names_the_other"),
    ),
    Guard(
        "drift-header-routes",
        "Header routes that somebody drops are reported, and answered as onDrift says.",
        "meshshift/core/look.py",
        "(bool(self.strange_routes) or self.extras_lost)",
        "bool(self.strange_routes)",
        at("engine/test_cohorts.py", "a_reapply_that_drops_the_header_route_is_drift_and_answered_as_the_spec_says"),
    ),
    Guard(
        "adopt-zero",
        "onDrift: Adopt takes no weight at all for an abort.",
        DRIFT,
        "    if percent == 0:\n",
        "    if False:\n",
        drift("adopt_takes_no_weight_for_an_abort_and_all_of_it_for_a_promotion"),
    ),
    Guard(
        "unsure-after-drift",
        "What was counted under somebody else's weights is not counted against the canary.",
        DRIFT,
        "    return replace(run, weight_since=None, deficit=Deficit())\n",
        "    return run\n",
        drift("what_is_lost_under_somebody_elses_weights_is_not_the_canarys"),
    ),
    Guard(
        "rival-under-way",
        "A shift that has traffic under way goes before every other one of the service, however young it is.",
        RIVALS,
        "if _is_under_way(each) or (",
        "if (",
        drift("a_second_shift_of_the_same_service_waits_until_the_first_is_over"),
    ),
    Guard(
        "rival-stuck",
        "A shift that is stuck keeps no other one waiting.",
        RIVALS,
        " and not stuck and not metadata",
        " and not metadata",
        drift("a_shift_that_waits_for_its_pods_keeps_nobody_waiting"),
    ),
    Guard(
        "undo-rival",
        "undo is refused while another shift of the service is under way.",
        COMMANDS,
        "    if seen.rival is not None:\n",
        "    if False:\n",
        drift("undo_is_refused_while_another_shift_is_under_way"),
    ),
    Guard(
        "undo-mesh",
        "undo is refused where stable's subset is gone.",
        COMMANDS,
        "    if look.mesh_problem is not None:\n",
        "    if False:\n",
        _UNDO,
    ),
    Guard(
        "undo-moved-on",
        "undo is refused once the mesh is not as the shift left it.",
        COMMANDS,
        "    if not at_percent(look.routes, FULL):\n",
        "    if False:\n",
        _UNDO,
    ),
    Guard(
        "undo-stable-pods",
        "undo is refused while stable has no ready pod.",
        COMMANDS,
        "    if seen.endpoints.stable_ready == 0:\n",
        "    if False:\n",
        _UNDO,
    ),
    Guard(
        "ownership-given-back",
        "A run that has ended owns no field of the mesh's objects any more, and is in no GitOps tool's way.",
        "meshshift/core/rules.py",
        "Decision(Kind.END, reason, message, run.phase, run, IDLE, edits=_leavings(look), stalled=stalled)",
        "Decision(Kind.END, reason, message, run.phase, run, IDLE, stalled=stalled)",
        course("a_run_that_has_ended_gives_up_the_ownership_of_what_it_wrote"),
    ),
    Guard(
        "ownership-only-ours",
        "Nobody else's ownership is touched.",
        "meshshift/core/mesh/writers.py",
        'text(member(entry, "manager")) == MANAGER and member(entry, "fieldsV1", "f:spec") is not None',
        "True",
        course("a_run_that_has_ended_gives_up_the_ownership_of_what_it_wrote"),
    ),
)

DELETION = (
    Guard(
        "finalizer",
        "A shift is not gone before its traffic is.",
        RECONCILE,
        "        if not ours:\n            shift = await",
        "        if False:\n            shift = await",
        course("deletion_restores_traffic_and_lets_the_object_go"),
    ),
    Guard(
        "finalizers-of-others",
        "Finalizers of others stay.",
        "meshshift/adapters/cluster.py",
        '("/metadata/finalizers/-", FINALIZER) if present else ("/metadata/finalizers", [FINALIZER])',
        '("/metadata/finalizers", [FINALIZER])',
        at("adapters/test_cluster.py", "other_finalizers_stay"),
    ),
    Guard(
        "deletion-bounded",
        "A deletion that cannot give its traffic back is let go after ten minutes and says what it leaves.",
        "meshshift/core/restoring.py",
        "    return _left_behind(look, decision) if _is_overdue(look) and not decision.release else decision\n",
        "    return decision\n",
        drift("a_deleted_shift_that_cannot_give_traffic_back_is_let_go_after_ten_minutes"),
    ),
    Guard(
        "deletion-while-down",
        "A deletion that happened while no controller ran still gives its traffic back.",
        "meshshift/core/restoring.py",
        "max(since, look.run.step_since)",
        "since",
        drift("a_deletion_that_happened_while_nobody_watched_still_gets_its_time"),
    ),
    Guard(
        "unreadable-and-deleted",
        "Nothing that cannot be understood keeps a deleted object from going.",
        RECONCILE,
        "    if not deleted:\n        return decision\n",
        "    if True:\n        return decision\n",
        at("engine/test_conflicts.py", "a_deleted_shift_with_an_unreadable_checkpoint_is_let_go"),
    ),
    Guard(
        "command-once",
        "A command is carried out once, even if its removal was interrupted.",
        RECONCILE,
        "return None if (last.command, last.by, last.written) == (command.text, command.by, command.at) else command",
        "return command",
        at("engine/test_conflicts.py", "a_command_whose_removal_fails_is_carried_out_once"),
    ),
    Guard(
        "command-taken-off",
        "A command that a person writes while another one is carried out is not lost.",
        "meshshift/adapters/cluster.py",
        '[{"op": "test", "path": path, "value": text}, {"op": "remove", "path": path}]',
        '[{"op": "remove", "path": path}]',
        at("adapters/test_cluster.py", "only_the_command_that_was_carried_out_is_taken_off"),
    ),
)
