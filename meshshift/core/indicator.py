"""What is asked of a canary, and how sure the answer must be: the settings of a run, frozen when it begins."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """The promises of a run.  Raises ValueError for a value out of range.

    - `false_rollback`: the chance, over the whole run, of rolling back a canary that is within tolerance; 0..1
      exclusive.
    - `false_promotion`: the chance of promoting one that is beyond the harm budget throughout; 0..1 exclusive.
    - `tolerance`: how much more than stable the canary may fail, as a fraction of stable's rate; 0 or more.
    - `harm_budget`: how much more the whole service may fail, as a fraction of its requests; above 0, up to 1.
    - `spare_requests`: low traffic: requests per three ticks that may be risked without proof; 0 is strict.
    - `interval`: seconds between ticks.
    """

    false_rollback: float = 0.01
    false_promotion: float = 0.05
    tolerance: float = 0.25
    harm_budget: float = 0.005
    spare_requests: float = 5.0
    interval: float = 15.0

    def __post_init__(self) -> None:
        _require(
            0.0 < self.false_rollback < 1.0,
            "false_rollback",
            self.false_rollback,
            "a chance between 0 and 1, like 0.01",
        )
        _require(
            0.0 < self.false_promotion < 1.0,
            "false_promotion",
            self.false_promotion,
            "a chance between 0 and 1, like 0.05",
        )
        _require(0.0 <= self.tolerance <= 1000.0, "tolerance", self.tolerance, "a fraction, like 0.25 for 25 %")
        _require(
            0.0 < self.harm_budget <= 1.0, "harm_budget", self.harm_budget, "a fraction, like 0.005 for half a point"
        )
        _require(
            0.0 <= self.spare_requests < float("inf"),
            "spare_requests",
            self.spare_requests,
            "a number of requests, or 0",
        )
        _require(0.0 < self.interval < float("inf"), "interval", self.interval, "seconds between ticks, like 15")


@dataclass(frozen=True, slots=True)
class SuccessRate:
    """Requests that fail are bad.  `objective`.

    The fraction that is to succeed, like 0.995, beside the comparison with stable.
    """

    objective: float | None = None

    def __post_init__(self) -> None:
        _require_objective(self.objective)


@dataclass(frozen=True, slots=True)
class Latency:
    """Requests that fail or are slow are bad: a canary that fails fast has not become quicker.

    `threshold`: seconds within which requests are to be answered; without it, the tail of stable's own latency is
    compared. `objective`: the fraction to be answered within the threshold, like 0.99.
    """

    threshold: float | None = None
    objective: float | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None:
            _require(0.0 < self.threshold < float("inf"), "threshold", self.threshold, "seconds, like 0.5")
        _require_objective(self.objective)
        if self.objective is not None and self.threshold is None:
            raise ValueError(f"objective is {self.objective} without a threshold: say within how many seconds")


@dataclass(frozen=True, slots=True)
class Indicator:
    """One thing to be judged.  `share`: its part of the false-rollback allowance.

    The shares of all indicators sum to 1.
    """

    name: str
    share: float
    measure: SuccessRate | Latency

    def __post_init__(self) -> None:
        _require(0.0 < self.share <= 1.0, f"share of {self.name}", self.share, "a fraction above 0, up to 1")

    def far(self, settings: JudgeSettings) -> float:
        """The evidence at which this indicator alone rolls back."""
        return 1.0 / (settings.false_rollback * self.share)


def _require(holds: bool, field: str, value: float, fix: str) -> None:
    if not holds:
        raise ValueError(f"{field} is {value}: use {fix}")


def _require_objective(objective: float | None) -> None:
    if objective is not None:
        _require(0.0 < objective < 1.0, "objective", objective, "the fraction of good requests, like 0.995")
