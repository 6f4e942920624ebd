"""The small parts: probes, child processes, watching, flags, the sample mesh's files."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from meshshift.adapters.kube import PODS
from meshshift.lab import children
from meshshift.lab.controller import as_flags, controller_command
from meshshift.lab.node import Addresses
from meshshift.lab.probes import Probe, container_environment
from meshshift.lab.sample import read_documents, sample_directory, version_of
from meshshift.lab.watching import Watched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ISTIO = Path(__file__).parents[3] / "istio"


def probe(**fields: Any) -> Probe:
    container = {"ports": [{"name": "http", "containerPort": 81}], "readinessProbe": fields}
    return Probe.of(container, "127.0.0.1", 80)


def test_a_probe_names_its_port_by_number_or_name_and_has_kubernetes_defaults() -> None:
    assert probe(httpGet={"path": "/ok", "port": "http"}) == Probe("127.0.0.1", 81, "/ok", 0, 10, 1, 3, 1)
    assert probe(tcpSocket={"port": 82}, periodSeconds=2).port == 82
    assert Probe.of({}, "127.0.0.1", 80).path is None


async def test_readiness_changes_after_as_many_looks_as_the_thresholds_say(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([False, True, True, False, False, True, False, False, False])

    async def look(_: Probe) -> bool:
        return next(looks)

    monkeypatch.setattr(Probe, "_look", look)
    wish = probe(httpGet={}, periodSeconds=0, successThreshold=2, failureThreshold=3)
    results = wish.results()
    assert [await anext(results) for _ in range(9)] == [False, False, True, True, True, True, True, True, False]


def test_the_downward_api_gives_name_namespace_and_address() -> None:
    fields = {"NAME": "metadata.name", "SPACE": "metadata.namespace", "IP": "status.podIP", "NODE": "spec.nodeName"}
    env = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()]
    made = container_environment({"env": [*env, {"name": "PLAIN", "value": "x"}]}, "p-1", "bookinfo", "127.1.0.1")
    assert made == {"POD_NAME": "p-1", "NAME": "p-1", "SPACE": "bookinfo", "IP": "127.1.0.1", "PLAIN": "x"}


def test_addresses_are_different_and_taken_ones_are_skipped() -> None:
    addresses = Addresses()
    assert len({addresses.take(0) for _ in range(600)}) == 600


async def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
    process = await children.start("stubborn", [sys.executable, "-c", code], pipe=True, log=tmp_path / "log")
    assert process.handle.stdout is not None
    await process.handle.stdout.readline()
    assert await process.stop(grace=0.1) == -9
    assert not process.running


async def test_a_frozen_child_still_gets_its_orderly_end() -> None:
    handler = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"
    code = f"import signal, sys; {handler}; print('x', flush=True); signal.pause()"
    process = await children.start("frozen", [sys.executable, "-c", code], pipe=True)
    assert process.handle.stdout is not None
    await process.handle.stdout.readline()
    process.send(signal.SIGSTOP)
    assert await process.stop(grace=5) == 7


async def test_a_missing_program_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="envoy: cannot start /nowhere/envoy"):
        await children.start("envoy", ["/nowhere/envoy"])


async def test_last_words_are_the_end_of_the_log(tmp_path: Path) -> None:
    process = await children.start("echo", ["sh", "-c", "echo one; echo two >&2"], log=tmp_path / "log")
    await process.wait()
    assert process.last_words(1) == "two"


class ScriptedClient:
    """Lists and then streams what it was given."""

    def __init__(self, listed: list[dict[str, Any]], events: list[tuple[str, dict[str, Any]]]) -> None:
        self.listed, self.events = listed, events
        self.done = asyncio.Event()

    async def list(self, _resource: object) -> tuple[list[dict[str, Any]], str]:
        return self.listed, "1"

    async def watch(self, _resource: object, *, since: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        assert since == "1"
        for event in self.events:
            yield event
        self.done.set()
        await asyncio.Event().wait()


def item(name: str, version: int, uid: str = "u") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "n", "resourceVersion": str(version), "uid": uid}}


async def watched(listed: list[dict[str, Any]], *events: tuple[str, dict[str, Any]]) -> list[tuple[str, str, bool]]:
    client = ScriptedClient(listed, list(events))
    seen: list[tuple[str, str, bool]] = []
    copy = Watched(client, PODS)  # type: ignore[arg-type]
    copy.listen(lambda document, exists: seen.append((document["metadata"]["name"], str(version(document)), exists)))
    async with copy, asyncio.timeout(5):
        await client.done.wait()
    return seen


def version(document: dict[str, Any]) -> str:
    return str(document["metadata"]["resourceVersion"])


async def test_a_listener_hears_of_every_change_once() -> None:
    events = [("MODIFIED", item("a", 5)), ("MODIFIED", item("a", 4)), ("DELETED", item("a", 6))]
    assert await watched([item("a", 3)], *events) == [("a", "3", True), ("a", "5", True), ("a", "5", False)]


async def test_the_end_of_an_object_does_not_take_its_successor_along() -> None:
    events = [("ADDED", item("a", 7, uid="new")), ("DELETED", item("a", 6, uid="old"))]
    assert await watched([item("a", 3, uid="old")], *events) == [("a", "3", True), ("a", "7", True)]


def test_settings_become_flags() -> None:
    settings = {"log_level": "debug", "leader_election": False, "once": True, "context": None, "settle": "1s"}
    assert as_flags(settings) == ["--log-level", "debug", "--no-leader-election", "--once", "--settle", "1s"]


def test_settings_win_over_the_labs_own() -> None:
    command = controller_command({"scrape_interval": "5s"})
    assert command[command.index("--scrape-interval") + 1] == "5s"
    assert "--no-leader-election" in command


def test_the_sample_mesh_begins_with_its_namespace_and_leaves_the_shift_to_people() -> None:
    documents = read_documents(sample_directory())
    assert documents[0]["kind"] == "Namespace"
    assert {document["kind"] for document in documents} >= {
        "Service",
        "Deployment",
        "VirtualService",
        "DestinationRule",
    }
    assert "TrafficShift" not in {document["kind"] for document in documents}


def test_an_empty_directory_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        read_documents(tmp_path)


def test_every_sample_version_is_selected_by_its_subset() -> None:
    rule = yaml.safe_load((ISTIO / "destinationrule.yaml").read_text())
    subsets = {subset["name"]: subset["labels"] for subset in rule["spec"]["subsets"]}
    files = [ISTIO / "app.yaml", *(ISTIO / "versions").glob("*.yaml")]
    deployments = [one for file in files for one in yaml.safe_load_all(file.read_text()) if one["kind"] == "Deployment"]
    assert {one["metadata"]["labels"]["version"] for one in deployments} == set(subsets)
    for one in deployments:
        labels = one["spec"]["template"]["metadata"]["labels"]
        name = labels["version"]
        assert subsets[name].items() <= labels.items()
        variables = {
            entry["name"]: entry.get("value") for entry in one["spec"]["template"]["spec"]["containers"][0]["env"]
        }
        assert variables["VERSION"] == name
        assert one["metadata"]["name"] == f"reviews-{name}"


def test_a_generated_version_is_selected_by_the_service_and_the_subset() -> None:
    made = version_of("reviews", "bookinfo", "v2", 3, {"VERSION": "v2"})
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert labels == {"app": "reviews", "version": "v2"} == made["spec"]["selector"]["matchLabels"]
    assert made["spec"]["replicas"] == 3
