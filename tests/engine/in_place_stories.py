"""What happens to a Deployment that is updated in place, and what has to hold at every instant of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meshshift.core.in_place.deployments import COPY
from tests.engine.in_place import InPlace, running

When = Callable[[InPlace], bool]
Do = Callable[[InPlace], None]


@dataclass(frozen=True)
class Story:
    """What people do, each thing as soon as its condition holds, and where it ends."""

    name: str
    script: tuple[tuple[When, Do], ...]
    end: str


def always(_: InPlace) -> bool:
    return True


def resting(tag: str) -> When:
    return lambda simulation: simulation.at_rest(tag)


def shifting(simulation: InPlace) -> bool:
    return bool(simulation.weights().get("canary"))


def going_back(simulation: InPlace) -> bool:
    return simulation.exists and simulation.phase == "RollingBack"


def rejected(simulation: InPlace) -> bool:
    return bool(simulation.rejected)


def coming_home(simulation: InPlace) -> bool:
    return COPY in (simulation.subset("stable") or {}) and not simulation.original["spec"].get("paused")


def image(tag: str, failing: float | None = None) -> Do:
    return lambda simulation: simulation.set_image(tag, failing=failing)


def let_go(simulation: InPlace) -> None:
    simulation.annotate(workload=None, strategy=None)


def proven(simulation: InPlace) -> bool:
    """Does a copy serve that was proven, and the Deployment not roll out yet?"""
    return COPY in (simulation.subset("stable") or {})


def delete_service(simulation: InPlace) -> None:
    simulation.delete_service()


def delete_service_alone(simulation: InPlace) -> None:
    simulation.keep_mesh()
    simulation.delete_service()


def replace_service(simulation: InPlace) -> None:
    """kubectl replace --force."""
    annotations = dict(simulation.mesh.peek("Service", "reviews")["metadata"]["annotations"])
    simulation.delete_service()
    simulation.create_service(annotations)


def replace_service_alone(simulation: InPlace) -> None:
    simulation.keep_mesh()
    replace_service(simulation)


def replace_service_and_rule(simulation: InPlace) -> None:
    """The VirtualService is somebody's own, the DestinationRule was made for the Service."""
    simulation.keep_mesh("VirtualService")
    replace_service(simulation)


def held_without_service(simulation: InPlace) -> bool:
    return any(reason == "LeftPaused" for reason, _ in simulation.mesh.events.values())


def create_service(simulation: InPlace) -> None:
    """It comes back with what it had asked for."""
    wishes = {"strategy": "canary", "workload": "in-place", "steps": "50", "step-duration": "10s"}
    simulation.create_service({f"meshshift.io/{name}": value for name, value in wishes.items()})


STORIES = (
    Story("good", ((always, image("v2")),), "v2 at rest"),
    Story("bad", ((always, image("v3", 0.3)),), "v1 at rest"),
    Story(
        "bad, then good while the bad one goes back",
        ((always, image("v3", 0.3)), (going_back, image("v4"))),
        "v4 at rest",
    ),
    Story("rejected, then good", ((always, image("v3", 0.3)), (rejected, image("v4"))), "v4 at rest"),
    Story("another one mid-run", ((always, image("v2")), (shifting, image("v4"))), "v4 at rest"),
    Story("set back mid-run", ((always, image("v2")), (shifting, image("v1"))), "v1 at rest"),
    Story("another one on the way home", ((always, image("v2")), (coming_home, image("v4"))), "v4 at rest"),
    Story("the copy is deleted mid-run", ((always, image("v2")), (shifting, InPlace.delete_copy)), "v2 at rest"),
    Story("the serving copy is deleted", ((always, image("v2")), (coming_home, InPlace.delete_copy)), "v2 at rest"),
    Story("resumed mid-run", ((always, image("v2")), (shifting, InPlace.resume_by_hand)), "v2 at rest"),
    Story("let go at rest", ((always, let_go),), "v1 let go"),
    Story("let go mid-run", ((always, image("v2")), (shifting, let_go)), "v1 left paused"),
    Story("let go on the way home", ((always, image("v2")), (coming_home, let_go)), "v2 let go"),
)
SERVICE_GOES = (
    Story("deleted at rest", ((always, delete_service),), "v1 without service, free"),
    Story("deleted mid-run", ((always, image("v2")), (shifting, delete_service)), "v1 without service, held"),
    Story(
        "only it is deleted mid-run",
        ((always, image("v2")), (shifting, delete_service_alone)),
        "v1 without service, held",
    ),
    Story(
        "only it is deleted, v2 proven",
        ((always, image("v2")), (proven, delete_service_alone)),
        "v2 without service, free",
    ),
    Story(
        "deleted on the way home", ((always, image("v2")), (coming_home, delete_service)), "v2 without service, free"
    ),
    Story(
        "deleted mid-run, then set back",
        ((always, image("v2")), (shifting, delete_service), (held_without_service, image("v1"))),
        "v1 without service, free",
    ),
    Story(
        "deleted mid-run, comes back late",
        ((always, image("v2")), (shifting, delete_service), (held_without_service, create_service)),
        "v2 at rest",
    ),
    Story(
        "only it is deleted mid-run, comes back late",
        ((always, image("v2")), (shifting, delete_service_alone), (held_without_service, create_service)),
        "v2 at rest",
    ),
    Story("replaced at rest", ((always, replace_service),), "v1 at rest"),
    Story("replaced mid-run", ((always, image("v2")), (shifting, replace_service)), "v2 at rest"),
    Story("only it is replaced mid-run", ((always, image("v2")), (shifting, replace_service_alone)), "v2 at rest"),
    Story("replaced on the way home", ((always, image("v2")), (coming_home, replace_service)), "v2 at rest"),
    Story("only it is replaced, v2 proven", ((always, image("v2")), (proven, replace_service_alone)), "v2 at rest"),
    Story("it and its rule are replaced at rest", ((always, replace_service_and_rule),), "v1 at rest"),
    Story(
        "it and its rule are replaced mid-run",
        ((always, image("v2")), (shifting, replace_service_and_rule)),
        "v2 at rest",
    ),
)
"""A Service is deleted before its Deployment was let go; it alone, if the objects around it are somebody's own."""
LOSES = {
    "the copy is deleted mid-run",
    "the serving copy is deleted",
    "it and its rule are replaced at rest",
    "it and its rule are replaced mid-run",
}
"""Stories in which somebody else takes the pods or the subset away that serve."""
UNROUTED = 5.0
"""Seconds within which a copy goes that no subset keeps apart any more."""


