import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.evidence import Counts
from meshshift.core.telemetry import Arm, BadData, NoData, Series, Snapshot, Tick, difference

CANARY = Arm(workloads=frozenset({"reviews-v2"}), revisions=frozenset({"v2"}))
STABLE = Arm(workloads=frozenset({"reviews-v1"}), revisions=frozenset({"v1"}))
GATEWAY = {"pod": "gateway-0", "destination_workload": "reviews-v2", "response_code": "200", "response_flags": "-"}


def series(value: float, **labels: str) -> Series:
    return Series.of(GATEWAY | labels, value)


def between(before: list[Series], after: list[Series], **durations: list[Series]) -> Tick | NoData | BadData:
    first = Snapshot(100.0, tuple(before), tuple(durations.get("slow_before", ())))
    second = Snapshot(115.0, tuple(after), tuple(durations.get("slow_after", ())))
    return difference(first, second, CANARY, STABLE)


def tick(before: list[Series], after: list[Series], **durations: list[Series]) -> Tick:
    found = between(before, after, **durations)
    assert isinstance(found, Tick), found
    return found


# --- series by series ------------------------------------------------------------------------------------------------


def test_only_what_happened_between_the_instants_counts() -> None:
    found = tick(
        [series(1000), series(50, response_code="503")],
        [series(1090), series(60, response_code="503")],
    )
    assert (found.start, found.end, found.seconds) == (100.0, 115.0, 15.0)
    assert found.canary.counts() == Counts(100, 10)
    assert found.stable.counts() == Counts(0, 0)


def test_a_drop_is_a_restart_and_counts_from_zero() -> None:
    assert tick([series(1000)], [series(30)]).canary.total == 30


def test_a_new_series_of_a_known_proxy_counts_from_its_first_value() -> None:
    found = tick([series(1000)], [series(1000), series(7, response_code="500")])
    assert found.canary.counts() == Counts(7, 7)


def test_a_proxy_new_to_prometheus_is_not_taken_for_this_minutes_traffic() -> None:
    old = series(1_000_000, pod="gateway-1")
    first = tick([series(1000)], [series(1010), old])
    assert first.canary.total == 10
    second = tick([series(1010), old], [series(1020), series(1_000_005, pod="gateway-1")])
    assert second.canary.total == 15


def test_when_prometheus_lost_its_past_the_tick_is_empty_not_huge() -> None:
    found = tick([], [series(1_000_000), series(9_000, response_code="503")])
    assert found.canary.counts() == Counts(0, 0)


def test_a_vanished_series_is_held() -> None:
    found = tick([series(1000), series(500, pod="gateway-1")], [series(1004)])
    assert found.canary.total == 4


def test_without_a_pod_label_the_scraped_instance_is_the_proxy() -> None:
    one, other = ({"pod": "", "instance": f"10.0.0.{n}:15020"} for n in (1, 2))
    found = tick([series(10, **one)], [series(15, **one), series(99, **other)])
    assert found.canary.total == 5


# --- what is a failure -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "failed"),
    [
        ({"response_code": "200"}, False),
        ({"response_code": "301"}, False),
        ({"response_code": "404"}, False),
        ({"response_code": "429"}, False),
        ({"response_code": "500"}, True),
        ({"response_code": "503", "response_flags": "UF,URX"}, True),
        ({"response_code": "504", "response_flags": "UT"}, True),
        *(({"grpc_response_status": str(status)}, status in {2, 4, 8, 12, 13, 14, 15}) for status in range(17)),
        ({"grpc_response_status": "14", "response_code": "404"}, False),
    ],
)
def test_the_server_is_to_blame_for_5xx_and_for_some_grpc_statuses(labels: dict[str, str], failed: bool) -> None:
    found = tick([series(5), series(0, **labels)], [series(5), series(8, **labels)])
    assert (found.canary.failed > 0) == failed


def test_a_client_that_left_is_neither_good_nor_bad() -> None:
    left = {"response_code": "0", "response_flags": "DC"}
    found = tick([series(10), series(0, **left)], [series(20), series(30, **left)])
    assert found.canary.counts() == Counts(10, 0)
    assert found.canary.unclassified == 30


