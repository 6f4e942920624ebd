from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from meshshift.adapters.metrics import Metrics
from meshshift.adapters.metrics_catalog import CATALOG, Metric, MetricType
from meshshift.core.run import Phase
from meshshift.engine.failures import Conflict, NotFound, Refused, Transient
from tests.adapters.story import OUTAGE, Story, spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshshift.engine.ports import Key

SHIFT = {"namespace": "bookinfo", "name": "reviews"}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="1.2.3")


@pytest.fixture
def story(metrics: Metrics) -> Story:
    return Story(metrics)


def scraped(metrics: Metrics) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            yield sample.name, dict(sample.labels), sample.value


def series(metrics: Metrics, wanted: str, /, **labels: str) -> list[tuple[dict[str, str], float]]:
    """The samples of that name whose labels hold all of `labels`."""
    return [
        (found, value) for name, found, value in scraped(metrics) if name == wanted and labels.items() <= found.items()
    ]


def value(metrics: Metrics, wanted: str, /, **labels: str) -> float | None:
    found = series(metrics, wanted, **labels)
    assert len(found) <= 1, found
    return found[0][1] if found else None


def weight(metrics: Metrics, subset: str, source: str) -> float | None:
    return value(metrics, "meshshift_shift_weight_ratio", **SHIFT, subset=subset, source=source)


def decisions(metrics: Metrics) -> dict[tuple[str, str], float]:
    return {(found["kind"], found["reason"]): count for found, count in series(metrics, "meshshift_decisions_total")}


def durations(metrics: Metrics) -> dict[str, float]:
    """How many runs have ended, by outcome."""
    found = series(metrics, "meshshift_shift_duration_seconds_count")
    return {labels["outcome"]: count for labels, count in found if count}


def rollbacks(metrics: Metrics) -> dict[str, float]:
    return {labels["reason"]: count for labels, count in series(metrics, "meshshift_rollbacks_total") if count}


def everything_once(metrics: Metrics) -> None:
    """Everything that can happen beside shifts."""
    metrics.watch_queue(lambda: 3)
    metrics.dequeued(0.02)
    metrics.reconciled(0.01)
    metrics.wrote("VirtualService", "ok")
    metrics.heard("pods", 1_800_000_000.0)
    metrics.missed("pods", 1)
    metrics.queried("requests", 0.1, "Unreachable")
    metrics.led(True)


def sample_names(metric: Metric) -> set[str]:
    if metric.type is MetricType.HISTOGRAM:
        return {f"{metric.name}_{part}" for part in ("bucket", "count", "sum")}
    return {metric.name}


def test_every_catalogued_metric_is_exported_for_a_shift_in_progress_with_its_labels(
    metrics: Metrics, story: Story
) -> None:
    everything_once(metrics)
    story.begin()
    found = {name: set(labels) - {"le"} for name, labels, _ in scraped(metrics)}
    for metric in CATALOG:
        for name in sample_names(metric):
            assert found.get(name) == set(metric.label_names), name


def test_nothing_is_exported_that_is_not_catalogued(metrics: Metrics, story: Story) -> None:
    everything_once(metrics)
    story.begin()
    known = {name for metric in CATALOG for name in sample_names(metric)}
    strange = {name for name, _, _ in scraped(metrics) if name not in known}
    assert {name for name in strange if not name.startswith("process_")} == {"python_info"}


def test_help_and_type_are_the_catalogues(metrics: Metrics, story: Story) -> None:
    story.begin()
    families = {family.name: family for family in text_string_to_metric_families(metrics.render().decode())}
    for metric in CATALOG:
        family = families[metric.name.removesuffix("_total")]
        assert (family.documentation, family.type) == (metric.meaning, metric.type)


def test_labels_take_the_catalogued_values_only(metrics: Metrics, story: Story) -> None:
    everything_once(metrics)
    story.begin()
    story.go_on(failing=0.3)
    closed = {(m.name, label.name): set(label.values) for m in CATALOG for label in m.labels if label.values}
    for name, labels, _ in scraped(metrics):
        for label, found in labels.items():
            assert found in closed.get((name, label), {found})


