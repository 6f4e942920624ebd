"""The sample application: a tiny HTTP/1.1 server that says which version it is and misbehaves on request.

It stands in for a real service in the lab and, from the same container image, on a cluster:
`python -m meshshift.lab.app`.  It is written on a bare asyncio protocol and imports the standard library only, so that
a dozen of them start quickly and the machine's cores are left to the mesh under test.

Configuration comes from environment variables, as in any Deployment:

| variable | meaning | default |
|---|---|---|
| `HOST`, `PORT` | listening address; port 0 takes a free one and prints it first | `127.0.0.1`, `8080` |
| `VERSION`, `POD_NAME` | what the answers say | `v1`, the host name |
| `ERROR_RATE` | share of requests answered with `ERROR_CODE`, 0..1 | 0 |
| `ERROR_CODE` | status of those answers | 500 |
| `LATENCY_MS`, `LATENCY_P99_MS` | median and 99th percentile of a lognormal delay, milliseconds | 0, the median |
| `COLD_REQUESTS`, `COLD_MS` | the first so many requests take so much longer, as with empty caches | 0, 200 |
| `STARTUP_SECONDS` | `/healthz` answers 503 for so long after the start | 0 |
| `DRAIN_SECONDS` | after SIGTERM requests are still served for so long, with `Connection: close` | 1 |
| `ACCEPT_CHAOS` | `0` switches `POST /chaos` off, as a cluster that strangers reach should | `1` |

Every path answers `{"version", "pod", "path"}`; `/healthz` is the readiness probe; `/slow?ms=200` adds a delay;
`/served` tells how many requests were taken up so far, copies of a mirror too, apart from the paths named here.

`POST /chaos` changes the behaviour of the running process.  The body is a JSON object with any of `error_rate`,
`error_code`, `latency_ms`, `latency_p99_ms`, `ready` (false: the probe fails), `refuse_seconds` (stop listening and
drop every connection for so long, so that callers see connect failures), `crash` (true: exit at once with status 1) and
`for_seconds` (everything but the refusal is undone after that time).  `{}` asks what is set.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import signal
import socket
import sys
import time
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_P99_SIGMAS = 2.3263478740408408
"""Standard normal quantile of 0.99."""
_MAX_HEAD = 65536


class BadChaosError(ValueError):
    """A request to /chaos that says something impossible; the message names field, value and what is allowed."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How requests are answered; a value that /chaos replaces as a whole."""

    error_rate: float = 0.0
    error_code: int = 500
    latency_ms: float = 0.0
    latency_p99_ms: float = 0.0
    ready: bool = True

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Behaviour:
        """Read the variables of the module's table; raises BadChaosError on a value out of range."""
        latency = float(environment.get("LATENCY_MS", "0"))
        return cls().changed(
            {
                "error_rate": float(environment.get("ERROR_RATE", "0")),
                "error_code": int(environment.get("ERROR_CODE", "500")),
                "latency_ms": latency,
                "latency_p99_ms": float(environment.get("LATENCY_P99_MS", latency)),
            }
        )

    def changed(self, wish: Mapping[str, object]) -> Behaviour:
        """This behaviour with the fields of `wish`; raises BadChaosError on unknown fields and impossible values."""
        known = asdict(self)
        for name, value in wish.items():
            if name not in known:
                raise BadChaosError(f"{name}: {value!r} is not understood; use one of {', '.join(known)}")
            if isinstance(value, bool) != isinstance(known[name], bool) or not isinstance(value, (int, float)):
                raise BadChaosError(f"{name}: {value!r} must be a {type(known[name]).__name__}")
        new = replace(self, **wish)  # type: ignore[arg-type]
        if not 0 <= new.error_rate <= 1:
            raise BadChaosError(f"error_rate: {new.error_rate} must be from 0 to 1")
        if not 200 <= new.error_code <= 599:
            raise BadChaosError(f"error_code: {new.error_code} must be an HTTP status from 200 to 599")
        if new.latency_ms < 0:
            raise BadChaosError(f"latency_ms: {new.latency_ms} must be 0 or more")
        return new

    def delay(self, chance: random.Random) -> float:
        """Draw how long one request takes, in seconds: lognormal through the median and the 99th percentile."""
        if not self.latency_ms:
            return 0.0
        spread = math.log(max(1.0, self.latency_p99_ms / self.latency_ms)) / _P99_SIGMAS
        return self.latency_ms / 1000 * math.exp(spread * chance.gauss(0.0, 1.0))


