"""What the Service's owner types is what is applied; what is claimed about the Service can fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
import yaml

from meshshift.api.annotations import PREFIX, wishes_of
from meshshift.api.convert import spec_from_wire
from meshshift.core.spec import SetWeight
from meshshift.lab.demo.course import Course, Sight
from meshshift.lab.demo.lines import Lines
from meshshift.lab.demo.opted_in import OptedIn, image_of, mesh_before, opening, policy
from meshshift.lab.demo.scenarios import SCENARIOS
from meshshift.lab.demo.story import OptIn, Scenario, Version
from meshshift.lab.images import image_environment
from meshshift.lab.sample import read_documents, sample_directory
from tests.lab.demo.canned import status

Document = dict[str, Any]
OPTING: dict[str, OptIn] = {name: each.opt_in for name, each in SCENARIOS.items() if each.opt_in}
KEY = ("bookinfo", "reviews")


@pytest.mark.parametrize("scenario", [SCENARIOS[name] for name in OPTING], ids=lambda scenario: scenario.name)
def test_the_annotations_ask_for_the_steps_on_the_screen_and_for_the_policy_that_is_applied(scenario: Scenario) -> None:
    opting = OPTING[scenario.name]
    annotations = {f"{PREFIX}{name}": value for name, value in opting.annotations.items()}
    wishes = wishes_of({"metadata": {"annotations": annotations}})
    assert wishes.bad == ()
    assert wishes.wish is not None
    applied = yaml.safe_load(policy(opting))
    assert applied["metadata"]["name"] == wishes.wish.policy
    arms = {"stable": {"subset": "v1"}, "canary": {"subset": "v2"}}
    asked = {name: value for name, value in wishes.wish.fields.items() if name != "policyRef"}
    spec = spec_from_wire({"service": "reviews", **arms, **applied["spec"], **asked}, namespace="bookinfo")
    steps = tuple(step.percent for step in spec.steps if isinstance(step, SetWeight))
    assert {(*act.weights, 100) for act in scenario.acts} == {steps}


@pytest.mark.parametrize("name", OPTING)
def test_what_is_shown_for_the_opening_is_what_is_applied(name: str) -> None:
    shown = opening(OPTING[name])
    assert policy(OPTING[name]) in shown
    said = shown.partition("annotate service reviews")[2].replace("\\\n", " ").split()
    assert dict(one.split("=") for one in said) == {
        f"{PREFIX}{name}": value for name, value in OPTING[name].annotations.items()
    }


@pytest.mark.parametrize("act", SCENARIOS["in-place"].acts, ids=lambda act: act.title)
def test_an_image_behaves_as_the_version_that_the_story_tells_of(act: Any) -> None:
    version: Version = act.canary
    assert image_environment(image_of(version)) == {
        "VERSION": version.name,
        "ERROR_RATE": f"{version.error_rate:g}",
        "LATENCY_MS": f"{version.latency_ms:g}",
        "LATENCY_P99_MS": f"{version.latency_p99_ms:g}",
    }


def test_before_it_opts_in_nothing_routes_the_service() -> None:
    sample = read_documents(sample_directory())
    assert mesh_before(sample, None) == sample
    plain = mesh_before(sample, OPTING["annotated"])
    assert [each for each in sample if each not in plain] == [
        each for each in sample if each["kind"] in {"VirtualService", "DestinationRule"}
    ]


def test_in_place_one_deployment_says_its_version_by_its_image_alone() -> None:
    sample = read_documents(sample_directory())
    [deployment] = [each for each in mesh_before(sample, OPTING["in-place"]) if each["kind"] == "Deployment"]
    template = deployment["spec"]["template"]
    [container] = template["spec"]["containers"]
    assert deployment["metadata"]["name"] == "reviews"
    assert template["metadata"]["labels"] == deployment["spec"]["selector"]["matchLabels"] == {"app": "reviews"}
    assert container["image"] == "meshshift/sample:v1"
    assert not {one["name"] for one in container["env"]} & image_environment(container["image"]).keys()


def virtual_service(**weights: int) -> Document:
    route = [{"destination": {"subset": name}, "weight": weight} for name, weight in weights.items()]
    return {"spec": {"http": [{"route": route}]}}


def rule(**subsets: Document) -> Document:
    return {"spec": {"subsets": [{"name": name, "labels": labels} for name, labels in subsets.items()]}}


def deployment(tag: str = "v2", *, paused: bool = True, available: int = 2) -> Document:
    counts = {"updatedReplicas": 2, "replicas": 2, "availableReplicas": available}
    return {
        "metadata": {"generation": 3},
        "spec": {
            "paused": paused,
            "replicas": 2,
            "selector": {"matchLabels": {"app": "reviews"}},
            "template": {"spec": {"containers": [{"image": f"meshshift/sample:{tag}"}]}},
        },
        "status": {"observedGeneration": 3, **counts},
    }


class World:
    """A lab with nothing but objects, in which v2 has been promoted and is at rest, in place or beside v1."""

    def __init__(self, name: str) -> None:
        self.load = Mock()
        self.state = Mock()
        in_place = OPTING[name].in_place
        self.state.virtual_services.objects = {
            KEY: virtual_service(**{"stable" if in_place else "v2": 100, "canary": 0})
        }
        self.state.destination_rules.objects = {KEY: rule(stable={"app": "reviews"}, v2={"version": "v2"})}
        self.state.deployments.objects = {KEY: deployment()}
        self.name = name

    async def holds(self, monkeypatch: pytest.MonkeyPatch, phase: str = "Succeeded") -> list[bool]:
        monkeypatch.setattr("meshshift.lab.demo.opted_in._RESTS_WITHIN", 0.0)
        seen = status(phase, "Promoted", "v2 serves")
        course = Course(SCENARIOS[self.name].acts[0], (Sight(1.0, seen),))
        owner = OptedIn(self, Lines(), OPTING[self.name])  # type: ignore[arg-type]
        return [each.holds for each in await owner.rest(course)]


@pytest.mark.parametrize("name", OPTING)
async def test_a_promoted_version_is_in_its_place(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await World(name).holds(monkeypatch) == [True]


async def test_what_is_rolled_back_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await World("annotated").holds(monkeypatch, "RollingBack") == []


@pytest.mark.parametrize("name", OPTING)
@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.virtual_services.objects.clear(),
        lambda state: state.virtual_services.objects.update({KEY: virtual_service(v2=60, stable=40)}),
        lambda state: state.destination_rules.objects.clear(),
    ],
    ids=["no route", "a part of it", "no subset"],
)
async def test_a_version_without_all_of_the_traffic_is_not_in_its_place(
    name: str, change: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(name)
    change(world.state)
    assert await world.holds(monkeypatch) == [False]


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.deployments.objects.update({("bookinfo", "reviews-5f"): deployment()}),
        lambda state: state.deployments.objects.update({KEY: deployment("v1")}),
        lambda state: state.deployments.objects.update({KEY: deployment(paused=False)}),
        lambda state: state.deployments.objects.update({KEY: deployment(available=1)}),
        lambda state: state.deployments.objects.clear(),
        lambda state: state.destination_rules.objects.update({KEY: rule(stable={"meshshift.io/copy": "5f"})}),
    ],
    ids=["the copy is there", "another image", "not paused", "not whole", "no deployment", "stable is the copy"],
)
async def test_a_deployment_that_is_not_at_rest_with_the_version_is_noticed(
    change: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World("in-place")
    change(world.state)
    assert await world.holds(monkeypatch) == [False]
