"""Prometheus: what is counted, when, and whose it is; and what is never taken for an answer."""

from __future__ import annotations

from tests.safety.guard import Guard, at, course

TELEMETRY = "meshshift/core/telemetry.py"
HTTP = "meshshift/adapters/prometheus_http.py"
RULES = "meshshift/core/rules.py"
DEFICIT = "meshshift/core/deficit.py"
OBSERVE = "meshshift/engine/observe.py"
PROGRESSING = "meshshift/core/progressing.py"


def _telemetry(*names: str) -> tuple[str, ...]:
    return at("core/test_telemetry.py", *names)


def _prometheus(*names: str) -> tuple[str, ...]:
    return at("adapters/test_prometheus.py", *names)


def _checks(*names: str) -> tuple[str, ...]:
    return at("engine/test_checks.py", *names)


COUNTERS = (
    Guard(
        "counter-nan",
        "A counter that is NaN, infinite or negative is no data for anybody: the shift is held and says which.",
        TELEMETRY,
        "        if not 0.0 <= series.value < inf:\n",
        "        if False:\n",
        _telemetry("a_value_that_no_counter_can_have_names_the_series"),
    ),
    Guard(
        "counter-reset",
        "A counter that dropped was reset by a restart: it counts from 0, never backwards.",
        TELEMETRY,
        "series.value - was if series.value >= was else series.value",
        "series.value - was",
        _telemetry("a_drop_is_a_restart_and_counts_from_zero"),
    ),
    Guard(
        "histogram-reset",
        "One bucket that dropped resets the whole histogram.",
        TELEMETRY,
        "        yield labels, buckets if restarted else {",
        "        yield labels, {",
        _telemetry("one_bucket_that_dropped_restarts_the_whole_histogram"),
    ),
    Guard(
        "past-of-new-proxy",
        "The past of a proxy that is found late is not taken for this minute's traffic.",
        TELEMETRY,
        "        if _proxy(labels) in known:\n            yield labels, series",
        "        if True:\n            yield labels, series",
        _telemetry("a_proxy_new_to_prometheus_is_not_taken_for_this_minutes_traffic"),
    ),
    Guard(
        "stale-samples",
        "Counters that are held but not scraped any more are no data, also when Prometheus' clock is off.",
        TELEMETRY,
        "    if after.newest is not None and after.newest <= before.at:\n",
        "    if False:\n",
        _telemetry("a_prometheus_that_stopped_scraping_gives_no_fresh_data"),
    ),
    Guard(
        "no-series",
        "No series is no data, never no failures.",
        TELEMETRY,
        "    if not after.requests:\n        return NoData(",
        "    if False:\n        return NoData(",
        _telemetry("no_series_is_no_data_and_says_what_was_asked"),
    ),
    Guard(
        "response-code",
        "Requests whose outcome a Telemetry resource has cut off are not taken for good ones.",
        TELEMETRY,
        '        if not _label(series, "response_code"):\n',
        "        if False:\n",
        _telemetry("requests_without_a_response_code_are_bad_data"),
    ),
    Guard(
        "misdirected",
        "Requests that reach neither subset's workloads are no data, and the workloads are named.",
        TELEMETRY,
        "    if elsewhere and not (tick.answered or tick.unattributed.total):\n",
        "    if False:\n",
        _telemetry("requests_that_only_reach_other_workloads_are_no_data_and_named"),
    ),
    Guard(
        "one-scrape-in-the-past",
        "A window is read only once its last scrape is complete.",
        "meshshift/core/ticks.py",
        "    end = math.floor((now - lag) / interval) * interval\n    return Window(until, end)",
        "    end = math.floor(now / interval) * interval\n    return Window(until, end)",
        at("core/test_ticks.py", "a_window_is_read_only_once_its_last_scrape_is_complete"),
    ),
    Guard(
        "one-reporter",
        "The client's and the server's proxy are never summed.",
        "meshshift/adapters/prometheus.py",
        "        if settled:\n            return settled\n",
        "",
        _prometheus("the_reporter_of_a_service_does_not_change_under_a_run"),
    ),
    Guard(
        "unattributed",
        "What Istio cannot attribute is given to no arm.",
        "meshshift/core/attribution.py",
        'return "unattributed" if silent else "other"',
        'return "stable"',
        _telemetry("traffic_goes_to_the_arm_that_istio_names_and_is_kept_apart_otherwise"),
    ),
    Guard(
        "dead-canary",
        "A canary that refuses every connection is rolled back, although no series names it.",
        DEFICIT,
        "        if newly <= 0.0:\n",
        "        if True:\n",
        course("a_canary_that_refuses_every_connection_is_rolled_back_although_no_series_names_it"),
    ),
    Guard(
        "dead-stable",
        "Failures of stable that reach nobody are not blamed on the canary.",
        DEFICIT,
        "min(seen.lost, lacking)",
        "seen.lost",
        at("core/test_deficit.py", "a_dead_stable_is_not_the_canarys_fault"),
    ),
    Guard(
        "lack-by-chance",
        "What a healthy canary lacks by chance is not blamed on it.",
        DEFICIT,
        " - SIGMAS * math.sqrt(seen.variance)",
        "",
        at("core/test_deficit.py", "a_healthy_canary_is_almost_never_blamed"),
    ),
)