def adopted(simulation: InPlace | None = None, **annotations: str) -> InPlace:
    """The Deployment at rest, with every claim watched from then on."""
    simulation = simulation or running()
    simulation.proven = {"v1"}
    simulation.checks += [lambda _: nothing_is_lost(simulation), lambda _: only_what_is_proven_serves(simulation)]
    simulation.opt_in(workload="in-place", **{"steps": "50", **annotations})
    simulation.run(60, until=lambda _: simulation.at_rest("v1"))
    assert simulation.at_rest("v1"), simulation.acts.acts[-3:]
    return simulation


def play(story: Story, simulation: InPlace | None = None) -> InPlace:
    """Tell it to its end."""
    simulation = adopted(simulation)
    simulation.loses = story.name in LOSES
    for condition, act in story.script:
        wait_for(simulation, condition)
        act(simulation)
        simulation.run(1)
    simulation.run(1200, until=lambda _: settled(simulation) == story.end)
    simulation.run(30)
    return simulation


def wait_for(simulation: InPlace, condition: When) -> None:
    """Let time pass until it holds, a quarter of an hour at most."""
    simulation.run(900, until=lambda _: condition(simulation))


def settled(simulation: InPlace) -> str:
    """Where things stand, in a few words."""
    for tag in ("v1", "v2", "v3", "v4"):
        if not simulation.mesh.peek("Service", "reviews"):
            if simulation.runs() == {tag: 2} and not simulation.copies():
                free = not (simulation.original["spec"].get("paused") or simulation.held_for)
                held = "held" if held_without_service(simulation) else "waiting"
                return f"{tag} without service, {'free' if free else held}"
            continue
        if simulation.at_rest(tag):
            held = simulation.original["metadata"].get("annotations", {}).get("meshshift.io/paused-for")
            return f"{tag} at rest" if held else f"{tag} left paused"
        if simulation.runs() == {tag: 2} and simulation.tags() == {tag: 1.0} and not simulation.copies():
            free = not simulation.original["spec"].get("paused")
            return f"{tag} let go" if free else f"{tag} held"
    return f"{simulation.tags()} {simulation.runs()} {simulation.copies()}"


def nothing_is_lost(simulation: InPlace) -> None:
    """Every route leads to a subset with a ready pod."""
    if not simulation.loses and simulation.mesh.peek("Service", "reviews"):
        assert "lost" not in simulation.tags(), f"{simulation.now}: {simulation.mesh.calls[-5:]}"


def only_what_is_proven_serves(simulation: InPlace) -> None:
    """What was not proven gets no more than its shift has been given, and is never rolled out by our hand."""
    if simulation.exists and simulation.phase == "Succeeded":
        simulation.proven |= {simulation.tag(pod) for pod in simulation.of_copy()}
    weights = (simulation.status.get("weights") or {}) if simulation.exists else {}
    allowed = max(float(weights.get(each) or 0) for each in ("desired", "observed")) / 100
    unproven = sum(share for tag, share in simulation.tags().items() if tag not in {*simulation.proven, "lost"})
    if simulation.mesh.peek("VirtualService", "reviews") or not unproven:
        simulation.routed = simulation.now
    elif simulation.now - simulation.routed <= UNROUTED:
        return
    assert unproven <= allowed + 0.001, f"{simulation.now}: {simulation.tags()}, proven {simulation.proven}"
    assert set(simulation.resumed) <= simulation.proven, f"{simulation.now}: {simulation.resumed}"


def told(simulation: InPlace) -> str:
    """What the shift and the last acts say, for a test that fails."""
    acts = [f"{act.reason}: {act.message}" for act in simulation.acts.acts[-4:]]
    return f"{simulation.status.get('message')} {acts} {simulation.mesh.calls[-6:]}"


def until(simulation: InPlace, condition: When, seconds: float = 900) -> None:
    """Run until it holds; fail if it does not come to that."""
    simulation.run(seconds, until=lambda _: condition(simulation))
    assert condition(simulation), told(simulation)


def assert_ends_and_rests(story: Story, quiet: float) -> None:
    """The story comes to its end, and for so many seconds after it nothing is called any more."""
    simulation = play(story)
    assert settled(simulation) == story.end, told(simulation)
    calls = len(simulation.mesh.calls)
    simulation.run(quiet)
    assert settled(simulation) == story.end, told(simulation)
    assert len(simulation.mesh.calls) == calls, f"it rests: {simulation.mesh.calls[calls:]}"
