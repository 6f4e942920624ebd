from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from meshshift.lab.access_log import AccessLog
from tests.lab.mesh.test_telemetry import entry

if TYPE_CHECKING:
    from collections.abc import Mapping


def lines(*entries: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in entries)


async def read(*chunks: bytes, missing: Mapping[tuple[str, str], tuple[str, ...]] | None = None) -> AccessLog:
    stream = asyncio.StreamReader()
    for chunk in chunks:
        stream.feed_data(chunk)
    stream.feed_eof()
    log = AccessLog(stream, missing=lambda: missing or {})
    wanted = sum(chunk.count(b"\n") for chunk in chunks)
    async with log, asyncio.timeout(5):
        await log.until(lambda log: log.total + log.unreadable == wanted)
    return log


async def test_every_line_is_counted_by_status_flags_and_subset() -> None:
    log = await read(lines(entry(), entry(), entry(code=503, flags="UH"), entry(code=0, flags="DC")))
    assert log.counts() == {(200, "-", "v2"): 2, (503, "UH", "v2"): 1, (0, "DC", "v2"): 1}
    assert log.total == 4


async def test_a_line_may_arrive_in_pieces() -> None:
    whole = lines(entry())
    log = await read(whole[:30], whole[30:])
    assert (log.total, log.unreadable) == (1, 0)


async def test_routing_mistakes_keep_their_circumstances() -> None:
    route = {"config": "/vs/reviews", "route": "default", "cluster": None, "time": "12.25", "path": "/x"}
    nowhere = {("/vs/reviews", "default"): ("outbound|9080|v9|h",)}
    log = await read(lines(entry(code=503, flags="NC", **route), entry(code=503, flags="UH,URX")), missing=nowhere)
    first, second = log.mistakes
    assert (first.time, first.path, first.cluster) == (12.25, "/x", "outbound|9080|v9|h")
    assert second.cluster == "outbound|9080|v2|reviews.bookinfo.svc.cluster.local"
    assert log.mistaken() == {"NC": 1, "NR": 0, "UH": 1}


async def test_other_failures_are_no_routing_mistakes() -> None:
    log = await read(lines(entry(code=503, flags="UF,URX"), entry(code=500)))
    assert log.mistaken() == {"NC": 0, "NR": 0, "UH": 0}
    assert not log.mistakes


async def test_an_unreadable_line_is_counted_and_skipped() -> None:
    log = await read(b"not json\n" + lines(entry()) + b'{"code": 200}\n')
    assert (log.total, log.unreadable) == (1, 2)
