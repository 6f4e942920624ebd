from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from meshshift.cli.main import main
from meshshift.engine.ports import QueryError
from tests.cli.saved import begun, document, ended, finished, rolled_back
from tests.engine.simulation import Simulation

Ask = Callable[..., Result]


class Recorded:
    """The simulation's counters where the command expects Prometheus."""

    simulation: Simulation

    def __init__(self, settings: object) -> None:
        self.snapshots = self.simulation.snapshots
        self.query = self.simulation.query

    async def __aenter__(self) -> Recorded:
        return self

    async def __aexit__(self, *_: object) -> None: ...


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    """Runs `meshshift replay` over the counters of a simulation, with its shift as a saved file."""
    monkeypatch.setattr("meshshift.cli.replay.PrometheusTelemetry", Recorded)

    def run(simulation: Simulation, *arguments: str, shift: dict[str, Any] | None = None) -> Result:
        Recorded.simulation = simulation
        path = tmp_path / "shift.yaml"
        path.write_text(yaml.safe_dump(shift or document(simulation)))
        fixed = ["replay", "-f", str(path), "--prometheus-url", "http://prometheus", "--scrape-interval", "1s"]
        return CliRunner().invoke(main, [*fixed, *arguments])

    return run


def manifest(simulation: Simulation) -> dict[str, Any]:
    return {key: value for key, value in document(simulation).items() if key != "status"}


def test_a_recorded_run_is_replayed_over_its_own_time(ask: Ask) -> None:
    text = ask(rolled_back()).output
    assert "replayed 2023-11-14 22:13:51 to 2023-11-14 22:14:18 UTC" in text
    assert "2023-11-14 22:13:51   5%  FirstStep: 0% → 5%: the first weight is on faith" in text
    assert "Verdict: would have been rolled back at 22:14:16, 25 s after the start: 5% → 0%: success-rate" in text


def test_a_promotion_tells_when_each_weight_would_have_been_allowed(ask: Ask) -> None:
    simulation = finished()
    text = ask(simulation).output
    for entry in simulation.status["history"]:
        if entry["reason"] == "ProvenNotWorse":
            assert f"{entry['at'][:10]} {entry['at'][11:19]} {entry['weight']:>3}%  ProvenNotWorse" in text
    assert "Verdict: would have been promoted at 22:14:41" in text
    assert "5.0% of 5,800 requests" in text


def test_verdicts_of_other_settings_stand_beside_each_other(ask: Ask) -> None:
    simulation = rolled_back()
    text = ask(simulation, "--compare", "analysis.confidence=99.99", "--compare", "analysis.harmBudget=5").output
    assert (
        text.index("  as written\n") < text.index("  analysis.confidence=99.99\n") < text.index("analysis.harmBudget=5")
    )
    assert text.count("weights allowed: ") == 3
    assert (
        "undecided when the period ended at 22:14:18" in text or "undecided when the period ended at 22:14:16" in text
    )


def test_method_is_whatever_the_api_accepts(ask: Ask) -> None:
    result = ask(rolled_back(), "--method", "Guessing")
    assert result.exit_code == 1
    assert 'analysis.method = "Guessing"' in result.output


def test_threshold_counts_failures_in_the_past_as_well(ask: Ask) -> None:
    indicators = "[{name: success-rate, successRate: {objective: 99.5}, failureLimit: 2}]"
    result = ask(rolled_back(), "--method", "Threshold", "--set", f"analysis.indicators={indicators}")
    assert "FailureLimitReached" in result.output, result.output
    assert "check success-rate: must be at least 99.5%" in result.output


def test_a_manifest_needs_a_start(ask: Ask) -> None:
    simulation = rolled_back()
    result = ask(simulation, shift=manifest(simulation))
    assert result.exit_code == 2
    assert "--start is missing" in result.output
    assert "--start=-2h" in result.output


def test_a_manifest_is_replayed_over_the_time_that_is_asked_for(ask: Ask) -> None:
    simulation = rolled_back()
    period = ("--start", "2023-11-14T22:13:51Z", "--end", "2023-11-14T22:14:18Z")
    assert "rolled back at 22:14:16" in ask(simulation, *period, shift=manifest(simulation)).output


def test_an_end_before_the_start_is_refused(ask: Ask) -> None:
    result = ask(rolled_back(), "--start", "2023-11-14T22:13:51Z", "--end", "2023-11-14T22:13:50Z")
    assert result.exit_code == 2
    assert "not later than --start" in result.output


def test_a_workload_that_never_answered_is_named_with_those_that_did(ask: Ask) -> None:
    text = ask(rolled_back(), "--canary-workload", "reviews-v9").output
    assert "no request to the canary arm (workload reviews-v9) was counted" in " ".join(text.split())
    assert "workloads that answered: reviews-v1, reviews-v2" in " ".join(text.split())
    assert "requests went to workloads of neither arm" in text


def test_pods_that_became_ready_later_are_taken_into_account(ask: Ask) -> None:
    text = ask(rolled_back(), "--canary-ready", "2023-11-14T22:14:00Z").output
    assert "22:13:51   0%  CanaryNotReady: waiting for a ready pod" in text
    assert "22:14:01   5%  FirstStep" in text


def test_json_is_strict_and_complete(ask: Ask) -> None:
    found = json.loads(ask(rolled_back(), "-o", "json").output)
    (only,) = found["replays"]
    assert (only["decided"], only["phase"]) == (True, "RollingBack")
    assert [turn["reason"] for turn in only["turns"]] == ["Started", "FirstStep", "RegressionProven"]
    assert found["arms"]["canary"]["workloads"] == ["reviews-v2"]
    assert only["measured"][0]["share"] == pytest.approx(0.05)


def test_a_pause_for_a_person_is_said_to_be_skipped(ask: Ask) -> None:
    steps = [{"setWeight": 5}, {"pause": {}}, {"setWeight": 50}]
    simulation = begun(rps=200.0, strategy={"canary": {"steps": steps, "minStepDuration": "10s"}})
    simulation.run(200, until=ended)
    text = ask(simulation, "--end", "2023-11-14T22:16:00Z").output
    assert "! the pause in step 2 waits for a person: taken as promoted at once" in text
    assert "50%  ProvenNotWorse" in text


def test_an_unreachable_prometheus_is_an_error_not_a_verdict(ask: Ask) -> None:
    simulation = rolled_back()
    simulation.prometheus = QueryError("PrometheusUnreachable", "Prometheus at http://p cannot be reached")
    result = ask(simulation)
    assert result.exit_code == 1
    assert "Error: Prometheus at http://p cannot be reached" in result.output
    assert "Verdict" not in result.output


def test_a_prometheus_url_without_scheme_is_refused(ask: Ask) -> None:
    result = ask(rolled_back(), "--prometheus-url", "prometheus:9090")
    assert result.exit_code == 1
    assert "use http:// or https://" in result.output
