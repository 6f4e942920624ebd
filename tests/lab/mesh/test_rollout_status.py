"""A Deployment's status says what `kubectl rollout status` has to know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meshshift.lab.rollout import Generation
from meshshift.lab.rollout_status import deadline, deployment_status, rolled_out

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LATER = START + timedelta(minutes=1)


def deployment(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "reviews", "generation": 4}, "spec": {"replicas": 4, **spec}, "status": status or {}}


def pods(name: str, wanted: int, ready: int | None = None) -> Generation:
    return Generation(name, wanted, wanted, wanted if ready is None else ready, wanted if ready is None else ready)


def condition(status: dict[str, Any], kind: str = "Progressing") -> tuple[str, str, str]:
    [found] = [one for one in status["conditions"] if one["type"] == kind]
    return found["status"], found["reason"], found["lastUpdateTime"]


COMPLETE = deployment_status(deployment(), pods("new", 4), [], START)
ROLLING = deployment_status(deployment(COMPLETE), pods("newer", 1, 0), [pods("new", 4)], START)


@pytest.mark.parametrize(("ready", "available"), [(4, "True"), (3, "True"), (2, "False")])
def test_available_means_all_but_what_may_be_missing(ready: int, available: str) -> None:
    status = deployment_status(deployment(), pods("new", 4, ready), [], START)
    assert condition(status, "Available")[0] == available
    assert status["observedGeneration"] == 4
    strict = deployment(strategy={"rollingUpdate": {"maxUnavailable": 0}})
    assert condition(deployment_status(strict, pods("new", 4, 3), [], START), "Available")[0] == "False"


def test_a_condition_keeps_its_time_until_it_changes() -> None:
    assert deployment_status(deployment(COMPLETE), pods("new", 4), [], LATER) == COMPLETE
    third = deployment_status(deployment(COMPLETE), pods("new", 4, 1), [], LATER)
    assert {row["type"]: row["lastTransitionTime"] for row in third["conditions"]} == {
        "Available": "2026-11-23T12:01:00Z",
        "Progressing": "2026-11-23T12:00:00Z",
    }


def test_a_roll_out_that_was_complete_stays_so_when_pods_fail() -> None:
    assert condition(deployment_status(deployment(COMPLETE), pods("new", 4, 1), [], LATER))[1] == (
        "NewReplicaSetAvailable"
    )


def test_a_roll_out_is_finished_when_only_new_pods_are_left_and_available() -> None:
    assert rolled_out(deployment(COMPLETE))
    assert not rolled_out(deployment(ROLLING))
    assert condition(ROLLING)[:2] == ("True", "ReplicaSetUpdated")


def test_one_that_does_not_move_is_late_until_it_moves() -> None:
    rolling = deployment(ROLLING, progressDeadlineSeconds=60)
    assert deadline(rolling, ROLLING) == LATER
    assert condition(deployment_status(rolling, pods("newer", 1, 0), [pods("new", 4)], START))[0] == "True"
    late = deployment_status(rolling, pods("newer", 1, 0), [pods("new", 4)], LATER)
    assert condition(late)[:2] == ("False", "ProgressDeadlineExceeded")
    assert deadline(rolling, late) is None
    moved = deployment_status(deployment(late), pods("newer", 1, 1), [pods("new", 4)], LATER)
    assert condition(moved)[:2] == ("True", "ReplicaSetUpdated")


def test_every_step_forward_sets_the_clock_back() -> None:
    moved = deployment_status(deployment(ROLLING), pods("newer", 2, 1), [pods("new", 3)], LATER)
    assert condition(moved) == ("True", "ReplicaSetUpdated", "2026-11-23T12:01:00Z")


def test_a_paused_one_is_never_late_and_its_next_template_is_not_rolled_out() -> None:
    paused = deployment_status(deployment(COMPLETE, paused=True), None, [pods("new", 4)], LATER)
    assert condition(paused)[:2] == ("Unknown", "DeploymentPaused")
    assert paused["updatedReplicas"] == 0
    assert not rolled_out(deployment(paused, paused=True))
    assert deadline(deployment(paused, paused=True), paused) is None
    resumed = deployment_status(deployment(paused), pods("newer", 0), [pods("new", 4)], LATER)
    assert condition(resumed)[:2] == ("Unknown", "DeploymentResumed")
    assert deadline(deployment(resumed), resumed) == LATER + timedelta(seconds=600)
