"""Gates through the whole engine: asked when due and only then, obeyed, and never taken for open while silent."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from meshshift.core.gate_call import Answered, Reply, Unanswered
from meshshift.engine.ports import QueryError
from tests.engine.simulation import Behaviour, Simulation, bookinfo, shift

URL = "https://qa.example/gates/reviews?suite=short"
ENDED = {"Succeeded", "RolledBack", "Failed"}


def begun(*, before: int = 5, after: int = 50, arrange: Any = None, **gate: Any) -> Simulation:
    """A shift with a gate between two weights."""
    return with_steps({"setWeight": before}, {"gate": {"url": URL} | gate}, {"setWeight": after}, arrange=arrange)


def with_steps(*steps: dict[str, Any], arrange: Any = None, **spec: Any) -> Simulation:
    simulation = bookinfo()
    if arrange is not None:
        arrange(simulation)
    simulation.mesh.put(shift(strategy={"canary": {"steps": list(steps), "minStepDuration": "10s"}}, **spec))
    return simulation


def replies(simulation: Simulation, *answers: Reply | None) -> None:
    """One after the other, the last of them for ever."""
    left = list(answers)
    simulation.gates.answer = lambda question: left.pop(0) if len(left) > 1 else left[0]


def ended(simulation: Simulation) -> bool:
    return simulation.phase in ENDED


def asked(simulation: Simulation) -> bool:
    return bool(simulation.gates.asked)


def attempts(simulation: Simulation) -> list[int]:
    return [question.attempt for question in simulation.gates.asked]


def instants(simulation: Simulation) -> list[float]:
    """When the gate is asked."""
    times: list[float] = []
    answer = simulation.gates.answer

    def noted(question: Any) -> Reply | None:
        times.append(simulation.now)
        return answer(question)

    simulation.gates.answer = noted
    return times


def test_an_open_gate_is_asked_once_and_the_shift_goes_on() -> None:
    simulation = begun()
    simulation.run(300, until=ended)
    assert simulation.phase == "Succeeded"
    assert attempts(simulation) == [1]
    assert "GateOpened" in simulation.reasons()


def test_the_gate_is_told_what_is_at_stake() -> None:
    simulation = begun()
    simulation.run(300, until=asked)
    (question,) = simulation.gates.asked
    run = simulation.status["runId"]
    assert json.loads(question.body("bookinfo", "reviews")) == {
        "namespace": "bookinfo",
        "name": "reviews",
        "service": "reviews",
        "stable": "v1",
        "canary": "v2",
        "strategy": "canary",
        "run": run,
        "step": 2,
        "of": 4,
        "weight": 5,
        "attempt": 1,
        "id": f"{run}.2",
    }
    assert simulation.status["step"]["index"] == 2


def test_an_open_gate_is_leave_but_no_proof() -> None:
    simulation = begun(arrange=lambda s: setattr(s.traffic, "rps", 1.0))
    simulation.run(120, until=asked)
    simulation.run(20)
    assert (simulation.weight, simulation.status["reason"]) == (5, "NotYetProven")
    assert attempts(simulation) == [1]


@pytest.mark.parametrize("status", [409, 425])
def test_a_gate_that_says_wait_is_asked_again_every_interval_until_it_opens(status: int) -> None:
    simulation = begun(interval="20s")
    replies(simulation, *[Answered(status, "41 of 120 tests done")] * 3, Answered(204))
    times = instants(simulation)
    simulation.run(120, until=asked)
    assert simulation.status["reason"] == "GateWaiting"
    assert f"{status}: 41 of 120 tests done" in simulation.status["message"]
    simulation.run(300, until=ended)
    assert simulation.phase == "Succeeded"
    assert [after - before for before, after in pairwise(times)] == [20, 20, 20]
    assert attempts(simulation) == [1, 2, 3, 4]
    assert simulation.reasons().count("GateWaiting") == 1


def test_a_gate_may_wait_longer_than_stepTimeout_whatever_onInconclusive_says() -> None:  # noqa: N802
    analysis = {"interval": "5s", "warmup": "0s", "stepTimeout": "60s", "onInconclusive": "Advance"}
    simulation = with_steps({"setWeight": 5}, {"gate": {"url": URL}}, analysis=analysis)
    replies(simulation, Answered(425))
    simulation.run(1200)
    assert (simulation.phase, simulation.weight, simulation.status["reason"]) == ("Progressing", 5, "GateWaiting")


@pytest.mark.parametrize("status", [100, 301, 307, 400, 401, 403, 404, 422])
def test_any_other_answer_rolls_back_at_once(status: int) -> None:
    simulation = begun()
    replies(simulation, Answered(status, "3 of 120 tests failed"))
    simulation.run(300, until=ended)
    assert (simulation.phase, simulation.weight, simulation.status["reason"]) == ("RolledBack", 0, "GateRefused")
    assert f"the gate qa.example refused: {status}: 3 of 120 tests failed" in simulation.status["message"]
    assert attempts(simulation) == [1]


@pytest.mark.parametrize("trouble", [Unanswered("no answer within 10 s"), Answered(500), Answered(429), Answered(408)])
def test_a_gate_that_fails_is_tried_again_and_then_counts_as_refused(trouble: Reply) -> None:
    simulation = begun(retries=2, interval="20s")
    replies(simulation, trouble)
    times = instants(simulation)
    simulation.run(120, until=asked)
    assert simulation.status["reason"] == "GateFailing"
    assert str(trouble) in simulation.status["message"]
    simulation.run(300, until=ended)
    assert (simulation.phase, simulation.status["reason"]) == ("RolledBack", "GateFailed")
    assert str(trouble) in simulation.status["message"]
    assert [after - before for before, after in pairwise(times)] == [20, 20]


def test_only_failures_in_a_row_count() -> None:
    simulation = begun(retries=1)
    replies(simulation, Answered(503), Answered(425), Answered(503), Answered(425), Answered(503), Answered(200))
    simulation.run(400, until=ended)
    assert simulation.phase == "Succeeded"
    assert len(simulation.gates.asked) == 6


def test_without_retries_the_first_failure_counts() -> None:
    simulation = begun(retries=0)
    replies(simulation, Unanswered("no connection"))
    simulation.run(300, until=ended)
    assert (simulation.phase, attempts(simulation)) == ("RolledBack", [1])


def test_the_same_question_is_put_again_only_if_its_answer_never_arrived() -> None:
    simulation = begun(retries=5)
    lost, busy = Unanswered("the connection broke"), Answered(503)
    replies(simulation, lost, lost, busy, Answered(425), Answered(200))
    simulation.run(300, until=ended)
    assert attempts(simulation) == [1, 1, 1, 2, 3]
    assert len({question.id for question in simulation.gates.asked}) == 1
    keys = [question.key for question in simulation.gates.asked]
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys)) == 3


def test_the_gates_own_onFailure_goes_before_the_shifts() -> None:  # noqa: N802
    rolled = with_steps({"setWeight": 5}, {"gate": {"url": URL, "onFailure": "Rollback"}}, onFailure="Pause")
    replies(rolled, Answered(403))
    rolled.run(300, until=ended)
    assert rolled.phase == "RolledBack"
    held = with_steps({"setWeight": 5}, {"gate": {"url": URL}}, onFailure="Pause")
    replies(held, Answered(403))
    held.run(300)
    assert (held.phase, held.weight, held.status["reason"]) == ("Paused", 5, "GateRefused")


def held(**gate: Any) -> Simulation:
    """A shift that a gate has refused, with onFailure: Pause."""
    simulation = begun(onFailure="Pause", **gate)
    replies(simulation, Answered(403, "not today"))
    simulation.run(300, until=lambda s: s.phase == "Paused")
    return simulation


def test_a_held_shift_is_not_asked_about_and_says_what_to_do() -> None:
    simulation = held()
    simulation.run(300)
    assert (simulation.phase, simulation.weight, attempts(simulation)) == ("Paused", 5, [1])
    assert "not today" in simulation.status["message"]
    assert "resume asks again" in simulation.status["message"]
    assert {each["type"]: each["status"] for each in simulation.status["conditions"]}["Stalled"] == "True"


def test_resume_asks_a_gate_that_refused_again() -> None:
    simulation = held()
    replies(simulation, Answered(200))
    simulation.command("resume")
    simulation.run(300, until=ended)
    assert (simulation.phase, attempts(simulation)) == ("Succeeded", [1, 2])


def test_resume_gives_a_gate_that_failed_all_its_attempts_again() -> None:
    simulation = begun(onFailure="Pause", retries=1)
    replies(simulation, Unanswered("no connection"))
    simulation.run(300, until=lambda s: s.phase == "Paused")
    simulation.command("resume")
    simulation.run(5)
    assert (simulation.status["reason"], len(simulation.gates.asked)) == ("GateFailing", 3)
    simulation.run(60, until=lambda s: s.phase == "Paused")
    assert len(simulation.gates.asked) == 4


def test_promote_goes_on_without_a_gate_that_refused() -> None:
    simulation = held()
    simulation.command("promote")
    simulation.run(300, until=ended)
    assert (simulation.phase, len(simulation.gates.asked)) == ("Succeeded", 1)


def test_a_regression_rolls_back_what_a_gate_holds() -> None:
    simulation = held()
    simulation.traffic.versions["v2"] = Behaviour(failing=0.3)
    simulation.run(300, until=ended)
    assert (simulation.phase, simulation.status["reason"]) == ("RolledBack", "RegressionProven")


@pytest.mark.parametrize("answer", [None, Answered(425)])
def test_the_canary_stays_under_watch_while_a_gate_waits_or_is_silent(answer: Reply | None) -> None:
    simulation = begun()
    replies(simulation, answer)
    simulation.run(120, until=asked)
    simulation.traffic.versions["v2"] = Behaviour(failing=0.3)
    simulation.run(120, until=ended)
    assert (simulation.phase, simulation.status["reason"]) == ("RolledBack", "RegressionProven")


@pytest.mark.parametrize("answer", [None, Answered(425), Unanswered("no answer within 10 s")])
def test_a_person_may_abort_and_promote_while_a_gate_is_not_open(answer: Reply | None) -> None:
    for command, end in (("abort", "RolledBack"), ("promote", "Succeeded"), ("promote-full", "Succeeded")):
        simulation = begun(retries=10)
        replies(simulation, answer)
        simulation.run(120, until=asked)
        simulation.command(command)
        simulation.run(200, until=ended)
        assert simulation.phase == end


def test_lost_pods_take_the_canary_back_while_a_gate_waits() -> None:
    simulation = begun()
    replies(simulation, Answered(425))
    simulation.run(120, until=asked)
    simulation.mesh.remove("Pod", "reviews-v2-0")
    simulation.run(60, until=ended)
    assert simulation.status["reason"] == "CanaryLost"


def test_a_gate_is_not_asked_while_the_shift_is_paused() -> None:
    simulation = begun(interval="5s")
    replies(simulation, Answered(425))
    simulation.run(120, until=asked)
    simulation.command("pause")
    simulation.run(3)
    before = len(simulation.gates.asked)
    simulation.run(120)
    assert len(simulation.gates.asked) == before
    simulation.command("resume")
    simulation.run(30)
    assert len(simulation.gates.asked) > before


@pytest.mark.parametrize(("answer", "end"), [(Answered(200), ("Progressing", 5)), (Answered(403), ("RolledBack", 0))])
def test_a_gate_is_heard_without_telemetry_but_opens_no_way_past_it(answer: Reply, end: tuple[str, int]) -> None:
    simulation = begun(interval="5s")
    replies(simulation, Answered(425))
    simulation.run(120, until=asked)
    simulation.prometheus = QueryError("Unreachable", "no connection")
    simulation.run(60)
    before = len(simulation.gates.asked)
    replies(simulation, answer)
    simulation.run(120)
    assert (simulation.phase, simulation.weight) == end
    assert before > 5
    assert len(simulation.gates.asked) == before + 1


def test_the_time_that_a_gate_took_is_not_taken_from_the_proof() -> None:
    analysis = {"interval": "5s", "warmup": "0s", "stepTimeout": "60s", "onInconclusive": "Rollback"}
    simulation = with_steps({"setWeight": 5}, {"gate": {"url": URL}}, analysis=analysis)
    replies(simulation, Answered(425))
    simulation.traffic.rps = 1.0
    simulation.run(120, until=asked)
    simulation.run(300)
    replies(simulation, Answered(200))
    simulation.run(60, until=lambda s: "GateOpened" in s.reasons())
    opened = simulation.now
    simulation.run(300, until=ended)
    assert simulation.status["history"][-2]["reason"] == "StepTimeout"
    assert simulation.now - opened >= 60


def test_a_slow_gate_is_asked_for_its_answer_until_it_is_there() -> None:
    simulation = begun()
    replies(simulation, None, None, None, Answered(200))
    simulation.run(120, until=asked)
    assert simulation.status["reason"] == "AskingGate"
    simulation.run(300, until=ended)
    assert (simulation.phase, attempts(simulation)) == ("Succeeded", [1, 1, 1, 1])
    assert "AskingGate" not in simulation.reasons()


def test_a_gate_after_all_traffic_has_moved_can_still_take_it_back() -> None:
    simulation = with_steps({"setWeight": 50}, {"setWeight": 100}, {"gate": {"url": URL}})
    replies(simulation, Answered(425), Answered(425), Answered(403))
    simulation.run(300, until=lambda s: asked(s) and s.weight == 100)
    assert simulation.phase == "Progressing"
    simulation.run(300, until=ended)
    assert (simulation.phase, simulation.weight) == ("RolledBack", 0)


def test_a_canary_is_compared_with_before_while_the_last_gate_waits() -> None:
    simulation = with_steps({"setWeight": 50}, {"setWeight": 100}, {"gate": {"url": URL}})
    replies(simulation, Answered(425))
    simulation.run(300, until=asked)
    simulation.traffic.versions["v2"] = Behaviour(failing=0.3)
    simulation.run(120, until=ended)
    assert (simulation.phase, simulation.status["reason"]) == ("RolledBack", "WorseThanBefore")


@pytest.mark.parametrize("answer", [Answered(200), Answered(425)])
def test_the_last_gate_ends_the_shift_when_it_opens_or_a_person_says_so(answer: Reply) -> None:
    simulation = with_steps({"setWeight": 50}, {"setWeight": 100}, {"gate": {"url": URL}})
    replies(simulation, answer)
    simulation.run(300, until=asked)
    if answer.word == "Wait":
        simulation.run(60)
        assert simulation.phase == "Progressing"
        simulation.command("promote")
    simulation.run(120, until=ended)
    assert (simulation.phase, simulation.weight) == ("Succeeded", 100)


def test_every_gate_is_asked_for_itself_and_a_new_run_asks_anew() -> None:
    gate = {"gate": {"url": URL}}
    simulation = with_steps(gate, {"setWeight": 5}, gate, {"setWeight": 50})
    simulation.run(300, until=ended)
    assert [(question.step, question.weight) for question in simulation.gates.asked] == [(1, 0), (3, 5)]
    assert len({question.id for question in simulation.gates.asked}) == 2


def test_a_restart_goes_on_where_the_gate_was() -> None:
    simulation = begun(retries=2, interval="20s")
    replies(simulation, Answered(425), Answered(503))
    times = instants(simulation)
    simulation.run(120, until=lambda s: len(s.gates.asked) == 2)
    for _ in range(3):
        simulation.restart()
        simulation.run(3)
    assert len(simulation.gates.asked) == 2
    simulation.run(120, until=ended)
    assert (simulation.phase, len(times)) == ("RolledBack", 4)
    assert {after - before for before, after in pairwise(times)} <= {20.0, 21.0}


def test_a_clock_that_is_set_back_does_not_keep_a_gate_from_being_asked() -> None:
    simulation = begun(interval="1h")
    replies(simulation, Answered(425), Answered(200))
    simulation.run(120, until=asked)
    checkpoint = json.loads(simulation.status["checkpoint"])
    checkpoint["gate"]["asked"] += 86400.0
    simulation.mesh.edit(
        "TrafficShift", "reviews", lambda s: s["status"].update(checkpoint=json.dumps(checkpoint)), spec=False
    )
    simulation.run(300, until=ended)
    assert simulation.phase == "Succeeded"
