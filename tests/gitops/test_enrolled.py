"""Services that opt in: what the controller makes is nobody's to prune, and what Git holds is adopted beside a tool."""

from __future__ import annotations

import pytest

from tests.engine.enrolment import Enrolling, bare, service
from tests.engine.simulation import Simulation
from tests.gitops.argo_cd import TRACKING
from tests.gitops.cluster import KINDS, ApiServer, Git, Tool, manifest
from tests.gitops.page import with_subsets

SPREAD = manifest(
    {
        "kind": "VirtualService",
        "metadata": {"name": "reviews"},
        "spec": {
            "hosts": ["reviews"],
            "http": [{"name": "default", "timeout": "3s", "route": [{"destination": {"host": "reviews"}}]}],
        },
    }
)
POLICY = manifest(
    {
        "kind": "DestinationRule",
        "metadata": {"name": "reviews"},
        "spec": {"host": "reviews", "trafficPolicy": {"loadBalancer": {"simple": "LEAST_REQUEST"}}},
    }
)


def test_what_the_controller_makes_carries_no_mark_by_which_a_tool_knows_its_own() -> None:
    simulation = bare()
    simulation.mesh.edit("Service", "reviews", _tracked, spec=False)
    simulation.opt_in()
    simulation.wait_for(lambda: simulation.reason == "Serving")
    simulation.deploy("v2", template="two")
    simulation.wait_for(lambda: simulation.serves("v2"))
    for kind in (*KINDS, "TrafficShift"):
        metadata = simulation.mesh.get(kind, "reviews")["metadata"]
        assert TRACKING not in metadata.get("annotations", {}), kind
        assert "app.kubernetes.io/instance" not in metadata.get("labels", {}), kind
        assert [owner["kind"] for owner in metadata["ownerReferences"]] == ["Service"], kind


def _tracked(document: dict[str, dict[str, dict[str, str]]]) -> None:
    """As Argo CD marks what it applies, by either method."""
    document["metadata"].setdefault("annotations", {})[TRACKING] = "reviews:/Service:bookinfo/reviews"
    document["metadata"].setdefault("labels", {})["app.kubernetes.io/instance"] = "reviews"


class Beside(Enrolling):
    """With an API server that keeps managedFields."""

    api_server = ApiServer


@pytest.mark.parametrize("tool", with_subsets().values(), ids=with_subsets())
def test_a_route_of_git_is_pinned_and_two_versions_are_shifted_in_beside_a_tool(tool: Tool) -> None:
    simulation, git = Beside(), Git([SPREAD, POLICY])
    simulation.mesh.put(service())
    simulation.deploy("v1", template="one")
    sync = git.synced(tool)
    sync(simulation)

    def every_other_second(running: Simulation) -> None:
        if running.now % 2 == 0:
            sync(running)

    simulation.checks.append(every_other_second)
    simulation.opt_in()
    simulation.wait_for(lambda: simulation.reason == "Serving")
    for version in ("v2", "v3"):
        simulation.deploy(version, template=version)
        simulation.wait_for(lambda version=version: simulation.serves(version))  # type: ignore[misc]
    assert "lost" not in simulation.traffic.versions
    assert simulation.mesh.peek("VirtualService", "reviews")["spec"]["http"][0]["timeout"] == "3s"
    assert "trafficPolicy" in simulation.mesh.peek("DestinationRule", "reviews")["spec"]
    assert "Drifted" not in simulation.reasons()
