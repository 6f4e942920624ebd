"""What comes from outside: specs, names, checkpoints, and services that are not fit for a shift."""

from __future__ import annotations

from tests.safety.guard import Guard, at, course

PROMQL = "meshshift/adapters/promql.py"
TEMPLATE = "meshshift/core/template.py"
GROUNDWORK = "meshshift/core/groundwork.py"
STORED = "meshshift/engine/stored_run.py"


def _case(*names: str) -> tuple[str, ...]:
    return at("engine/test_bad_input.py", *(f"it_is_told_in_full_and_the_mesh_is_untouched[{name}]" for name in names))


INPUT = (
    Guard(
        "spec-invalid",
        "A spec that is not valid touches nothing, and the message names field, value and fix.",
        "meshshift/engine/reconcile.py",
        "return None, _released(invalid(problem_of(error), run), deleted), stored, None",
        "raise",
        course("an_invalid_spec_touches_nothing_and_says_why"),
    ),
    Guard(
        "promql-quoted",
        "No name of a service or label leaves its quotes in PromQL.",
        PROMQL,
        "    return f'\"{value.translate(_QUOTED)}\"'\n",
        "    return f'\"{value}\"'\n",
        at("adapters/test_prometheus.py", "values_cannot_break_out_of_a_query"),
    ),
    Guard(
        "promql-literal",
        "A name within a regular expression matches only itself.",
        PROMQL,
        "_quote('|'.join(value.translate(_LITERAL) for value in distinct))",
        "_quote('|'.join(distinct))",
        at("adapters/test_prometheus.py", "values_cannot_break_out_of_a_query"),
    ),
    Guard(
        "template-quoted",
        "No value that is put into a user's query leaves its string.",
        TEMPLATE,
        'return "".join(char if _PLAIN.fullmatch(char) else _escape(char) for char in value)',
        "return value",
        at("core/test_template.py", "no_value_can_leave_its_string_and_every_value_arrives"),
    ),
    Guard(
        "template-empty",
        "A subset without pods has no expression, rather than one that matches everything.",
        TEMPLATE,
        "    if not workloads:\n        raise Unknown(",
        "    if False:\n        raise Unknown(",
        at("core/test_template.py", "a_subset_without_pods_has_no_expression_rather_than_one_that_matches_anything"),
    ),
    Guard(
        "path-segment",
        "No name walks to another path of the API server.",
        "meshshift/adapters/kube.py",
        "    if not _SEGMENT.fullmatch(text):\n",
        "    if False:\n",
        at("adapters/test_kube.py", "a_name_never_walks_to_another_path"),
    ),
    Guard(
        "gate-silence",
        "A gate that cannot be reached never opens.",
        "meshshift/core/gate_call.py",
        "        return Word.FAILED\n\n",
        "        return Word.OPEN\n\n",
        at("engine/test_gate.py", "a_gate_that_fails_is_tried_again_and_then_counts_as_refused"),
    ),
    Guard(
        "gate-address",
        "No shift can make the controller post to itself, or to where clouds keep credentials.",
        "meshshift/adapters/notifier_http.py",
        "    return not own or",
        "    return True or",
        at("adapters/test_gates.py", "neither_the_own_pod_nor_link_local_addresses_are_asked"),
    ),
    Guard(
        "receiver-networks",
        "What `--receiver-networks` opens is these networks, and none beside them.",
        "meshshift/adapters/notifier_http.py",
        "any(plain in network for network in opened)",
        "bool(opened)",
        at(
            "adapters/test_notifier.py",
            "who_installs_the_controller_may_open_networks_and_no_more_than_these[127.0.0.2-False]",
        ),
    ),
    Guard(
        "gate-redirect",
        "No gate can send the controller, and its token, to another address.",
        "meshshift/adapters/notifier_http.py",
        "allow_redirects=False",
        "allow_redirects=True",
        at("adapters/test_gates.py", "a_redirect_is_an_answer_and_not_followed"),
    ),
    Guard(
        "checkpoint-fields",
        "A checkpoint with a field of another type or range is refused with field and value.",
        STORED,
        "    if not holds(value):\n",
        "    if False:\n",
        at("engine/test_stored_run.py", "field_value_and_what_was_expected_are_named"),
    ),
    Guard(
        "checkpoint-weights",
        "A checkpoint that wants a weight beyond 0 to 100 is refused.",
        STORED,
        "        if percent is not None and not 0 <= percent <= 100:\n",
        "        if False:\n",
        _case("checkpoint-desired-beyond-100", "checkpoint-desired-negative"),
    ),
    Guard(
        "checkpoint-step",
        "A checkpoint that stands on a step which does not exist is refused.",
        STORED,
        "    if not -1 <= run.step <= last:\n",
        "    if False:\n",
        _case("checkpoint-step-beyond-last", "checkpoint-step-negative"),
    ),
    Guard(
        "checkpoint-format",
        "A checkpoint of another release is told, not guessed at.",
        "meshshift/engine/checkpoint.py",
        '        if (written := state.pop("format", None)) != FORMAT:\n',
        '        if (written := state.pop("format", None)) == "":\n',
        _case("checkpoint-newer-release"),
    ),
    Guard(
        "spec-cached-by-generation",
        "An edited spec is parsed anew.",
        "meshshift/engine/memory.py",
        "        known = [each for each in self._specs.get(key, ()) if each.version == version]\n",
        "        known = list(self._specs.get(key, ()))\n",
        at("engine/test_memory.py", "a_spec_is_parsed_anew_only_when_it_changed"),
    ),
    Guard(
        "unselective-service",
        "A Service that selects no pods by label is not shifted.",
        GROUNDWORK,
        "_unselective(look) or _unlike_spec(look)",
        "_unlike_spec(look)",
        _case("service-without-selector"),
    ),
    Guard(
        "subset-unlike-spec",
        "A subset that selects other pods than the spec says is not shifted to.",
        GROUNDWORK,
        " or _unlike_spec(look) or ",
        " or ",
        _case("canary-labels-differ", "stable-labels-differ"),
    ),
    Guard(
        "overlapping-subsets",
        "Subsets that share their pods are not shifted: the canary would be compared with itself.",
        GROUNDWORK,
        " or _overlapping(look)",
        "",
        _case("subsets-same-labels", "subsets-without-labels"),
    ),
)
