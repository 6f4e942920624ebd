"""Asks the gates of shifts, apart from the engine's passes.

A question is a task of its own.  A pass waits for it for a moment, since most gates answer at once, and comes back for
the answer of a slow one; meanwhile it keeps the canary under watch and hears a person's abort.  There is at most one
question per shift.  Its answer is kept for a while, since a pass that could not store it asks again; after that it is
thrown away: the shift was held by something else, and a yes from before that is no yes for now.

Addresses come from whoever may write a TrafficShift, so the same holds as for notifications (see `Poster`).  Of an
answer only its status is shown, and the text that the gate itself declares to be for people.
"""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from meshshift.adapters.logs import fields
from meshshift.adapters.notifier_http import Poster, Trouble
from meshshift.adapters.secrets import LINE, Unusable, read_value
from meshshift.api.notifications import is_header_value
from meshshift.api.status import shorten
from meshshift.core.gate_call import Answered, Unanswered
from meshshift.core.notices import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.adapters.kube import KubeClient
    from meshshift.core.gate_call import Question, Reply
    from meshshift.engine.ports import Key

PATIENCE = 1.0
"""Seconds that a pass waits for an answer."""
FRESH = 30.0
"""Seconds for which an answer to the same question is kept."""
MOST_READ = 4096
"""Bytes of an answer's body that are read."""
LONGEST_MESSAGE = 200

log = logging.getLogger("meshshift.gates")


@dataclass(eq=False)
class _Call:
    """A question under way; `done` is the loop's time at its end."""

    question: Question
    task: asyncio.Task[Reply]
    done: float = field(default=float("inf"))


class GateCalls:
    """The engine's gates; an async context manager, which asks nobody any more once it is left.

    `count` is told the word of each reply.
    """

    def __init__(
        self,
        client: KubeClient,
        count: Callable[[str], None],
        *,
        poster: Poster | None = None,
        patience: float = PATIENCE,
        fresh: float = FRESH,
    ) -> None:
        self._client = client
        self._count = count
        self._poster = poster or Poster()
        self._patience = patience
        self._fresh = fresh
        self._calls: dict[Key, _Call] = {}

    async def __aenter__(self) -> Self:
        await self._poster.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [call.task for call in self._calls.values()]
        for key in tuple(self._calls):
            self.forget(key)
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._poster.__aexit__()

    async def ask(self, key: Key, question: Question) -> Reply | None:
        """The answer for the shift `key`; None while it is on its way."""
        call = self._calls.get(key)
        if call is None or call.question != question or self._now() - call.done > self._fresh:
            self.forget(key)
            call = self._begin(key, question)
        await asyncio.wait({call.task}, timeout=self._patience)
        if not call.task.done():
            return None
        reply = call.task.result()
        if isinstance(reply, Unanswered):
            self.forget(key)
        return reply

    def forget(self, key: Key) -> None:
        """Nobody wants to know the answer any more."""
        if call := self._calls.pop(key, None):
            call.task.cancel()

    def _begin(self, key: Key, question: Question) -> _Call:
        call = _Call(question, asyncio.create_task(self._reply(key, question), name=f"gate-{question.key}"))
        call.task.add_done_callback(lambda _: setattr(call, "done", self._now()))
        self._calls[key] = call
        return call

    async def _reply(self, key: Key, question: Question) -> Reply:
        try:
            reply = await self._attempt(key, question)
        except Exception as bug:  # noqa: BLE001 -- a shift waits for the reply; without one it would ask for ever
            # Without the error's own message, which might hold a secret.
            what, trace = type(bug).__name__, "".join(traceback.format_tb(bug.__traceback__))
            log.error("a bug in meshshift: a gate was not asked: %s\n%s", what, trace, extra=_where(key))
            reply = Unanswered("a bug in meshshift; see its log")
        self._count(reply.word)
        log.info("the gate %s: %s", question.gate.host, reply, extra=_where(key))
        return reply

    async def _attempt(self, key: Key, question: Question) -> Reply:
        """One attempt; the Secret is read each time, so one that is mended meanwhile helps."""
        gate, headers = question.gate, {"Accept": "application/json"}
        if gate.bearer is not None:
            try:
                token = await read_value(self._client, key[0], gate.bearer, is_header_value, LINE)
            except Unusable as unusable:
                return Unanswered(str(unusable))
            headers["Authorization"] = f"Bearer {token}"
        said = Request(question.body(*key), {"Content-Type": "application/json", "Idempotency-Key": question.key})
        answer = await self._poster.exchange(gate.url, said, headers, timeout=gate.timeout, most=MOST_READ)
        if isinstance(answer, Trouble):
            return Unanswered(answer.message)
        return Answered(answer.status, _message(answer.body))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _message(body: bytes) -> str:
    """What the gate says to people: the text `message` of a JSON object; empty if it says nothing like that."""
    with suppress(ValueError, RecursionError):
        found = json.loads(body)
        message = found.get("message") if isinstance(found, dict) else None
        return shorten(message.strip(), LONGEST_MESSAGE) if isinstance(message, str) else ""
    return ""


def _where(key: Key) -> dict[str, object]:
    return fields(namespace=key[0], name=key[1])
