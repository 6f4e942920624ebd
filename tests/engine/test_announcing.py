"""What a turn of the history is told as."""

from __future__ import annotations

from typing import Any

import pytest

from meshshift.api.status import HistoryEntry, StatusModel
from meshshift.core.notices import Turn
from meshshift.core.run import Phase, Run
from meshshift.engine.announcing import turn_name, turn_of
from tests.engine.simulation import KEY, Simulation, bookinfo, shift
from tests.engine.stories import failing, retarget


def entry(second: int, phase: Phase, reason: str, weight: int | None = 0) -> HistoryEntry:
    return HistoryEntry(at=f"2026-01-01T00:00:{second:02}Z", phase=phase, reason=reason, message="why", weight=weight)


TWO_RUNS = (
    entry(1, Phase.PENDING, "Started"),
    entry(2, Phase.PROGRESSING, "FirstStep", 5),
    entry(3, Phase.ROLLING_BACK, "SpecChanged"),
    entry(4, Phase.PENDING, "Started"),
    entry(5, Phase.PENDING, "CanaryNotReady"),
)


def present_run() -> Run:
    simulation = bookinfo()
    simulation.mesh.put(shift())
    simulation.run(30)
    run = simulation.journal.decisions[-1].run
    assert run is not None
    return run


def turns(*history: HistoryEntry, run: Run | None, spec: Any = None) -> list[Turn]:
    document = {"metadata": {"namespace": "bookinfo", "name": "reviews"}, "spec": spec}
    status = StatusModel(history=history)
    names = [turn_name(KEY, "uid", each) for each in history]
    return [turn_of(document, status, place, name, run) for place, name in enumerate(names)]


def test_a_turn_of_an_earlier_run_is_told_without_what_is_not_known_of_it() -> None:
    run = present_run()
    told = turns(*TWO_RUNS, run=run)
    assert [(turn.run, turn.stable, turn.canary) for turn in told] == [("", "", "")] * 3 + [(run.id, "v1", "v2")] * 2
    assert {turn.service for turn in told} == {"reviews"}


def test_a_refused_command_does_not_make_the_pause_a_new_one() -> None:
    told = turns(
        entry(1, Phase.PAUSED, "PausedByPerson", 5),
        entry(2, Phase.PROGRESSING, "CommandRefused", 5),
        entry(3, Phase.PAUSED, "PausedByPerson", 5),
        run=None,
    )
    assert [str(turn.transition) for turn in told] == ["Paused", "Commanded", "Other"]


@pytest.mark.parametrize(
    ("spec", "subject"),
    [
        ({"service": "reviews", "stable": {"subset": "v1"}, "canary": {"subset": "v2"}}, ("reviews", "v1", "v2")),
        ({"service": 7, "stable": "v1", "canary": {"subset": ["v2"]}}, ("", "", "")),
        (["service"], ("", "", "")),
        (None, ("", "", "")),
    ],
)
def test_without_a_run_the_spec_tells_whom_it_is_about(spec: Any, subject: tuple[str, str, str]) -> None:
    (turn,) = turns(entry(1, Phase.FAILED, "InvalidSpec", None), run=None, spec=spec)
    assert (turn.service, turn.stable, turn.canary) == subject
    assert (turn.run, turn.weight, str(turn.transition)) == ("", None, "Failed")


class Told(Simulation):
    """Keeps what the journal is told."""

    def restart(self) -> None:
        super().restart()
        self.turns: list[tuple[Turn, bool]] = []
        self.journal.turned = lambda key, shift, turn, *, new: self.turns.append((turn, new))  # type: ignore[method-assign]


def told_world() -> Told:
    world = Told()
    world.mesh.objects, world.mesh.version = bookinfo().mesh.objects, 1000
    world.mesh.put(shift())
    return world


def test_a_run_that_is_replaced_is_told_with_its_own_canary() -> None:
    world = told_world()
    world.run(25)
    retarget(world)
    world.run(60)
    words = [(str(turn.transition), turn.canary) for turn, _ in world.turns]
    turned = words.index(("RollingBack", "v2"))
    assert words[0] == ("Started", "v2")
    assert words[turned + 1][0] == "Started"
    assert len({turn.run for turn, _ in world.turns}) == 2


def test_a_restart_hands_over_recent_turns_as_not_new_and_older_ones_not_at_all() -> None:
    world = told_world()
    failing(world)
    world.run(120)
    first = list(world.turns)
    assert [new for _, new in first] == [True] * len(first)
    world.restart()
    world.run(10)
    assert world.turns == [(turn, False) for turn, _ in first]
    world.restart()
    world.now += 600
    world.run(10)
    assert world.turns == []
