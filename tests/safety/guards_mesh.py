"""What is written to the mesh: guarded patches, make before break, whole numbers, and the shapes that are refused."""

from __future__ import annotations

from tests.safety.guard import Guard, at, course, drift

EDITS = "meshshift/core/mesh/route_edits.py"
COHORTS = "meshshift/core/mesh/cohorts.py"
ROUTES = "meshshift/core/mesh/routes.py"
FLAWS = "meshshift/core/mesh/flaws.py"
SUBSETS = "meshshift/core/mesh/subsets.py"
PREPARING = "meshshift/core/preparing.py"
RESTORING = "meshshift/core/restoring.py"
CONTROL = "meshshift/core/control.py"
VIEW = "meshshift/core/mesh_view.py"


def _edits(*names: str) -> tuple[str, ...]:
    return at("core/mesh/test_route_edits.py", *names)


def _routes(*names: str) -> tuple[str, ...]:
    return at("core/mesh/test_routes.py", *names)


def _view(*names: str) -> tuple[str, ...]:
    return at("core/test_mesh_view.py", *names)


def _breaking(*names: str) -> tuple[str, ...]:
    return at("engine/test_make_before_break.py", *names)


PATCHES = (
    Guard(
        "weights-unmoved",
        "A weight is never written over a VirtualService that has changed since it was read.",
        EDITS,
        "[unmoved(route.resource_version)])\n        operations.extend",
        "[])\n        operations.extend",
        _edits("patch_refuses_another_version_of_the_object"),
    ),
    Guard(
        "weights-destination",
        "A weight is only written where the destination is that it is meant for.",
        EDITS,
        "        if differs or each.index in ours:\n            yield",
        "        if False:\n            yield",
        _edits("patch_refuses_a_moved_destination"),
    ),
    Guard(
        "dropped-entry-unmoved",
        "The canary's entry is never taken out of a VirtualService that has changed since it was read.",
        EDITS,
        "[unmoved(route.resource_version)])\n                operations +=",
        "[])\n                operations +=",
        _edits("an_entry_is_dropped_only_from_the_version_that_was_read"),
    ),
    Guard(
        "dropped-entry-at-zero",
        "The canary's entry only goes while it is as it was added, at weight 0.",
        EDITS,
        '[operation("test", path, entry.document), {"op": "remove", "path": path}]',
        '[{"op": "remove", "path": path}]',
        _edits("a_dropped_entry_is_tested_to_be_still_at_zero"),
    ),
    Guard(
        "dropped-entry-ours",
        "An entry for the canary that carries traffic, or more than we would write, is somebody's and stays.",
        EDITS,
        '    return {"weight": 0, **entry.document} in as_added',
        "    return True",
        _edits("a_canary_entry_that_carries_traffic_or_headers_is_not_dropped"),
    ),
    Guard(
        "subset-unmoved",
        "A subset is never added to, or taken out of, a DestinationRule that has changed since it was read.",
        SUBSETS,
        "(unmoved(resource_version(rule)), *operations)",
        "operations",
        at("core/mesh/test_subsets.py", "a_rule_that_changed_refuses_the_removal"),
    ),
    Guard(
        "subset-still-there",
        "The list element that is removed is the subset that was read.",
        SUBSETS,
        '(rule, operation("test", path, _subsets(rule)[index]), {"op"',
        '(rule, {"op"',
        at("core/mesh/test_subsets.py", "a_rule_that_changed_refuses_the_removal"),
    ),
    Guard(
        "subset-labels-kept",
        "A subset that exists with other labels is never rewritten.",
        SUBSETS,
        "        return None if present == dict(labels) else _other_labels(rule, subset, present, labels)\n",
        "        return None\n",
        at("core/mesh/test_subsets.py", "a_subset_with_other_labels_is_not_rewritten"),
    ),
    Guard(
        "subset-like-stable",
        "An added subset takes over stable's traffic policy, so that settings are not taken for code.",
        SUBSETS,
        '        entry["trafficPolicy"] = _subsets(rule)[position]["trafficPolicy"]\n',
        "        pass\n",
        at("core/mesh/test_subsets.py", "a_new_subset_may_take_over_a_traffic_policy"),
    ),
    Guard(
        "header-route-unmoved",
        "Header routes and mirrors are never put into a VirtualService that has changed since it was read.",
        COHORTS,
        "            edits[owner] = [unmoved(version), *operations]\n",
        "            edits[owner] = [*operations]\n",
        at("core/mesh/test_cohorts.py", "nothing_is_put_into_or_taken_out_of_another_version"),
    ),
    Guard(
        "header-route-still-there",
        "The route that is taken out is the one that the shift has put in.",
        COHORTS,
        '        operations += [operation("test", path, each.document), {"op": "remove", "path": path}]\n',
        '        operations += [{"op": "remove", "path": path}]\n',
        at("core/mesh/test_cohorts.py", "what_is_taken_out_is_tested_to_be_what_was_put_in"),
    ),
    Guard(
        "status-unmoved",
        "A status is never written over one that was decided on other facts (two controllers).",
        "meshshift/adapters/cluster.py",
        '[_unmoved(shift), {"op": "add", "path": "/status", "value": status}]',
        '[{"op": "add", "path": "/status", "value": status}]',
        at("adapters/test_cluster.py", "status_is_not_written_over_a_change"),
    ),
    Guard(
        "ownership-unmoved",
        "Ownership is given back only on the object that was read.",
        "meshshift/core/mesh/writers.py",
        "(unmoved(resource_version(document)), *edit)",
        "tuple(edit)",
        at("core/mesh/test_writers.py", "giving_back_tests_the_version_that_was_read"),
    ),
    Guard(
        "pointer-escapes",
        "A name with / or ~ in it cannot lead a patch to another place.",
        "meshshift/core/mesh/documents.py",
        ".replace('~', '~0').replace('/', '~1')",
        "",
        at("core/mesh/test_documents.py", "a_pointer_escapes_tilde_before_slash"),
    ),
    Guard(
        "round-down",
        "Rounding never gives the canary more than the step.",
        "meshshift/core/mesh/weights.py",
        "    canary = total * percent // 100\n",
        "    canary = -(-total * percent // 100)\n",
        at("core/mesh/test_weights.py", "the_canary_gets_the_most_that_the_step_allows_and_no_more"),
    ),
    Guard(
        "foreign-shares",
        "Destinations of others keep their share; ours is scaled within the rest.",
        "meshshift/core/mesh/weighted_route.py",
        "        return share(self.parts[0], percent,",
        "        return share(100, percent,",
        _edits("pair_weights_sum_to_their_share"),
    ),
    Guard(
        "foreign-untouched",
        "Only weights and our own entries are written, byte for byte nothing else.",
        EDITS,
        '        if differs:\n            yield operation("add" if',
        '        if True:\n            yield operation("add" if',
        _edits("nothing_foreign_changes", "an_entry_of_others_without_a_weight_is_not_given_one"),
    ),
    Guard(
        "too-small-writes-nowhere",
        "A step too small for one route is refused before any route is written.",
        EDITS,
        "        if too_small(route, percent):\n",
        "        if False:\n",
        _edits("a_step_too_small_for_one_route_writes_nowhere"),
    ),
)

