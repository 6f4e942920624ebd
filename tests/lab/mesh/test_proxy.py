"""Every golden configuration is one that a real Envoy takes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import yaml

from meshshift.lab.envoy.proxy import EnvoyError, EnvoyProxy, find_envoy
from meshshift.lab.envoy.snapshot import translate
from tests.lab.mesh.conftest import PATIENCE
from tests.lab.mesh.test_translator import GOLDENS, PODS, world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[EnvoyProxy]:
    async with EnvoyProxy(tmp_path) as running:
        yield running


@pytest.mark.lab
async def test_envoy_accepts_every_golden(proxy: EnvoyProxy) -> None:
    for path in sorted(GOLDENS.glob("*.yaml")):
        given = yaml.safe_load(path.read_text())["given"]
        snapshot = translate(world(given), {"app": "load"}, proxy.endpoint_directory)
        proxy.push(snapshot)
        async with asyncio.timeout(PATIENCE):
            await proxy.until_applied(lambda snapshot=snapshot: snapshot)  # type: ignore[misc]
        assert await proxy.rejected() == {}, path.stem


@pytest.mark.lab
async def test_pushing_the_same_twice_tells_envoy_nothing(proxy: EnvoyProxy) -> None:
    snapshot = translate(world([]), {}, proxy.endpoint_directory)
    assert proxy.push(snapshot)
    assert not proxy.push(snapshot)


@pytest.mark.lab
async def test_endpoints_of_clusters_that_are_gone_are_removed(proxy: EnvoyProxy) -> None:
    rule = {
        "kind": "DestinationRule",
        "metadata": {"name": "reviews"},
        "spec": {"host": "reviews", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]},
    }
    proxy.push(translate(world([rule]), {}, proxy.endpoint_directory))
    assert len(list(proxy.endpoint_directory.iterdir())) == 2
    proxy.push(translate(world([]), {}, proxy.endpoint_directory))
    assert len(list(proxy.endpoint_directory.iterdir())) == 1


@pytest.mark.lab
async def test_a_failing_start_shows_the_end_of_envoys_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "envoy"
    broken.write_text("#!/bin/sh\necho out of memory >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("ENVOY", str(broken))
    assert find_envoy() == broken
    with pytest.raises(EnvoyError, match="out of memory"):
        async with EnvoyProxy(tmp_path / "data"):
            pass


async def test_files_are_moved_into_place_in_istiods_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New endpoints, clusters, changed endpoints, routes: over files in this order no route is ahead of its cluster."""
    proxy = EnvoyProxy(tmp_path)
    proxy.prepare()
    rule = {
        "kind": "DestinationRule",
        "metadata": {"name": "reviews"},
        "spec": {"host": "reviews", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]},
    }
    plain = world([])
    proxy.push(translate(plain, {}, proxy.endpoint_directory))
    moved: list[str] = []
    replace = type(tmp_path).replace

    def watched(self: Path, target: Path) -> Path:
        moved.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(type(tmp_path), "replace", watched)
    monkeypatch.setattr("tests.lab.mesh.test_translator.PODS", PODS[:1])
    virtual_service = {
        "kind": "VirtualService",
        "metadata": {"name": "reviews"},
        "spec": {"hosts": ["reviews"], "http": [{"route": [{"destination": {"host": "reviews", "subset": "v1"}}]}]},
    }
    proxy.push(translate(world([rule, virtual_service]), {}, proxy.endpoint_directory))
    host = "reviews.bookinfo.svc.cluster.local.json"
    assert moved == [f"outbound_9080_v1_{host}", "cds.json", f"outbound_9080__{host}", "rds.json"]
