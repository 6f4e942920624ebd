"""Tells whoever a TrafficShift names of its turns, apart from the engine.

The engine hands a turn over and goes on: nothing here is awaited by it, and no failure here reaches it.  Each turn and
receiver is a delivery, a task of its own with a bounded number of attempts.  Deliveries of one shift to one receiver
keep their order, so a dead receiver holds up nobody but itself.  There is a bound on how many may wait; beyond it the
oldest goes, of the namespace that has the most.

Each delivery is told **at least once**.  What was told is marked on the Event that records the turn.  A process that
begins anew finds the turns of the last ten minutes in the history, and those of them that have no mark are told again:
so a process that dies loses nothing, and repeats at most what was answered, but not marked yet.  Receivers recognise a
repetition by its `id`.  Not told are turns whose every attempt failed, those that were given up for newer ones, and
those of a process that nobody succeeds within ten minutes.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from weakref import WeakValueDictionary

from meshshift.adapters.kube import EVENTS
from meshshift.adapters.logs import fields
from meshshift.adapters.notifier_http import Poster, Trouble
from meshshift.adapters.secrets import LINE, Unusable, read_value
from meshshift.api.convert import notifications_from_wire
from meshshift.api.notifications import is_address, is_header_value
from meshshift.api.policies import Policy, whose_notifications
from meshshift.api.status import rfc3339
from meshshift.core.notices import Notification, Turn, request
from meshshift.engine.failures import ApiFailure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from meshshift.adapters.cluster import KubeCluster
    from meshshift.core.decision import Decision
    from meshshift.core.observation import Observation
    from meshshift.engine.ports import Document, Key

PAUSES = (2.0, 8.0, 30.0, 80.0)
"""Seconds between the attempts; with their own time, five attempts take two to three minutes."""
MOST_WAITING = 1000
MOST_AT_ONCE = 64
MOST_AT_ONE_HOST = 4
MARK = "notified.meshshift.io"
"""Prefix of the annotations on Events that say to whom a turn was told."""

log = logging.getLogger("meshshift.notifications")


@dataclass(frozen=True, slots=True, eq=False)
class _Delivery:
    """One turn on its way to one receiver; `again` if it may have been told.

    `place` is its index in the spec, `source` the policy that it stands in, empty for the shift itself.
    """

    shift: Document
    turn: Turn
    place: int
    notification: Notification
    again: bool
    source: str = ""

    @property
    def lane(self) -> tuple[str, str, str]:
        """What keeps its order."""
        return self.turn.namespace, self.turn.name, self.notification.digest

    @property
    def mark(self) -> str:
        """The annotation that says that this was told."""
        return f"{MARK}/{self.notification.digest}"

    @property
    def field(self) -> str:
        """Where the receiver is named."""
        field = f"spec.notifications[{self.place}].{self.notification.kind}"
        return f"{self.source}: {field}" if self.source else field


class Notifier:
    """The journal that notifies; an async context manager, which tells nobody any more once it is left.

    `count` is told the kind and the result of each delivery that came to its end; `policy_of` knows the policy of a
    shift, as it is now.
    """

    def __init__(
        self,
        cluster: KubeCluster,
        count: Callable[[str, str], None],
        *,
        policy_of: Callable[[Document], Document | None] = lambda shift: None,
        poster: Poster | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._cluster = cluster
        self._count = count
        self._policy_of = policy_of
        self._poster = poster or Poster()
        self._sleep = sleep
        self._most_waiting = most_waiting
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[_Delivery, asyncio.Task[None]] = {}
        self._lanes: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = WeakValueDictionary()
        self._hosts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._all = asyncio.Semaphore(MOST_AT_ONCE)

    async def __aenter__(self) -> Self:
        await self._poster.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._poster.__aexit__()

    def decided(self, key: Key, shift: Document, observation: Observation | None, decision: Decision) -> None:
        """Only turns are told."""

    def wrote(self, kind: str, result: str) -> None:
        """Only turns are told."""

    def forgot(self, key: Key) -> None:
        """What is on its way still arrives."""

    def turned(self, key: Key, shift: Document, turn: Turn, *, new: bool) -> None:
        """Begin to tell a turn to everybody who wants to know."""
        policy = self._policy_of(shift)
        named = None if policy is None else Policy(policy["metadata"]["name"], policy.get("spec"))
        spec, source = whose_notifications(shift.get("spec"), named)
        for place, notification in enumerate(notifications_from_wire(spec)):
            if turn.transition in notification.transitions:
                self._begin(_Delivery(shift, turn, place, notification, again=not new, source=source))

    def _begin(self, delivery: _Delivery) -> None:
        if len(self._waiting) >= self._most_waiting:
            self._drop_one()
        task = asyncio.create_task(self._run(delivery), name=f"notify-{delivery.turn.id}")
        self._waiting[delivery] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _drop_one(self) -> None:
        """No namespace can push out what others have waiting while it has more itself."""
        (most, _), *_ = Counter(delivery.turn.namespace for delivery in self._waiting).most_common(1)
        oldest = next(delivery for delivery in self._waiting if delivery.turn.namespace == most)
        self._waiting.pop(oldest).cancel()
        self._count(oldest.notification.kind, "dropped")
        log.warning(
            "%s is not told of %s: %d newer notifications wait",
            *(oldest.field, oldest.turn.reason, self._most_waiting),
            extra=_where(oldest),
        )

    async def _run(self, delivery: _Delivery) -> None:
        """Tell, then record how it ended; a turn that was marked by an earlier process ends here."""
        lane = self._lanes.setdefault(delivery.lane, asyncio.Lock())
        try:
            async with lane:
                if delivery.again and await self._is_marked(delivery):
                    return
                trouble = await self._attempts(delivery)
        except Exception as bug:  # noqa: BLE001 -- told like any other failure; it must not go unnoticed with the task
            # Without the error's own message, which might hold an address.
            what, trace = type(bug).__name__, "".join(traceback.format_tb(bug.__traceback__))
            log.error(
                "a bug in meshshift: %s was not told: %s\n%s", delivery.field, what, trace, extra=_where(delivery)
            )
            trouble = Trouble("a bug in meshshift; see its log")
        finally:
            self._waiting.pop(delivery, None)
        result = "failed" if trouble else "delivered"
        self._count(delivery.notification.kind, result)
        await self._mark(delivery, result)
        if trouble:
            await self._complain(delivery, trouble)

    async def _attempts(self, delivery: _Delivery) -> Trouble | None:
        """Attempts until one succeeds, none can succeed, or all were made."""
        for pause in PAUSES:
            trouble = await self._attempt(delivery)
            if trouble is None or not trouble.passing:
                return trouble
            log.debug("%s: %s; again in %.0f s", delivery.field, trouble.message, pause, extra=_where(delivery))
            await self._sleep(max(pause, trouble.after))
        return await self._attempt(delivery)

    async def _attempt(self, delivery: _Delivery) -> Trouble | None:
        """One attempt; Secrets are read each time, so one that is mended meanwhile helps."""
        notification, namespace, client = delivery.notification, delivery.turn.namespace, self._cluster.client
        try:
            url = await read_value(
                client, namespace, notification.to, is_address, "an http or https URL without a user"
            )
            headers = {
                each.name: await read_value(client, namespace, each.value, is_header_value, LINE)
                for each in notification.headers
            }
        except Unusable as unusable:
            return Trouble(str(unusable))
        host = self._hosts.setdefault(_host(url), asyncio.Semaphore(MOST_AT_ONE_HOST))
        async with host, self._all:
            return await self._poster.post(url, request(notification.form, delivery.turn), headers)

    async def _is_marked(self, delivery: _Delivery) -> bool:
        """Has an earlier process told it, or given up?  Rather twice than never: not if that cannot be found out."""
        try:
            event = await self._cluster.client.get(EVENTS, delivery.turn.namespace, delivery.turn.id)
        except ApiFailure:
            return False
        return delivery.mark in (event["metadata"].get("annotations") or {})

    async def _mark(self, delivery: _Delivery, result: str) -> None:
        patch = {"metadata": {"annotations": {delivery.mark: result}}}
        try:
            await self._cluster.client.patch(EVENTS, delivery.turn.namespace, delivery.turn.id, patch, kind="merge")
        except ApiFailure as failure:
            log.debug("not marked as %s: %s", result, failure, extra=_where(delivery))

    async def _complain(self, delivery: _Delivery, trouble: Trouble) -> None:
        """Whoever wrote the address may see Events of the shift, but not the controller's log."""
        turn = delivery.turn
        message = f"{delivery.field} was not told of {turn.reason} ({turn.transition}): {trouble.message}"
        log.warning(message, extra=_where(delivery))
        name, at = f"{turn.id}.{delivery.notification.digest}", rfc3339(time.time())
        with suppress(ApiFailure):
            await self._cluster.emit(
                delivery.shift, name=name, warning=True, reason="NotificationFailed", message=message, at=at
            )


def _host(url: str) -> str:
    """Scheme, host and port, by which connections are counted."""
    return "/".join(url.split("/", 3)[:3]).partition("?")[0].lower()


def _where(delivery: _Delivery) -> dict[str, object]:
    turn, kind = delivery.turn, delivery.notification.kind
    return fields(namespace=turn.namespace, name=turn.name, kind=kind, turn=turn.id)
