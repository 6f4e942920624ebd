"""Services that opt in by annotation: nobody gets other pods by it, and nothing unproven is shifted to twice."""

from __future__ import annotations

from tests.safety.guard import Guard, at

ADOPTION = "meshshift/core/enrolment/adoption.py"
RULES = "meshshift/core/enrolment/rules.py"
SHIFTING = "meshshift/core/enrolment/shifting.py"
TELLING = "meshshift/core/enrolment/telling.py"
TIDYING = "meshshift/core/enrolment/tidying.py"
RELEASING = "meshshift/core/enrolment/releasing.py"
RECORD = "meshshift/core/enrolment/record.py"
SERVING = "meshshift/core/enrolment/serving.py"
ENROLLED = "meshshift/engine/enrolled.py"


def _tests(*names: str) -> tuple[str, ...]:
    return at("engine/test_enrolling.py", *names)


ADOPTED = (
    Guard(
        "enrol-settled",
        "A VirtualService names a subset only once the DestinationRule with it has settled.",
        ADOPTION,
        "        act = rule_with(view, server) or _settling(view) or",
        "        act = rule_with(view, server) or",
        _tests("the_rule_has_settled_before_the_route_names_its_subset"),
    ),
    Guard(
        "enrol-one-serves",
        "Where several versions share the traffic by pod count, a person says who serves.",
        ADOPTION,
        "    if len(ready) == 1 and asked in {None, ready[0].name}:",
        "    if asked in {None, ready[0].name}:",
        _tests("two_versions_by_pod_count_wait_for_a_word_and_then_one_has_all"),
    ),
    Guard(
        "enrol-weights-shared",
        "Where several versions share the traffic by weight, it stays as it is.",
        ADOPTION,
        "    if len(said.subsets) > 1:\n",
        "    if False:\n",
        _tests("two_versions_by_weight_wait_for_a_word_too"),
    ),
    Guard(
        "enrol-nameless",
        "Pods without a version keep their traffic: no route is pinned past them.",
        ADOPTION,
        "    if view.behind.nameless:\n",
        "    if False:\n",
        _tests("pods_without_a_version_are_told"),
    ),
    Guard(
        "enrol-hidden",
        "No route names a subset that callers with a DestinationRule of their own would not find.",
        ADOPTION,
        "    if hidden is not None:\n",
        "    if False:\n",
        _tests("what_would_be_replaced_or_hide_the_subset_is_told_and_left[a rule of the callers]"),
    ),
    Guard(
        "enrol-replaced",
        "No DestinationRule is created for a service that one by wildcard acts on, here or mesh-wide.",
        ADOPTION,
        "    if isinstance(rule, Problem) and not missing:\n        return warn(rule.reason, rule.message)\n",
        "",
        _tests(
            "what_would_be_replaced_or_hide_the_subset_is_told_and_left[a wildcard beside it]",
            "what_would_be_replaced_or_hide_the_subset_is_told_and_left[a mesh-wide policy]",
        ),
    ),
    Guard(
        "enrol-wildcard-route",
        "No VirtualService is created that would take over from one by wildcard.",
        ADOPTION,
        "    if wide is not None:\n",
        "    if False:\n",
        _tests("a_virtual_service_by_wildcard_is_not_taken_over_from"),
    ),
    Guard(
        "enrol-pin-unmoved",
        "A destination gets a subset only in the version of the VirtualService that was read.",
        SERVING,
        "[unmoved(each.owner.resource_version)])",
        "[])",
        at(
            "engine/test_enrolling_interruption.py",
            "whatever_goes_wrong_at_any_call_the_end_is_the_same[taking over, then a good version-killed before]",
        ),
    ),
    Guard(
        "enrol-bad-values",
        "An annotation that cannot be followed is told, and nothing is done on the strength of the others.",
        RULES,
        "    if view.wishes.wish is None:\n        return warn(",
        "    if view.wishes.wish is None:\n        return release(view)\n        return warn(",
        _tests("bad_values_are_told_once_with_value_and_allowed_ones_and_again_when_they_change"),
    ),
    Guard(
        "enrol-others-first",
        "While somebody's own TrafficShift of the service is under way, no other is begun by annotation.",
        RULES,
        "    if view.others:\n",
        "    if False:\n",
        _tests("another_shift_of_the_service_goes_first"),
    ),
    Guard(
        "enrol-given-back",
        "A shift that is deleted gives its traffic back before anything else is done to the service.",
        RULES,
        "    if view.leaving:\n",
        "    if False:\n",
        _tests("a_shift_that_is_deleted_gives_its_traffic_back_before_anything_else_happens"),
    ),
    Guard(
        "enrol-at-rest",
        "At rest no field of your objects is the controller's.",
        RULES,
        " or give_up(view)",
        "",
        _tests("at_rest_no_field_of_anybodys_objects_is_ours"),
    ),
)

