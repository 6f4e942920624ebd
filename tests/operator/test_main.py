"""The order in which a controller begins: caches first, decisions after."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from meshshift.operator.main import Operator
from meshshift.operator.settings import Settings, prometheus_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


async def test_nothing_is_decided_before_everything_was_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(prometheus_url="http://prometheus.test:9090")
    client: Any = None
    operator = Operator(settings, prometheus_settings(settings), client)
    listed, begun = asyncio.Event(), asyncio.Event()
    order: list[str] = []

    async def fill(tell: Callable[[str], None]) -> None:
        begun.set()
        await listed.wait()
        order.append("listed")

    async def work() -> None:
        order.append("decided")
        begun.set()

    async def nothing() -> None: ...

    monkeypatch.setattr(operator.lists, "fill", fill)
    monkeypatch.setattr(operator.lists, "run", nothing)
    monkeypatch.setattr(operator, "_watch", nothing)
    monkeypatch.setattr(operator, "_lead", work)
    control = asyncio.create_task(operator._control())
    async with asyncio.timeout(10):
        await begun.wait()
        listed.set()
        await control
    assert order == ["listed", "decided"]
