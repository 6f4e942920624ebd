"""The whole programme of `meshshift lab`: start the lab and the controller, play, sum up, and perhaps stay.

The process ends every program it started, whatever ends it: the lab is a context manager, signals unwind it, and the
kernel kills its children if this process is killed.  Logs go into the lab's directory, which is removed after a
success and kept after a failure.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kubernetes.aio.config import ConfigException

from meshshift.engine.failures import ApiFailure
from meshshift.lab.children import free_port
from meshshift.lab.demo.frame import listed
from meshshift.lab.demo.opted_in import mesh_before
from meshshift.lab.demo.stage import Stage, StageError
from meshshift.lab.demo.story import NAME, NAMESPACE, OptIn, Scenario
from meshshift.lab.demo.summary import summary
from meshshift.lab.envoy.proxy import EnvoyError
from meshshift.lab.guest import InhabitedClusterError
from meshshift.lab.images import SAMPLE_IMAGE
from meshshift.lab.lab import Lab
from meshshift.lab.prometheus import PrometheusError
from meshshift.lab.sample import sample_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshshift.lab.demo.frame import Display
    from meshshift.lab.guest import Belonging

FAILURES = (ApiFailure, ConfigException, EnvoyError, InhabitedClusterError, OSError, PrometheusError, StageError)
"""What can go wrong without anybody's mistake in this program; their messages are fit for the user."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for.

    `scenario` None: just a mesh to play with.  `rate`: requests per second.  `kubeconfig`: another API server than the
    lab's own, and `allow_nodes` whether it may have nodes.  `keep`: stay until a signal comes.  `directory`: an empty
    or new one for logs and data; None: a temporary one.  `verbose`: debug logs, on standard error too.
    """

    scenario: Scenario | None
    rate: float = 300.0
    kubeconfig: Path | None = None
    allow_nodes: bool = False
    keep: bool = False
    directory: Path | None = None
    verbose: bool = False


async def run(wish: Wish, display: Display) -> int:
    """Do it; returns the exit status: 0 if every check holds, 1 if not, 128 + the signal that came first."""
    stopping = _Stopping()
    directory = _prepared(wish.directory)
    _log_to(directory / "lab.log", wish.verbose)
    status = 1
    try:
        status = await _perform(wish, display, directory, stopping)
    except asyncio.CancelledError:
        if stopping.number is None:
            raise
        display.say(f"\nstopped by {stopping.number.name}; all that was started has ended")
        status = 128 + stopping.number
    finally:
        if wish.directory is None and status != 1:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            display.say(f"logs and data: {directory}")
    return status


async def _perform(wish: Wish, display: Display, directory: Path, stopping: _Stopping) -> int:
    started = time.monotonic()
    own = "" if wish.kubeconfig else "the API server, "
    scenario = wish.scenario or Scenario("none", "")
    pods = f"two pods {'each ' if scenario.services[1:] else ''}of {listed(scenario.services)} v1"
    display.say(f"starting {own}Envoy, Prometheus, {pods} and the controller")
    mesh = Lab(
        directory=directory,
        kubeconfig=wish.kubeconfig,
        allow_nodes=wish.allow_nodes,
        rate=wish.rate,
        others=scenario.services[1:],
        cohorts=scenario.clients,
        edit=partial(mesh_before, opt_in=scenario.opt_in),
    )
    try:
        return await _live_in(mesh, wish, display, stopping, started)
    finally:
        if mesh.left_behind:
            display.say(_farewell(mesh.left_behind))


async def _live_in(mesh: Lab, wish: Wish, display: Display, stopping: _Stopping, started: float) -> int:
    opt_in = wish.scenario.opt_in if wish.scenario else None
    async with mesh as lab:
        port = free_port()
        await lab.start_controller(
            port=port,
            settle="2s",
            prometheus_timeout="2s",
            log_format="text",
            log_level="debug" if wish.verbose else "info",
            in_place=bool(opt_in and opt_in.in_place),
        )
        names = listed(lab.services)
        display.say(f"ready after {time.monotonic() - started:.1f} s; {wish.rate:g} requests/s to {names}")
        status = await _play(wish.scenario, lab, display) if wish.scenario else 0
        if wish.keep:
            display.say(_directions(lab, port, opt_in))
            await stopping.wait()
    return status


async def _play(scenario: Scenario, lab: Lab, display: Display) -> int:
    async with Stage(lab, display, scenario) as stage:
        courses, total, checks = await stage.play()
    display.say("\n" + summary(courses, total, checks))
    return 0 if all(check.holds for check in checks) else 1


def _farewell(left: Sequence[Belonging]) -> str:
    """What is still on somebody else's API server, kind by kind."""
    names: dict[str, list[str]] = {}
    for one in left:
        names.setdefault(one.resource.kind, []).append("/".join(filter(None, (one.namespace, one.name))))
    kinds = "\n".join(f"  {kind}: {', '.join(sorted(listed))}" for kind, listed in names.items())
    return f"left on the API server, everything else that the lab created is removed:\n{kinds}"


