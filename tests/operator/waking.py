"""What a feed has woken."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshshift.engine.ports import Key
    from meshshift.engine.queue import WorkQueue


async def woken(queue: WorkQueue[Key]) -> list[Key]:
    """The keys that wait in the queue, taken out and done."""
    keys = []
    while len(queue):
        key, _ = await queue.take()
        queue.done(key)
        keys.append(key)
    return keys