def test_a_shift_tells_what_it_is_about_and_where_it_stands(metrics: Metrics, story: Story) -> None:
    story.begin()
    about = {"service": "reviews", "strategy": "canary", "stable": "v1", "canary": "v2"}
    assert series(metrics, "meshshift_shift_info") == [({**SHIFT, **about}, 1)]
    phases = {labels["phase"]: state for labels, state in series(metrics, "meshshift_shift_phase", **SHIFT)}
    assert phases == {phase: float(phase is Phase.PROGRESSING) for phase in Phase}
    assert value(metrics, "meshshift_shift_step", **SHIFT) == 1
    assert value(metrics, "meshshift_shift_steps", **SHIFT) == 3


def test_the_phase_is_the_one_that_people_are_shown(metrics: Metrics, story: Story) -> None:
    story.begin()
    story.look(command="pause")
    story.look()
    assert story.run is not None
    assert story.run.phase is Phase.PROGRESSING
    assert value(metrics, "meshshift_shift_phase", **SHIFT, phase="Paused") == 1


def test_weights_are_told_as_wanted_as_written_and_as_counted(metrics: Metrics, story: Story) -> None:
    story.begin()
    for source in ("desired", "observed", "measured"):
        assert weight(metrics, "v2", source) == pytest.approx(0.05)
        assert weight(metrics, "v1", source) == pytest.approx(0.95)


def test_the_measured_weight_is_what_the_proxies_counted_not_what_was_asked(metrics: Metrics, story: Story) -> None:
    story.begin()
    story.weights = [20]
    story.judge()
    assert weight(metrics, "v2", "desired") == pytest.approx(0.05)
    assert weight(metrics, "v2", "measured") == pytest.approx(0.20)
    assert weight(metrics, "v2", "observed") == pytest.approx(0.20)


def test_routes_that_disagree_are_no_observed_weight(metrics: Metrics, story: Story) -> None:
    story.weights = [0, 0]
    story.begin()
    story.weights = [5, 30]
    story.look()
    assert weight(metrics, "v2", "observed") is None
    assert weight(metrics, "v2", "desired") == pytest.approx(0.05)


def test_a_look_without_a_new_window_keeps_the_last_measured_weight(metrics: Metrics, story: Story) -> None:
    story.begin()
    story.look()
    assert weight(metrics, "v2", "measured") == pytest.approx(0.05)


def test_no_traffic_is_no_measured_weight(metrics: Metrics, story: Story) -> None:
    story.begin()
    story.judge(requests=0)
    assert weight(metrics, "v2", "measured") is None


def test_nothing_is_called_measured_once_nobody_measures(metrics: Metrics, story: Story) -> None:
    story.begin()
    story.go_on()
    assert weight(metrics, "v2", "measured") is None
    assert weight(metrics, "v2", "desired") == 1
    assert value(metrics, "meshshift_last_telemetry_timestamp_seconds", **SHIFT) is None


def test_bad_ratios_cover_the_run_so_far(metrics: Metrics, story: Story) -> None:
    story.begin()
    story.judge(failing=0.1)
    labels = {**SHIFT, "indicator": "success-rate"}
    assert value(metrics, "meshshift_indicator_requests", **labels, subset="v2") == pytest.approx(300)
    assert value(metrics, "meshshift_indicator_bad_ratio", **labels, subset="v2") == pytest.approx(0.05)
    assert value(metrics, "meshshift_indicator_bad_ratio", **labels, subset="v1") == 0


def test_a_subset_without_requests_has_no_bad_ratio(metrics: Metrics, story: Story) -> None:
    while not (story.run and story.run.applied and story.run.desired):
        story.look()
    assert value(metrics, "meshshift_indicator_requests", **SHIFT, subset="v2") == 0
    assert value(metrics, "meshshift_indicator_bad_ratio", **SHIFT, subset="v2") is None


def test_evidence_crosses_its_bar_when_a_regression_is_proven_and_stays_to_be_seen(
    metrics: Metrics, story: Story
) -> None:
    story.begin()
    worse = {**SHIFT, "indicator": "success-rate", "claim": "worse"}
    before, bar = (value(metrics, f"meshshift_evidence{part}_log10", **worse) for part in ("", "_bar"))
    assert before is not None
    assert bar is not None
    assert before < bar
    story.go_on(failing=0.3)
    story.look()
    after = value(metrics, "meshshift_evidence_log10", **worse)
    assert after is not None
    assert after >= bar


def test_a_refused_command_leaves_the_evidence_to_be_seen(metrics: Metrics, story: Story) -> None:
    story.begin()
    before = series(metrics, "meshshift_evidence_log10")
    story.look(command="resume")
    assert series(metrics, "meshshift_evidence_log10") == before