SHIFTED = (
    Guard(
        "enrol-one-at-a-time",
        "While the service's own shift is under way, only that shift is told anything.",
        RULES,
        "    if view.shift is not None and not view.shift.standing.ended:\n",
        "    if False:\n",
        _tests("a_newer_version_takes_the_place_of_one_under_way"),
    ),
    Guard(
        "enrol-rejected-once",
        "A version that was taken back is not tried again until its pod template changes.",
        SHIFTING,
        "        return not record.knows(version)\n",
        "        return True\n",
        _tests("a_rejected_version_is_tried_again_only_with_another_template"),
    ),
    Guard(
        "enrol-former",
        "Restarting the Deployment of an old version is no release.",
        RECORD,
        "known.fate is Fate.FORMER or version.templates",
        "version.templates",
        _tests("restarting_an_old_deployment_is_no_release_but_deploying_it_again_is_one"),
    ),
    Guard(
        "enrol-younger",
        "A version that has lain there unused for longer than the serving one is no release.",
        SHIFTING,
        "    return stable is None or version.is_newer_than(stable)\n",
        "    return True\n",
        _tests("an_older_version_that_lies_there_is_not_shifted_to"),
    ),
    Guard(
        "enrol-settling-at-full",
        "A newer version does not take back one that is proven and settles at all the traffic.",
        SHIFTING,
        "    return shift.standing is not Standing.PROMOTING\n",
        "    return True\n",
        _tests("a_newer_version_waits_while_the_last_one_settles_at_all_the_traffic"),
    ),
    Guard(
        "enrol-no-second-try",
        "Annotations that change while a version is being taken back do not try it once more.",
        SHIFTING,
        "    if shift.standing not in {Standing.WAITING, Standing.MOVING, Standing.TURNING}:\n",
        "    if shift.standing is Standing.PROMOTING:\n",
        _tests("annotations_that_change_on_the_way_back_begin_nothing_anew"),
    ),
    Guard(
        "enrol-of-this-spec",
        "A run of an older pair says nothing about the version that is asked for now.",
        ENROLLED,
        "run.spec_hash not in present or ",
        "",
        _tests("one_that_gave_way_before_it_began_is_not_taken_for_rejected"),
    ),
    Guard(
        "enrol-paused",
        "While a Service is paused nothing begins.",
        SHIFTING,
        "    if newer is None or wish.paused:\n",
        "    if newer is None:\n",
        _tests("while_paused_nothing_begins_and_what_is_under_way_is_held"),
    ),
    Guard(
        "enrol-stable-ready",
        "Nothing is shifted in beside a version that cannot answer.",
        SHIFTING,
        "    if server.version is None or not server.version.ready:\n",
        "    if server.version is None:\n",
        _tests("a_version_that_serves_without_a_ready_pod_is_no_stable_to_judge_beside"),
    ),
    Guard(
        "enrol-name-taken",
        "A TrafficShift by the Service's name that is somebody's is left alone.",
        TELLING,
        "    if view.taken:\n",
        "    if False:\n",
        _tests("a_shift_by_its_name_that_is_somebodys_is_left_alone"),
    ),
    Guard(
        "enrol-tidy-ours",
        "A subset that somebody declared stays, whether its version is there or not.",
        TIDYING,
        "        and (is_owned_by(rule, view.service) or name in added)\n",
        "",
        _tests("subsets_that_somebody_declared_stay"),
    ),
    Guard(
        "enrol-tidy-pods",
        "A subset stays while any of its pods is there, be it not ready.",
        TIDYING,
        "        and not view.behind.taken_by(labels)\n",
        "",
        _tests("a_subset_that_somebody_sends_to_stays_and_so_does_one_whose_pods_are_starting"),
    ),
    Guard(
        "enrol-tidy-unused",
        "A subset stays while anything sends to it.",
        TIDYING,
        "    if references(view.virtual_services, target, subset):\n",
        "    if False:\n",
        _tests("a_subset_that_somebody_sends_to_stays_and_so_does_one_whose_pods_are_starting"),
    ),
    Guard(
        "enrol-tidy-settled",
        "A subset goes only once the routes without it have settled.",
        TIDYING,
        '    left = view.unsettled(view.virtual_services, "VirtualService")\n',
        "    left = 0.0\n",
        _tests("a_version_that_has_gone_leaves_the_routes_first_and_the_rule_after_that_settled"),
    ),
    Guard(
        "enrol-released",
        "A released Service owns nothing: deleting it deletes no route.",
        RULES,
        "    if not view.wishes.enrolled:\n        return release(view)\n",
        '    if not view.wishes.enrolled:\n        return wait("NotEnrolled", "")\n',
        _tests("one_released_while_no_controller_ran_is_released_when_one_does"),
    ),
)
