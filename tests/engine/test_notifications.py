"""The engine, the real notifier and receivers that are slow, in a world where the process dies at any call.

A delivery takes three simulated seconds, so a process mostly dies with some on their way.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any, Self, cast

import pytest

from meshshift.adapters.cluster import KubeCluster
from meshshift.adapters.journals import Journals
from meshshift.adapters.notifier import Notifier
from meshshift.adapters.notifier_http import Poster, Trouble
from meshshift.core.notices import Request, Transition
from meshshift.engine.failures import NotFound
from tests.engine.faults import play
from tests.engine.faults_schedule import undisturbed
from tests.engine.simulation import RUNNER, Document
from tests.engine.stories import BACK, THERE, Story, bookinfo, both, failing, say
from tests.engine.test_interruption import Struck

TAKES = 3.0
ADDRESS = "https://hooks.example.com/"
EVERYTHING = {"transitions": list(Transition), "cloudEvents": {"url": ADDRESS, "mode": "Binary"}}


class Receiver(Poster):
    """A receiver in simulated time, which answers after a while."""

    def __init__(self, world: Told) -> None:
        super().__init__()
        self.world = world

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def post(self, url: str, request: Request, headers: Mapping[str, str]) -> Trouble | None:
        word = request.headers["ce-type"].rpartition(".")[2]
        self.world.told.append((request.headers["ce-id"], word, url))
        until = self.world.now + self.world.takes
        while self.world.now < until:
            await self.world.tick.wait()
        return None


class Api:
    """Events of the simulated API server, with their annotations."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.names = names
        self.annotations: dict[str, dict[str, str]] = {}

    async def get(self, resource: Any, namespace: str, name: str) -> Document:
        if name not in self.names:
            raise NotFound(name)
        return {"metadata": {"annotations": dict(self.annotations.get(name, {}))}}

    async def patch(self, resource: Any, namespace: str, name: str, body: Document, *, kind: str) -> Document:
        self.annotations.setdefault(name, {}).update(body["metadata"]["annotations"])
        return await self.get(resource, namespace, name)


class Told(Struck):
    """A world whose process has a notifier, and dies with it."""

    takes = TAKES
    notifier: Notifier | None = None

    def __init__(self, story: Story, victim: int, moment: str) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.tick = asyncio.Event()
        self.marks: dict[str, dict[str, str]] = {}
        super().__init__(story, victim, moment)

    def restart(self) -> None:
        if self.notifier is not None:
            RUNNER.run(self.notifier.__aexit__())
        super().restart()
        api = Api(self.mesh.events)
        api.annotations = self.marks
        cluster = KubeCluster(cast("Any", api))
        self.notifier = Notifier(cluster, lambda *_: None, poster=Receiver(self))
        RUNNER.run(self.notifier.__aenter__())
        self.reconciler.journal = Journals(self.journal, self.notifier)

    def elapse(self, seconds: float) -> None:
        for _ in range(round(seconds)):
            super().elapse(1)
            if not self.within_call:
                RUNNER.run(self._turns())

    @property
    def within_call(self) -> bool:
        """Is a pass under way, whose loop cannot be run from within?"""
        return RUNNER.get_loop().is_running()

    async def _turns(self) -> None:
        """Let every delivery do what can be done at this instant."""
        self.tick.set()
        self.tick.clear()
        for _ in range(20):
            await asyncio.sleep(0)


STORIES = (
    Story("promotion", frozenset({THERE}), {"notifications": [EVERYTHING]}, bookinfo),
    Story("rollback", frozenset({BACK}), {"notifications": [EVERYTHING]}, both(bookinfo, failing)),
    Story(
        "pause, resume, abort",
        frozenset({BACK}),
        {"notifications": [EVERYTHING]},
        bookinfo,
        ((20.0, say("pause")), (50.0, say("resume")), (60.0, say("abort"))),
    ),
)


