"""The HTTP pages, each a file beside this one; health, readiness and metrics.

Owns routes. Nothing changes by looking; the one POST is `answer_page`'s. Must not know how
readiness is found out (`Ready` is asked), how links were sealed or who asks a question.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mailguard.frontends.web import pages
from mailguard.frontends.web.answer_page import Asking, answer_routes
from mailguard.frontends.web.copy_page import copy_page_routes
from mailguard.pipeline.snapshot import Snapshot

_HEADERS = pages.headers()

Ready = Callable[[], Awaitable[Mapping[str, str]]]  # component → "ok", or what is wrong


def application(
    snapshot: Callable[[], Snapshot],
    ready: Ready,
    gauges: Callable[[], Awaitable[None]],
    desk: Asking,
) -> Starlette:
    """All pages. `server.gauges` refreshes what is counted only when somebody looks."""

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers=_HEADERS)

    async def readyz(_: Request) -> Response:
        components = await ready()
        good = all(answer == "ok" for answer in components.values())
        return JSONResponse({"ready": good, **components}, 200 if good else 503, _HEADERS)

    async def metrics_page(_: Request) -> Response:
        with contextlib.suppress(Exception):  # a database that is down must not hide the metrics
            await gauges()
        return Response(generate_latest(), headers=_HEADERS, media_type=CONTENT_TYPE_LATEST)

    served = Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics_page),
            *copy_page_routes(snapshot),
            *answer_routes(desk, snapshot),
        ]
    )
    served.router.redirect_slashes = False  # the copy page never redirects, not even to itself
    return served


class HttpServer:
    """uvicorn in our event loop; signals stay with `server.app`."""

    def __init__(self, served: Starlette, host: str, port: int) -> None:
        self._server = uvicorn.Server(
            uvicorn.Config(
                served,
                host=host,
                port=port,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=3,
            )
        )
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Bind and serve; the port. Raises OSError when the address is taken."""
        self._task = asyncio.create_task(self._serve(), name="http")
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise OSError("the HTTP pages could not be served")
            await asyncio.sleep(0.01)
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    async def _serve(self) -> None:
        try:
            await self._server.serve()
        except SystemExit as error:  # uvicorn's way of saying that it could not bind
            raise OSError(
                f"cannot serve HTTP on {self._server.config.host}:{self._server.config.port}"
            ) from error

    async def stop(self) -> None:
        """Let requests under way finish, for a few seconds."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
