"""A shift with a baseline beside a tool: a third destination on the route, covered by the same rules."""

from __future__ import annotations

import pytest

from tests.engine.simulation import Simulation, pod, shift
from tests.engine.test_baseline import BASELINE, courses
from tests.engine.test_drift import ended
from tests.gitops.cluster import PAIR, RULE, ApiServer, Git, Tool
from tests.gitops.page import with_subsets


class Beside(Simulation):
    """With an API server that keeps managedFields."""

    api_server = ApiServer


@pytest.mark.parametrize("tool", with_subsets().values(), ids=with_subsets())
def test_all_three_get_what_they_would_get_alone(tool: Tool) -> None:
    simulation, git = Beside(settle=7.0), Git([PAIR, RULE])
    git.arranged(tool)(simulation)
    simulation.mesh.put(pod(BASELINE))
    for _ in range(30):
        simulation.now += 1.0
        simulation.traffic.flow(simulation.now, 1.0, {"v1": 1.0})
    simulation.mesh.put(shift(baseline={"subset": BASELINE, "labels": {"version": BASELINE}}))
    seen = courses(simulation)
    sync = git.synced(tool)
    simulation.checks.append(lambda running: sync(running) if running.now % 2 == 0 else None)
    simulation.run(900, until=ended)
    simulation.run(20)
    assert simulation.phase == "Succeeded"
    assert seen == [(100, 0, 0), (90, 5, 5), (50, 25, 25), (25, 50, 25), (0, 100, 0)]
    assert "Drifted" not in simulation.reasons()
