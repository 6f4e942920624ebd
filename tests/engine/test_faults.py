"""Thousands of seeded schedules of faults, and one test for each promise that has to hold in all of them.

    MESHSHIFT_SCHEDULES=10000 make test-fast ARGS=tests/engine/test_faults.py

runs ten thousand instead of one thousand; `python -m tests.engine.faults 4711` tells what happened in one of them.

A schedule is run once for all promises: whoever needs a part of the schedules first runs it and leaves the result
where the other tests, and the other processes of `-n auto`, find it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pytest

from tests.engine.faults import Result, play
from tests.engine.faults_schedule import draw

SCHEDULES = int(os.environ.get("MESHSHIFT_SCHEDULES", "1000"))
PART = 25
PARTS = range(0, SCHEDULES, PART)
each_part = pytest.mark.parametrize("part", PARTS, ids=lambda first: f"{first}-{min(first + PART, SCHEDULES) - 1}")
Broken = Callable[[str], list[str]]


@pytest.fixture
def broken(part: int, tmp_path_factory: pytest.TempPathFactory) -> Broken:
    """How a promise was broken in a part of the schedules."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def ask(promise: str) -> list[str]:
        return [
            f"schedule {result.seed} ({result.story}): {sentence}"
            for result in _results(shared, part)
            for sentence in result.broken.get(promise, ())
        ]

    return ask


@cache
def _results(shared: Path, part: int) -> tuple[Result, ...]:
    with (shared / f"schedules-{part}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = shared / f"schedules-{part}.json"
        if not kept.exists():
            kept.write_text(json.dumps([asdict(result) for result in _run(part)]))
        return tuple(Result(**result) for result in json.loads(kept.read_text()))


def _run(part: int) -> Iterator[Result]:
    logging.disable(logging.ERROR)
    try:
        for seed in range(part, min(part + PART, SCHEDULES)):
            yield play(draw(seed))[1]
    finally:
        logging.disable(logging.NOTSET)


@each_part
def test_no_look_ends_in_a_bug(broken: Broken) -> None:
    assert broken("no_look_ends_in_a_bug") == []


@each_part
def test_every_story_comes_to_its_end_once_the_faults_are_over(broken: Broken) -> None:
    assert broken("every_story_comes_to_its_end") == []


@each_part
def test_weights_that_are_ours_keep_their_share(broken: Broken) -> None:
    assert broken("weights_that_are_ours_keep_their_share") == []


@each_part
def test_the_canary_never_gets_more_than_its_step_allows(broken: Broken) -> None:
    assert broken("the_canary_never_gets_more_than_its_step_allows") == []


@each_part
def test_no_increase_after_a_regression_was_proven(broken: Broken) -> None:
    assert broken("no_increase_after_a_regression_was_proven") == []


@each_part
def test_no_increase_after_an_abort(broken: Broken) -> None:
    assert broken("no_increase_after_an_abort") == []


@each_part
def test_no_increase_while_prometheus_cannot_be_read(broken: Broken) -> None:
    assert broken("no_increase_while_prometheus_cannot_be_read") == []


@each_part
def test_no_weight_reaches_a_subset_that_is_missing(broken: Broken) -> None:
    assert broken("no_weight_reaches_a_subset_that_is_missing") == []


@each_part
def test_no_weight_reaches_a_subset_that_is_unsettled(broken: Broken) -> None:
    assert broken("no_weight_reaches_a_subset_that_is_unsettled") == []


@each_part
def test_no_weight_reaches_a_subset_without_ready_pods(broken: Broken) -> None:
    assert broken("no_weight_reaches_a_subset_without_ready_pods") == []


@each_part
def test_no_write_lands_on_what_was_not_seen(broken: Broken) -> None:
    assert broken("no_write_lands_on_what_was_not_seen") == []


@each_part
def test_a_run_keeps_what_it_was_started_with(broken: Broken) -> None:
    assert broken("a_run_keeps_what_it_was_started_with") == []


@each_part
def test_weights_of_others_are_not_written_over(broken: Broken) -> None:
    assert broken("weights_of_others_are_not_written_over") == []


@each_part
def test_nothing_foreign_changes(broken: Broken) -> None:
    assert broken("nothing_foreign_changes") == []


@each_part
def test_the_status_claims_only_what_the_mesh_says(broken: Broken) -> None:
    assert broken("the_status_claims_only_what_the_mesh_says") == []


@each_part
def test_every_turn_is_told_as_an_event(broken: Broken) -> None:
    assert broken("every_turn_is_told_as_an_event") == []


@each_part
def test_nothing_put_in_is_left_at_an_end(broken: Broken) -> None:
    assert broken("nothing_put_in_is_left_at_an_end") == []


@each_part
def test_nothing_is_put_in_without_a_run_that_goes_forward(broken: Broken) -> None:
    assert broken("nothing_is_put_in_without_a_run_that_goes_forward") == []


@each_part
def test_no_gate_is_passed_before_it_has_opened(broken: Broken) -> None:
    assert broken("no_gate_is_passed_before_it_has_opened") == []


@each_part
def test_sticky_users_stay_while_the_run_goes_forward(broken: Broken) -> None:
    assert broken("sticky_users_stay_while_the_run_goes_forward") == []


@each_part
def test_every_cookie_has_its_route_in_the_same_write(broken: Broken) -> None:
    assert broken("every_cookie_has_its_route_in_the_same_write") == []


@each_part
def test_nobody_is_kept_on_a_canary_without_weight(broken: Broken) -> None:
    assert broken("nobody_is_kept_on_a_canary_without_weight") == []


@each_part
def test_nothing_sticky_is_left_at_an_end(broken: Broken) -> None:
    assert broken("nothing_sticky_is_left_at_an_end") == []


@each_part
def test_the_baseline_gets_what_the_canarys_weight_says(broken: Broken) -> None:
    assert broken("the_baseline_gets_what_the_canarys_weight_says") == []


@each_part
def test_no_weight_reaches_a_baseline_without_subset_or_pods(broken: Broken) -> None:
    assert broken("no_weight_reaches_a_baseline_without_subset_or_pods") == []


@each_part
def test_no_weight_reaches_a_baseline_that_is_unsettled(broken: Broken) -> None:
    assert broken("no_weight_reaches_a_baseline_that_is_unsettled") == []


@each_part
def test_an_added_baseline_goes_only_once_nothing_names_it(broken: Broken) -> None:
    assert broken("an_added_baseline_goes_only_once_nothing_names_it") == []
