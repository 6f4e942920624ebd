"""What is kept of an act: only what is its own, and what was so before the canary had weight apart from the rest."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from meshshift.lab.demo.record import Record
from meshshift.lab.demo.scenarios import SCENARIOS
from meshshift.lab.demo.tally import Traffic
from meshshift.lab.receiver import Asked, Receiver, Told

ACT = SCENARIOS["preview"].acts[0]


class Counted:
    """A tally that is told what it has counted."""

    def __init__(self) -> None:
        self.sent = 0

    def now(self) -> Traffic:
        return Traffic(sent=self.sent)

    def expire_cookies(self) -> None: ...


def record(tally: Counted | None = None, receiver: Receiver | None = None) -> Record:
    begun = Record(ACT, 1, tally or Counted(), receiver or Receiver(), None)  # type: ignore[arg-type]
    begun.applied(2)
    return begun


def shift(weight: int, generation: int = 2, name: str = "reviews") -> dict[str, Any]:
    status = {"phase": "Progressing", "observedGeneration": generation, "weights": {"desired": weight}}
    return {"metadata": {"namespace": "bookinfo", "name": name}, "status": status}


def virtual_service(*http: dict[str, Any], name: str = "reviews") -> dict[str, Any]:
    return {"metadata": {"namespace": "bookinfo", "name": name}, "spec": {"http": list(http)}}


def test_what_was_sent_before_the_first_weight_is_told_apart() -> None:
    tally = Counted()
    played = record(tally)
    played.saw_shift(shift(0), exists=True)
    tally.sent = 40
    assert (played.unweighted, played.course().unweighted.sent) == (True, 40)
    played.saw_shift(shift(5), exists=True)
    tally.sent = 100
    played.saw_shift(shift(0), exists=True)
    assert not played.unweighted
    course = played.course()
    assert (course.unweighted.sent, course.traffic.sent, course.peak) == (40, 100, 5)


def test_other_shifts_and_what_was_written_before_this_act_do_not_count() -> None:
    played = record()
    for other in (shift(50, generation=1), shift(50, name="ratings")):
        played.saw_shift(other, exists=True)
    played.saw_shift(shift(50), exists=False)
    assert played.course().sights == ()


def test_what_is_put_in_is_remembered_and_what_is_left_is_known() -> None:
    played = record()
    mine = {"name": "meshshift/bookinfo/reviews/preview"}
    played.saw_virtual_service(virtual_service(mine, {"name": "default", "mirrors": [{}]}), exists=True)
    assert played.course().left == ("route meshshift/bookinfo/reviews/preview", "mirror")
    played.saw_virtual_service(virtual_service(mine, name="ratings"), exists=True)
    played.saw_virtual_service(virtual_service({"name": "default"}), exists=True)
    course = played.course()
    assert (course.put_in, course.left) == (("route meshshift/bookinfo/reviews/preview", "mirror"), ())


def test_of_what_the_receiver_heard_only_this_acts_part_counts() -> None:
    receiver, now = Receiver(), time.time()
    receiver.asked.append(Asked(now, "reviews", "old.2", "old.2.1", 200))
    played = record(receiver=receiver)
    receiver.asked += [Asked(now + 5, "reviews", "a.2", "a.2.1", 425), Asked(now + 5, "ratings", "b.2", "b.2.1", 425)]
    told = {"service": "reviews", "canary": "v2", "transition": "Started"}
    receiver.told += [Told(now, told), Told(now, told | {"canary": "v1"}), Told(now, told | {"service": "ratings"})]
    course = played.course()
    assert [(one.id, 4 < one.time < 6) for one in course.asked] == [("a.2", True)]
    assert course.told == ("Started",)
    assert played.all_told, "the preview expects to tell of nothing"
    expects = replace(ACT, expected=replace(ACT.expected, told=("Started", "Advanced")))
    waiting = Record(expects, 1, Counted(), receiver, None)  # type: ignore[arg-type]
    receiver.told.append(Told(now, told))
    assert not waiting.all_told
    receiver.told.append(Told(now, told | {"transition": "Advanced"}))
    assert waiting.all_told


def of_run(run: str, phase: str, *messages: str, weight: int = 0) -> dict[str, Any]:
    """The Service's own shift in a run; the first word of a turn's message is its reason."""
    seen = shift(weight)
    turn = {"at": "2026-01-01T00:00:00Z", "phase": "Pending", "weight": 0}
    history = [{**turn, "reason": message.partition(" ")[0], "message": message} for message in messages]
    seen["status"] |= {"phase": phase, "runId": run, "history": history}
    return seen


def test_of_the_services_own_shift_the_next_run_is_the_acts() -> None:
    _, bad, good = SCENARIOS["annotated"].acts
    first = Record(bad, 2, Counted(), Receiver(), None)  # type: ignore[arg-type]
    first.awaited()
    first.saw_shift(of_run("a", "Progressing", "Started a", weight=20), exists=True)
    first.saw_shift(of_run("a", "RollingBack", "Started a", "Proven a"), exists=True)
    assert first.course().ended
    first.saw_shift(of_run("a", "RolledBack", "Started a", "Proven a", "Over a"), exists=True)
    assert first.course().last.phase == "RollingBack", "what comes after the end of an act is not its own"

    second = Record(good, 3, Counted(), Receiver(), first)  # type: ignore[arg-type]
    second.awaited()
    second.saw_shift(of_run("a", "RolledBack", "Started a", "Proven a", "Over a"), exists=True)
    waiting = second.frame(3, 300.0)
    assert second.course().sights == ()
    assert (waiting.status.phase, waiting.status.message) == (None, "v4 is not shifted yet")
    assert [entry.message for _, entry in waiting.turns()] == ["v3: Over a"]
    second.saw_shift(of_run("b", "Pending", "Started a", "Proven a", "Over a", "Started b"), exists=True)
    assert [sight.status.phase for sight in second.course().sights] == ["Pending"]
    assert [entry.message for _, entry in second.frame(3, 300.0).turns()] == ["v3: Over a", "Started b"]


def test_the_history_of_the_act_before_is_handed_on() -> None:
    first = record()
    entry = {"at": "2026-01-01T00:00:00Z", "phase": "Succeeded", "reason": "Promoted", "message": "m", "weight": 100}
    done = shift(100)
    done["status"]["history"] = [entry]
    first.saw_shift(done, exists=True)
    second = Record(ACT, 2, Counted(), Receiver(), first)  # type: ignore[arg-type]
    assert [each.reason for each in second.history] == ["Promoted"]
    assert second.frame(2, 300.0).turns() == ()
