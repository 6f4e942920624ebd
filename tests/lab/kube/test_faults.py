"""Faults on purpose reach the client as a real outage would, before or after the write happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from meshshift.lab.kube import ApiServer, Fault, InterceptedRequest, StatusError
from tests.lab.kube.client import Api, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BODY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}


def on_create(phase: str, fault: Fault) -> Callable[[InterceptedRequest], Awaitable[Fault | None]]:
    async def intercept(request: InterceptedRequest) -> Fault | None:
        return fault if (request.phase, request.verb) == (phase, "create") else None

    return intercept


async def test_without_a_plan_nothing_goes_wrong(local: Api) -> None:
    assert await local.create(local.config_maps(), BODY)


async def test_a_status_is_answered_in_place_of_the_request(server: ApiServer, local: Api) -> None:
    server.faults.intercept = on_create("before", Fault(status=429, reason="TooManyRequests", retry_after=1))
    response = await local.http.post(local.config_maps(), json=BODY)
    assert refusal(response, 429, "TooManyRequests")["details"] == {"retryAfterSeconds": 1}
    assert response.headers["Retry-After"] == "1"
    with pytest.raises(StatusError, match="not found"):
        server.store.get("cm", "a")


async def test_a_reset_before_means_not_carried_out(server: ApiServer, local: Api) -> None:
    server.faults.intercept = on_create("before", Fault(reset=True))
    with pytest.raises(httpx.TransportError):
        await local.http.post(local.config_maps(), json=BODY)
    with pytest.raises(StatusError, match="not found"):
        server.store.get("cm", "a")


async def test_a_reset_after_means_carried_out_and_not_told(server: ApiServer, local: Api) -> None:
    server.faults.intercept = on_create("after", Fault(reset=True))
    with pytest.raises(httpx.TransportError):
        await local.http.post(local.config_maps(), json=BODY)
    assert server.store.get("cm", "a")


async def test_a_status_after_hides_a_write_that_happened(server: ApiServer, local: Api) -> None:
    server.faults.intercept = on_create("after", Fault(status=504, reason="Timeout"))
    refusal(await local.http.post(local.config_maps(), json=BODY), 504, "Timeout")
    assert server.store.get("cm", "a")


async def test_the_interceptor_is_told_what_is_asked(server: ApiServer, local: Api) -> None:
    seen: list[InterceptedRequest] = []

    async def intercept(request: InterceptedRequest) -> None:
        seen.append(request)

    server.faults.intercept = intercept
    await local.http.get("/apis/apps/v1/namespaces/default/deployments/web/status")
    assert seen == [InterceptedRequest("before", "get", "apps", "deployments", "status", "default", "web")]