ANSWERS = (
    Guard(
        "answer-partial",
        "An answer with warnings (part of the data is missing) is an error.",
        HTTP,
        '    if answer.get("warnings"):\n',
        "    if False:\n",
        _prometheus("every_fault_is_an_error_with_a_reason"),
    ),
    Guard(
        "answer-bounded",
        "An answer without end is given up, and takes no memory.",
        HTTP,
        "        if length > LONGEST_ANSWER:\n            return None\n",
        "",
        at("hostile/test_prometheus_answers.py", "an_answer_without_end_is_given_up"),
    ),
    Guard(
        "clocks-apart",
        "A Prometheus whose clock is more than 5 s off is an error: its samples would be those of another moment.",
        HTTP,
        "        if abs(apart) > TOLERANCE and at",
        "        if False and at",
        at("adapters/test_clocks.py", "a_prometheus_in_another_minute_is_an_error_that_says_what_to_do"),
    ),
    Guard(
        "no-late-increase",
        "An increase that was decided but not yet written is not written in blindness.",
        PROGRESSING,
        "        if not run.by_person and any(",
        "        if False and any(",
        at("engine/test_faults_telemetry.py", "nothing_rises_in_blindness_although_it_was_decided_before"),
    ),
    Guard(
        "answer-in-time",
        "A Prometheus that trickles its answer does not hold a shift up for ever.",
        HTTP,
        "            async with asyncio.timeout(self._settings.timeout):\n",
        "            async with asyncio.timeout(None):\n",
        _prometheus("a_prometheus_that_trickles_is_a_timeout"),
    ),
    Guard(
        "answer-of-any-shape",
        "An answer of any shape is samples or an error, never an exception.",
        HTTP,
        "    except (LookupError, TypeError, ValueError, OverflowError) as error:\n",
        "    except LookupError as error:\n",
        at("hostile/test_prometheus_answers.py", "success_of_any_shape_is_samples_or_an_error"),
    ),
    Guard(
        "guests-wait",
        "Users' queries that hang do not keep the counters of all shifts waiting.",
        "meshshift/adapters/prometheus.py",
        "        async with self._guests:\n            found",
        "        if True:\n            found",
        _prometheus("users_queries_that_hang_do_not_keep_the_counters_waiting"),
    ),
    Guard(
        "bad-data-passed-over",
        "A broken counter holds a shift for as long as it is broken, not for ever.",
        RULES,
        "    if isinstance(tick, BadData) and latest",
        "    if False and latest",
        at("engine/test_current_evidence.py", "a_window_that_begins_with_a_broken_counter_is_passed_over"),
    ),
    Guard(
        "bad-data-window-due",
        "While counters cannot be read no look in between raises the weight.",
        RULES,
        "run.evidence.skip_to(last_window(run.spec.analysis.judge.interval, latest).start)",
        "run.evidence.skip_to(latest)",
        course("a_look_between_the_windows_raises_nothing_while_counters_are_not_numbers"),
    ),
    Guard(
        "telemetry-stale",
        "Nothing rises on evidence that is older than two intervals.",
        PROGRESSING,
        "    if found is None and look.stale:\n",
        "    if False:\n",
        at("engine/test_current_evidence.py", "nothing_rises_on_old_evidence_though_everything_was_proven"),
    ),
    Guard(
        "learned-first",
        "Stable's own rate is known before the first weight.",
        "meshshift/core/preparing.py",
        "    for rule in (_already_there, unfit, _unsticky, _add_subsets, _too_few, _unready, _unlearned):\n",
        "    for rule in (_already_there, unfit, _unsticky, _add_subsets, _unready):\n",
        course("a_service_that_has_just_begun_is_learned_from_first"),
    ),
    Guard(
        "learned-without-gap",
        "Windows before a gap are not learned from: the traffic would look smaller, the proofs too easy.",
        OBSERVE,
        "        if not isinstance(reading, Tick):\n            break\n",
        "        if not isinstance(reading, Tick):\n            continue\n",
        at("engine/test_current_evidence.py", "windows_before_a_gap_are_not_learned_from"),
    ),
    Guard(
        "check-latest",
        "A pass of a while ago does not stand in for silence now.",
        "meshshift/core/checking.py",
        " or state.at < latest:\n",
        ":\n",
        _checks("a_pass_before_telemetry_fell_silent_does_not_advance_after_it"),
    ),
    Guard(
        "check-of-this-weight",
        "A pass under the last weight does not count for the next one.",
        "meshshift/core/checking.py",
        "    since = began + interval\n",
        "    since = began - interval\n",
        _checks("queries_are_asked_for_whole_intervals_of_the_present_weight"),
    ),
    Guard(
        "check-once",
        "An instant is counted once, however often its pass is repeated.",
        "meshshift/core/checks.py",
        "        if at <= self.at:\n            return self\n",
        "",
        at("core/test_checks.py", "an_instant_counts_once_and_in_order"),
    ),
    Guard(
        "check-not-finite",
        "NaN and infinity neither pass nor fail.",
        "meshshift/core/checks.py",
        "    if not math.isfinite(value):\n",
        "    if False:\n",
        at("core/test_checks.py", "a_division_by_no_requests_is_no_data"),
    ),
    Guard(
        "check-several-series",
        "Several series are not one number.",
        "meshshift/core/checks.py",
        "    if len(answer) > 1:\n",
        "    if False:\n",
        at("core/test_checks.py", "several_series_are_an_error_that_shows_some_and_says_what_to_do"),
    ),
    Guard(
        "check-must-pass",
        "No weight rises while a check has not passed.",
        "meshshift/core/look.py",
        "self.assessment.allowed and all(check.standing is Standing.PASSED for check in self.checks)",
        "self.assessment.allowed",
        _checks("a_failing_check_keeps_the_next_weight_back_and_says_so"),
    ),
)