SHAPES = (
    Guard(
        "shadowed",
        "A VirtualService that the sidecars do not obey is not shifted, and the one they obey is named.",
        ROUTES,
        "next(lost, None) or shadowed(working, services, confined=bool(asked))",
        "next(lost, None)",
        at("core/mesh/test_effect.py", "the_winner_is_named_with_the_reason"),
    ),
    Guard(
        "shadowed-begins-nothing",
        "A shift of routes that Istio ignores does not begin.",
        VIEW,
        "        routes=routes if begun or ignored is None else ignored,\n",
        "        routes=routes,\n",
        _view("a_shift_that_would_move_nobody_is_not_begun"),
    ),
    Guard(
        "hidden-begins-nothing",
        "Where a DestinationRule hides a subset from some callers, a shift does not begin.",
        VIEW,
        "        rule=rule if begun or hidden is None else hidden,\n",
        "        rule=rule,\n",
        _view("a_hidden_subset_keeps_a_shift_from_beginning_and_its_rule_stays_known_under_way"),
    ),
    Guard(
        "shadowed-way-back",
        "A route that loses its effect under way does not close the way back.",
        VIEW,
        "        routes=routes if begun or ignored is None else ignored,\n",
        "        routes=routes if ignored is None else ignored,\n",
        _view("a_shift_that_is_under_way_keeps_its_routes_and_hears_of_the_winner"),
    ),
    Guard(
        "hidden-subset",
        "A rule of the callers' own namespace that lacks the subset is found: they would get 503 (NC).",
        "meshshift/core/mesh/rule_lookup.py",
        "                if adding_to.get(subset) not in refs and present != labels:\n",
        "                if False:\n",
        at("core/mesh/test_rule_lookup.py", "a_rule_of_a_caller_without_the_subset_is_named_with_the_fix"),
    ),
    Guard(
        "delegate-ignored",
        "A delegate that nobody refers to is not shifted.",
        ROUTES,
        "why_ignored(carried.owner, carried.route, services) or why_unreachable",
        "why_unreachable",
        at("core/mesh/test_effect.py", "a_delegate_that_nobody_refers_to_is_refused"),
    ),
    Guard(
        "route-unreachable",
        "A route behind one that takes everything is not shifted.",
        ROUTES,
        "why_ignored(carried.owner, carried.route, services) or why_unreachable(carried.owner, carried.route)",
        "why_ignored(carried.owner, carried.route, services)",
        at("core/mesh/test_effect.py", "a_route_behind_one_that_takes_everything_is_never_reached"),
    ),
    Guard(
        "pins-stay",
        "A match route that pins the canary stays as it is.",
        ROUTES,
        "    if not names and route.matched and not weighted.has_stable:\n",
        "    if False:\n",
        _routes("a_matched_route_to_the_canary_is_a_pin_even_when_nothing_else_is_there"),
    ),
    Guard(
        "header-taken",
        "A condition that a route has on a header is never replaced by a cohort's.",
        COHORTS,
        "            if taken is not None:\n",
        "            if False:\n",
        at("core/mesh/test_cohorts.py", "a_route_that_asks_something_else_of_the_same_header_is_a_problem"),
    ),
    Guard(
        "header-taken-by-root",
        "No user is promised a version by a route that Istio leaves out, as it contradicts the root delegating to it.",
        COHORTS,
        "            if left_out is not None:\n",
        "            if False:\n",
        at("core/mesh/test_stickiness.py", "a_root_that_istio_cannot_join_with_a_cookie_is_a_problem"),
    ),
    Guard(
        "destination-twice",
        "A route that names one subset twice is refused: its weights have no one meaning.",
        FLAWS,
        "    return _ambiguity(route) or _lost_share(route)",
        "    return _lost_share(route)",
        _routes("one_subset_twice_on_a_route_is_refused"),
    ),
    Guard(
        "share-too-small",
        "Weights that parts of 100 cannot say are refused: a share of others would vanish.",
        FLAWS,
        " or _lost_share(route) or ",
        " or ",
        _routes("a_share_that_parts_of_100_cannot_say_is_refused"),
    ),
    Guard(
        "stable-headers",
        "Headers set on stable's destination are never given to the canary.",
        FLAWS,
        " or _headers_of_stable(route)\n",
        "\n",
        at("engine/test_bad_input.py", "it_is_told_in_full_and_the_mesh_is_untouched[headers-on-stable]"),
    ),
    Guard(
        "malformed",
        "A VirtualService of the service that cannot be understood is not written.",
        ROUTES,
        "        if service.defects and (",
        "        if False and (",
        _routes("a_malformed_document_of_ours_names_the_field_the_value_and_the_fix"),
    ),
    Guard(
        "wildcard-rule",
        "A DestinationRule is not created where it would replace a wildcard rule with its TLS settings and limits.",
        SUBSETS,
        "if _is_replaceable(each, target)), None)",
        "if False), None)",
        _view("a_wildcard_is_no_rule_for_the_host_and_must_not_be_replaced"),
    ),
)