def test_a_number_of_requests_that_cannot_be_had_is_infinite(metrics: Metrics, story: Story) -> None:
    story.begin()
    story.judge(failing=0.1)
    assert value(metrics, "meshshift_indicator_requests_needed", **SHIFT) == float("inf")
    assert 'indicator="success-rate"} +Inf\n' in metrics.render().decode()


def test_a_claim_that_needs_no_proof_has_neither_evidence_nor_bar(metrics: Metrics) -> None:
    story = Story(metrics, spec=spec(steps=(100,)))
    story.begin()
    assert story.run is not None
    assert story.run.upcoming is None
    for part in ("", "_bar"):
        claims = [labels["claim"] for labels, _ in series(metrics, f"meshshift_evidence{part}_log10")]
        assert claims == ["worse"]


def test_a_new_run_does_not_show_the_last_runs_evidence(metrics: Metrics, story: Story) -> None:
    story.begin()
    story.go_on(failing=0.3)
    story.look(command="retry")
    assert series(metrics, "meshshift_evidence_log10") == []
    assert series(metrics, "meshshift_indicator_bad_ratio") == []


def test_silence_of_prometheus_shows_as_the_age_of_the_telemetry(metrics: Metrics, story: Story) -> None:
    story.begin()
    told = value(metrics, "meshshift_last_telemetry_timestamp_seconds", **SHIFT)
    assert told == story.now
    story.now += 600
    story.look(OUTAGE)
    assert value(metrics, "meshshift_last_telemetry_timestamp_seconds", **SHIFT) == told


def test_setting_a_weight_does_not_make_the_telemetry_younger(metrics: Metrics, story: Story) -> None:
    while not (story.run and story.run.warmed):
        story.look()
    learned = story.now
    while not story.run.applied or not story.run.desired:
        story.now += 60
        story.look()
    assert value(metrics, "meshshift_last_telemetry_timestamp_seconds", **SHIFT) == learned


def test_a_restart_does_not_make_the_telemetry_younger(story: Story) -> None:
    story.begin()
    told = story.now
    story.journal = restarted = Metrics()
    story.now += 600
    story.look(OUTAGE)
    assert value(restarted, "meshshift_last_telemetry_timestamp_seconds", **SHIFT) == told


def test_a_spec_that_cannot_be_understood_has_names_and_a_phase_and_nothing_made_up(
    metrics: Metrics, story: Story
) -> None:
    story.misread()
    assert len(series(metrics, "meshshift_shift_info", service="reviews", canary="v2")) == 1
    assert value(metrics, "meshshift_shift_phase", **SHIFT, phase="Failed") == 1
    assert series(metrics, "meshshift_shift_weight_ratio") == []
    assert series(metrics, "meshshift_shift_step") == []


