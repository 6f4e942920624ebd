"""What a scenario shows is what it applies, and the API takes it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from meshshift.api.convert import spec_from_wire
from meshshift.core.spec import SetWeight
from meshshift.lab.demo.scenarios import SCENARIOS
from meshshift.lab.demo.story import RECEIVER, Act, Scenario, command, document

ACTS = [act for scenario in SCENARIOS.values() for act in scenario.acts if not scenario.opt_in]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.title)
def test_the_controller_understands_the_shift_and_its_steps_are_those_of_the_screen(act: Act) -> None:
    spec = spec_from_wire(document(act)["spec"], namespace="bookinfo")
    assert (spec.stable.name, spec.canary.name) == (act.stable, act.canary.name)
    assert [step.percent for step in spec.steps if isinstance(step, SetWeight)] == [*act.weights, 100]


def test_on_the_stage_gates_and_notifications_have_the_receivers_address() -> None:
    for name in ("gate", "notifications"):
        for act in SCENARIOS[name].acts:
            shown = command(act.on("http://127.0.0.1:7"))
            assert RECEIVER in command(act)
            assert RECEIVER not in shown
            assert "http://127.0.0.1:7/" in shown


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.title)
def test_the_shown_command_says_what_is_applied(act: Act) -> None:
    shown = command(act).partition("<<EOF\n")[2].removesuffix("EOF")
    assert yaml.safe_load(shown) == document(act)


def test_the_patch_shown_for_a_later_act_turns_the_first_shift_into_it() -> None:
    first, second = SCENARIOS["demo"].acts
    patch = json.loads(command(second, first).partition("-p '")[2].removesuffix("'"))
    assert {**document(first)["spec"], **patch["spec"]} == document(second)["spec"]


def test_what_changes_more_than_who_is_shifted_is_shown_whole() -> None:
    first, second = SCENARIOS["demo"].acts
    assert command(second, replace(first, strategy="rolling: {}")) == command(second)


def test_acts_of_a_group_are_one_scene_and_others_follow_each_other() -> None:
    group, demo = SCENARIOS["group"], SCENARIOS["demo"]
    assert group.scenes == (group.acts,)
    assert demo.scenes == tuple((act,) for act in demo.acts)
    assert group.services == ("reviews", "details", "ratings")


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
def test_whoever_is_to_meet_the_canary_first_is_among_the_clients(scenario: Scenario) -> None:
    names = {cohort.name for cohort in scenario.clients}
    assert {act.expected.first for act in scenario.acts} - {""} <= names


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda scenario: scenario.name)
def test_each_act_starts_from_the_version_that_the_one_before_left_serving(scenario: Scenario) -> None:
    serving = dict.fromkeys(scenario.services, "v1")
    for act in scenario.acts:
        assert act.stable == serving[act.service]
        if act.expected.reason == "Promoted":
            serving[act.service] = act.canary.name