# --- whose request it was --------------------------------------------------------------------------------------------

UNKNOWN = {"destination_workload": "unknown", "destination_version": "unknown", "response_code": "503"}


@pytest.mark.parametrize(
    ("labels", "destination"),
    [
        ({}, "canary"),
        ({"destination_workload": "reviews-v1"}, "stable"),
        ({"destination_workload": "reviews-v1", "destination_version": "v2"}, "stable"),
        ({"destination_workload": "reviews-v3"}, "other"),
        ({"destination_workload": "reviews-v3", "destination_version": "v2"}, "other"),
        ({"destination_workload": "", "destination_canonical_revision": "v1"}, "stable"),
        ({"destination_workload": "unknown", "destination_version": "v2"}, "canary"),
        ({**UNKNOWN, "response_flags": "UH", "destination_canonical_revision": "latest"}, "unattributed"),
        ({**UNKNOWN, "response_flags": "UF"}, "unattributed"),
        ({"destination_workload": "reviews-v2", "destination_version": "unknown", "response_flags": "UF"}, "canary"),
    ],
)
def test_traffic_goes_to_the_arm_that_istio_names_and_is_kept_apart_otherwise(
    labels: dict[str, str], destination: str
) -> None:
    beside = {"destination_workload": "reviews-v1", "response_code": "204"}
    found = tick([series(5, **beside), series(0, **labels)], [series(6, **beside), series(8, **labels)])
    totals = {name: getattr(found, name).total for name in ("canary", "stable", "unattributed", "other")}
    expected = {name: 8.0 if name == destination else 0.0 for name in totals}
    assert totals == {**expected, "stable": expected["stable"] + 1.0}


def test_latest_without_a_workload_is_nobodys_revision() -> None:
    stable = Arm(frozenset({"reviews-v1"}), frozenset({"latest"}))
    nowhere = {"destination_workload": "unknown", "destination_canonical_revision": "latest", "response_code": "503"}
    before, after = Snapshot(0.0, (series(1, **nowhere),)), Snapshot(15.0, (series(4, **nowhere),))
    found = difference(before, after, CANARY, stable)
    assert isinstance(found, Tick)
    assert (found.stable.total, found.unattributed.failed) == (0, 3)


def test_arms_of_one_workload_are_told_apart_by_revision() -> None:
    canary, stable = (Arm(frozenset({"reviews"}), frozenset({version})) for version in ("v2", "v1"))
    one = {"destination_workload": "reviews", "destination_canonical_revision": "v2"}
    found = difference(Snapshot(0.0, (series(1, **one),)), Snapshot(15.0, (series(4, **one),)), canary, stable)
    assert isinstance(found, Tick)
    assert found.canary.total == 3


def test_arms_known_by_revision_only_need_no_workload() -> None:
    canary, stable = (Arm(revisions=frozenset({version})) for version in ("v2", "v1"))
    one = {"destination_workload": "whatever", "destination_version": "v1"}
    found = difference(Snapshot(0.0, (series(1, **one),)), Snapshot(15.0, (series(4, **one),)), canary, stable)
    assert isinstance(found, Tick)
    assert found.stable.total == 3


# --- latency ---------------------------------------------------------------------------------------------------------


def buckets(counts: dict[str, float], **labels: str) -> list[Series]:
    return [series(count, le=le, **labels) for le, count in counts.items()]


def slow(found: Tick) -> dict[float, float]:
    return {one.boundary: one.count for one in found.canary.slow}


NOTHING = {"250": 0.0, "500": 0.0, "+Inf": 0.0}


def test_boundaries_are_seconds_and_count_what_was_slower() -> None:
    found = tick(
        [series(0)],
        [series(100)],
        slow_before=buckets({"250": 10, "500": 20, "+Inf": 20}),
        slow_after=buckets({"250": 70, "500": 115, "+Inf": 120}),
    )
    assert found.canary.timed == 100
    assert slow(found) == {0.25: 40, 0.5: 5}
    assert found.canary.counts(0.5) == Counts(100, 5)