@pytest.mark.parametrize("document_spec", [None, [], "x", {"service": 7, "stable": [], "canary": {"subset": None}}])
def test_any_nonsense_in_the_spec_is_exported_as_nothing(
    metrics: Metrics, story: Story, document_spec: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {**story.document, "spec": document_spec}
    monkeypatch.setattr(Story, "document", document)
    story.misread()
    assert len(series(metrics, "meshshift_shift_info", service="", stable="", canary="")) == 1


def test_a_forgotten_shift_leaves_no_series(metrics: Metrics, story: Story) -> None:
    other = Story(metrics, key=("bookinfo", "ratings"))
    for each in (story, other):
        each.begin()
    metrics.forgot(story.key)
    names = {labels["name"] for _, labels, _ in scraped(metrics) if "namespace" in labels}
    assert names == {"ratings"}


def test_a_former_canary_and_service_leave_no_series(metrics: Metrics, story: Story) -> None:
    story.begin()
    story.spec = spec(canary="v3", service="ratings")
    while story.run is None or story.run.spec.canary.name != "v3":
        story.look()
        story.now += 1
    text = metrics.render().decode()
    assert 'canary="v3"' in text
    assert '"v2"' not in text
    assert 'service="reviews"' not in text


def test_a_replica_that_no_longer_leads_has_nothing_to_say_about_shifts(metrics: Metrics, story: Story) -> None:
    metrics.led(True)
    story.begin()
    metrics.led(False)
    assert value(metrics, "meshshift_leader") == 0
    assert [labels for _, labels, _ in scraped(metrics) if "namespace" in labels] == []


def test_a_shift_that_waits_is_not_activity(metrics: Metrics, story: Story) -> None:
    story.begin()
    before = decisions(metrics)
    for _ in range(20):
        story.look()
    assert decisions(metrics) == before


def test_a_decision_about_another_weight_counts_again(metrics: Metrics, story: Story) -> None:
    story.begin()
    story.go_on()
    assert decisions(metrics)["Apply", "WeightSet"] == 3
    assert decisions(metrics)["Advance", "ProvenNotWorse"] == 2
    assert decisions(metrics)["End", "Promoted"] == 1


def test_the_same_decision_about_two_shifts_counts_twice(metrics: Metrics, story: Story) -> None:
    story.begin()
    Story(metrics, key=("bookinfo", "ratings")).begin()
    assert decisions(metrics)["Prepare", "Started"] == 2


def test_every_command_counts_and_what_it_interrupts_does_not_count_again(metrics: Metrics, story: Story) -> None:
    story.begin()
    story.go_on()
    for _ in range(2):
        story.look(command="pause")
        story.look()
    assert decisions(metrics)["Hold", "CommandRefused"] == 2
    assert decisions(metrics)["End", "Promoted"] == 1


def test_a_shift_of_a_name_that_was_there_before_is_another_shift(metrics: Metrics, story: Story) -> None:
    story.misread()
    metrics.forgot(story.key)
    story.misread()
    assert decisions(metrics) == {("Hold", "InvalidSpec"): 2}


def test_a_restart_counts_nothing_that_was_decided_before(story: Story) -> None:
    story.begin()
    story.go_on(failing=0.3)
    story.journal = restarted = Metrics()
    story.look()
    story.look()
    assert decisions(restarted) == {}
    assert (rollbacks(restarted), durations(restarted)) == ({}, {})


def test_a_restart_counts_the_turn_that_its_first_look_makes(story: Story) -> None:
    story.begin()
    story.judge(failing=0.3)
    story.journal = restarted = Metrics()
    while story.run and story.run.phase is not Phase.ROLLING_BACK:
        story.judge(failing=0.3)
    assert decisions(restarted)["RollBack", "RegressionProven"] == 1
    assert rollbacks(restarted) == {"RegressionProven": 1}


def test_a_rollback_counts_once_however_often_its_end_is_looked_at(metrics: Metrics, story: Story) -> None:
    story.begin()
    story.go_on(failing=0.3)
    for _ in range(5):
        story.look()
    assert rollbacks(metrics) == {"RegressionProven": 1}
    assert durations(metrics) == {"RolledBack": 1}


def test_the_duration_runs_from_the_start_of_the_run_to_its_end(metrics: Metrics, story: Story) -> None:
    begun = story.now
    story.begin()
    story.go_on()
    assert durations(metrics) == {"Succeeded": 1}
    total = value(metrics, "meshshift_shift_duration_seconds_sum", outcome="Succeeded")
    assert total == pytest.approx(story.now - begun, abs=1)


def test_a_new_run_of_a_changed_spec_supersedes_the_old_one(metrics: Metrics, story: Story) -> None:
    story.begin()
    story.with_canary("v3")
    for _ in range(6):
        story.look()
        story.now += 1
    assert rollbacks(metrics) == {"SpecChanged": 1}
    assert durations(metrics) == {"Superseded": 1}


def test_a_deletion_under_way_ends_the_run_once_even_if_its_last_write_is_repeated(
    metrics: Metrics, story: Story
) -> None:
    story.begin()
    while not story.look(deleted=True).release:
        story.now += 1
    story.look(deleted=True)
    assert durations(metrics) == {"Deleted": 1}
    assert rollbacks(metrics) == {"Deleted": 1}


def test_the_deletion_of_a_shift_that_ended_ends_nothing(metrics: Metrics, story: Story) -> None:
    story.begin()
    story.go_on()
    story.look(deleted=True)
    assert durations(metrics) == {"Succeeded": 1}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Conflict(""), "conflict"),
        (NotFound(""), "conflict"),
        (Transient(""), "transient"),
        (Refused(""), "refused"),
        (KeyError(), "bug"),
        (None, None),
    ],
)
def test_passes_that_fail_are_told_apart_by_what_they_ask_for(
    metrics: Metrics, error: Exception | None, kind: str | None
) -> None:
    metrics.reconciled(0.1, error)
    assert value(metrics, "meshshift_reconcile_duration_seconds_count") == 1
    found = {labels["kind"] for labels, count in series(metrics, "meshshift_reconcile_errors_total") if count}
    assert found == ({kind} if kind else set())


