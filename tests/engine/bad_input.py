"""Bad input as files: what is wrong, where it is refused, and the message that a person reads, in full.

A case under tests/data/invalid/mesh changes one thing about a mesh in which a shift would succeed: objects put in place
of the sample's or beside them, objects taken away, other fields in the shift's spec, a command, a tampered checkpoint.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.engine.simulation import KEY, Simulation, bookinfo, shift

FOLDER = Path(__file__).parents[1] / "data" / "invalid" / "mesh"
UNDER_WAY = 25
"""The canary's percent at which a case that is not there from the start comes in."""


class _Loader(yaml.SafeLoader):
    """Safe, and with `!repeat [text, times]` for values that are too long to be written."""


def _repeated(loader: yaml.SafeLoader, node: yaml.Node) -> str:
    text, times = loader.construct_sequence(node)  # type: ignore[arg-type]
    return str(text) * int(times)


_Loader.add_constructor("!repeat", _repeated)


@dataclass(frozen=True)
class Case:
    """One file.  `about` says what is wrong; `under_way` that it becomes wrong in the middle of a shift.

    `reason` and `message` are what the status says two minutes later; of a command, what its Event says, for the shift
    goes on.
    `checkpoint` replaces the stored text, or, as an object, fields of it.
    """

    about: str
    reason: str
    message: str
    stalled: bool = True
    under_way: bool = False
    shift: dict[str, Any] = field(default_factory=dict)
    objects: tuple[dict[str, Any], ...] = ()
    absent: tuple[str, ...] = ()
    command: str | None = None
    checkpoint: str | dict[str, Any] | None = None

    @classmethod
    def read(cls, path: Path) -> Case:
        """The case in a file; an unknown field is an error."""
        return cls(**yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader))  # noqa: S506 -- a SafeLoader

    def play(self) -> tuple[Simulation, dict[Any, Any]]:
        """Two minutes with the fault in place, and the mesh as it was when it came in."""
        simulation = bookinfo()
        if self.under_way or self.checkpoint is not None:
            simulation.mesh.put(shift())
            simulation.run(600, until=lambda s: s.weight == UNDER_WAY and "step" in s.status)
        self._break(simulation)
        # Traffic goes on as it went, whatever cannot be read any more.
        shares = {"v1": 1.0}
        simulation.shares = lambda: shares  # type: ignore[method-assign]
        before = mesh_of(simulation)
        simulation.mesh.calls.clear()
        simulation.run(120)
        return simulation, before

    def told(self, simulation: Simulation) -> tuple[str, str]:
        """Reason and message as a person meets them."""
        if self.command is None:
            return simulation.status["reason"], simulation.status["message"]
        return next(event for event in simulation.mesh.events.values() if event[0] == "CommandRefused")

    def _break(self, simulation: Simulation) -> None:
        for text in self.absent:
            kind, name = text.split()
            simulation.mesh.remove(kind, name)
        for document in self.objects:
            simulation.mesh.put(document)
        if ("TrafficShift", *KEY) not in simulation.mesh.objects:
            simulation.mesh.put(shift(**self.shift))
        if self.command is not None:
            simulation.command(self.command)
        if self.checkpoint is not None:
            simulation.mesh.edit("TrafficShift", "reviews", self._tamper, spec=False)
            simulation.restart()

    def _tamper(self, document: dict[str, Any]) -> None:
        stored = document["status"]["checkpoint"]
        changes = self.checkpoint
        document["status"]["checkpoint"] = (
            json.dumps(json.loads(stored) | changes) if isinstance(changes, dict) else changes
        )


def mesh_of(simulation: Simulation) -> dict[Any, Any]:
    """Every object but the shift itself, versions included."""
    return {key: each for key, each in simulation.mesh.objects.items() if key[0] != "TrafficShift"}


def cases() -> list[Path]:
    """All files."""
    return sorted(FOLDER.glob("*.yaml"))