def test_both_spellings_of_a_boundary_are_one() -> None:
    found = tick(
        [series(0)],
        [series(100)],
        slow_before=buckets({"250": 10, "500": 20, "+Inf": 20}),
        slow_after=buckets({"250.0": 70, "500.0": 115, "+Inf": 120}),
    )
    assert slow(found) == {0.25: 40, 0.5: 5}


def test_while_the_spelling_changes_the_live_series_counts() -> None:
    held = buckets({"250": 10, "500": 20, "+Inf": 20})
    for live_first in (True, False):
        live = buckets({"250.0": 70, "500.0": 115, "+Inf": 120})
        found = tick(
            [series(0)],
            [series(100)],
            slow_before=held,
            slow_after=live + held[:2] if live_first else held[:2] + live,
        )
        assert slow(found) == {0.25: 40, 0.5: 5}


def test_a_failure_is_slow_however_fast_it_came_and_a_lost_client_is_not_timed() -> None:
    failed, left = {"response_code": "503"}, {"response_code": "0"}
    found = tick(
        [series(0)],
        [series(100)],
        slow_before=buckets(NOTHING) + buckets(NOTHING, **failed) + buckets(NOTHING, **left),
        slow_after=buckets({"250": 80, "500": 90, "+Inf": 90})
        + buckets({"250": 10, "500": 10, "+Inf": 10}, **failed)
        + buckets({"250": 0, "500": 0, "+Inf": 7}, **left),
    )
    assert found.canary.timed == 100
    assert slow(found) == {0.25: 20, 0.5: 10}


def test_one_bucket_that_dropped_restarts_the_whole_histogram() -> None:
    found = tick(
        [series(0)],
        [series(100)],
        slow_before=buckets({"250": 50, "500": 90, "+Inf": 100}),
        slow_after=buckets({"250": 20, "500": 100, "+Inf": 150}),
    )
    assert found.canary.timed == 150
    assert slow(found) == {0.25: 130, 0.5: 50}


def test_the_past_latency_of_a_proxy_found_late_is_not_counted() -> None:
    old = buckets({"250": 5e6, "500": 6e6, "+Inf": 7e6}, pod="gateway-1")
    found = tick(
        [series(0)],
        [series(10), series(7e6, pod="gateway-1")],
        slow_before=buckets(NOTHING),
        slow_after=buckets({"250": 8, "500": 9, "+Inf": 10}) + old,
    )
    assert (found.canary.total, found.canary.timed) == (10, 10)


def test_a_boundary_that_only_some_proxies_count_is_not_used() -> None:
    fine, coarse = {"250": 5.0, "500": 10.0, "+Inf": 10.0}, {"500": 10.0, "+Inf": 10.0}
    found = tick(
        [series(0)],
        [series(20)],
        slow_before=buckets(NOTHING) + buckets({"500": 0, "+Inf": 0}, pod="gateway-1"),
        slow_after=buckets(fine) + buckets(coarse, pod="gateway-1"),
    )
    assert slow(found) == {0.5: 0}
    assert found.canary.counts(0.25) == Counts(0, 0)


# --- halves of the proxies -------------------------------------------------------------------------------------------


def test_two_gateways_make_two_halves() -> None:
    pods = [{"pod": f"gateway-{n}"} for n in range(2)]
    found = tick(
        [series(0, **pod) for pod in pods],
        [series(10, **pods[0]), series(20, **pods[1]), series(5, response_code="503", **pods[1])],
    )
    assert found.canary.halves == (Counts(10, 0), Counts(25, 5))


def test_one_gateway_makes_none() -> None:
    assert tick([series(0)], [series(9)]).canary.halves is None


# --- nothing is guessed ----------------------------------------------------------------------------------------------


def test_no_series_is_no_data_and_says_what_was_asked() -> None:
    found = difference(Snapshot(0.0), Snapshot(15.0, asked='istio_requests_total{a="b"}'), CANARY, STABLE)
    assert isinstance(found, NoData)
    assert 'istio_requests_total{a="b"}' in found.reason


def test_series_that_stand_still_are_no_requests_rather_than_no_data() -> None:
    assert tick([series(5)], [series(5)]).canary.counts() == Counts(0, 0)


