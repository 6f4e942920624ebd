"""A client that brings its cookie is moved by nothing but the end of its run, whatever people do and whenever we die.

Every case is a seed: what people say and break, and at which calls the process dies, are drawn from it.  The clients
send a request in every second and after every pass of the engine, so also between any two of its writes.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from meshshift.engine.failures import Transient
from tests.engine.simulation import Behaviour, Killed, Simulation, bookinfo, pod, shift
from tests.engine.sticky_clients import Clients
from tests.engine.stories import STICKY, retarget

Act = Callable[[Simulation], object]
WORDS = ("abort", "pause", "resume", "promote", "promote-full", "retry", "restart", "undo")
BACK = {"RollingBack", "RolledBack"}
THERE = {"Promoting", "Succeeded"}


def _deeds(chance: random.Random) -> list[tuple[float, Act]]:
    """What happens and when, in seconds."""
    words = [lambda s, word=word: s.command(word) for word in chance.choices(WORDS, k=chance.randint(0, 3))]
    mischief: list[Act] = [
        lambda s: s.traffic.versions.update(v2=Behaviour(failing=0.4)),
        lambda s: s.mesh.put(pod("v2", ready=False)),
        retarget,
        lambda s: s.restart(),
    ]
    deeds: list[Act] = [*words, *chance.sample(mischief, k=chance.choice((0, 0, 1, 1, 2)))]
    return sorted(((chance.uniform(2.0, 90.0), deed) for deed in deeds), key=lambda each: each[0])


def _interrupting(chance: random.Random) -> Callable[[str, int, str], None]:
    """At one call in twenty the process dies, or the server fails, before or after carrying it out."""

    def interrupt(call: str, number: int, moment: str) -> None:
        drawn = chance.random()
        if drawn < 0.025:
            raise Killed
        if drawn < 0.05:
            raise Transient("the server is currently unable to handle the request")

    return interrupt


@pytest.mark.parametrize("seed", range(40))
def test_a_cookie_keeps_its_owner_until_the_end_of_the_run(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test case, no secret
    simulation, clients = bookinfo(), Clients(30, seed)
    simulation.checks.append(
        lambda s: clients.send(s.mesh.peek("VirtualService", "reviews"), s.phase, run=str(s.status.get("runId", "")))
    )
    simulation.mesh.put(shift(**STICKY))
    simulation.mesh.interrupt = _interrupting(chance)
    begun = simulation.now
    for at, deed in _deeds(chance):
        simulation.run(begun + at - simulation.now)
        deed(simulation)
    simulation.run(200)
    for client in clients.all:
        for old, new, phase in client.changes:
            assert (old, new, phase in (BACK if new == "v1" else THERE)) == (old, new, True), phase
