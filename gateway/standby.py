"""Serving in turn: of the processes that share a configuration and a PostgreSQL database, one serves.

The others stand by: their page and stream answer 503, they listen to no PBX and take no FastAGI session. When
the leases of whoever serves run out, one of them takes over.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import structlog
from fastapi import FastAPI, Request, Response
from starlette.middleware.base import RequestResponseEndpoint

from gateway import __version__
from gateway.app import run_gateway
from gateway.factories import open_database
from gateway.health import Check
from gateway.modules.recogniser import engine_pool
from gateway.ownership import Ownership, is_shared, lease_names
from gateway.settings import Settings
from gateway.storage.journal import JournalWriter
from gateway.storage.leases import LeaseRepository
from gateway.web.answers import json
from gateway.web.serve import serve_web

log = structlog.get_logger(__name__)

RETRY_AFTER_S = 1
"""What clients are told to wait before they ask again, here or elsewhere."""

Result = TypeVar("Result")


async def serve_until(
    settings: Settings,
    told: asyncio.Event,
    *,
    say: Callable[[str], None] = lambda _: None,
    on_up: Callable[[int], None] = lambda _: None,
    on_standby: Callable[[], None] = lambda: None,
) -> None:
    """Run the gateway until `told`, where several share a database in turn with the others.

    `on_up` is called with the page's port each time this process serves, `on_standby` each time it stands by.
    """
    if not is_shared(settings):
        async with run_gateway(settings, say=say) as runtime:
            on_up(runtime.web_port)
            await told.wait()
        return
    async with AsyncExitStack() as stack:
        # A connection of its own, which whoever takes over need not end.
        database = open_database(settings, session="hotline leases")
        stack.push_async_callback(database.close)
        await database.require_newest()
        ownership = Ownership(LeaseRepository(database), lease_names(settings), _address(settings))
        stack.push_async_callback(ownership.give_back)
        # The speech model is kept loaded while standing by: taking over does not wait for it.
        pool = engine_pool(settings, say)
        kept = [] if pool is None else [await stack.enter_async_context(pool)]
        while not told.is_set():
            async with _standing_by(settings):
                on_standby()
                taken = await _unless(told, ownership.take())
            if taken is None:
                return
            async with run_gateway(settings, say=say, ownership=ownership, provided=kept) as runtime:
                on_up(runtime.web_port)
                lost = await _unless(told, ownership.keep())
                if lost is not None:
                    # Nothing is committed any more, or the database is not there: what waits is spooled.
                    runtime.get(JournalWriter).grace_s = 0.0
            if lost is None:
                await ownership.give_back()
            else:
                log.error("leases_lost", why=lost)


async def _unless(told: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """The result of `work`; `None`: told to stop before it was there."""
    working, waiting = asyncio.create_task(work), asyncio.create_task(told.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in (working, waiting):
            task.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)


def _address(settings: Settings) -> str:
    return settings.http.advertise or f"http://{settings.http.host}:{settings.http.port}/"


@asynccontextmanager
async def _standing_by(settings: Settings) -> AsyncIterator[None]:
    """Answer on the ports of page and stream that another process serves."""
    app, http = standby_app(), settings.http
    async with (
        serve_web(app, http.host, http.port),
        serve_web(app, http.host, http.stream_port),
    ):
        yield


def standby_app() -> FastAPI:
    """Whatever is asked: 503, so that a proxy turns to the other process. /healthz is 200: all is well."""
    app = FastAPI(title="hotline-gateway", version=__version__, openapi_url=None)

    @app.middleware("http")
    async def elsewhere(request: Request, _: RequestResponseEndpoint) -> Response:
        if request.url.path == "/healthz":
            return json({"ok": True, "role": "standby"})
        waiting = Check("standby", False, "another gateway process serves; this one stands by")
        response = json({"ok": False, "role": "standby", "checks": [waiting]}, 503)
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
        response.headers["Cache-Control"] = "no-store"
        return response

    return app