@pytest.mark.parametrize(("newest", "word"), [(99.0, "16 s old"), (100.0, "15 s old"), (0.0, "no sample is live")])
def test_a_prometheus_that_stopped_scraping_gives_no_fresh_data(newest: float, word: str) -> None:
    found = difference(
        Snapshot(100.0, (series(5),), newest=99.0), Snapshot(115.0, (series(5),), newest=newest), CANARY, STABLE
    )
    assert isinstance(found, NoData)
    assert word in found.reason


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
@pytest.mark.parametrize("place", range(4))
def test_a_value_that_no_counter_can_have_names_the_series(value: float, place: int) -> None:
    lists: list[list[Series]] = [[series(1)], [series(2)], buckets(NOTHING), buckets(NOTHING)]
    lists[place].append(series(value, source="odd", **({"le": "9"} if place > 1 else {})))
    found = between(lists[0], lists[1], slow_before=lists[2], slow_after=lists[3])
    assert isinstance(found, BadData)
    assert 'source="odd"' in found.reason


@pytest.mark.parametrize("le", ["", "NaN", "-Inf", "x", "-5"])
def test_a_bucket_without_a_boundary_is_bad_data(le: str) -> None:
    assert isinstance(between([series(1)], [series(2)], slow_after=[series(1, le=le)]), BadData)


def test_requests_without_a_response_code_are_bad_data() -> None:
    found = between([series(1)], [series(2, response_code="")])
    assert isinstance(found, BadData)
    assert "response_code" in found.reason


def test_the_older_snapshot_comes_first() -> None:
    with pytest.raises(ValueError, match="older snapshot first"):
        difference(Snapshot(15.0), Snapshot(15.0), CANARY, STABLE)


values = st.floats(0, 1e12)
codes, workloads = ("0", "200", "404", "503"), ("reviews-v1", "reviews-v2", "unknown", "x")
everything: list[dict[str, str]] = [
    {"pod": pod, "response_code": code, "destination_workload": workload}
    for pod, code, workload in itertools.product(("a", "b", "c"), codes, workloads)
]


def snapshots() -> st.SearchStrategy[tuple[list[Series], list[Series]]]:
    chosen = st.lists(st.sampled_from(everything), unique_by=lambda labels: tuple(labels.values()), max_size=20)
    requests = chosen.flatmap(lambda found: st.tuples(*(st.builds(series, values, **fixed(one)) for one in found)))
    times = chosen.flatmap(
        lambda found: st.tuples(
            *(st.builds(series, values, le=st.just(le), **fixed(one)) for one in found for le in ("250", "500", "+Inf"))
        )
    )
    return st.tuples(requests.map(list), times.map(list))


def fixed(labels: dict[str, str]) -> dict[str, Any]:
    return {name: st.just(value) for name, value in labels.items()}


@given(snapshots(), snapshots())
def test_bad_requests_are_never_more_than_requests(
    before: tuple[list[Series], list[Series]], after: tuple[list[Series], list[Series]]
) -> None:
    found = between(before[0], after[0], slow_before=before[1], slow_after=after[1])
    if not isinstance(found, Tick):
        assert isinstance(found, NoData)
        return
    for traffic in (found.canary, found.stable, found.unattributed, found.other):
        assert 0 <= traffic.failed <= traffic.total
        assert all(0 <= one.count <= traffic.timed for one in traffic.slow)
        for boundary in (None, *(one.boundary for one in traffic.slow)):
            halves, whole = traffic.split(boundary), traffic.counts(boundary)
            if halves:
                assert (halves[0] + halves[1]).total == pytest.approx(whole.total)
                assert (halves[0] + halves[1]).bad == pytest.approx(whole.bad)


def test_requests_that_only_reach_other_workloads_are_no_data_and_named() -> None:
    elsewhere = {"destination_workload": "reviews-blue"}
    found = between([series(10, **elsewhere)], [series(70, **elsewhere)])
    assert isinstance(found, NoData)
    assert "reviews-blue" in found.reason
    assert "reviews-v1, reviews-v2" in found.reason
