"""Whole shifts on a cluster that was not made for the test."""

from __future__ import annotations

from typing import Any

from e2e.cluster import NAME, NAMESPACE, Cluster
from meshshift.adapters.kube import TRAFFIC_SHIFTS

ENDED = {"Succeeded", "RolledBack", "Failed"}


def ended(status: dict[str, Any] | None) -> bool:
    return bool(status and status.get("phase") in ENDED)


def at_25(status: dict[str, Any] | None) -> bool:
    return bool(status and (status.get("weights") or {}).get("observed") == 25)


async def test_a_good_version_is_promoted(cluster: Cluster) -> None:
    await cluster.deploy("v2")
    await cluster.shift("v2")
    status = await cluster.until(ended)
    assert status
    assert status["phase"] == "Succeeded", status["message"]
    assert await cluster.weights() == {"v1": 0, "v2": 100}


async def test_a_bad_version_is_rolled_back(cluster: Cluster) -> None:
    await cluster.deploy("v3")
    await cluster.shift("v3")
    status = await cluster.until(ended)
    assert status
    assert status["phase"] == "RolledBack", status["message"]
    assert "success-rate proven worse" in status["message"]
    assert (await cluster.weights())["v1"] == 100


async def test_abort_gives_the_traffic_back(cluster: Cluster) -> None:
    await cluster.deploy("v2")
    await cluster.shift("v2")
    await cluster.until(at_25)
    await cluster.command("abort")
    status = await cluster.until(ended)
    assert status
    assert status["reason"] == "Aborted"
    assert await cluster.weights() == {"v1": 100, "v2": 0}


async def test_deletion_restores_before_the_object_goes(cluster: Cluster) -> None:
    await cluster.deploy("v2")
    await cluster.shift("v2")
    await cluster.until(at_25)
    await cluster.delete(TRAFFIC_SHIFTS, NAMESPACE, NAME)
    await cluster.until(lambda status: status is None)
    assert await cluster.weights() == {"v1": 100, "v2": 0}
