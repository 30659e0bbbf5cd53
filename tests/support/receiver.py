"""A real HTTP server that takes what is delivered, and the configuration of an endpoint there."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web
from pydantic import AnyHttpUrl, SecretStr

from gateway.settings import WorkOrderEndpoint

Answer = Callable[[web.Request, int], Awaitable[web.StreamResponse]]


class Receiver:
    """A real HTTP server; `answer` decides, given the request and how many came before it."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.read())
        self.headers.append({key.lower(): value for key, value in request.headers.items()})
        return await self._answer(request, len(self.bodies) - 1)


@contextlib.asynccontextmanager
async def listening(receiver: Receiver) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", receiver.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/orders"
    finally:
        await runner.cleanup()


def endpoint_settings(url: str, **more: Any) -> WorkOrderEndpoint:
    """A `[[workorders]]` that tries again at once, with a secret."""
    usual = {"id": "main", "secret": SecretStr("a secret"), "first_retry_s": 0.02, "max_retry_s": 0.05}
    return WorkOrderEndpoint.model_validate(usual | {"url": AnyHttpUrl(url)} | more)
