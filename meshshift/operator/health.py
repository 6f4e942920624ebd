"""`/healthz`, `/readyz` and `/metrics` on one port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable


def application(
    *, metrics: Callable[[], tuple[bytes, str]], alive: Callable[[], str], ready: Callable[[], str]
) -> web.Application:
    """The endpoints.  `alive` and `ready` return what is wrong, an empty text if nothing is."""

    async def show_metrics(_: web.Request) -> web.Response:
        body, content_type = metrics()
        return web.Response(body=body, headers={"Content-Type": content_type})

    def probe(trouble: Callable[[], str]) -> Callable[[web.Request], object]:
        async def answer(_: web.Request) -> web.Response:
            wrong = trouble()
            return web.Response(text=(wrong or "ok") + "\n", status=503 if wrong else 200)

        return answer

    app = web.Application()
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/healthz", probe(alive))  # type: ignore[arg-type]
    app.router.add_get("/readyz", probe(ready))  # type: ignore[arg-type]
    return app


async def serve(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Start serving; the runner to clean up, and the port (chosen by the system if `port` is 0)."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    return runner, int(runner.addresses[0][1])
