"""No failure of one shift stops the others, and each kind of failure is answered in its way."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from meshshift.engine.failures import Conflict, NotFound, Refused, Transient
from meshshift.engine.queue import WorkQueue
from meshshift.engine.world import Key
from meshshift.operator.workers import REFUSED_DELAY, Workers

SHIFT, OTHER = ("bookinfo", "reviews"), ("bookinfo", "ratings")


class Scripted:
    """A reconciler that answers as told, once for each pass."""

    def __init__(self, *answers: float | Exception | None) -> None:
        self.answers = list(answers)
        self.passes: list[Key] = []
        self.exhausted = asyncio.Event()

    async def reconcile(self, key: Key) -> float | None:
        self.passes.append(key)
        answer = self.answers.pop(0)
        if not self.answers:
            self.exhausted.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


class Measured:
    def __init__(self) -> None:
        self.errors: list[Exception | None] = []

    def dequeued(self, late: float) -> None: ...

    def reconciled(self, seconds: float, error: Exception | None = None) -> None:
        self.errors.append(error)


async def worked(
    *answers: float | Exception | None, keys: tuple[Key, ...] = (SHIFT,)
) -> tuple[WorkQueue[Key], Measured]:
    """Work until every answer was given."""
    queue: WorkQueue[Key] = WorkQueue()
    reconciler, gauge = Scripted(*answers), Measured()
    workers = Workers(queue, reconciler, gauge)
    for key in keys:
        queue.add(key)
    task = asyncio.create_task(workers.run())
    async with asyncio.timeout(10):
        await reconciler.exhausted.wait()
        while len(gauge.errors) < len(reconciler.passes):  # noqa: ASYNC110 - one turn of the loop at a time
            await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return queue, gauge


def due_in(queue: WorkQueue[Key]) -> float:
    due: dict[Any, float] = queue._due
    return due[SHIFT] - asyncio.get_running_loop().time()


async def test_a_pass_says_when_the_next_is_due() -> None:
    queue, _ = await worked(20.0)
    assert due_in(queue) == pytest.approx(20.0, abs=1.0)


async def test_a_shift_that_is_gone_is_not_looked_at_again() -> None:
    queue, _ = await worked(None)
    assert len(queue) == 0


@pytest.mark.parametrize(
    ("failure", "at_least"),
    [
        (Conflict("moved"), 0.0),
        (Transient("busy"), 0.0),
        (Transient("busy", retry_after=12.0), 11.0),
        (Refused("forbidden"), REFUSED_DELAY - 1),
        (RuntimeError("a bug"), 0.0),
    ],
)
async def test_every_failure_is_tried_again(failure: Exception, at_least: float) -> None:
    queue, gauge = await worked(failure)
    assert gauge.errors == [failure]
    assert due_in(queue) >= at_least


@pytest.mark.parametrize("failure", [Conflict("moved"), NotFound("gone")])
async def test_what_has_changed_is_looked_at_again_at_once(failure: Exception) -> None:
    queue, _ = await worked(failure)
    assert due_in(queue) <= 1.0


async def test_a_bug_in_one_shift_does_not_stop_the_others() -> None:
    queue, gauge = await worked(RuntimeError("a bug"), 20.0, keys=(SHIFT, OTHER))
    assert [type(error) for error in gauge.errors] == [RuntimeError, type(None)]
    assert len(queue) == 2
