"""One Deployment updated in place: no template is met or rolled out that was not proven, and no request is lost."""

from __future__ import annotations

from tests.safety.guard import Guard, at

RULES = "meshshift/core/in_place/rules.py"
TRIAL = "meshshift/core/in_place/trial.py"
HOME = "meshshift/core/in_place/homecoming.py"
STAGE = "meshshift/core/in_place/stage.py"
EDITS = "meshshift/core/in_place/edits.py"
FREEING = "meshshift/core/in_place/freeing.py"
ENROLLING = "meshshift/engine/enrolling.py"


def _in_place(*names: str) -> tuple[str, ...]:
    return at("engine/test_in_place.py", *names)


def _freeing(*names: str) -> tuple[str, ...]:
    return at("engine/test_freeing.py", *names)


IN_PLACE = (
    Guard(
        "in-place-held",
        "A Deployment is held paused while traffic leans on pods that a roll-out would take away, whoever resumes it.",
        RULES,
        "(_obstacle, _unfit, _hold, watch_over,",
        "(_obstacle, _unfit, watch_over,",
        _in_place("a_deployment_that_is_resumed_mid_run_is_paused_again_at_once"),
    ),
    Guard(
        "in-place-proven-template",
        "A Deployment is resumed for the template that its copy has proven, and for no other.",
        STAGE,
        "return self.server is Server.COPY and self.proven == self.original.template",
        "return self.server is Server.COPY",
        _in_place("another_template_while_the_deployment_comes_home_is_held_and_tried_out"),
    ),
    Guard(
        "in-place-unmoved",
        "A template that is set in the moment of the resuming is not rolled out.",
        EDITS,
        "(unmoved(workload.version), *operations)",
        "operations",
        _in_place("only_the_template_that_was_read_is_resumed"),
    ),
    Guard(
        "in-place-proof",
        "Traffic that somebody else gave the copy does not make it proven.",
        HOME,
        "proven = stage.shift is not None and stage.shift.standing is Standing.PROMOTED",
        "proven = True",
        _in_place("traffic_that_somebody_gives_a_rejected_copy_is_no_proof"),
    ),
    Guard(
        "in-place-narrowed",
        "There is no copy before `stable` selects the pods that serve, and no others.",
        TRIAL,
        "for step in (narrow, _settle, _copy,",
        "for step in (_settle, _copy,",
        _in_place("it_comes_to_its_end[good]"),
    ),
    Guard(
        "in-place-narrowed-settles",
        "A copy is made, and a shift to it begun, once the subsets that they rely on have reached the proxies.",
        TRIAL,
        "(narrow, _settle, _copy, _point, _await)",
        "(narrow, _copy, _point, _await)",
        _in_place("nothing_builds_on_a_subset_or_route_that_has_not_settled"),
    ),
    Guard(
        "in-place-copy-up",
        "A copy gets traffic when it has as many available pods as the Deployment.",
        TRIAL,
        "_copy, _point, _await)",
        "_copy, _point)",
        _in_place("a_shift_begins_when_all_pods_of_the_copy_are_available"),
    ),
    Guard(
        "in-place-copy-settles",
        "A copy goes once the routes without it have reached the proxies.",
        RULES,
        '        if left > 0:\n            return wait("Settling", f"the routes settle before',
        '        if False:\n            return wait("Settling", f"the routes settle before',
        _in_place("nothing_builds_on_a_subset_or_route_that_has_not_settled[delete Deployment]"),
    ),
    Guard(
        "in-place-copy-quiet",
        "A copy stays as long as anything sends to it.",
        RULES,
        "        if not _is_quiet(stage, copy):",
        "        if False:",
        _in_place("a_copy_that_somebody_sends_to_stays"),
    ),
    Guard(
        "in-place-copy-uid",
        "Only a copy of our own making is deleted, never another Deployment that has taken its name.",
        EDITS,
        "Removal(copy.ref, copy.uid)",
        'Removal(copy.ref, "somebody\'s")',
        _in_place("another_deployment_of_the_copys_name_is_not_deleted"),
    ),
    Guard(
        "in-place-widened-alone",
        "Subset stable gets all pods again only when no pod of a copy is left among them.",
        HOME,
        "stage.server is Server.ORIGINAL and not stage.copies and not stage.pods.copied and stage.pods.only",
        "stage.server is Server.ORIGINAL and stage.pods.only",
        _in_place("it_comes_to_its_end[bad]"),
    ),
    Guard(
        "in-place-copy-lost",
        "If the copy that serves is deleted, the Deployment's own pods serve.",
        HOME,
        "    lost = _lost(stage)\n",
        "    lost = None\n",
        _in_place("it_comes_to_its_end[the serving copy is deleted]"),
    ),
    Guard(
        "in-place-rejected",
        "A template that was rejected is not tried again until it changes.",
        TRIAL,
        "    if original.rejected[0] == original.template:\n        return None\n",
        "",
        _in_place("it_comes_to_its_end[bad]"),
    ),
    Guard(
        "in-place-let-go",
        "Letting a Deployment go does not roll out a template that was never proven.",
        HOME,
        "    if not original.seen or stage.unproven:",
        "    if not original.seen:",
        _in_place("a_template_that_was_never_proven_is_not_rolled_out_by_letting_go"),
    ),
    Guard(
        "in-place-superseded",
        "A shift to a template that nobody wants any more is given up.",
        TRIAL,
        "    if over and shift.standing in _TURNABLE and not shift.commanded:",
        "    if False:",
        _in_place("what_nobody_wants_any_more_is_given_up"),
    ),
    Guard(
        "in-place-grows",
        "A copy grows with the Deployment while it may have to carry its traffic.",
        TRIAL,
        "    for each in filter(None, (copy, stage.serving_copy)):",
        "    for each in ():",
        _in_place("a_copy_follows_the_size_of_the_deployment"),
    ),
    Guard(
        "service-gone-unproven",
        "When its Service is deleted, a Deployment does not roll out a template that was never proven.",
        FREEING,
        "return stage.home or not (stage.original.pending or stage.original.empty)",
        "return True",
        _freeing("a_template_that_was_never_proven_stays_held"),
    ),
    Guard(
        "service-gone-empty",
        "A Deployment without pods whose Service is gone does not start a template that was never proven.",
        FREEING,
        "(stage.original.pending or stage.original.empty)",
        "stage.original.pending",
        _freeing("one_without_pods_stays_held_until_it_has_some"),
    ),
    Guard(
        "service-gone-proof-first",
        "What a copy has proven is read from the mesh before the objects that say it are changed.",
        FREEING,
        "(_shifted, _resume, *undoing)",
        "(_shifted, *undoing, _resume)",
        _freeing("what_a_copy_has_proven_is_rolled_out_before_the_copy_goes"),
    ),
    Guard(
        "service-gone-grace",
        "A Service that comes back within a minute finds everything as it was.",
        FREEING,
        "if act is None and orphan.gone < GRACE:",
        "if False:",
        _freeing("a_service_may_come_back_before_anything_is_undone"),
    ),
    Guard(
        "service-gone-looked-for",
        "A Deployment is not let go because a watch is silent about its Service.",
        ENROLLING,
        "            if self.world.services.get(key) is not None:\n",
        "            if False:\n",
        _freeing("a_service_that_no_watch_tells_of_is_looked_for"),
    ),
    Guard(
        "service-gone-shift-first",
        "Copies of a Service that is gone stay while a TrafficShift may still send to them.",
        FREEING,
        "(_shifted, _resume, *undoing)",
        "(_resume, *undoing)",
        _freeing("a_shift_that_outlives_its_service_goes_first"),
    ),
    Guard(
        "service-gone-settles",
        "The copy that served a Service that is gone goes once the routes without it have reached the proxies.",
        FREEING,
        "    if left > 0:",
        "    if False:",
        _freeing("a_copy_that_served_goes_once_the_routes_without_it_have_settled"),
    ),
    Guard(
        "service-gone-half-way",
        "A copy stays if the Deployment is held half-way, with pods of two templates.",
        FREEING,
        "return stage.server is Server.COPY and stage.original.paused and not stage.pods.only",
        "return False",
        _freeing("a_copy_stays_if_the_deployment_is_held_half_way"),
    ),
    Guard(
        "service-gone-heir",
        "A Deployment that another Service has updated in place is not let go with the first one.",
        FREEING,
        "    if orphan.heir:",
        "    if False:",
        _freeing("another_service_that_asks_for_it_inherits_the_deployment"),
    ),
    Guard(
        "service-replaced-exposed",
        "Where a replaced Service has lost its subsets, a copy goes before anything else is done.",
        RULES,
        "        return expose_nobody(stage)",
        "        return None",
        _freeing("it_comes_to_its_end[replaced mid-run]"),
    ),
    Guard(
        "service-replaced-restored",
        "Routes that have outlived the subset of a replaced Service find it again.",
        RULES,
        "    return rule_with(stage.adopting, Serves(STABLE, labels, None))",
        "    return None",
        _freeing("it_comes_to_its_end[it and its rule are replaced at rest]"),
    ),
    Guard(
        "service-replaced-apart",
        "A subset that is restored while there is a copy has the pods that were proven, and no others.",
        RULES,
        "labels = {HASH_LABEL: stage.pods.only} if apart else stage.everybody",
        "labels = stage.everybody",
        _freeing("it_comes_to_its_end[it and its rule are replaced mid-run]"),
    ),
    Guard(
        "service-back-everybody",
        "A Service that comes back late finds a subset of all its pods, and goes on from there.",
        STAGE,
        "if not labels or labels == self.everybody:",
        "if labels == self.everybody:",
        _freeing("it_comes_to_its_end[only it is deleted mid-run, comes back late]"),
    ),
)
