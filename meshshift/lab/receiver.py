"""What stands outside a cluster and is asked or told by the controller: a gate, and a receiver of notifications.

Both are one small HTTP server on loopback.  How a gate answers is written in its address, so that a TrafficShift says
by itself what is going to happen:

- `POST /gate?waits=3`: three times 425 with the words of a test suite at work, then 200;
- `POST /gate?waits=1&answer=403`: wait once, then refuse;
- `POST /told`: takes whatever it is told.

A gate counts by the `id` in the question, which is the same for all attempts of one gate in one run.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: when (unix seconds), for which service, the gate's id and the question's own key, and the answer."""

    time: float
    service: str
    id: str
    key: str
    status: int


@dataclass(frozen=True, slots=True)
class Told:
    """A notification: when (unix seconds), and what arrived."""

    time: float
    body: dict[str, Any]


class Receiver:
    """The server; an async context manager.  `asked` and `told` are all that arrived, in order."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.told: list[Told] = []
        self._answers: Counter[str] = Counter()
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/gate", self._gate)
        app.router.add_post("/told", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; it is looked at after each request."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def _gate(self, request: web.Request) -> web.Response:
        body = await request.json()
        waits, last = int(request.query.get("waits", "0")), int(request.query.get("answer", "200"))
        self._answers[body["id"]] += 1
        done = self._answers[body["id"]]
        status, words = (425, f"{done} of {waits + 1} test suites done") if done <= waits else (last, _final(last))
        key = request.headers.get("Idempotency-Key", "")
        self.asked.append(Asked(time.time(), body["service"], body["id"], key, status))
        self._changed.set()
        return web.json_response({"message": words}, status=status)

    async def _take(self, request: web.Request) -> web.Response:
        self.told.append(Told(time.time(), await request.json()))
        self._changed.set()
        return web.Response(status=204)


def _final(status: int) -> str:
    return "all tests passed" if status < 300 else "a test failed"