class App:
    """The running server: its listener, its open connections and what it was told to do."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.host = environment.get("HOST", "127.0.0.1")
        self.port = int(environment.get("PORT", "8080"))
        self.version = environment.get("VERSION", "v1")
        self.pod = environment.get("POD_NAME") or socket.gethostname()
        self.accepts_chaos = environment.get("ACCEPT_CHAOS", "1") != "0"
        self.drain = float(environment.get("DRAIN_SECONDS", "1"))
        self.ready_at = time.monotonic() + float(environment.get("STARTUP_SECONDS", "0"))
        self.behaviour = self._usual = Behaviour.from_environment(environment)
        self.chance = random.Random()
        self.served = 0
        self.cold_requests = int(environment.get("COLD_REQUESTS", "0"))
        self.cold_delay = float(environment.get("COLD_MS", "200")) / 1000
        self.connections: set[Connection] = set()
        self.stopping = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._undo: asyncio.TimerHandle | None = None
        self.identity_headers = f"x-version: {self.version}\r\nx-pod: {self.pod}\r\n"

    @property
    def ready(self) -> bool:
        """What the readiness probe is told."""
        return time.monotonic() >= self.ready_at and self.behaviour.ready and not self.stopping.is_set()

    async def listen(self) -> None:
        """Open the listener; a port of 0 is replaced by the one that the kernel chose."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), self.host, self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def serve(self) -> None:
        """Serve until `stopping` is set, then drain and return."""
        await self.listen()
        print(self.port, flush=True)  # noqa: T201 -- the parent reads the chosen port from here
        await self.stopping.wait()
        await asyncio.sleep(self.drain)
        self._close()

    def refuse(self, seconds: float) -> None:
        """Stop listening, drop every connection, and listen again after `seconds`."""
        self._close()
        loop = asyncio.get_running_loop()
        loop.call_later(seconds, lambda: asyncio.ensure_future(self.listen()))

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in tuple(self.connections):
            connection.abort()

    def chaos(self, body: bytes) -> dict[str, object]:
        """Carry out a request to /chaos and say what holds from now on; raises BadChaosError."""
        try:
            wish = json.loads(body or b"{}")
        except ValueError as error:
            raise BadChaosError(f'body: not JSON ({error}); send an object such as {{"error_rate": 0.5}}') from error
        if not isinstance(wish, dict):
            raise BadChaosError(f"body: {wish!r} must be a JSON object")
        refuse, seconds = (_seconds(wish, name) for name in ("refuse_seconds", "for_seconds"))
        if wish.pop("crash", False):
            os._exit(1)
        changed = self.behaviour.changed(wish)
        loop = asyncio.get_running_loop()
        if self._undo is not None:
            self._undo.cancel()
            self._undo = None
        self.behaviour = changed
        if seconds:
            self._undo = loop.call_later(seconds, self._restore)
        else:
            self._usual = changed
        if refuse:
            loop.call_soon(self.refuse, refuse)
        return asdict(changed)

    def _restore(self) -> None:
        self.behaviour = self._usual


def _seconds(wish: dict[str, object], name: str) -> float:
    value = wish.pop(name, 0)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 86400:
        raise BadChaosError(f"{name}: {value!r} must be a number of seconds from 0 to 86400")
    return value


class Connection(asyncio.Protocol):
    """One keep-alive connection: requests are answered in order, one at a time."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.buffer = bytearray()
        self.busy = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport, so that a refusal can drop it."""
        self.transport = transport  # type: ignore[assignment]
        self.app.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self.transport = None
        self.app.connections.discard(self)

    def abort(self) -> None:
        """Drop the connection without an answer."""
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Collect bytes and answer as soon as a request is complete."""
        self.buffer += data
        self._answer_waiting()

    def _answer_waiting(self) -> None:
        while not self.busy and self._next():
            pass

    def _next(self) -> bool:
        """Take up the next request, if it is there in full."""
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buffer) > _MAX_HEAD:
                self.abort()
            return False
        head = self.buffer[:end]
        length = _content_length(head)
        if len(self.buffer) < end + 4 + length:
            return False
        body = bytes(self.buffer[end + 4 : end + 4 + length])
        del self.buffer[: end + 4 + length]
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].decode("latin-1")
        self.busy = True
        self._dispatch(bytes(method), path, body)
        return True

    def _dispatch(self, method: bytes, path: str, body: bytes) -> None:
        app = self.app
        if path.startswith("/healthz"):
            ready = app.ready
            self._answer(200 if ready else 503, {"ready": ready, "version": app.version})
        elif path == "/served":
            self._answer(200, {"served": app.served, "version": app.version})
        elif path == "/chaos" and method == b"POST" and app.accepts_chaos:
            try:
                self._answer(200, app.chaos(body))
            except BadChaosError as error:
                self._answer(400, {"error": str(error)})
        else:
            self._work(path)

    def _work(self, path: str) -> None:
        app = self.app
        app.served += 1
        failed = app.behaviour.error_rate > 0 and app.chance.random() < app.behaviour.error_rate
        status = app.behaviour.error_code if failed else 200
        delay = app.behaviour.delay(app.chance) + (app.cold_delay if app.served <= app.cold_requests else 0.0)
        if path.startswith("/slow?ms="):
            extra = path.removeprefix("/slow?ms=")
            delay += min(60.0, int(extra) / 1000) if extra.isdigit() else 0.0
        content = {"version": app.version, "pod": app.pod, "path": path}
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, self._answer_late, status, content)
        else:
            self._answer(status, content)

    def _answer_late(self, status: int, content: Mapping[str, object]) -> None:
        self._answer(status, content)
        self._answer_waiting()

    def _answer(self, status: int, content: Mapping[str, object]) -> None:
        if self.transport is None:
            return
        body = json.dumps(content).encode()
        close = "connection: close\r\n" if self.app.stopping.is_set() else ""
        head = (
            f"HTTP/1.1 {status} {_phrase(status)}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n{self.app.identity_headers}{close}\r\n"
        )
        self.transport.write(head.encode("latin-1") + body)
        self.busy = False
        if close:
            self.transport.close()


def _content_length(head: bytes | bytearray) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return 0


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


async def _main() -> None:
    app = App(os.environ)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.stopping.set)
    await app.serve()


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except (OSError, ValueError) as problem:
        sys.exit(f"meshshift sample app: {problem}")
