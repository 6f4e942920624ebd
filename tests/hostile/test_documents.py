"""One value of an object replaced by nonsense, before or during a shift: the controller decides and goes on."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshshift.api.status import MAX_MESSAGE
from tests.engine.simulation import KEY, NAMESPACE, Simulation, bookinfo, shift
from tests.engine.test_stored_run import places, with_value

NONSENSE: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, -1, 7, 2**31, 2**63, 10**100, 0.5, 1e308, float("inf"), float("nan")),
        *("", "x", "100", "../..", "\x1b[2J", "\u202e", "\ud800", "a" * 10_000, 'v2"} or up #', "*", "*.*", "."),
        *([], [None], [[]], ["x"], {}, {"": None}, {"x": {}}, [{}], [{"route": 7}], [{"name": 7}]),
    ]
)


def broken(simulation: Simulation, kind: str, data: st.DataObject) -> None:
    """Replace one value of the object, of those that the API server's own schema leaves to whoever writes it."""
    stored = copy.deepcopy(simulation.mesh.objects[kind, NAMESPACE, KEY[1]])
    free = [each for each in places(stored) if each and each[0] in {"spec", "status"}]
    place = data.draw(st.sampled_from(free), label="place")
    value = data.draw(NONSENSE, label="value")
    changed = with_value(stored, place, copy.deepcopy(value))
    changed["metadata"]["generation"] += 1
    simulation.mesh.put(changed)
    simulation.shares = lambda: {"v1": 1.0}  # type: ignore[method-assign]


def check(simulation: Simulation) -> None:
    """What holds whatever was read."""
    status = simulation.status
    assert len(status["message"]) <= MAX_MESSAGE
    assert status["message"].isprintable()
    for reason, message in simulation.mesh.events.values():
        assert reason.isprintable()
        assert message.isprintable()


@settings(max_examples=40)
@given(data=st.data())
@pytest.mark.parametrize("kind", ["VirtualService", "DestinationRule", "TrafficShift"])
def test_before_a_shift(kind: str, data: st.DataObject) -> None:
    simulation = bookinfo()
    simulation.mesh.put(shift())
    broken(simulation, kind, data)
    simulation.run(12)
    check(simulation)
    if any(each["type"] == "Stalled" and each["status"] == "True" for each in simulation.status["conditions"]):
        assert not [call for call in simulation.mesh.calls if call.startswith(("patch", "create"))]


@settings(max_examples=40)
@given(data=st.data())
@pytest.mark.parametrize("kind", ["VirtualService", "DestinationRule", "TrafficShift"])
def test_during_a_shift(kind: str, data: st.DataObject) -> None:
    simulation = bookinfo()
    simulation.mesh.put(shift())
    simulation.run(60, until=lambda s: s.weight == 5)
    broken(simulation, kind, data)
    simulation.run(25)
    check(simulation)
