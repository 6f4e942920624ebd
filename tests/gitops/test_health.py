"""Argo CD's health check of the page, run by the Lua of a real Envoy (LuaJIT: Lua 5.1, as Argo CD's interpreter)."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from meshshift.lab.envoy.proxy import find_envoy
from tests.engine.simulation import Simulation, bookinfo, pod, shift
from tests.engine.stories import failing, set_weights
from tests.gitops.page import health_check

PATIENCE = 20.0
EXTENSIONS = "type.googleapis.com/envoy.extensions.filters"


def ended(**spec: Any) -> Simulation:
    """A shift after ten minutes."""
    simulation = bookinfo()
    simulation.mesh.put(shift(**spec))
    simulation.run(600)
    return simulation


def fresh() -> Simulation:
    simulation = bookinfo()
    simulation.mesh.put(shift())
    return simulation


def edited() -> Simulation:
    """A new spec that the controller has not seen yet."""
    simulation = ended()
    simulation.mesh.edit("TrafficShift", "reviews", lambda document: document["spec"].update(paused=True))
    return simulation


def after(act: Any, **spec: Any) -> Simulation:
    """A shift to which something happened at half a minute."""
    simulation = bookinfo()
    simulation.mesh.put(shift(**spec))
    simulation.run(30)
    act(simulation)
    simulation.run(300)
    return simulation


def waiting() -> Simulation:
    simulation = bookinfo()
    simulation.mesh.put(pod("v2", ready=False))
    simulation.mesh.put(shift())
    simulation.run(30)
    return simulation


SAMPLES = {
    "not seen yet": (fresh, "Progressing"),
    "edited": (edited, "Progressing"),
    "waits for pods": (waiting, "Progressing"),
    "succeeded": (ended, "Healthy"),
    "rolled back": (lambda: after(failing), "Degraded"),
    "aborted": (lambda: after(lambda simulation: simulation.command("abort")), "Degraded"),
    "invalid": (lambda: ended(canary={"subset": "v9"}), "Degraded"),
    "drifted": (lambda: after(set_weights(60, 40)), "Degraded"),
    "paused by a person": (lambda: after(lambda simulation: simulation.command("pause")), "Suspended"),
    "a pause step": (lambda: ended(strategy={"canary": {"steps": [{"setWeight": 5}, {"pause": {}}]}}), "Suspended"),
}


def lua(value: Any) -> str:
    """A JSON value as Lua's own."""
    if isinstance(value, dict):
        return "{" + ",".join(f"[{json.dumps(key)}]={lua(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ",".join(map(lua, value)) + "}"
    return {None: "nil", True: "true", False: "false"}.get(value) or json.dumps(value, ensure_ascii=False)


def filter_code(objects: dict[str, Any]) -> str:
    """Lua for Envoy: the path's last part names the object, the answer is `status|message`."""
    samples = ",".join(f"[{json.dumps(name)}]={lua(each)}" for name, each in objects.items())
    return f"""
local function health(obj)
{health_check()}
end
local samples = {{{samples}}}
function envoy_on_request(handle)
  local name = string.gsub(string.sub(handle:headers():get(":path"), 2), "_", " ")
  local ok, said = pcall(health, samples[name])
  local answer = ok and (said.status .. "|" .. (said.message or "")) or ("failed|" .. tostring(said))
  handle:respond({{[":status"] = "200"}}, answer)
end
"""


@contextmanager
def envoy(code: str, directory: Path) -> Iterator[str]:
    """A proxy that answers every request by this code; its URL."""
    lua_filter = {
        "@type": f"{EXTENSIONS}.http.lua.v3.Lua",
        "default_source_code": {"inline_string": code},
    }
    router = {"@type": f"{EXTENSIONS}.http.router.v3.Router"}
    manager = {
        "@type": f"{EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "lua",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"]}]},
        "http_filters": [{"name": "lua", "typed_config": lua_filter}, {"name": "router", "typed_config": router}],
    }
    local = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    listener = {
        "name": "lua",
        "address": local,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    (directory / "envoy.json").write_text(
        json.dumps({"admin": {"address": local}, "static_resources": {"listeners": [listener]}})
    )
    admin = directory / "admin"
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [find_envoy(), "-c", directory / "envoy.json", "--use-dynamic-base-id", "--admin-address-path", admin],
            stdout=log,
            stderr=log,
        )
    try:
        yield _address(process, admin, directory / "log")
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _address(process: subprocess.Popen[bytes], admin: Path, log: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            listeners = httpx.get(f"http://{admin.read_text().strip()}/listeners?format=json").json()
            port = listeners["listener_statuses"][0]["local_address"]["socket_address"]["port_value"]
        except (OSError, httpx.HTTPError, LookupError):
            time.sleep(0.05)
            continue
        return f"http://127.0.0.1:{port}"
    raise AssertionError(log.read_text()[-2000:])


@pytest.mark.lab
def test_every_state_of_a_shift_has_the_health_that_the_page_says(tmp_path: Path) -> None:
    objects = {name: make().mesh.get("TrafficShift", "reviews") for name, (make, _) in SAMPLES.items()}
    with envoy(filter_code(objects), tmp_path) as url:
        said = {name: httpx.get(f"{url}/{name.replace(' ', '_')}").text.partition("|") for name in SAMPLES}
    assert {name: status for name, (status, _, _) in said.items()} == {
        name: each for name, (_, each) in SAMPLES.items()
    }
    unseen = {"not seen yet", "edited"}
    messages = {name: objects[name]["status"]["message"] for name in SAMPLES if name not in unseen}
    assert {name: message for name, (_, _, message) in said.items() if name not in unseen} == messages
