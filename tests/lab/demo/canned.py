"""Statuses as the controller writes them, and frames and courses made of them."""

from __future__ import annotations

from typing import Any

from meshshift.api.status import StatusModel, rfc3339
from meshshift.lab.demo.course import Course, Sight
from meshshift.lab.demo.frame import Frame
from meshshift.lab.demo.scenarios import SCENARIOS
from meshshift.lab.demo.tally import Traffic

BEGAN = 1_700_000_000.0
GOOD = SCENARIOS["good"].acts[0]
BAD = SCENARIOS["errors"].acts[0]
OUTAGE = SCENARIOS["outage"].acts[0]
TRAFFIC = Traffic(
    sent=12_345,
    answered={"v1": 11_000, "v2": 1_345},
    failed={"v1": 11, "v2": 1},
    logged=12_345,
    misrouted={"NC": 0, "NR": 0, "UH": 0},
)
"""Traffic that nothing is wrong with."""


def status(phase: str, reason: str, message: str, weight: int = 0, **fields: Any) -> StatusModel:
    wire = {"phase": phase, "reason": reason, "message": message, "weights": {"desired": weight}, **fields}
    return StatusModel.model_validate(wire)


def turn(after: float, phase: str, reason: str, message: str, weight: int) -> dict[str, Any]:
    return {"at": rfc3339(BEGAN + after), "phase": phase, "reason": reason, "message": message, "weight": weight}


HISTORY = (
    turn(0, "Pending", "Started", "a shift of reviews from v1 to v2 begins", 0),
    turn(5, "Progressing", "FirstStep", "0% → 5%: the first weight is on faith", 5),
    turn(
        14,
        "Progressing",
        "ProvenNotWorse",
        "5% → 10%: success-rate and latency proven not worse after 158 requests (success-rate: canary 0%, stable "
        "0.12%; latency: canary 0.63%, stable 1.1%)",
        10,
    ),
)

PROGRESSING = status(
    "Progressing",
    "NotYetProven",
    "10% → 25%: latency not yet proven (312 of ~700 requests, canary 0.64%, stable 1.1%)",
    10,
    weights={"desired": 10, "observed": 10.0, "measured": 9.37},
    evidence=[
        {
            "indicator": "success-rate",
            "worse": -0.4,
            "worseBar": 2.3,
            "proof": 1.4,
            "proofBar": 1.3,
            "canaryRequests": 312,
            "canaryBad": 0,
            "stableRequests": 4100,
            "stableBad": 5,
            "canaryRate": 0.0,
            "stableRate": 0.12,
            "requestsNeeded": 0,
        },
        {
            "indicator": "latency",
            "worse": 0.9,
            "worseBar": 2.3,
            "proof": 0.6,
            "proofBar": 1.3,
            "canaryRequests": 312,
            "canaryBad": 2,
            "stableRequests": 4100,
            "stableBad": 45,
            "canaryRate": 0.64,
            "stableRate": 1.1,
            "requestsNeeded": 388,
            "note": "failed or slower than 25 ms, 50 ms",
        },
    ],
    history=HISTORY,
)

REGRESSION = (
    "5% → 0%: success-rate proven worse: 6.2% of 144 requests bad on the canary, 0.10% of 2,987 requests bad on stable "
    "(odds 1,259 : 1, needed 100 : 1)"
)
ROLLED_BACK = status(
    "RolledBack",
    "RegressionProven",
    REGRESSION,
    weights={"desired": 0, "observed": 0.0},
    evidence=[
        {
            "indicator": "success-rate",
            "worse": 3.1,
            "worseBar": 2.3,
            "proof": -0.5,
            "proofBar": 1.3,
            "canaryRequests": 144,
            "canaryBad": 9,
            "stableRequests": 2987,
            "stableBad": 3,
            "canaryRate": 6.2,
            "stableRate": 0.1,
        },
    ],
    history=(
        turn(0, "Pending", "Started", "a shift of reviews from v1 to v3 begins", 0),
        turn(2, "Progressing", "FirstStep", "0% → 5%: the first weight is on faith", 5),
        turn(11, "RollingBack", "RegressionProven", REGRESSION, 0),
        turn(13, "RolledBack", "RegressionProven", REGRESSION, 0),
    ),
)

HOLDING = status(
    "Progressing",
    "TelemetryUnavailable",
    "10%: held, Prometheus at http://127.0.0.1:9090 did not answer within 2 s",
    weights={"desired": 10, "observed": 10.0, "measured": 9.9},
    evidence=PROGRESSING.model_dump(by_alias=True)["evidence"],
    history=(
        *HISTORY,
        turn(18, "Progressing", "TelemetryUnavailable", "10%: held, Prometheus did not answer within 2 s", 10),
    ),
)


def promoted_course() -> Course:
    """A good version, promoted after 40 s."""
    sights = (
        Sight(0.5, status("Pending", "Started", "begins")),
        Sight(5.0, status("Progressing", "FirstStep", "0% → 5%", 5)),
        Sight(20.0, status("Progressing", "ProvenNotWorse", "10% → 50%", 50)),
        Sight(38.0, status("Promoting", "Promoting", "v2 has all traffic; settling", 100)),
        Sight(40.0, status("Succeeded", "Promoted", "v2 serves all traffic of reviews", 100)),
    )
    return Course(GOOD, sights, TRAFFIC)


def rolled_back_course() -> Course:
    """A bad version, rolled back after 13 s."""
    sights = (
        Sight(0.5, status("Pending", "Started", "begins")),
        Sight(2.0, status("Progressing", "FirstStep", "0% → 5%", 5)),
        Sight(11.0, status("RollingBack", "RegressionProven", REGRESSION)),
        Sight(13.0, ROLLED_BACK),
    )
    return Course(BAD, sights, Traffic(sent=3000, answered={"v1": 2856, "v3": 144}, failed={"v1": 3, "v3": 9}))


def outage_course() -> Course:
    """Held at 10 % for the whole outage, from 20 s to 45 s, then promoted."""
    sights = (
        Sight(5.0, status("Progressing", "FirstStep", "0% → 5%", 5)),
        Sight(19.9, status("Progressing", "ProvenNotWorse", "5% → 10%", 10)),
        Sight(26.0, HOLDING),
        Sight(50.0, status("Progressing", "ProvenNotWorse", "10% → 25%", 25)),
        Sight(70.0, status("Succeeded", "Promoted", "v2 serves all traffic of reviews", 100)),
    )
    return Course(OUTAGE, sights, TRAFFIC, outage=(20.0, 45.0))


def frame(seen: StatusModel, **fields: Any) -> Frame:
    """A frame of the good act at 0:20 unless `fields` say otherwise."""
    known: dict[str, Any] = {
        "act": GOOD,
        "number": 1,
        "of": 2,
        "elapsed": 20.0,
        "traffic": TRAFFIC,
        "per_second": 300.4,
    }
    return Frame(began=BEGAN, status=seen, **{**known, **fields})
