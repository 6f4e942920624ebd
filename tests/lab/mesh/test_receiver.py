"""The gate and the receiver of the lab do as their addresses say."""

from __future__ import annotations

import asyncio

import httpx

from meshshift.lab.receiver import Receiver


def question(run: str) -> dict[str, str]:
    return {"id": f"{run}.2", "service": "reviews"}


async def test_a_gate_waits_as_often_as_its_address_says_and_then_gives_its_last_word() -> None:
    async with Receiver() as receiver, httpx.AsyncClient(base_url=receiver.url) as client:
        for run, query, expected in (
            ("a", "waits=2", [425, 425, 200, 200]),
            ("b", "waits=1&answer=403", [425, 403]),
            ("c", "", [200]),
        ):
            answers = [await client.post(f"/gate?{query}", json=question(run)) for _ in expected]
            assert [answer.status_code for answer in answers] == expected
            assert all(answer.json()["message"] for answer in answers)
        assert [one.status for one in receiver.asked if one.id == "b.2"] == [425, 403]


async def test_what_is_told_is_kept_in_order() -> None:
    async with Receiver() as receiver, httpx.AsyncClient(base_url=receiver.url) as client:
        heard = asyncio.create_task(receiver.until(lambda: len(receiver.told) == 3))
        for number in range(3):
            assert not heard.done()
            assert (await client.post("/told", json={"number": number})).status_code == 204
        await heard
        assert [one.body["number"] for one in receiver.told] == [0, 1, 2]
