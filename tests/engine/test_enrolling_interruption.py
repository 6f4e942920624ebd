"""Services that opt in, under interruption: at every call of their loop body the process dies, or the API fails.

Each story is first told without interruption.  Then it is told once for every call of the Services' loop body (the
shifts' own has its stories in `tests.engine.test_interruption`) and every way in which it can go wrong, and has to come
to the same end, with every invariant holding at every second in between.  New versions come once the Service is pinned:
until then they get traffic by pod count, as they would without us.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from meshshift.engine.failures import Conflict, Refused, Transient
from tests.engine.enrolment import Enrolling, bare
from tests.engine.simulation import Document, Killed, Simulation, copied, route, rule

Act = Callable[[Enrolling], None]
Faults = dict[str, tuple[str, Callable[[], BaseException]]]

FAULTS: Faults = {
    "killed before": ("before", Killed),
    "killed after": ("after", Killed),
    "conflict": ("before", lambda: Conflict("the object has been modified")),
    "error": ("before", lambda: Transient("the server has failed")),
    "lost answer": ("after", lambda: Transient("connection reset by peer")),
    "throttled": ("before", lambda: Transient("too many requests", 3.0)),
    "refused": ("before", lambda: Refused("the webhook denied the request")),
}


@dataclass(frozen=True)
class Story:
    """What people do at which second, and the version that serves in the end; `most` is what a bad version may get."""

    name: str
    end: str
    script: tuple[tuple[float, Act], ...]
    arrange: Act = lambda simulation: None
    seconds: float = 280.0
    bad: tuple[str, ...] = ()


class Struck(Enrolling):
    """One call of the Services' loop body goes wrong; every second is looked at."""

    def __init__(self, story: Story, victim: int = 0, fault: str = "") -> None:
        self.story, self.victim = story, victim
        self.moment, self.failure = FAULTS.get(fault, ("", Killed))
        self.own_calls: list[str] = []
        self.hit = ""
        super().__init__()
        bare(self)
        story.arrange(self)
        self.foreign = [_foreign(self.mesh.peek(kind, "reviews")) for kind in ("VirtualService", "DestinationRule")]
        self.mesh.interrupt = self._interrupt
        self.patched, self.mesh._patched = self.mesh._patched, self._guarded  # type: ignore[method-assign]
        self.checks.append(keeps_its_promises)

    def _interrupt(self, call: str, number: int, moment: str) -> None:
        if not self.enrolling:
            return
        if moment == "before":
            self.own_calls.append(call)
        if len(self.own_calls) == self.victim and moment == self.moment and not self.hit:
            self.hit = call
            raise self.failure()

    def _guarded(self, call: str, kind: str, name: str, operations: Sequence[Mapping[str, Any]]) -> Document:
        """Every patch of ours is refused if the object has changed since it was read."""
        unmoved = operations[0]["op"] == "test" and operations[0]["path"] == "/metadata/resourceVersion"
        assert unmoved or not self.enrolling, operations
        return self.patched(call, kind, name, operations)

    def play(self) -> Struck:
        for at, act in self.story.script:
            self.run(at - self.elapsed)
            act(self)
        self.run(self.story.seconds - self.elapsed)
        return self

    begun = 0.0

    @property
    def elapsed(self) -> float:
        self.begun = self.begun or self.now
        return self.now - self.begun

    @property
    def ending(self) -> Document:
        """What is there in the end, apart from versions and instants."""
        shift = self.mesh.peek("TrafficShift", "reviews")
        metadata = shift.get("metadata", {})
        return {
            "specs": [self.mesh.peek(kind, "reviews").get("spec") for kind in ("VirtualService", "DestinationRule")],
            "owners": [
                self.mesh.peek(kind, "reviews").get("metadata", {}).get("ownerReferences")
                for kind in ("VirtualService", "DestinationRule", "TrafficShift")
            ],
            "shift": (shift.get("spec"), metadata.get("annotations"), self.phase),
        }


def keeps_its_promises(simulation: Simulation) -> None:
    """Nobody meets a 503, a bad version gets no more than its first step, nobody else's fields are touched."""
    assert isinstance(simulation, Struck)
    shares = simulation.shares()
    assert "lost" not in shares, f"{simulation.now}: requests answered with 503"
    assert not simulation.enrolling
    for version in simulation.story.bad:
        assert shares.get(version, 0.0) <= 0.2 + 1e-9, f"{version} has {shares}"
    if not simulation.exists:
        assert shares == {"v1": 1.0}, f"{shares} without a shift"
    for kind, before in zip(("VirtualService", "DestinationRule"), simulation.foreign, strict=True):
        present = simulation.mesh.peek(kind, "reviews")
        assert not before or _foreign(present) == before, f"{kind} is not what it was apart from ours"


