"""What a scenario shows is what it applies, and the API takes it."""

from __future__ import annotations

import json

import pytest
import yaml

from meshshift.api.convert import spec_from_wire
from meshshift.core.spec import SetWeight
from meshshift.lab.demo.scenarios import SCENARIOS
from meshshift.lab.demo.story import Act, command, document

ACTS = [act for scenario in SCENARIOS.values() for act in scenario.acts]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.title)
def test_the_controller_understands_the_shift_and_its_steps_are_those_of_the_screen(act: Act) -> None:
    spec = spec_from_wire(document(act)["spec"], namespace="bookinfo")
    assert (spec.stable.name, spec.canary.name) == (act.stable, act.canary.name)
    assert [step.percent for step in spec.steps if isinstance(step, SetWeight)] == [*act.weights, 100]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.title)
def test_the_shown_command_says_what_is_applied(act: Act) -> None:
    shown = command(act, first=True).partition("<<EOF\n")[2].removesuffix("EOF")
    assert yaml.safe_load(shown) == document(act)


def test_the_patch_shown_for_a_later_act_turns_the_first_shift_into_it() -> None:
    first, second = SCENARIOS["demo"].acts
    patch = json.loads(command(second, first=False).partition("-p '")[2].removesuffix("'"))
    assert {**document(first)["spec"], **patch["spec"]} == document(second)["spec"]


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
def test_each_act_starts_from_the_version_that_the_one_before_left_serving(scenario: object) -> None:
    serving = "v1"
    for act in getattr(scenario, "acts", ()):
        assert act.stable == serving
        serving = act.canary.name if act.expected.reason == "Promoted" else act.stable
