"""Shifts that leave something to a ShiftPolicy."""

from __future__ import annotations

from tests.safety.guard import Guard, at

ENGINE = "meshshift/engine/policies.py"


def _tests(*names: str) -> tuple[str, ...]:
    return at("engine/test_policies.py", *names)


POLICIES = (
    Guard(
        "policy-missing",
        "Without the policy that it names a shift touches nothing.",
        ENGINE,
        "        raise PolicyNotFound(name, key_of(shift)[0])\n",
        "        return memory.spec_of(shift)\n",
        _tests("without_its_policy_a_shift_touches_nothing_and_begins_once_it_is_there"),
    ),
    Guard(
        "policy-gone-under-way",
        "A policy that vanishes or breaks under way takes nothing from the run: neither its steps nor its guard.",
        ENGINE,
        "        return Asked(kept, kept.digest, problem_of(invalid))\n",
        "        raise\n",
        _tests(
            "whatever_becomes_of_its_policy_a_run_goes_on_as_it_began[gone-True]",
            "a_bad_canary_is_taken_back_while_the_policy_is_gone",
        ),
    ),
    Guard(
        "policy-edited",
        "An edit of a policy starts no shift anew, neither one under way nor one that has ended.",
        "meshshift/core/look.py",
        "not in {self.seen.spec_hash, self.seen.kept_hash}",
        "not in {self.seen.spec_hash}",
        _tests(
            "whatever_becomes_of_its_policy_a_run_goes_on_as_it_began[edited-False]",
            "a_finished_shift_is_not_begun_anew_by_its_policy",
        ),
    ),
    Guard(
        "policy-frozen",
        "A run keeps the steps and settings it was started with, whatever its policy says by now.",
        "meshshift/engine/reconcile.py",
        "else Checkpoint(run, stored.wire_spec, policy)",
        "else Checkpoint(run, parsed.wire, policy)",
        _tests("whatever_becomes_of_its_policy_a_run_goes_on_as_it_began[edited-True]"),
    ),
    Guard(
        "policy-kept",
        "The policy that a run began with is kept with it, until the present one says the same.",
        "meshshift/engine/reconcile.py",
        "    same = asked.problem is None and parsed.digest == run.spec_hash\n",
        "    same = True\n",
        _tests("whatever_becomes_of_its_policy_a_run_goes_on_as_it_began[edited-True]"),
    ),
    Guard(
        "policy-needed-to-begin",
        "No new run begins by what a policy said that is gone, or makes no sense.",
        "meshshift/core/preparing.py",
        "    if seen.unspecified is not None:\n",
        "    if False:\n",
        _tests("an_edit_of_the_shift_while_its_policy_is_gone_goes_back_and_waits_for_it"),
    ),
    Guard(
        "policy-reread",
        "An edited policy is read anew.",
        "meshshift/engine/memory.py",
        "            if each.policy == policy:\n",
        "            if True:\n",
        _tests("the_next_run_takes_the_policy_as_it_is_then"),
    ),
    Guard(
        "policy-overruled",
        "What a shift says itself wins over its policy.",
        "meshshift/api/policies.py",
        "    return {**given, **own}\n",
        "    return {**own, **given}\n",
        _tests("the_fields_of_the_shift_itself_win"),
    ),
    Guard(
        "policy-wakes",
        "A policy that appears or changes is heard of by every shift that names it.",
        "meshshift/operator/watches.py",
        "            self._wake(self.world.shifts_of_policy(key_of(document)))\n",
        "            pass\n",
        at("operator/test_watches.py", "a_policy_wakes_the_shifts_that_name_it_and_no_others"),
    ),
)
