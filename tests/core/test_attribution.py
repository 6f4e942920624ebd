"""Whose request was it, where a baseline runs the stable version beside stable."""

import pytest

from meshshift.core.attribution import Arm, Arms, answered_by
from meshshift.core.telemetry import Series, Snapshot, Tick, difference

CANARY = Arm(frozenset({"reviews-v2"}), frozenset({"v2"}))
STABLE = Arm(frozenset({"reviews-v1"}), frozenset({"v1"}))
BASELINE = Arm(frozenset({"reviews-v1-baseline"}), frozenset({"v1"}))
ARMS = Arms(CANARY, STABLE, BASELINE)


@pytest.mark.parametrize(
    ("workload", "expected"),
    [
        ("reviews-v1", "stable"),
        ("reviews-v1-baseline", "baseline"),
        ("reviews-v2", "canary"),
        ("ratings-v1", "other"),
        ("unknown", "unattributed"),
    ],
)
def test_the_workload_tells_the_three_apart(workload: str, expected: str) -> None:
    assert answered_by({"destination_workload": workload}, ARMS) == expected


def test_a_series_that_names_the_shared_version_alone_is_stables() -> None:
    assert answered_by({"destination_workload": "unknown", "destination_canonical_revision": "v1"}, ARMS) == "stable"


def test_a_version_of_its_own_tells_the_baseline_without_a_workload() -> None:
    own = Arms(CANARY, STABLE, Arm(frozenset({"reviews-v1-baseline"}), frozenset({"v1-baseline"})))
    labels = {"destination_workload": "unknown", "destination_canonical_revision": "v1-baseline"}
    assert answered_by(labels, own) == "baseline"


def test_without_a_baseline_its_workload_is_somebody_elses() -> None:
    assert answered_by({"destination_workload": "reviews-v1-baseline"}, Arms(CANARY, STABLE)) == "other"


def counted(at: float, **counts: float) -> Snapshot:
    """Counters of the three workloads and of what reached nobody, as one proxy has them."""
    names = {"canary": "reviews-v2", "stable": "reviews-v1", "baseline": "reviews-v1-baseline", "lost": "unknown"}
    return Snapshot(
        at,
        tuple(
            Series.of({"pod": "client", "destination_workload": names[arm], "response_code": "200"}, value)
            for arm, value in counts.items()
        ),
        newest=at,
    )


def test_a_window_counts_the_baseline_apart_and_compares_with_it_alone() -> None:
    before = counted(0.0, canary=0.0, stable=0.0, baseline=0.0)
    tick = difference(before, counted(15.0, canary=5.0, stable=90.0, baseline=6.0), CANARY, STABLE, BASELINE)
    assert isinstance(tick, Tick)
    assert tick.baseline is not None
    assert (tick.canary.total, tick.stable.total, tick.baseline.total, tick.answered) == (5.0, 90.0, 6.0, 101.0)
    assert (tick.compared.canary, tick.compared.stable) == (tick.canary, tick.baseline)


def test_a_window_in_which_only_the_baseline_answers_is_data() -> None:
    before = counted(0.0, baseline=0.0)
    tick = difference(before, counted(15.0, baseline=6.0), CANARY, STABLE, BASELINE)
    assert isinstance(tick, Tick)
