from __future__ import annotations

import copy

import pytest

from meshshift.api.convert import InvalidSpec
from meshshift.engine.memory import Memory
from tests.engine.simulation import Behaviour, bookinfo, shift


def stored(generation: int = 1) -> dict:  # type: ignore[type-arg]
    document = copy.deepcopy(shift())
    document["metadata"] |= {"namespace": "bookinfo", "uid": "a", "generation": generation}
    return document


def test_a_spec_is_parsed_anew_only_when_it_changed() -> None:
    memory = Memory()
    first = memory.spec_of(stored())
    assert memory.spec_of(stored()) is first
    changed = stored(generation=2)
    changed["spec"]["canary"]["subset"] = "v3"
    assert memory.spec_of(changed).spec.canary.name == "v3"
    recreated = stored()
    recreated["metadata"]["uid"] = "b"
    assert memory.spec_of(recreated) is not first


def test_an_invalid_spec_is_refused_every_time() -> None:
    memory = Memory()
    broken = stored()
    broken["spec"]["canary"]["subset"] = "v1"
    for _ in range(2):
        with pytest.raises(InvalidSpec):
            memory.spec_of(broken)


def test_what_is_remembered_equals_what_a_new_process_reads() -> None:
    simulation = bookinfo()
    simulation.mesh.put(shift())
    simulation.traffic.versions["v2"] = Behaviour(failing=0.2)
    compared = 0
    for _ in range(60):
        simulation.run(1)
        text = simulation.status.get("checkpoint")
        remembered = simulation.reconciler._memory.decode(("bookinfo", "reviews"), text)
        assert remembered == Memory().decode(("bookinfo", "reviews"), text)
        compared += remembered is not None
    assert compared > 20
