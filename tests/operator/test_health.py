from __future__ import annotations

import httpx

from meshshift.operator.health import application, serve


async def test_probes_say_what_is_wrong() -> None:
    trouble = ["the caches are empty"]
    app = application(metrics=lambda: (b"up 1\n", "text/plain"), alive=lambda: "", ready=lambda: trouble[0])
    runner, port = await serve(app, "127.0.0.1", 0)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/healthz")).text == "ok\n"
            assert (await client.get("/metrics")).text == "up 1\n"
            unready = await client.get("/readyz")
            assert (unready.status_code, unready.text) == (503, "the caches are empty\n")
            trouble[0] = ""
            assert (await client.get("/readyz")).status_code == 200
    finally:
        await runner.cleanup()
