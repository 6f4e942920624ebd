"""Leadership: one holder, taken over only by who has read the latest record."""

from __future__ import annotations

from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord

from meshshift.adapters.kube import LEASES, KubeClient
from meshshift.adapters.lease import Lease
from meshshift.lab.kube import ApiServer
from meshshift.lab.kube.faults import Fault, InterceptedRequest

NAME, NAMESPACE = "meshshift", "default"


def record(holder: str) -> LeaderElectionRecord:
    return LeaderElectionRecord(holder, "15", "2026-01-01 00:00:00.000001", "2026-01-01 00:00:01")


async def test_a_lease_that_is_not_there_is_told_as_404_and_can_be_made(client: KubeClient) -> None:
    lease = Lease(client, NAME, NAMESPACE, "a")
    found, error = await lease.get(NAME, NAMESPACE)
    assert (found, error.status) == (False, 404)
    assert await lease.create(NAME, NAMESPACE, record("a"))
    found, read = await lease.get(NAME, NAMESPACE)
    assert (found, read.holder_identity, read.lease_duration) == (True, "a", "15")
    stored = await client.get(LEASES, NAMESPACE, NAME)
    assert stored["spec"]["renewTime"].endswith("Z")


async def test_only_one_of_two_candidates_gets_it(client: KubeClient) -> None:
    first, second = (Lease(client, NAME, NAMESPACE, name) for name in ("a", "b"))
    assert await first.create(NAME, NAMESPACE, record("a"))
    assert not await second.create(NAME, NAMESPACE, record("b"))
    for lease in (first, second):
        await lease.get(NAME, NAMESPACE)
    assert await second.update(NAME, NAMESPACE, record("b"))
    assert not await first.update(NAME, NAMESPACE, record("a"))


async def test_a_server_that_does_not_answer_is_an_attempt_that_failed(client: KubeClient, server: ApiServer) -> None:
    lease = Lease(client, NAME, NAMESPACE, "a")
    await lease.create(NAME, NAMESPACE, record("a"))
    await lease.get(NAME, NAMESPACE)

    async def intercept(request: InterceptedRequest) -> Fault | None:
        return Fault(reset=True)

    server.faults.intercept = intercept
    found, error = await lease.get(NAME, NAMESPACE)
    assert (found, error.status) == (False, 0)
    assert not await lease.update(NAME, NAMESPACE, record("a"))
    assert not await lease.create(NAME, NAMESPACE, record("a"))
