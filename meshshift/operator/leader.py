"""One leader at a time, by a Lease, with the official client's election.

Guarded patches keep two writers from harming each other anyway; the election keeps them from working twice.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection

from meshshift.adapters.lease import Lease

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from meshshift.adapters.kube import KubeClient

NAME = "meshshift"
DURATION, RENEW_WITHIN, RETRY = 15, 10, 2
"""Whole seconds (a Lease knows no others), as in client-go's defaults for controllers."""


async def lead(client: KubeClient, namespace: str, identity: str, work: Callable[[], Awaitable[None]]) -> None:
    """Wait to become the leader, then run `work` until leadership is lost or `work` ends; its exception is raised."""
    failed: list[BaseException] = []

    async def started() -> None:
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - handed on below, the election would swallow it
            failed.append(error)

    async def stopped() -> None:
        """Nothing to do: the process ends and is started again as a candidate."""

    lock = Lease(client, NAME, namespace, identity)
    await LeaderElection(Config(lock, DURATION, RENEW_WITHIN, RETRY, started, stopped)).run()
    if failed:
        raise failed[0]
