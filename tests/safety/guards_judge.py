"""The judge: what its two promises, at most 1 false rollback in 100 and 1 false promotion in 20, rest on."""

from __future__ import annotations

from tests.safety.guard import Guard, at

JUDGE = "meshshift/core/judge.py"
QUESTION = "meshshift/core/question.py"
ALARM = "meshshift/core/alarm.py"


def _judge(*names: str) -> tuple[str, ...]:
    return at("core/test_judge.py", *names)


JUDGING = (
    Guard(
        "judge-projection",
        "Evidence is expected not to grow against a canary on the margin (Ville's inequality needs it).",
        "meshshift/core/evidence.py",
        "    x = _projected_stable_rate(n_c, n_s, q_c, q_s, margin)\n",
        "    x = q_s\n",
        at("core/test_evidence.py", "a_canary_within_the_margin_is_expected_to_raise_no_evidence"),
    ),
    Guard(
        "judge-bar",
        "A rollback takes evidence of 1 over the chance that is allowed for a false one.",
        JUDGE,
        "        regression = sum(parts) * self.settings.false_rollback >= 1.0\n",
        "        regression = sum(parts) * self.settings.false_rollback >= 0.01\n",
        at(
            "core/test_judge_worlds.py",
            "false_rollbacks_on_the_margin_stay_within_the_promise_through_shared_outages",
        ),
    ),
    Guard(
        "judge-once",
        "A window is counted once, however often its pass is repeated.",
        JUDGE,
        "        if tick.end <= self.until:\n            return self\n        if tick.start",
        "        if tick.start",
        _judge("a_tick_is_ingested_once"),
    ),
    Guard(
        "judge-no-overlap",
        "No part of a window is counted twice.",
        JUDGE,
        "        if tick.start < self.until:\n",
        "        if False:\n",
        _judge("half_seen_ticks_are_refused"),
    ),
    Guard(
        "judge-cap",
        "No single scrape rolls back a calm canary.",
        ALARM,
        "        if total > room:\n",
        "        if False:\n",
        _judge("no_single_scrape_rolls_back_a_calm_canary_but_two_do"),
    ),
    Guard(
        "judge-proof-cap",
        "No single scrape proves a canary good.",
        ALARM,
        "exp(min(log_e, step))",
        "exp(log_e)",
        at("core/test_evidence_wealth.py", "a_proof_takes_three_ticks_from_nothing_and_stays_bounded"),
    ),
    Guard(
        "judge-fresh-starts",
        "A regression after a long good run is still found.",
        ALARM,
        "    fresh = reserve * min(0.5, seconds / RENEWAL)\n",
        "    fresh = 0.0 * seconds\n",
        _judge("a_regression_after_a_day_of_good_running_is_still_found"),
    ),
    Guard(
        "judge-warm-up",
        "Canary pods that warm up may stumble: only a catastrophe counts.",
        QUESTION,
        "        least = CATASTROPHE if warming_up else 1.0\n",
        "        least = 1.0\n",
        _judge("warming_up_only_a_catastrophe_counts"),
    ),
    Guard(
        "judge-catastrophe",
        "A catastrophe counts, also while the canary's pods warm up.",
        QUESTION,
        "        least = CATASTROPHE if warming_up else 1.0\n",
        "        least = float('inf') if warming_up else 1.0\n",
        _judge("warming_up_only_a_catastrophe_counts"),
    ),
    Guard(
        "judge-proven",
        "The next weight is earned by proof that the canary keeps within the harm budget.",
        JUDGE,
        "            allowed=not regression and proven and all(",
        "            allowed=not regression and all(",
        _judge("the_first_weight_is_taken_on_faith_and_the_next_is_earned"),
    ),
    Guard(
        "judge-calm",
        "Nothing rises while an alarm is under way.",
        JUDGE,
        " and proven and all(finding.calm for finding in findings)",
        " and proven",
        _judge("nothing_rises_while_an_alarm_is_under_way"),
    ),
    Guard(
        "judge-full-weight",
        "Spare requests never stand in for the proof that 100 % asks for.",
        JUDGE,
        "        if weight < 1.0 and self.rps > 0.0:\n",
        "        if self.rps > 0.0:\n",
        _judge("low_traffic_spends_its_spare_requests_but_never_at_full_weight"),
    ),
    Guard(
        "judge-weakest-boundary",
        "A canary that is slow at one boundary only is not promoted.",
        "meshshift/core/course.py",
        "        return min((question.proofs.value(rung)",
        "        return max((question.proofs.value(rung)",
        _judge("every_boundary_must_be_proven_and_the_alarm_is_their_mean"),
    ),
    Guard(
        "judge-unlike-stable",
        "A canary just like stable is hardly ever rolled back.",
        QUESTION,
        "        return min(self.suspicion, max(suspicious(far), self.unlike.value / CAUTION))\n",
        "        return self.suspicion\n",
        _judge("a_handful_of_failures_is_suspicious_but_rolls_back_only_with_one_more"),
    ),
    Guard(
        "judge-shared-outage",
        "A canary that misses its objective no more than stable does, within tolerance, is not blamed.",
        QUESTION,
        "        return min(relative, self.objective.value) if self.objective else relative\n",
        "        return self.objective.value if self.objective else relative\n",
        _judge("a_canary_hardly_worse_than_a_stable_that_misses_the_objective_is_not_blamed"),
    ),
    Guard(
        "judge-clumps",
        "Failures that come in clumps count as one each.",
        QUESTION,
        "        rate, phi = self.baseline.rate, self.baseline.dispersion\n",
        "        rate, phi = self.baseline.rate, 1.0\n",
        at("core/test_judge_worlds.py", "clumps_that_were_measured_before_the_run_cause_no_rollbacks"),
    ),
)