def _foreign(document: Document) -> Document:
    """The object without what is ours to change."""
    if not document:
        return {}
    kept = copied(document)
    kept["metadata"] = {name: kept["metadata"].get(name) for name in ("name", "labels", "annotations")}
    if document["kind"] == "DestinationRule":
        kept["spec"]["subsets"] = [each for each in kept["spec"].get("subsets", []) if each["name"] in {"v8", "v9"}]
    else:
        for each in kept["spec"]["http"]:
            each["route"] = len(each["route"]) > 2
    return kept


def opt_in(simulation: Enrolling) -> None:
    simulation.opt_in(steps="20", step_duration="2s")


def deploy(version: str, template: str = "one", failing: float = 0.001) -> Act:
    return lambda simulation: simulation.deploy(version, template=template, failing=failing)


def remove(version: str) -> Act:
    return lambda simulation: simulation.remove(version)


def annotate(**annotations: str | None) -> Act:
    return lambda simulation: simulation.annotate(**annotations)


def with_others(simulation: Enrolling) -> None:
    """A rule and a route of somebody's, with settings, subsets, comments and a route of their own."""
    theirs = rule("v9")
    theirs["metadata"]["annotations"] = {"team": "reviews"}
    theirs["spec"]["trafficPolicy"] = {"connectionPool": {"tcp": {"maxConnections": 100}}}
    simulation.mesh.put(theirs)
    plain = route({"v1": None})
    plain["spec"]["http"] = [
        {"match": [{"uri": {"prefix": "/old"}}], "redirect": {"uri": "/new"}, "route": []},
        {"name": "main", "timeout": "3s", "route": [{"destination": {"host": "reviews"}}]},
    ]
    simulation.mesh.put(plain)


STORIES = (
    Story("from nothing to a good version", "v2", ((1, opt_in), (50, deploy("v2")))),
    Story("taking over, then a good version", "v2", ((1, opt_in), (50, deploy("v2"))), with_others),
    Story(
        "a bad version that is mended",
        "v2",
        ((1, opt_in), (50, deploy("v2", "bad", failing=0.5)), (140, deploy("v2", "good", failing=0.001))),
        seconds=320.0,
    ),
    Story(
        "a bad version and a good one that arrives meanwhile",
        "v3",
        ((1, opt_in), (50, deploy("v2", failing=0.5)), (80, deploy("v3"))),
        bad=("v2",),
        seconds=320.0,
    ),
    Story(
        "a version that goes, and its traces",
        "v2",
        ((1, opt_in), (50, deploy("v2")), (160, remove("v1"))),
    ),
    Story(
        "released and back, mid-way",
        "v2",
        ((1, opt_in), (50, deploy("v2")), (70, annotate(strategy=None)), (90, annotate(strategy="canary"))),
    ),
    Story("released at rest", "v2", ((1, opt_in), (50, deploy("v2")), (180, annotate(strategy=None)))),
    Story(
        "paused, and on",
        "v2",
        ((1, opt_in), (50, deploy("v2")), (75, annotate(paused="true")), (100, annotate(paused=None))),
    ),
)


DEATHS = ("killed before", "killed after", "lost answer")
EVERYTHING = [(story, fault) for story in STORIES for fault in (DEATHS if story not in STORIES[:3] else FAULTS)]


@pytest.mark.parametrize(("story", "fault"), EVERYTHING, ids=lambda each: each if isinstance(each, str) else each.name)
def test_whatever_goes_wrong_at_any_call_the_end_is_the_same(story: Story, fault: str) -> None:
    calm = Struck(story).play()
    assert calm.shares() == {story.end: 1.0}, (calm.phase, calm.status.get("message"))
    assert len(calm.own_calls) >= 3
    for victim in range(1, len(calm.own_calls) + 1):
        struck = Struck(story, victim, fault).play()
        where = f"{fault} at call {victim}, {struck.hit}"
        assert struck.hit, where
        assert struck.ending == calm.ending, where


@pytest.mark.parametrize("seed", range(12))
def test_in_a_storm_of_faults_the_promises_hold_and_it_ends_where_it_should(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - a test case, no secret
    story = STORIES[seed % len(STORIES)]
    storm = Struck(story)

    def interrupt(call: str, number: int, moment: str) -> None:
        if storm.elapsed < 0.6 * story.seconds and rng.random() < 0.15:
            when, failure = rng.choice([each for name, each in FAULTS.items() if name != "refused"])
            if when == moment:
                raise failure()

    storm.mesh.interrupt = interrupt
    storm.play()
    storm.run(400.0)
    assert storm.shares() == {story.end: 1.0}, (storm.phase, storm.status.get("message"), storm.acts.acts[-2:])
