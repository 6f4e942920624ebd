from __future__ import annotations

import json
from typing import Literal

from meshshift.api.status import (
    MAX_HISTORY,
    ConditionStatus,
    EvidenceStatus,
    HistoryEntry,
    LastCommandStatus,
    StatusModel,
    StepStatus,
    rfc3339,
    shorten,
)
from meshshift.core.run import Phase


def _condition(status: Literal["True", "False", "Unknown"], at: str) -> ConditionStatus:
    return ConditionStatus(type="Ready", status=status, reason="Testing", last_transition_time=at)


def test_the_wire_form_is_camel_case_without_unknowns() -> None:
    wire = StatusModel(phase=Phase.PAUSED, run_id="a1", observed_generation=2).to_wire()
    assert wire == {
        "phase": "Paused",
        "runId": "a1",
        "observedGeneration": 2,
        "virtualServices": [],
        "evidence": [],
        "history": [],
        "conditions": [],
    }


def test_what_was_written_reads_back() -> None:
    status = StatusModel(
        phase=Phase.PROGRESSING,
        step=StepStatus.at(1, 5, "setWeight 5%", 1_700_000_000.5),
        last_command=LastCommandStatus(command="pause", by="kubectl-annotate", at=rfc3339(0), written=rfc3339(0)),
        conditions=(_condition("True", rfc3339(0)),),
        checkpoint='{"run":1}',
    )
    assert StatusModel.from_wire(json.loads(json.dumps(status.to_wire()))) == status


def test_a_field_that_makes_no_sense_does_not_cost_the_checkpoint() -> None:
    status = StatusModel.from_wire({"phase": "Levitating", "step": 3, "checkpoint": "{}", "newer": True})
    assert status == StatusModel(checkpoint="{}")


def test_a_status_that_is_no_object_is_an_empty_one() -> None:
    assert StatusModel.from_wire(None) == StatusModel.from_wire("x") == StatusModel()


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    first = StatusModel().with_conditions(_condition("False", "2025-01-01T00:00:00Z"))
    second = first.with_conditions(_condition("False", "2025-01-02T00:00:00Z"))
    third = second.with_conditions(_condition("True", "2025-01-03T00:00:00Z"))
    times = [each.conditions[0].last_transition_time for each in (first, second, third)]
    assert times == ["2025-01-01T00:00:00Z", "2025-01-01T00:00:00Z", "2025-01-03T00:00:00Z"]
    assert len(third.conditions) == 1


def test_history_keeps_the_latest_turns_only() -> None:
    status = StatusModel()
    for index in range(MAX_HISTORY + 5):
        status = status.with_history(HistoryEntry(at=rfc3339(index), phase=Phase.PROGRESSING, weight=index))
    assert [entry.weight for entry in status.history] == list(range(5, MAX_HISTORY + 5))


def test_a_long_message_is_cut_where_it_is_made() -> None:
    assert len(StatusModel(message="x" * 10**6).message or "") == 1024
    assert shorten("short") == "short"


def test_no_sentence_can_act_on_a_terminal_or_outgrow_its_field() -> None:
    assert shorten("a\x1b[2J\nb\u202ec") == "a\\x1b[2J\\nb\\u202ec"
    assert len(shorten("\n" * 10**6)) == 1024
    assert shorten("\n" * 600).endswith("…")


def test_a_number_that_cannot_be_had_is_absent() -> None:
    evidence = EvidenceStatus(indicator="latency", requests_needed=float("inf"), worse=float("nan"))
    wire = StatusModel(evidence=(evidence,)).to_wire()
    assert "requestsNeeded" not in wire["evidence"][0]
    assert json.dumps(wire, allow_nan=False)


def test_instants_are_utc_in_whole_seconds() -> None:
    assert rfc3339(1_700_000_000.9) == "2023-11-14T22:13:20Z"