BREAKING = (
    Guard(
        "settle-as-measured",
        "Settling takes as long as istiod's own measurements say that proxies take.",
        "meshshift/engine/settling.py",
        "max(least, min(LONGEST, _seconds(await telemetry.query(CONVERGENCE, at))))",
        "least",
        at("engine/test_settling.py", "the_longer_of_measured_and_configured_is_waited_for"),
    ),
    Guard(
        "add-settles",
        "A route names a subset only once the subset has had time to reach every proxy.",
        PREPARING,
        """return _settling(look, f"subset {' and '.join(names)}") if names else None""",
        "return None",
        course("missing_subset_is_added_settled_and_removed_on_rollback"),
    ),
    Guard(
        "created-rule-settles",
        "A created VirtualService names the subsets only once the created DestinationRule has settled.",
        PREPARING,
        'return _settling(look, "the DestinationRule") or _create(',
        "return _create(",
        _breaking("a_created_route_waits_until_the_created_rule_has_settled"),
    ),
    Guard(
        "weights-settle",
        "On the way back nothing is taken out before the weights have reached every proxy.",
        RESTORING,
        'return _weights(look) or _settle(look, "weights") or _added(look)',
        "return _weights(look) or _added(look)",
        _breaking("on_the_way_back_each_stage_settles_before_the_next"),
    ),
    Guard(
        "destinations-settle",
        "A subset goes only once no proxy can still hold a route that names it.",
        RESTORING,
        '    settling = _settle(look, "destinations")\n',
        "    settling = None\n",
        _breaking("on_the_way_back_each_stage_settles_before_the_next"),
    ),
    Guard(
        "header-routes-go-back",
        "Header routes and mirrors go with the weights, before anything that they name.",
        RESTORING,
        "    edits = joined(edits, extras)\n",
        "",
        at("engine/test_cohorts.py", "nothing_of_it_stays_after_an_abort_a_deletion_or_a_regression"),
    ),
    Guard(
        "header-route-without-pods",
        "Testers lose their header route at once when the canary has no ready pod left, at weight 0 as well.",
        "meshshift/core/rules.py",
        " and not run.extras.cohorts:\n",
        ":\n",
        at("engine/test_cohorts.py", "nothing_of_it_stays_after_an_abort_a_deletion_or_a_regression"),
    ),
    Guard(
        "leavings",
        "What a crashed predecessor has put in is cleared by whoever comes next.",
        "meshshift/core/progressing.py",
        '    if edits:\n        message = f"{look.at_weight}: {describe',
        '    if edits and run.extras.any:\n        message = f"{look.at_weight}: {describe',
        at("engine/test_cohorts.py", "what_a_crashed_predecessor_left_is_cleared_by_whoever_comes_next"),
    ),
    Guard(
        "only-what-was-added",
        "Only what this run added is removed.",
        RESTORING,
        "[(run.spec.canary, mesh.canary_users)] if run.added_subset else []",
        "[(run.spec.canary, mesh.canary_users)]",
        _breaking("a_subset_that_was_there_before_the_run_stays"),
    ),
    Guard(
        "subset-still-used",
        "A subset that a route or mirror of somebody else still sends to is not removed.",
        CONTROL,
        "    if users or look.rule is None or not is_as_added(",
        "    if look.rule is None or not is_as_added(",
        course("an_added_subset_that_somebody_else_uses_stays"),
    ),
    Guard(
        "subset-still-ours",
        "A subset that somebody has changed since it was added is not removed.",
        CONTROL,
        "or not is_as_added(look.rule, subset.name, subset.labels, like=like)",
        "",
        _breaking("an_added_subset_that_somebody_changed_stays"),
    ),
    Guard(
        "canary-ready-first",
        "No weight goes to a subset without a ready pod.",
        PREPARING,
        "        if ready[arm] == 0:\n",
        "        if False:\n",
        course("nothing_is_shifted_without_a_ready_canary"),
    ),
    Guard(
        "stable-subset-on-the-way-back",
        "The way back gives no weight to a stable subset that is gone.",
        RESTORING,
        "    if look.seen.mesh.stable_labels is None:\n",
        "    if False:\n",
        drift("the_way_back_gives_no_weight_to_a_stable_subset_that_is_gone"),
    ),
    Guard(
        "stable-ready-on-the-way-back",
        "The way back gives no weight to a stable subset without ready pods while the canary has some.",
        RESTORING,
        "    if endpoints.stable_ready == 0 and endpoints.canary_ready > 0:\n",
        "    if False:\n",
        drift("a_deleted_shift_that_cannot_give_traffic_back_is_let_go_after_ten_minutes"),
    ),
    Guard(
        "mid-way",
        "A run does not begin on weights that somebody left mid-way, unless a person or onDrift: Adopt says so.",
        PREPARING,
        "_already_there, unfit",
        "unfit",
        drift("a_mesh_mid_way_waits_for_a_person_and_begins_there_when_told_to_resume"),
    ),
)
