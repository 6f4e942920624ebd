"""Red/black through the whole engine: shown, judged, flipped in one write, watched, and flipped back in one."""

from __future__ import annotations

from typing import Any

from meshshift.engine.ports import QueryError
from tests.engine.simulation import Behaviour, Simulation, bookinfo, shift

ENDED = {"Succeeded", "RolledBack", "Failed"}
PREVIEW = {"preview": {"match": [{"headers": {"x-preview": {"exact": "true"}}}]}}


def begun(**red_black: Any) -> Simulation:
    simulation = bookinfo()
    simulation.mesh.put(shift(strategy={"redBlack": red_black}))
    return simulation


def ended(simulation: Simulation) -> bool:
    return simulation.phase in ENDED


def flipped(simulation: Simulation) -> bool:
    return simulation.weight == 100


def inserted(simulation: Simulation) -> list[str]:
    http = simulation.mesh.get("VirtualService", "reviews")["spec"]["http"]
    return [each["name"] for each in http if each["name"].startswith("meshshift/")]


def writes(simulation: Simulation) -> int:
    return sum(call.startswith("patch VirtualService") for call in simulation.mesh.calls)


def weights(simulation: Simulation) -> list[float]:
    seen: list[float] = []
    simulation.checks.append(lambda s: seen.append(s.weight) if not seen or seen[-1] != s.weight else None)
    return seen


def test_all_traffic_moves_at_once_in_one_write() -> None:
    simulation = begun()
    seen = weights(simulation)
    simulation.run(300, until=ended)
    assert (simulation.phase, seen, writes(simulation)) == ("Succeeded", [0, 100], 1)
    assert simulation.status["strategy"] == "redBlack"


def test_the_preview_is_judged_before_the_flip_and_gone_after_it() -> None:
    simulation = begun(**PREVIEW, prePromotion={"duration": "60s"}, postPromotion={"duration": "60s"})
    simulation.run(60, until=lambda s: bool(inserted(s)))
    shown = simulation.now
    simulation.run(300, until=flipped)
    assert simulation.now - shown >= 60
    simulation.run(5)
    assert inserted(simulation) == []
    simulation.run(300, until=ended)
    assert simulation.phase == "Succeeded"
    assert simulation.now - shown >= 120


def test_a_preview_that_fails_never_gets_the_traffic() -> None:
    simulation = begun(**PREVIEW, prePromotion={"duration": "5m"})
    simulation.traffic.versions["v2"] = Behaviour(failing=0.5)
    simulation.run(60, until=lambda s: bool(inserted(s)))
    shares = simulation.shares

    def with_testers() -> dict[str, float]:
        return {"v1": 0.95, "v2": 0.05} if inserted(simulation) else shares()

    simulation.shares = with_testers  # type: ignore[method-assign]
    simulation.run(300, until=ended)
    assert (simulation.phase, inserted(simulation)) == ("RolledBack", [])
    assert simulation.status["reason"] == "RegressionProven"


def test_manual_promotion_waits_for_a_person() -> None:
    simulation = begun(promotion="Manual")
    simulation.run(300)
    assert (simulation.phase, simulation.weight) == ("Paused", 0)
    simulation.command("promote")
    simulation.run(60, until=ended)
    assert (simulation.phase, simulation.weight) == ("Succeeded", 100)


def test_what_fails_more_than_before_is_flipped_back_in_one_write() -> None:
    simulation = begun(postPromotion={"duration": "10m"})
    simulation.run(120, until=flipped)
    simulation.run(30)
    before = writes(simulation)
    simulation.traffic.versions["v2"] = Behaviour(failing=0.05)
    seen = weights(simulation)
    simulation.run(120, until=ended)
    assert (simulation.phase, seen[-1], writes(simulation) - before) == ("RolledBack", 0, 1)
    assert simulation.status["reason"] == "WorseThanBefore"
    assert "success-rate worse than before all traffic moved" in simulation.status["message"]


def test_what_is_slower_than_before_is_flipped_back_too() -> None:
    simulation = begun(postPromotion={"duration": "10m"})
    simulation.run(120, until=flipped)
    simulation.traffic.versions["v2"] = Behaviour(slow=0.2)
    simulation.run(180, until=ended)
    assert simulation.phase == "RolledBack"
    assert "latency worse than before" in simulation.status["message"]


def test_a_version_like_the_one_before_stays() -> None:
    simulation = begun(postPromotion={"duration": "10m"})
    simulation.traffic.versions["v2"] = Behaviour(failing=0.0012, slow=0.006)
    simulation.run(1200, until=ended)
    assert simulation.phase == "Succeeded"


def test_nothing_is_called_proven_while_prometheus_cannot_be_read() -> None:
    simulation = begun(postPromotion={"duration": "60s"})
    simulation.run(120, until=flipped)
    simulation.prometheus = QueryError("Unreachable", "connection refused")
    simulation.run(300)
    assert (simulation.phase, simulation.weight) == ("Progressing", 100)
    assert simulation.status["reason"] == "TelemetryUnavailable"
    simulation.prometheus = None
    simulation.run(120, until=ended)
    assert simulation.phase == "Succeeded"


def test_a_person_may_end_the_watch_and_take_it_all_back_later() -> None:
    simulation = begun(postPromotion={"duration": "1h"})
    simulation.run(120, until=flipped)
    simulation.run(20)
    simulation.command("promote")
    simulation.run(30, until=ended)
    assert simulation.phase == "Succeeded"
    simulation.command("undo")
    simulation.run(2)
    assert simulation.weight == 0


def test_what_is_resumed_after_the_flip_is_judged_afresh() -> None:
    simulation = bookinfo()
    flip = {"redBlack": {"postPromotion": {"duration": "5m"}}}
    simulation.mesh.put(shift(onFailure="Pause", strategy=flip))
    simulation.run(120, until=flipped)
    simulation.run(30)
    simulation.traffic.versions["v2"] = Behaviour(failing=0.05)
    simulation.run(120, until=lambda s: s.phase == "Paused")
    assert simulation.status["reason"] == "WorseThanBefore"
    simulation.traffic.versions["v2"] = Behaviour()
    simulation.run(10)
    simulation.command("resume")
    simulation.run(600, until=ended)
    assert (simulation.phase, simulation.weight) == ("Succeeded", 100)
