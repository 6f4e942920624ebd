"""The process dies, or an answer is lost, at every single write around a Deployment that is updated in place.

What the TrafficShift's own loop writes to its status is interrupted in `test_interruption`; here it is every call that
touches a Deployment, a subset, a route or the TrafficShift as a whole, from the adoption to the end of the story, with
every claim of `in_place_stories` watched in between.
"""

from __future__ import annotations

import pytest

from meshshift.engine.failures import Transient
from tests.engine.in_place import InPlace, running
from tests.engine.in_place_stories import SERVICE_GOES, STORIES, Story, play, settled
from tests.engine.simulation import Killed

QUIET = {"status", "event", "finalizer", "release", "command"}
EVERY_WAY = {"good", "bad, then good while the bad one goes back", "another one on the way home"}
"""Stories that are interrupted in every way; the process dies after each write of the others, which is the worst."""
CASES = [
    pytest.param(story, how, id=f"{story.name}, {how}")
    for story in STORIES
    for how in ("killed after", "killed before", "answer lost")
    if how == "killed after" or story.name in EVERY_WAY
]
GONE_EVERY_WAY = {"only it is deleted, v2 proven", "replaced mid-run"}
GONE = [
    pytest.param(story, how, id=f"{story.name}, {how}")
    for story in SERVICE_GOES
    for how in ("killed after", "killed before", "answer lost")
    if how == "killed after" or story.name in GONE_EVERY_WAY
]


def struck(story: Story, victim: int, how: str) -> InPlace:
    """The story with one interruption."""
    simulation = running()
    done: list[str] = []

    def interrupt(call: str, number: int, moment: str) -> None:
        if not done and number == victim and moment == ("before" if how == "killed before" else "after"):
            done.append(call)
            raise Transient("the connection was reset") if how == "answer lost" else Killed

    simulation.mesh.interrupt = interrupt
    return play(story, simulation)


@pytest.mark.parametrize(("story", "how"), CASES)
def test_an_interruption_at_any_write_comes_to_the_same_end(story: Story, how: str) -> None:
    calls = play(story).mesh.calls
    victims = [number for number, call in enumerate(calls, 1) if call not in QUIET]
    assert len(victims) > 3
    for victim in victims:
        simulation = struck(story, victim, how)
        assert settled(simulation) == story.end, (
            f"{how} call {victim}, {calls[victim - 1]}: {simulation.acts.acts[-2:]}"
        )


@pytest.mark.parametrize(("story", "how"), GONE)
def test_a_service_that_goes_meanwhile_is_no_harm(story: Story, how: str) -> None:
    undisturbed = play(story)
    calls = undisturbed.mesh.calls
    victims = [number for number, call in enumerate(calls, 1) if call not in QUIET and number > undisturbed.deleted_at]
    for victim in victims:
        simulation = struck(story, victim, how)
        assert settled(simulation) == story.end, (
            f"{how} call {victim}, {calls[victim - 1]}: {simulation.acts.acts[-2:]}"
        )
