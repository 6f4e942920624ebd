"""The work queue's contract, on a clock of its own."""

from __future__ import annotations

import asyncio

import pytest

from meshshift.engine.queue import BACKOFF_FIRST, BACKOFF_MOST, WorkQueue


async def test_a_key_is_held_once_and_due_at_its_earliest() -> None:
    now = 0.0
    queue: WorkQueue[str] = WorkQueue(lambda: now)
    queue.add("a", 10)
    queue.add("a", 5)
    queue.add("a", 20)
    assert len(queue) == 1
    now = 5.0
    assert await queue.take() == ("a", 0.0)
    assert len(queue) == 0


async def test_earlier_keys_come_first_and_ties_in_order() -> None:
    now = 0.0
    queue: WorkQueue[str] = WorkQueue(lambda: now)
    for key, after in (("late", 3), ("first", 1), ("second", 1)):
        queue.add(key, after)
    now = 4.0
    assert [(await queue.take())[0] for _ in range(3)] == ["first", "second", "late"]


async def test_no_key_is_worked_on_twice_at_a_time_and_no_change_is_missed() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    key, _ = await queue.take()
    queue.add("a")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await queue.take()
    queue.done(key)
    async with asyncio.timeout(5):
        assert (await queue.take())[0] == "a"


async def test_a_waiting_worker_wakes_for_an_earlier_key() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("later", 3600)
    taken = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.add("now")
    async with asyncio.timeout(5):
        assert (await taken)[0] == "now"


async def test_failures_back_off_up_to_a_bound_and_are_forgiven() -> None:
    queue: WorkQueue[str] = WorkQueue(lambda: 0.0)
    delays = [queue.retry("a") for _ in range(12)]
    assert delays[:3] == [BACKOFF_FIRST, 2 * BACKOFF_FIRST, 4 * BACKOFF_FIRST]
    assert delays[-1] == BACKOFF_MOST
    queue.forgive("a")
    assert queue.retry("a") == BACKOFF_FIRST
    assert queue.retry("a", at_least=30.0) == 30.0


async def test_no_change_brings_forward_what_the_server_wants_to_be_asked_later() -> None:
    now = 0.0
    queue: WorkQueue[str] = WorkQueue(lambda: now)
    queue.add("a")
    await queue.take()
    queue.add("a")
    assert queue.retry("a", asked=20.0) == 20.0
    queue.done("a")
    queue.add("a")
    assert await waits(queue)
    now = 20.0
    assert (await queue.take())[0] == "a"
    queue.done("a")
    queue.add("a")
    assert (await queue.take())[0] == "a"


async def test_a_change_brings_forward_what_was_only_put_off() -> None:
    queue: WorkQueue[str] = WorkQueue(lambda: 0.0)
    queue.retry("a", 30.0)
    queue.add("a")
    assert (await queue.take())[0] == "a"


async def waits(queue: WorkQueue[str]) -> bool:
    taking = asyncio.ensure_future(queue.take())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting = not taking.done()
    taking.cancel()
    return waiting