def told_words(world: Told) -> list[str]:
    return [word for _, word, _ in world.told]


def calm(story: Story) -> Told:
    world = Told(story, 0, "before")
    play(undisturbed(story), world)
    return world


@pytest.fixture(autouse=True)
def _leave() -> Any:
    """What a world leaves on its way ends with the test."""
    yield
    for task in asyncio.all_tasks(RUNNER.get_loop()):
        task.cancel()
    RUNNER.run(asyncio.sleep(0))


def test_every_turn_is_told_once_under_the_name_of_its_event() -> None:
    world = calm(STORIES[0])
    assert [name for name, _, _ in world.told] == list(world.mesh.events)
    assert told_words(world) == ["started", *["advanced"] * 4, "succeeded"]


def test_a_rollback_is_told_when_it_begins_and_when_it_is_done() -> None:
    assert told_words(calm(STORIES[1]))[-2:] == ["rollingback", "rolledback"]


def test_what_people_say_is_told() -> None:
    words = told_words(calm(STORIES[2]))
    assert [word for word in words if word != "advanced"] == [
        *("started", "commanded", "paused", "commanded", "rollingback", "rolledback")
    ]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_no_death_loses_a_turn_and_none_repeats_more_than_was_on_its_way(story: Story, moment: str) -> None:
    undisturbed_world = calm(story)
    calls = len(undisturbed_world.mesh.calls)
    repeated = 0
    for victim in range(1, calls + 1):
        world = Told(story, victim, moment)
        play(undisturbed(story), world)
        struck = f"killed {moment} call {victim}: {world.struck}"
        times = Counter(name for name, _, _ in world.told)
        assert times.keys() == world.mesh.events.keys(), struck
        assert max(times.values()) <= 2, struck
        assert set(world.marks) == set(times), struck
        twice = [name for name, count in times.items() if count > 1]
        assert len(twice) <= 3, struck
        repeated += len(twice)
    assert repeated > 0


def test_receivers_that_never_answer_change_nothing_for_the_shift() -> None:
    class Deaf(Told):
        takes = float("inf")

    for story in STORIES[:2]:
        deaf = Deaf(story, 0, "before")
        _, result = play(undisturbed(story), deaf)
        silent, undisturbed_result = play(undisturbed(Story(story.name, story.ends, {}, story.arrange, story.script)))
        assert result == undisturbed_result
        assert [(write.at, write.call) for write in deaf.history.writes] == [
            (write.at, write.call) for write in silent.history.writes
        ]
        assert deaf.now == silent.now
        assert len(deaf.told) == 1


def test_another_receiver_is_told_from_the_next_turn_on_and_starts_no_new_run() -> None:
    elsewhere = {"transitions": list(Transition), "cloudEvents": {"url": f"{ADDRESS}2", "mode": "Binary"}}
    script = ((20.0, lambda world: world.mesh.edit("TrafficShift", "reviews", redirect)),)

    def redirect(document: Document) -> None:
        document["spec"]["notifications"] = [elsewhere]

    world = calm(Story("another receiver", frozenset({THERE}), {"notifications": [EVERYTHING]}, bookinfo, script))
    assert told_words(world) == ["started", *["advanced"] * 4, "succeeded"]
    assert [address for _, _, address in world.told] == sorted(address for _, _, address in world.told)
    assert {address for _, _, address in world.told} == {ADDRESS, f"{ADDRESS}2"}


def test_a_spec_that_became_invalid_is_still_told_of() -> None:
    def spoil(document: Document) -> None:
        document["spec"]["service"] = "Reviews"

    script = ((20.0, lambda world: world.mesh.edit("TrafficShift", "reviews", spoil)),)
    ends = frozenset({"Progressing:InvalidSpec"})
    world = calm(Story("invalid spec", ends, {"notifications": [EVERYTHING]}, bookinfo, script))
    assert told_words(world)[-1] == "failed"