def _directions(lab: Lab, port: int, opt_in: OptIn | None) -> str:
    """Where everything is, and what to try."""
    return f"""
THE LAB STAYS UP until Ctrl-C.
  gateway      {lab.gateway_url}   (Host: {NAME}.{NAMESPACE}.svc.cluster.local)
  Prometheus   {lab.prometheus_url}
  controller   http://127.0.0.1:{port}/metrics   log: {lab.directory / "controller.log"}
  a gate       {lab.receiver.url}/gate?waits=3   (says wait three times, then yes)

  export KUBECONFIG={lab.kubeconfig_path}
  kubectl get trafficshifts,virtualservices,pods -n {NAMESPACE}
{_to_shift(opt_in)}
  kubectl get trafficshift {NAME} -n {NAMESPACE} -w
  kubectl annotate trafficshift {NAME} -n {NAMESPACE} meshshift.io/command=abort
  curl -i -H 'Host: {NAME}.{NAMESPACE}.svc.cluster.local' {lab.gateway_url}/
"""


def _to_shift(opt_in: OptIn | None) -> str:
    """What brings the next version."""
    versions = sample_directory() / "versions"
    if opt_in is None:
        shift = sample_directory() / "trafficshift.yaml"
        return f"  kubectl apply -f {versions / f'{NAME}-v2.yaml'}\n  kubectl apply -f {shift}"
    if opt_in.in_place:
        return f"  kubectl set image deployment/{NAME} -n {NAMESPACE} app={SAMPLE_IMAGE}:v3   # one request in 10 fails"
    return f"  sed s/v3/v5/g {versions / f'{NAME}-v3.yaml'} | kubectl apply -f -   # one request in 20 fails"


def _prepared(directory: Path | None) -> Path:
    """The directory to work in; raises FileExistsError if the user's own holds anything."""
    if directory is None:
        return Path(tempfile.mkdtemp(prefix="meshshift-lab-"))
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise FileExistsError(f"directory: {directory} is not empty, and old telemetry would mislead; name a new one")
    return directory.resolve()


def _log_to(file: Path, verbose: bool) -> None:
    """Keep log lines away from the screen, unless they are asked for."""
    handlers: list[logging.Handler] = [logging.FileHandler(file)]
    if verbose:
        handlers.append(logging.StreamHandler())
    logging.basicConfig(level=logging.INFO, handlers=handlers, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("meshshift").setLevel(logging.DEBUG if verbose else logging.INFO)


class _Stopping:
    """SIGINT, SIGTERM and SIGHUP: they cancel the current task, or end the wait if it only waits for them."""

    def __init__(self) -> None:
        self.number: signal.Signals | None = None
        self._task = asyncio.current_task()
        self._waiting: asyncio.Event | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._stop, number)

    async def wait(self) -> None:
        """Wait for one of the signals."""
        self._waiting = asyncio.Event()
        await self._waiting.wait()

    def _stop(self, number: signal.Signals) -> None:
        """Only the first signal counts: another one must not interrupt the tidying up."""
        if self.number is not None:
            return
        self.number = number
        if self._waiting is not None:
            self._waiting.set()
        elif self._task is not None:
            self._task.cancel()
