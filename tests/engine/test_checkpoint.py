from __future__ import annotations

import json

import pytest

from meshshift.engine.checkpoint import UnreadableCheckpoint, decode, encode
from tests.engine.simulation import Behaviour, bookinfo, shift


def stored() -> list[str]:
    """Checkpoints of a run from its beginning to its rollback."""
    simulation = bookinfo()
    simulation.mesh.put(shift())
    simulation.traffic.versions["v2"] = Behaviour(failing=0.2)
    texts: list[str] = []
    simulation.checks.append(lambda s: texts.append(s.status["checkpoint"]) if "checkpoint" in s.status else None)
    simulation.run(120, until=lambda s: s.phase == "RolledBack")
    return list(dict.fromkeys(texts))


def test_state_survives_a_restart_exactly() -> None:
    texts = stored()
    assert len(texts) > 5
    for text in texts:
        assert encode(decode(text, "bookinfo")) == text


def test_state_does_not_grow_with_time() -> None:
    simulation = bookinfo()
    steps = [{"setWeight": 5}, {"pause": {}}]
    simulation.mesh.put(shift(strategy={"canary": {"steps": steps, "minStepDuration": "10s"}}))
    simulation.run(120)
    early = len(simulation.status["checkpoint"])
    simulation.run(3600)
    assert len(simulation.status["checkpoint"]) < early + 500


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.update(format=2),
        lambda state: state.pop("id"),
        lambda state: state.update(phase="Nowhere"),
        lambda state: state.update(unknown=1),
        lambda state: state["spec"].pop("service"),
        lambda state: state.pop("evidence"),
    ],
)
def test_what_cannot_be_read_is_said_not_guessed(change) -> None:  # type: ignore[no-untyped-def]
    state = json.loads(stored()[-1])
    change(state)
    with pytest.raises(UnreadableCheckpoint):
        decode(json.dumps(state), "bookinfo")


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "nonsense", '{"format":1}'])
def test_a_foreign_checkpoint_touches_nothing(text: str) -> None:
    simulation = bookinfo()
    document = shift()
    document["status"] = {"checkpoint": text or "x"}
    simulation.mesh.put(document)
    simulation.run(10)
    assert simulation.status["reason"] == "CheckpointUnreadable"
    assert not any(call.startswith("patch") for call in simulation.mesh.calls)
    simulation.delete()
    simulation.run(5)
    assert not simulation.exists