def test_the_queue_is_asked_at_the_scrape(metrics: Metrics) -> None:
    waiting = [1, 2]
    metrics.watch_queue(lambda: len(waiting))
    waiting.append(3)
    assert value(metrics, "meshshift_queue_depth") == 3


def test_lateness_of_the_queue_is_told(metrics: Metrics) -> None:
    metrics.dequeued(0.3)
    metrics.dequeued(7)
    assert value(metrics, "meshshift_queue_latency_seconds_bucket", le="0.5") == 1
    assert value(metrics, "meshshift_queue_latency_seconds_sum") == pytest.approx(7.3)


def test_an_answered_query_is_no_error(metrics: Metrics) -> None:
    metrics.queried("requests", 0.2)
    metrics.queried("requests", 0.2, "Timeout")
    assert value(metrics, "meshshift_prometheus_query_duration_seconds_count", kind="requests") == 2
    assert series(metrics, "meshshift_prometheus_query_errors_total") == [({"reason": "Timeout"}, 1)]


def test_counters_of_known_labels_are_there_before_anything_happened(metrics: Metrics) -> None:
    assert value(metrics, "meshshift_mesh_writes_total", kind="DestinationRule", result="refused") == 0
    assert value(metrics, "meshshift_rollbacks_total", reason="RegressionProven") == 0


def test_two_controllers_in_one_process_keep_apart() -> None:
    one, other = Metrics(), Metrics()
    one.wrote("VirtualService", "ok")
    assert value(other, "meshshift_mesh_writes_total", kind="VirtualService", result="ok") == 0


@given(service=st.text(max_size=20))
def test_no_name_can_break_the_format(service: str) -> None:
    metrics = Metrics()
    story = Story(metrics, spec=spec(service=service))
    story.misread()
    assert [labels["service"] for labels, _ in series(metrics, "meshshift_shift_info")] == [service]


KEYS: list[Key] = [("a", "x"), ("a", "y"), ("b", "x")]
ACTS = ("judge", "fail", "look", "pause", "abort", "retarget", "forget")


@settings(max_examples=40)
@given(acts=st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(ACTS)), max_size=40))
def test_whatever_happens_each_living_shift_has_one_phase_one_decision_and_weights_that_add_up(
    acts: list[tuple[Key, str]],
) -> None:
    metrics, stories = Metrics(), dict["Key", Story]()
    for key, act in acts:
        if act == "forget":
            stories.pop(key, None)
            metrics.forgot(key)
            continue
        story = stories.setdefault(key, Story(metrics, key=key))
        _play(story, act)
    samples = list(scraped(metrics))
    for key in KEYS:
        here = [each for each in samples if (each[1].get("namespace"), each[1].get("name")) == key]
        expected = int(key in stories)
        assert sum(state for name, _, state in here if name == "meshshift_shift_phase") == expected
        assert sum(name == "meshshift_shift_decision_info" for name, _, _ in here) == expected
        for source in ("desired", "observed", "measured"):
            weights = [ratio for _, labels, ratio in here if labels.get("source") == source]
            assert weights == [] or len(weights) == 2
            assert weights == [] or sum(weights) == pytest.approx(1)


def _play(story: Story, act: str) -> None:
    match act:
        case "judge" | "fail" if story.judged:
            story.judge(failing=0.3 if act == "fail" else 0.0)
        case "pause" | "abort":
            story.look(command=act)
        case "retarget":
            story.with_canary("v3" if story.spec.canary.name == "v2" else "v2")
            story.look()
        case _:
            story.look()
    story.now += 1


def test_a_check_exports_its_value_and_its_count_of_failures(metrics: Metrics, story: Story) -> None:
    check = {**SHIFT, "indicator": "availability"}
    story.begin()
    assert value(metrics, "meshshift_check_failures", **check) == 0
    story.go_on(failing=0.75)
    assert value(metrics, "meshshift_check_value", **check) == 25
    assert story.run is not None
    assert value(metrics, "meshshift_check_failures", **check) == story.run.checks[0].failures > 0
    assert value(metrics, "meshshift_check_failure_limit", **check) == 100
