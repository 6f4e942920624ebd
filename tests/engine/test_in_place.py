"""One Deployment updated in place: nobody meets a template that was not proven, and nobody's request is lost."""

from __future__ import annotations

from tests.engine.in_place import InPlace, running


def lost(simulation: InPlace) -> None:
    assert "lost" not in simulation.shares(), (
        f"{simulation.now}: {simulation.subset('stable')} {simulation.acts.acts[-1]}"
    )


def adopted() -> InPlace:
    simulation = running()
    simulation.checks.append(lambda s: lost(simulation))
    simulation.opt_in(workload="in-place")
    simulation.run(60, until=lambda s: simulation.at_rest("v1"))
    assert simulation.at_rest("v1"), simulation.acts.acts[-3:]
    return simulation


def test_a_deployment_is_adopted_without_a_change_for_anybody() -> None:
    simulation = adopted()
    assert simulation.mesh.calls == ["create DestinationRule", "create VirtualService", "patch Deployment"]
    assert simulation.original["metadata"]["annotations"]["meshshift.io/paused-for"] == "reviews"
    assert simulation.weights() == {"stable": 100}


def test_a_good_template_is_proven_on_a_copy_and_rolled_out() -> None:
    simulation = adopted()
    simulation.set_image("v2")
    simulation.run(900, until=lambda s: simulation.at_rest("v2"))
    assert simulation.at_rest("v2"), (simulation.status.get("message"), simulation.acts.acts[-3:])


def test_a_bad_template_leaves_the_deployment_as_it_is_and_says_why() -> None:
    simulation = adopted()
    simulation.set_image("v3", failing=0.3)
    simulation.run(900, until=lambda s: bool(simulation.rejected) and simulation.at_rest("v1"))
    assert simulation.at_rest("v1"), (simulation.status.get("message"), simulation.acts.acts[-3:])
    assert "v3" in simulation.original["spec"]["template"]["spec"]["containers"][0]["image"]
    calls = len(simulation.mesh.calls)
    simulation.run(900)
    assert simulation.at_rest("v1")
    assert len(simulation.mesh.calls) == calls, "nothing is tried again until the template changes"


def test_good_bad_and_good_again_while_the_bad_one_is_taken_back() -> None:
    simulation = adopted()
    simulation.set_image("v2")
    simulation.run(900, until=lambda s: simulation.at_rest("v2"))
    simulation.set_image("v3", failing=0.3)
    simulation.run(900, until=lambda s: s.phase == "RollingBack")
    assert simulation.phase == "RollingBack"
    simulation.set_image("v4")
    simulation.run(900, until=lambda s: simulation.at_rest("v4"))
    assert simulation.at_rest("v4"), (simulation.status.get("message"), simulation.acts.acts[-3:])
    assert simulation.rejected == ""
